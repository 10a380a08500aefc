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
}
GOOD = {"id": "a", "name": "Ada", "note": "", "points": 5, "at": 7}


@pytest.fixture(scope="module")
def read(flink):
    """Reads a message: its fields as a dictionary, with `reason`."""
    from pyflink.java_gateway import get_gateway
    from pyflink.util.java_utils import to_jarray

    jvm = get_gateway().jvm
    options = jvm.org.apache.flink.configuration.Configuration()
    for name, rule in RULES.items():
        options.setString(f"fields.{name}", rule)
    types = jvm.org.apache.flink.table.api.DataTypes
    columns = [
        types.FIELD(name, types.BIGINT() if "number" in rule else types.STRING())
        for name, rule in RULES.items()
    ]
    form = jvm.leaderboard.functions.CheckedJsonFormat().createDecodingFormat(None, options)
    form.applyReadableMetadata(["reason", "message"])
    context = "org.apache.flink.table.runtime.connector.source.ScanRuntimeProviderContext"
    instance = jvm.java.lang.Class.forName(context).getField("INSTANCE").get(None)
    decoder = form.createRuntimeDecoder(instance, types.ROW(to_jarray(types.Field, columns)))
    decoder.open(None)

    def decode(message: bytes | None) -> dict:
        row = decoder.deserialize(message)
        names = [*RULES, "reason", "message"]
        fields = {name: row.getField(place) for place, name in enumerate(names)}
        return {
            name: value if value is None or isinstance(value, int) else value.toString()
            for name, value in fields.items()
        }

    return decode


def of(**changed) -> bytes:
    return json.dumps(GOOD | changed).encode()


def test_a_message_as_it_should_be(read):
    assert read(of()) == GOOD | {"reason": None, "message": of().decode()}


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
