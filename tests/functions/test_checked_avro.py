"""The format checked-json with a schema registry: Avro records beside JSON, and what is neither."""

from __future__ import annotations

import json
import ssl
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import fastavro
import pytest
import trustme

from tests.functions.test_checked_json import FIELDS, GOOD, RULES, of

NULLABLE = ["null", "string"]
USUAL: list[dict] = [
    {"name": "id", "type": "string"},
    {"name": "name", "type": NULLABLE, "default": None},
    {"name": "note", "type": "string"},
    {"name": "points", "type": "long"},
    {"name": "at", "type": ["null", "long"], "default": None},
    {"name": "moment", "type": "string"},
]
MISSING = 404  # an id that the registry does not know


def schema(*fields: dict, without: tuple[str, ...] = ()) -> dict:
    """The schema of the usual fields: those of the same name in the place of others."""
    own = {field["name"]: field for field in fields}
    usual = [own.pop(field["name"], field) for field in USUAL if field["name"] not in without]
    return {"type": "record", "name": "payment", "fields": [*usual, *own.values()]}


def field(name: str, kind: object) -> dict:
    return {"name": name, "type": kind}


TREE = {
    "type": "record",
    "name": "tree",
    "fields": [field("below", {"type": "array", "items": "tree"})],
}
OTHERS = [
    field("tags", {"type": "array", "items": "string"}),
    field("more", {"type": "map", "values": ["null", "double"]}),
    field("tree", TREE),
    field("hash", {"type": "fixed", "name": "hash", "size": 4}),
    field("raw", "bytes"),
    field("flag", "boolean"),
    field("ratio", "float"),
    field("kind", {"type": "enum", "name": "kind", "symbols": ["a", "b"]}),
]
SCHEMAS: dict[int, dict] = {
    1: schema(),
    2: schema(*OTHERS),  # a newer one
    3: schema(without=("points",)),
    4: schema(without=("name", "at")),
    5: schema(field("points", "double"), field("id", "long"), field("note", "boolean")),
    6: schema(field("points", "string"), field("id", ["null", "string"])),
    7: schema(field("id", {"type": "array", "items": "string"}), field("name", "long")),
    8: schema(field("points", "float"), field("note", "bytes")),
    9: schema(field("nothing", {"type": "array", "items": "null"})),
    12: schema(
        {"name": "e0", "type": {"type": "record", "name": "r0", "fields": [field("n", "null")]}},
        *(
            field(
                f"e{n}",
                {
                    "type": "record",
                    "name": f"r{n}",
                    "fields": [field("a", f"r{n - 1}"), field("b", f"r{n - 1}")],
                },
            )
            for n in range(1, 60)
        ),
    ),
    10: {"type": "enum", "name": "kind", "symbols": ["a"]},
    11: {"type": "object"},  # JSON Schema
}


@pytest.fixture(scope="module")
def asked():
    """How often the registry was asked for each id."""
    return Counter()


@pytest.fixture(scope="module")
def read(decoder_of, asked, tmp_path_factory):
    """Reads a message, by a registry of SCHEMAS that does not answer the first time.

    It speaks TLS, and answers only whom it knows.
    """
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    folder = tmp_path_factory.mktemp("registry")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "login").write_text("ada:a:b\n")
    options = {
        "basic.auth.credentials.source": "FILE",
        "basic.auth.file": str(folder / "login"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
    }

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            schema_id = int(self.path.partition("?")[0].rsplit("/", 1)[1])
            is_first = not asked
            asked[schema_id] += 1
            answer: dict = {"schema": json.dumps(SCHEMAS.get(schema_id))}
            status = 200
            if is_first:
                status, answer = 503, {"error_code": 50301, "message": "not yet"}
            elif self.headers["Authorization"] != "Basic YWRhOmE6Yg==":  # ada:a:b
                status, answer = 401, {"error_code": 40101, "message": "who is there?"}
            elif schema_id not in SCHEMAS:
                status, answer = MISSING, {"error_code": 40403, "message": "no such schema"}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever).start()
        yield decoder_of(RULES, {"url": f"https://127.0.0.1:{server.server_port}"} | options)
        server.shutdown()


def avro(schema_id: int, **changed) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, SCHEMAS[schema_id], GOOD | changed)
    return header(schema_id) + out.getvalue()


def header(schema_id: int) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big", signed=schema_id < 0)


OTHER_VALUES = {
    "tags": ["x", "y"],
    "more": {"k": 1.5, "l": None},
    "tree": {"below": [{"below": []}]},
    "hash": b"1234",
    "raw": b"\0\1",
    "flag": True,
    "ratio": 0.5,
    "kind": "b",
}


def test_a_record_as_it_should_be_is_asked_for_until_the_registry_answers(read, asked):
    found = read(avro(1))
    text = json.dumps(GOOD, separators=(",", ":"))
    assert found == FIELDS | {"reason": None, "message": text}
    assert asked[1] == 2
    assert read(avro(1, name=None, at=None))["reason"] is None
    assert asked[1] == 2


def test_json_is_read_beside_it(read):
    assert read(of()) == FIELDS | {"reason": None, "message": of().decode()}
    assert read(b"")["reason"] == "empty message"
    assert read(b"score!")["reason"] == "not one JSON object"


def test_a_record_of_a_newer_schema(read):
    found = read(avro(2, **OTHER_VALUES))
    assert found.items() >= (FIELDS | {"reason": None}).items()
    assert json.loads(found["message"].replace("[4 bytes]", "4").replace("[2 bytes]", "2")) == (
        GOOD | OTHER_VALUES | {"hash": 4, "raw": 2}
    )


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (avro(3), {"reason": "points missing"}),
        (avro(4), {"reason": None, "name": None, "at": None, "points": 5}),
        (avro(5, points=12.0, id=42, note=True), {"points": 12, "id": "42", "note": "true"}),
        (avro(5, points=3.9, id=42, note=True), {"reason": "points not a whole number"}),
        (avro(5, points=float("nan"), id=1, note=True), {"reason": "points not a whole number"}),
        (avro(6, points="12"), {"reason": None, "points": 12}),
        (avro(6, points="many"), {"reason": "points not a whole number"}),
        (avro(6, points="1", id=None), {"reason": "id missing"}),
        (avro(7, id=["a"], name=1), {"reason": "id not a text", "name": None}),
        (avro(8, note=b"abc"), {"reason": "note not a text"}),
        (avro(1, points=-1), {"reason": "points below 0"}),
        (avro(1, points=2**63 - 1), {"reason": "points above 1000"}),
        (avro(1, id="  "), {"reason": "id blank"}),
        (avro(1, id="\U0001f600" * 4), {"reason": "id too long"}),
        (avro(1, name="a\0b"), {"reason": "U+0000 in a text"}),
        (avro(1, name=""), {"reason": None, "name": None}),
        (avro(1, name="ab").replace(b"ab", b"a\xff"), {"reason": None, "name": "a\ufffd"}),
    ],
)
def test_the_same_rules_hold(read, message, fields):
    assert read(message).items() >= fields.items()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        avro(1)[5:-1],
        avro(1)[5:] + b"\0",
        b"\xff" * 40,
        b"\x80" * 40,
        # A text of two gigabytes, and one of less than nothing.
        b"\xfe\xff\xff\xff\x0f" + b"a" * 40,
        b"\x01" + b"a" * 40,
        avro(1)[5:].replace(b"\x02\x06Ada", b"\x08\x06Ada"),  # no such branch of the union
    ],
)
def test_bytes_that_are_not_what_the_schema_says(read, body):
    assert read(header(1) + body)["reason"] == "not one Avro record"


def test_what_would_keep_a_reader_busy_for_ever_is_refused(read):
    """Items that take no byte, as many as a number can say; a tree deeper than a stack.

    And records in records, each twice, without a byte.
    """
    nothing = avro(9, nothing=[])[:-1] + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"
    assert read(nothing)["reason"] == "not one Avro record"
    before = avro(2, **(OTHER_VALUES | {"tree": {"below": []}}))
    deep = before.replace(b"\0001234", b"\x02" * 100_000 + b"\0" * 100_001 + b"1234")
    assert deep != before
    assert read(deep)["reason"] == "not one Avro record"
    assert read(header(12) + avro(1)[5:])["reason"] == "not one Avro record"


@pytest.mark.parametrize("message", [b"\0", b"\0\0\0\0"])
def test_half_a_header(read, message):
    assert read(message)["reason"] == "not one Avro record"


@pytest.mark.parametrize("schema_id", [99, 0, -1])
def test_an_id_that_the_registry_does_not_know_is_asked_for_once(read, asked, schema_id):
    for _ in range(3):
        assert read(header(schema_id) + avro(1)[5:])["reason"] == "schema id unknown"
    assert asked[schema_id] == 1


@pytest.mark.parametrize("schema_id", [10, 11])
def test_a_schema_of_something_else(read, schema_id):
    assert read(header(schema_id) + b"\0")["reason"] == "schema not of an Avro record"
