"""Ids are shown so that people tell each from every other."""

from __future__ import annotations

import pytest

from boards.ids import says_something, visible


@pytest.mark.parametrize(
    ("id_", "shown"),
    [
        ("USR-000042", "USR-000042"),
        ("王小明 🦊", "王小明 🦊"),
        ("ts ", "ts␠"),
        ("  ts", "␠␠ts"),
        ("a b", "a b"),
        ("a  b", "a␠␠b"),
        ("   ", "␠␠␠"),
        ("a\tb\n", "a<U+0009>b<U+000A>"),
        ("ts\u00a0", "ts<U+00A0>"),
        ("ts\u200b", "ts<U+200B>"),
        ("\u202eright", "<U+202E>right"),
        ("ts␠", "ts<U+2420>"),
        ("\ud800", "<U+D800>"),
        ("ts\u3164", "ts<U+3164>"),
        ("ts\u2800", "ts<U+2800>"),
        ("ts\ufe0f", "ts<U+FE0F>"),
        ("", ""),
    ],
)
def test_what_nobody_sees_in_an_id_is_shown(id_, shown):
    assert visible(id_) == shown


@pytest.mark.parametrize(
    "name", ["", "  ", "\u3164", "\u2800\u2800", "\u200d", "\u0301", "\ufe0f \u115f"]
)
def test_a_name_of_which_nothing_is_seen_says_nothing(name):
    assert not says_something(name)


@pytest.mark.parametrize("name", ["a", "\u3164a", "محمد", "👩\u200d👧", "❤\ufe0f", "-", "Z\u0335"])
def test_a_name_with_a_sign_says_something(name):
    assert says_something(name)
