"""How every client reaches Kafka: ours, open on this machine, or one with TLS and a login."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, UnsupportedCodecError

from clients import flink
from clients.errors import SetupError
from clients.passwords import write_secret
from settings import Settings

ANSWER_SECONDS = 5  # after so long, a reader takes the broker for away
# What others write in a transaction counts once it is committed, and never when it is aborted.
ISOLATION = "read_committed"
AWAY = (KafkaConnectionError, KafkaTimeoutError, OSError)  # raised when no broker answers

# Flink's connector brings a Kafka client of its own, under a name of its own.
COMMON = "org.apache.flink.kafka.shaded.org.apache.kafka.common"
# How Flink reads a topic.
READING = {
    "isolation.level": ISOLATION,
    # The broker waits up to 100 ms for 16 KB: it then answers once for what would otherwise be
    # many records of a quiet topic.
    "fetch.min.bytes": "16384",
    "fetch.max.wait.ms": "100",
    # Partitions are read in small turns. In a backlog, the turns of the other partitions would
    # otherwise last so long that a partition passes for a silent one, and its events for late
    # ones. A turn lasts longest when a job has just started: `silent_partition_seconds` allows
    # for a slow machine. With smaller turns, a reader could not catch up while the cores are busy:
    # a fetch brings one turn of each partition.
    "max.partition.fetch.bytes": "262144",
}

Client = TypeVar("Client", KafkaConsumer, KafkaProducer, KafkaAdminClient)


def connection(settings: Settings) -> dict[str, Any]:
    """Arguments of every client of kafka-python.

    Raises SetupError when the password file cannot be read.
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.brokers.split(","),
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_ca_file:
        arguments["ssl_cafile"] = settings.kafka_ca_file
    if settings.has_kafka_login:
        arguments |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": _password(settings),
        }
    return arguments


def client(kind: type[Client], settings: Settings, **options: Any) -> Client:
    """A client of kafka-python. Raises KafkaError when no broker answers; else as `connection`.

    A client that finds no broker leaves its thread and sockets behind. They are closed here, or
    whoever retries for hours would run out of them.
    """
    if kind is KafkaConsumer:
        options = {"isolation_level": ISOLATION} | options
    opened: list[Any] = []

    def open_network(**config: Any) -> Any:
        opened.append(kind.DEFAULT_CONFIG["kafka_client"](**config))
        return opened[0]

    try:
        return kind(**connection(settings) | options, kafka_client=open_network)
    except KafkaError:
        for network in opened:
            network.close()
        raise


def reader(settings: Settings, **options: Any) -> KafkaConsumer:
    """A consumer that commits nothing, and raises KafkaError rather than wait for long."""
    return client(
        KafkaConsumer,
        settings,
        request_timeout_ms=ANSWER_SECONDS * 1000,
        bootstrap_timeout_ms=ANSWER_SECONDS * 1000,
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        **options,
    )


def remedy(error: Exception, settings: Settings) -> str:
    """What a person can do about an error of a reader, as a sentence."""
    if isinstance(error, UnsupportedCodecError):
        return (
            "The package for this compression is missing: scripts/stop.sh, then "
            "scripts/run_all.sh, which installs it."
        )
    if settings.kafka_brokers:
        return "It is a broker of your own: LEADERBOARD_KAFKA_BROKERS names it, its log tells more."
    if isinstance(error, AWAY):
        return "scripts/run_all.sh starts what is down."
    return f"Its log tells more: {settings.state / 'logs' / 'kafka.log'}"


def table_options(settings: Settings) -> str:
    """The lines of a Kafka table's WITH that say how to reach the broker.

    The login stands in a file that they name: an option's value may show up anywhere in Flink.
    Raises SetupError when the password file cannot be read.
    """
    options = {"bootstrap.servers": settings.brokers}
    if settings.kafka_security_protocol != "PLAINTEXT":
        options["security.protocol"] = settings.kafka_security_protocol
    if settings.kafka_ca_file:
        options |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": settings.kafka_ca_file}
    if settings.has_kafka_login:
        options |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.jaas.config": f"${{file:{flink.place(settings, _write_login(settings))}:login}}",
            "config.providers": "file",
            "config.providers.file.class": f"{COMMON}.config.provider.FileConfigProvider",
        }
    return _lines(options)


def source_options(settings: Settings) -> str:
    """The same for a table that is read. Raises SetupError as `table_options` does."""
    return f"{table_options(settings)}\n    {_lines(READING)}"


def _lines(options: dict[str, str]) -> str:
    quoted = {name: value.replace("'", "''") for name, value in options.items()}
    return "\n    ".join(f"'properties.{name}' = '{value}'," for name, value in quoted.items())


def _write_login(settings: Settings) -> Path:
    kind = "plain.Plain" if settings.kafka_sasl_mechanism == "PLAIN" else "scram.Scram"
    name, password = map(_quoted, (settings.kafka_username, _password(settings)))
    login = f"{COMMON}.security.{kind}LoginModule required username={name} password={password};"
    path = settings.state / "conf" / "kafka_login.properties"
    write_secret(path, "login=" + login.replace("\\", r"\\") + "\n")
    return path


def _quoted(text: str) -> str:
    """As JAAS reads it; the file's own format wants every backslash twice once more."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def _password(settings: Settings) -> str:
    try:
        return Path(settings.kafka_password_file).read_text().rstrip("\r\n")
    except OSError as error:
        raise SetupError(f"LEADERBOARD_KAFKA_PASSWORD_FILE cannot be read: {error}") from None
