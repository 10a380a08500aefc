"""How the schema registry is reached, and Avro in Confluent's form: 0, the schema's id, a record.

The registry speaks as Confluent's does: ours is Apicurio's, and any other will do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import requests

from clients.errors import BoardsUnavailable, SetupError
from settings import AVRO, PREFIX, Settings

ANSWER_SECONDS = 10
MAGIC = b"\0"  # begins a record in Avro; JSON never begins so
ID_BYTES = 4
COMPATIBILITY = "BACKWARD"  # a reader with the new schema understands the old records

Schema = dict[str, Any]


class RegistryUnavailable(BoardsUnavailable):
    """The registry does not answer, or does not let us in; the message is a sentence.

    Neither events nor boards in Avro can be read then.
    """


class RefusedSchema(SetupError):
    """The registry does not take a schema; the message has its own words."""


def register(settings: Settings, subject: str, schema: Schema) -> int:
    """The id of a schema under a subject, to which only compatible ones are added from then on.

    Raises RefusedSchema, or RegistryUnavailable.
    """
    _ask(settings, "PUT", f"/config/{subject}", {"compatibility": COMPATIBILITY})
    text = json.dumps(schema)
    answer = _ask(settings, "POST", f"/subjects/{subject}/versions", {"schema": text})
    return int(answer["id"])


def latest(settings: Settings, subject: str) -> tuple[int, Schema] | None:
    """The latest schema of a subject, with its id; None when it has none.

    Raises RegistryUnavailable.
    """
    answer = _ask(settings, "GET", f"/subjects/{subject}/versions/latest")
    return (int(answer["id"]), _parsed(answer["schema"])) if answer else None


def encoder(settings: Settings, topic: str) -> Callable[[bytes | None], bytes | None]:
    """What makes a message of an event in JSON: with event_format=avro, by the latest schema.

    What is no such record is sent as it is: a broken producer does not keep to its schema. Raises
    RegistryUnavailable.
    """
    if settings.event_format != AVRO:
        return lambda event: event
    known = latest(settings, subject(topic))
    if known is None:
        raise RegistryUnavailable(f"the schema registry has no schema for the topic {topic} yet")

    def encode(event: bytes | None) -> bytes | None:
        try:
            return encoded(*known, json.loads(event or b""))
        except (ValueError, TypeError, RecursionError):
            return event

    return encode


def encoded(schema_id: int, schema: Schema, record: Schema) -> bytes:
    """A record as a message. Raises ValueError when it is not what the schema says."""
    if not fastavro.validate(record, schema, raise_errors=False):
        raise ValueError("the record is not what its schema says")
    out = BytesIO()
    out.write(MAGIC + schema_id.to_bytes(ID_BYTES, "big"))
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def decoded(settings: Settings, message: bytes) -> Any:
    """What a message says, in Avro or in JSON.

    Raises ValueError for what is neither, and RegistryUnavailable.
    """
    if not is_avro(settings, message):
        return json.loads(message)
    start = len(MAGIC) + ID_BYTES
    schema = _schema(settings, int.from_bytes(message[len(MAGIC) : start], "big"))
    try:
        return fastavro.schemaless_reader(
            BytesIO(message[start:]), schema, None, handle_unicode_errors="replace"
        )
    except (EOFError, LookupError, ArithmeticError, MemoryError) as error:
        raise ValueError(f"not one Avro record: {error!r}") from error


def as_json(settings: Settings, message: bytes) -> bytes:
    """A message with what it says in Avro as JSON. Raises as `decoded` does."""
    if not is_avro(settings, message):
        return message
    return json.dumps(decoded(settings, message), default=list).encode()


def is_avro(settings: Settings, message: bytes | None) -> bool:
    """Whether a message is read as Avro."""
    return settings.has_avro and message is not None and message[:1] == MAGIC


@cache  # What an id means never changes. What is raised is not kept.
def _schema(settings: Settings, schema_id: int) -> Any:
    answer = _ask(settings, "GET", f"/schemas/ids/{schema_id}")
    if answer is None:
        raise ValueError(f"schema id {schema_id} unknown")
    return _parsed(answer["schema"])


def _parsed(text: str) -> Any:
    try:
        return fastavro.parse_schema(json.loads(text))
    except fastavro.schema.SchemaParseException as error:
        raise ValueError(f"no schema of Avro: {error}") from error


def _ask(settings: Settings, method: str, path: str, body: Schema | None = None) -> Any:
    """What the registry answers, as JSON values; None when there is no such thing."""
    where = f"The schema registry at {settings.schema_registry}"
    try:
        answer = requests.request(
            method,
            settings.schema_registry + path,
            json=body,
            auth=_login(settings),
            verify=settings.schema_registry_ca_file or True,
            timeout=ANSWER_SECONDS,
        )
        if answer.status_code == requests.codes.not_found:
            return None
        if answer.status_code in (requests.codes.conflict, requests.codes.unprocessable):
            raise RefusedSchema(f"{where} refuses {path}: {_words(answer)}")
        answer.raise_for_status()
        return answer.json()
    except requests.HTTPError as error:
        raise RegistryUnavailable(f"{where} refuses {method} {path}: {error}") from error
    except requests.RequestException as error:
        raise RegistryUnavailable(f"{where} does not answer ({type(error).__name__})") from error


def _words(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, LookupError):
        return answer.text


def _login(settings: Settings) -> tuple[str, str] | None:
    file = settings.schema_registry_login_file
    if not file:
        return None
    try:
        name, _, password = Path(file).read_text().strip().partition(":")
    except OSError as error:
        variable = f"{PREFIX}SCHEMA_REGISTRY_LOGIN_FILE"
        raise SetupError(f"{variable} cannot be read: {error}") from None
    return (name, password) if name else None


# For tables in Flink


def event_options(settings: Settings) -> str:
    """The lines of a Kafka table's WITH that let the format checked-json read Avro too, if any."""
    if settings.event_format != AVRO:
        return ""
    options = {"url": settings.schema_registry, **_client(settings, tls_prefix="")}
    return _lines({f"checked-json.registry.{name}": text for name, text in options.items()})


def formats(settings: Settings, form: str, topic: str, **schema_of: Callable[[], Schema]) -> str:
    """The lines of a Kafka table's WITH that say in which form parts of a record are written.

    Parts are `key` and `value`. Only Avro needs their schemas.
    """
    if form != AVRO:
        return _lines({f"{part}.format": form for part in schema_of})
    options: dict[str, str] = {}
    for part, schema in schema_of.items():
        avro = f"{part}.avro-confluent"
        client = _client(settings, tls_prefix="schema.registry.")
        options |= {
            f"{part}.format": "avro-confluent",
            f"{avro}.url": settings.schema_registry,
            f"{avro}.subject": subject(topic, part),
            f"{avro}.schema": json.dumps(schema()),
            **{f"{avro}.properties.{name}": text for name, text in client.items()},
        }
    return _lines(options)


def subject(topic: str, part: str = "value") -> str:
    """The subject of the schemas of a topic's keys or values."""
    return f"{topic}-{part}"


def _client(settings: Settings, tls_prefix: str) -> dict[str, str]:
    """Options of Confluent's client. The login stands in the file that they name."""
    options = {"http.connect.timeout.ms": "5000", "http.read.timeout.ms": "10000"}
    if settings.schema_registry_login_file:
        options |= {
            "basic.auth.credentials.source": "FILE",
            "basic.auth.file": _absolute(settings.schema_registry_login_file),
        }
    if settings.schema_registry_ca_file:
        options |= {
            f"{tls_prefix}ssl.truststore.type": "PEM",
            f"{tls_prefix}ssl.truststore.location": _absolute(settings.schema_registry_ca_file),
        }
    return options


def _absolute(file: str) -> str:
    return str(Path(file).absolute())


def _lines(options: dict[str, str]) -> str:
    quoted = {name: value.replace("'", "''") for name, value in options.items()}
    return "\n    ".join(f"'{name}' = '{value}'," for name, value in quoted.items())
