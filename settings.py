"""The one list of settings: each has a name, a default and a line of help.

`LEADERBOARD_<NAME>` in the environment overrides a default; the environment is
read once, when this module is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import Field, dataclass, field, fields
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent
PREFIX = "LEADERBOARD_"


class SettingError(ValueError):
    """A setting has a value that it cannot take; the message names both."""


def _setting(
    default: Any,
    help: str,
    choices: tuple[str, ...] = (),
    *,
    least: int = 1,
    most: int | None = None,
) -> Any:
    """A setting: a text, one of some choices, or a number from `least` to `most`."""
    return field(
        default=default,
        metadata={"help": help, "choices": choices, "least": least, "most": most},
    )


def _port(default: int, help: str, *, least: int = 1) -> Any:
    return _setting(default, help, least=least, most=65535)


@dataclass(frozen=True)
class Settings:
    """All settings, typed; see `SETTINGS` for the same as (name, default, help)."""

    state_folder: str = _setting(".leaderboard", "data, logs, jars and secrets of the services")
    bind_address: str = _setting("127.0.0.1", "the address on which every service listens")

    games: str = _setting("score", "the games whose boards are computed, separated by commas")
    sink: str = _setting("postgres", "where the jobs write the boards", ("postgres", "kafka"))
    season: str = _setting(
        "day",
        "how long a total counts, in UTC; weeks begin on Monday",
        ("hour", "day", "week", "all"),
    )
    board_size: int = _setting(100, "places of each ranked board")
    max_late_hours: int = _setting(
        24, "an event this much older than its record is rejected", least=0
    )
    max_outage_hours: int = _setting(
        24, "the longest outage after which totals are still right", least=0
    )
    deduplicate_minutes: int = _setting(
        10, "an event_id seen again within this time counts once; 0 = off", least=0
    )
    streak_slide_seconds: int = _setting(
        2, "how often hot streaks are computed; must divide 10", ("1", "2", "5", "10")
    )

    silent_partition_seconds: int = _setting(
        30, "after this long a silent partition holds back no window", least=10
    )

    topic: str = _setting("user-score", "the Kafka topic of the score events")
    topic_partitions: int = _setting(4, "partitions of that topic when it is created")
    kafka_brokers: str = _setting("", "host:port[,…] of a broker of your own; empty = start one")
    kafka_port: int = _port(9092, "port of the broker that is started")
    kafka_controller_port: int = _port(
        9093, "port of that broker's controller (KRaft: it needs no ZooKeeper)"
    )
    kafka_heap_mb: int = _setting(512, "heap of that broker in MB")

    kafka_security_protocol: str = _setting(
        "PLAINTEXT",
        "how to reach a broker of your own",
        ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    )
    kafka_ca_file: str = _setting(
        "", "PEM file of the authority that signed its certificate; empty = the system's"
    )
    kafka_sasl_mechanism: str = _setting(
        "SCRAM-SHA-512", "how to log in there", ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    )
    kafka_username: str = _setting("", "the login's name")
    kafka_password_file: str = _setting("", "file that holds the login's password and nothing else")

    postgres_url: str = _setting(
        "", "postgresql://admin:…@host:port/database of your own; empty = start one"
    )
    postgres_port: int = _port(5432, "port of the PostgreSQL that is started")

    flink_rest_address: str = _setting(
        "", "host:port of a JobManager of your own; empty = start one"
    )
    flink_rest_port: int = _port(8081, "port of the JobManager's REST interface and web page")
    flink_rpc_port: int = _port(6123, "port on which TaskManagers reach the JobManager")
    flink_blob_port: int = _port(6124, "port of the JobManager's blob server")
    flink_taskmanager_port: int = _port(
        6122, "port on which the JobManager reaches the TaskManager"
    )
    flink_data_port: int = _port(6121, "port for data between TaskManagers")
    flink_jobmanager_memory_mb: int = _setting(1024, "memory of the JobManager process in MB")
    flink_taskmanager_memory_mb: int = _setting(
        0,
        "memory of the TaskManager process in MB; 0 = a third of the machine's, 2048 to 6144",
        least=0,
    )
    one_job: str = _setting(
        "no",
        "yes = all boards in one job that reads the topic once; no = a job for each board",
        ("no", "yes"),
    )
    parallelism: int = _setting(1, "parallelism of each job")
    state_backend: str = _setting(
        "hashmap",
        "where jobs keep their state: hashmap = on the heap; rocksdb = on disk, for more players "
        "than memory holds",
        ("hashmap", "rocksdb"),
    )
    rocksdb_memory_mb: int = _setting(
        0,
        "how much of the TaskManager's memory RocksDB has, in MB; 0 = none, or a quarter with "
        "state_backend=rocksdb",
        least=0,
    )
    checkpoint_seconds: int = _setting(10, "time between checkpoints")
    sink_flush_millis: int = _setting(200, "the longest time that the sink holds rows back")
    totals_flush_seconds: int = _setting(
        5, "the same for everybody's totals, for looking players up; 0 = do not write them", least=0
    )
    zookeeper_port: int = _port(
        2181, "port of the ZooKeeper that keeps Flink's jobs; Kafka does not use it"
    )

    supervisor_port: int = _port(9001, "port of the process supervisor")
    dashboard_port: int = _port(8501, "port of the dashboard")
    api_port: int = _port(8502, "port of the API's own server")
    monitor_port: int = _port(9108, "port of the metrics of boards, jobs and lag")
    generator_metrics_port: int = _port(
        9109, "port of the metrics of the injector that run_all.sh starts; 0 = none", least=0
    )
    prometheus_port: int = _port(9090, "port of Prometheus in the compose profile monitoring")
    grafana_port: int = _port(3000, "port of Grafana in that profile")
    dashboard_address: str = _setting(
        "", "the address on which the dashboard and the API listen; empty = bind_address"
    )
    page_without_login: str = _setting(
        "no", "yes = whoever reaches the page from another machine may read it", ("no", "yes")
    )
    oidc_metadata_url: str = _setting(
        "", "https://…/.well-known/openid-configuration of who logs people in"
    )
    oidc_client_id: str = _setting("", "the page's name there")
    oidc_client_secret_file: str = _setting(
        "", "file that holds the page's secret there and nothing else"
    )
    oidc_page_url: str = _setting("", "https://… of the page as browsers see it")
    oidc_allowed: str = _setting(
        "", "who may read the page: ada@example.org,@example.com; empty = all who log in"
    )
    oidc_moderators: str = _setting(
        "", "who of them may ban on the page, written likewise; empty = nobody"
    )
    api_token_file: str = _setting(
        "",
        "file that holds the token that programs show at /api and nothing else; "
        "empty = none is asked for",
    )
    moderation_page: str = _setting(
        "on",
        "on = players can be banned on a page that is for this machine only, or has a login",
        ("on", "off"),
    )
    rate_per_second: float = _setting(
        50.0, "events per second of the injector that run_all.sh starts", least=0
    )

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Once: many caches are asked with the settings, several times for each answer of the API.
        return hash(tuple(getattr(self, each.name) for each in fields(self)))

    @property
    def state(self) -> Path:
        """The state folder as an absolute path; a relative one is below the project."""
        return PROJECT / self.state_folder

    @property
    def brokers(self) -> str:
        """host:port[,…] of the Kafka brokers in use."""
        return self.kafka_brokers or f"{self.bind_address}:{self.kafka_port}"

    @property
    def has_kafka_login(self) -> bool:
        """Whether the Kafka brokers ask who is there."""
        return self.kafka_security_protocol.startswith("SASL_")

    @property
    def page_address(self) -> str:
        """The address on which the dashboard and the API listen."""
        return self.dashboard_address or self.bind_address

    @property
    def is_page_for_this_machine(self) -> bool:
        """Whether the dashboard listens on a loopback address only."""
        try:
            return ip_address(self.page_address).is_loopback
        except ValueError:
            return self.page_address == "localhost"

    def check_login(self) -> None:
        """Raise SettingError when others could open the page without a login, unasked."""
        if self.oidc_metadata_url:
            needed = ("oidc_client_id", "oidc_client_secret_file", "oidc_page_url")
            missing = [f"{PREFIX}{name.upper()}" for name in needed if not getattr(self, name)]
            if missing:
                raise SettingError(f"the login to the page needs {', '.join(missing)} too")
        elif not self.is_page_for_this_machine and self.page_without_login == "no":
            raise SettingError(
                f"The page would be open to everybody who reaches {self.page_address}. Set up a "
                "login (LEADERBOARD_OIDC_METADATA_URL, see docs/security.md), or say that this "
                "is what you want: LEADERBOARD_PAGE_WITHOUT_LOGIN=yes."
            )

    @property
    def flink_rest(self) -> str:
        """host:port of the JobManager's REST interface in use."""
        return self.flink_rest_address or f"{self.bind_address}:{self.flink_rest_port}"


SETTINGS = tuple((f.name, f.default, f.metadata["help"]) for f in fields(Settings))


def read(environment: Mapping[str, str]) -> Settings:
    """Settings from `environment`, defaults where it says nothing.

    Raises SettingError for a value that its setting cannot take, and for a
    `LEADERBOARD_` name that is no setting.
    """
    values: dict[str, Any] = {}
    for item in fields(Settings):
        text = environment.get(PREFIX + item.name.upper())
        if text is not None:
            values[item.name] = _parse(item, text)
    known = {PREFIX + item.name.upper() for item in fields(Settings)}
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingError(
            f"{', '.join(unknown)}: no such setting; docs/settings.md lists them all."
        )
    settings = Settings(**values)
    if settings.kafka_security_protocol != "PLAINTEXT" and not settings.kafka_brokers:
        raise SettingError(
            "LEADERBOARD_KAFKA_SECURITY_PROTOCOL is for a broker of your own: "
            "LEADERBOARD_KAFKA_BROKERS."
        )
    if settings.has_kafka_login and not (settings.kafka_username and settings.kafka_password_file):
        raise SettingError(
            "a login to Kafka needs LEADERBOARD_KAFKA_USERNAME and LEADERBOARD_KAFKA_PASSWORD_FILE."
        )
    return settings


def _parse(item: Field[Any], text: str) -> Any:
    kind: type[Any] = type(item.default)
    choices = item.metadata["choices"]
    if choices:
        if text in choices:
            return kind(text)
        wanted = f"one of {', '.join(choices)}"
    elif kind is str:
        return text
    else:
        least, most = item.metadata["least"], item.metadata["most"]
        wanted = "a whole number" if kind is int else "a number"
        wanted += f" of {least} or more" if most is None else f" from {least} to {most}"
        with suppress(ValueError):
            number = kind(text)
            if least <= number <= (sys.maxsize if most is None else most):
                return number
    raise SettingError(f"{PREFIX}{item.name.upper()} is {text!r}; it must be {wanted}.")


def _read_or_exit() -> Settings:
    """The settings of this process, which ends before it does anything when one is wrong."""
    try:
        return read(os.environ)
    except SettingError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


settings = _read_or_exit()
