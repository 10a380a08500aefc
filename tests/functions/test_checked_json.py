"""The format checked-json: what is read of a message, and why it is rejected."""

from __future__ import annotations

import json

import pytest

RULES = {
    "id": "id up to 3",
    "name": "optional text up to 4",
    "note": "text",
    "points": "number from 0 to 1000",
    "at": "optional number",
    "moment": "time",
}
MOMENT, MILLIS = "1970-01-02 00:00:01.234567", 86_401_234
GOOD = {"id": "a", "name": "Ada", "note": "", "points": 5, "at": 7, "moment": MOMENT}
FIELDS = GOOD | {"moment": MILLIS}


@pytest.fixture(scope="module")
def read(decoder_of):
    """Reads a message: its fields as a dictionary, with `reason` and `message`."""
    return decoder_of(RULES, {})


def of(**changed) -> bytes:
    return json.dumps(GOOD | changed).encode()


def test_a_message_as_it_should_be(read):
    assert read(of()) == FIELDS | {"reason": None, "message": of().decode()}


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("12", 12), ("12.0", 12), ("1.2e1", 12), ("120e-1", 12), ('"12"', 12), ('"+12"', 12),
        ('"5."', 5), ("0", 0), ("-0", 0), ("0e99999999999999999999", 0), ("1e3", 1000),
        ("1000." + "0" * 5000, 1000),
    ],
)  # fmt: skip
def test_a_whole_number(read, written, number):
    found = read(of().replace(b'"points": 5', f'"points": {written}'.encode()))
    assert (found["points"], found["reason"]) == (number, None)


@pytest.mark.parametrize(
    "written",
    [
        "3.9", "true", '"many"', '""', '"."', '"e5"', '" 5"', '"1_000"', '"NaN"', '"0x10"', "[5]",
        "{}", "1e-999999999", "1e-99999999999999999999", "3.0000000000000000000001",
    ],
)  # fmt: skip
def test_no_whole_number(read, written):
    found = read(of().replace(b'"points": 5', f'"points": {written}'.encode()))
    assert (found["points"], found["reason"]) == (None, "points not a whole number")


@pytest.mark.parametrize("written", ["1001", "1e400", "9" * 5000, "1e99999999999999999999"])
def test_a_number_above_its_limit(read, written):
    found = read(of().replace(b'"points": 5', f'"points": {written}'.encode()))
    assert found["reason"] == "points above 1000"


def test_a_number_below_its_limit(read):
    assert read(of(points=-1))["reason"] == "points below 0"
    assert read(of(points=-(10**40)))["reason"] == "points below 0"


@pytest.mark.parametrize(
    ("written", "millis"),
    [
        ("1970-01-02T00:00:01.234567", MILLIS),
        ("1970-01-02T00:00:01.234999999Z", MILLIS),
        ("1970-01-02 01:00:01.234+01:00", MILLIS),
        ("1970-01-01T18:30:01.234-0530", MILLIS),
        ("1970-01-02 02:00:01.234+02", MILLIS),
        ("1970-01-02 00:00:01", MILLIS - 234),
        ("1970-01-02T00:00", MILLIS - 1234),
        ("1969-12-31 23:59:59.9999", -1),
        ("2024-02-29 00:00:00Z", 1_709_164_800_000),
    ],
)
def test_a_time(read, written, millis):
    found = read(of(moment=written))
    assert (found["moment"], found["reason"]) == (millis, None)


@pytest.mark.parametrize(
    "written",
    [
        0, True, [], "", "now", "2026-11-28", "10:15:30", "2026-11-28  10:15:30", "1795861800000",
        "2026-11-2810:15:30", "2026-02-29 10:15:30", "2026-13-01 10:15:30", "2026-11-28 24:00:00",
        "2026-11-28 10:15:60", "2026-11-28 10:15:30.", "2026-11-28 10:15:30.1234567890",
        "2026-11-28 10:15:30 Z", "2026-11-28 10:15:30z", "2026-11-28 10:15:30ZZ",
        "2026-11-28 10:15:30+19:00", "2026-11-28 10:15:30+1", "26-11-28 10:15:30",
        " 2026-11-28 10:15:30", "2026-11-28 10:15:30\n", "٢026-11-28 10:15:30",
    ],
)  # fmt: skip
def test_no_time(read, written):
    found = read(of(moment=written))
    assert (found["moment"], found["reason"]) == (None, "moment not a time")
    assert read(of(moment=None))["reason"] == "moment missing"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"id": None}, "id missing"),
        ({"id": ""}, "id blank"),
        ({"id": " \t\n\r"}, "id blank"),
        ({"id": "abcd"}, "id too long"),
        ({"id": "\U0001f600" * 4}, "id too long"),
        ({"id": {"a": [1]}}, "id not a text"),
        ({"id": []}, "id not a text"),
        ({"id": "a\0"}, "U+0000 in a text"),
        ({"note": None}, "note missing"),
        ({"note": {}}, "note not a text"),
        ({"name": "abcde"}, "name too long"),
        ({"name": "\0"}, "U+0000 in a text"),
        ({"points": None}, "points missing"),
        ({"id": "", "points": -1}, "id blank"),
        ({"points": -1, "note": None}, "note missing"),
    ],
)
def test_a_field_that_breaks_its_rule(read, changed, reason):
    assert read(of(**changed))["reason"] == reason


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"id": 42}, {"id": "42"}),
        ({"note": True}, {"note": "true"}),
        ({"id": 3.9}, {"id": "3.9"}),
        ({"id": "\U0001f600" * 3}, {"id": "\U0001f600" * 3}),
        ({"id": "{od"}, {"id": "{od"}),
        ({"name": 42}, {"name": None}),
        ({"name": ""}, {"name": None}),
        ({"name": {"id": {}}}, {"name": None}),
        ({"at": "soon"}, {"at": None}),
        ({"note": "a\0b"}, {"note": "a\0b"}),
        ({"name": "\ud800"}, {"name": "?"}),
        ({"other": [{"id": "x"}] * 3}, {}),
    ],
)
def test_what_is_accepted(read, changed, fields):
    found = read(of(**changed))
    assert found["reason"] is None
    assert {name: found[name] for name in fields} == fields


def test_the_last_of_a_repeated_key_counts(read):
    twice = of()[:-1] + b', "points": 6}'
    assert read(twice)["points"] == 6
    assert read(of()[:-1] + b', "points": -6}')["reason"] == "points below 0"
    assert read(b'{"points": [1], ' + of()[1:])["reason"] is None


def test_bytes_that_are_not_utf_8_are_replaced(read):
    found = read(of(name="ab").replace(b"ab", b"a\xff"))
    assert (found["name"], found["reason"]) == ("a\ufffd", None)
    assert "\ufffd" in found["message"]


def test_an_unknown_field_may_be_as_deep_as_it_likes(read):
    deep = b'{"deep": ' + b"[" * 100_000 + b"]" * 100_000 + b", "
    assert read(deep + of()[1:])["reason"] is None


@pytest.mark.parametrize("message", [None, b""])
def test_an_empty_message(read, message):
    assert read(message)["reason"] == "empty message"


@pytest.mark.parametrize(
    "message",
    [
        b" ", b"[]", b"null", b"12", b'"text"', b"{", b"}", b"{,}", of() + of(), of() + b",",
        of() + b" x", b"[" + of() + b"]", of()[:-1], b"\xef\xbb\xbf" + of(), of() + b"\0",
        b"\0" + of(), of().replace(b"Ada", b"A\na"), of().replace(b"5", b"05"),
        of().replace(b"5", b"NaN"), b"/* */" + of(), of().decode().encode("utf-16"),
    ],
)  # fmt: skip
def test_what_is_not_one_json_object(read, message):
    assert read(message)["reason"] == "not one JSON object"


def test_an_empty_object_lacks_its_first_field(read):
    assert read(b" {} \n")["reason"] == "id missing"
