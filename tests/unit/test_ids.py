"""Ids are shown so that people tell each from every other."""

from __future__ import annotations

import pytest

from boards.ids import visible


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
        ("", ""),
    ],
)
def test_what_nobody_sees_in_an_id_is_shown(id_, shown):
    assert visible(id_) == shown
