"""The one list of settings: each has a name, a default and a line of help.

`LEADERBOARD_<NAME>` in the environment overrides a default; the environment is
read once, when this module is imported.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import Field, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

PROJECT = Path(__file__).resolve().parent
PREFIX = "LEADERBOARD_"
STARTED = Path("conf", "started.json")  # below the state folder
KEPT = ("games", "event_format", "board_format")  # as at the last start, unless chosen anew
PATH = re.compile(r"([\w~-][\w.~-]*(/[\w~-][\w.~-]*)*/?)?", re.ASCII)

# Variables that change what the programs do which we start, as patterns.
FOREIGN = (
    *("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JVM_ARGS", "CLASSPATH"),
    *("KAFKA_*", "LOG4J_*", "LOGBACK_*", "PYTHON*", "PIP_*", "STREAMLIT_*", "UVICORN_*"),
    *("APICURIO_*", "QUARKUS_*"),
    *("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir", "BASH_ENV", "CDPATH"),
)
# Those that change one of our services, by the setting that names a service of your own instead.
FOREIGN_UNLESS_YOURS = {
    "postgres_url": ("PG*",),
    "flink_rest_address": (
        *("FLINK_*", "_FLINK_*", "HADOOP_*", "HBASE_*", "YARN_*"),
        *("HOST", "WEBUIPORT", "DYNAMIC_PARAMETERS", "STD_REDIRECT_TO_FILE"),  # by its scripts
    ),
}
OWN_HOSTS = ("localhost", "127.0.0.1", "::1")

MOST_MB = 2**20  # a terabyte
# Forms of texts: a pattern, and how a message calls it.
TEXT = (r"[^\x00-\x1f\x7f]+", "a text in one line")
HOST = (r"[\w.-]+", "an IPv4 address, or the name of a host")
ADDRESS = (r"[\w.:-]+", "an IP address, or the name of a host")
PORT = r"([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"  # to 65535
PLACE = rf"(\[[\w.:]+\]|[\w.-]+):{PORT}"
HOST_PORT = (PLACE, "host:port")
BROKERS = (rf"{PLACE}(,{PLACE})*", "host:port, or several of them separated by commas")
DATABASE = (r"postgres(ql)?://[^/\s]+/\S+", "postgresql://user@host:port/database")
URL = (r"https?://[^/\s]+(/\S*)?", "an address that begins with https:// or http://")
TOPIC = (
    r"(?!__|\.{1,2}$)[\w.-]{1,249}",
    "a topic's name of letters, digits, '.', '_' and '-', which does not begin with '__'",
)


JSON, AVRO = "json", "avro"  # the formats of events and boards


class SettingError(ValueError):
    """A setting has a value that it cannot take; the message names both."""


def _setting(
    default: Any,
    help: str,
    choices: tuple[str, ...] = (),
    *,
    least: int = 1,
    most: int = 0,
    form: tuple[str, str] = TEXT,
) -> Any:
    """A setting: a text of a form, one of some choices, or a number from `least` to `most`."""
    limits = {"choices": choices, "least": least, "most": most, "form": form}
    return field(default=default, metadata={"help": help} | limits)


def _port(default: int, help: str, *, least: int = 1) -> Any:
    return _setting(default, help, least=least, most=65535)


@dataclass(frozen=True)
class Settings:
    """All settings, typed; see `SETTINGS` for the same as (name, default, help)."""

    state_folder: str = _setting(".leaderboard", "data, logs, jars and secrets of the services")
    bind_address: str = _setting(
        "127.0.0.1", "the address on which every service listens", form=HOST
    )

    games: str = _setting(
        "score", "the games, separated by commas; without a choice, those of the last start"
    )
    sink: str = _setting("postgres", "where the jobs write the boards", ("postgres", "kafka"))
    season: str = _setting(
        "day",
        "how long a total counts, in UTC; weeks begin on Monday",
        ("hour", "day", "week", "all"),
    )
    board_size: int = _setting(100, "places of each ranked board", most=100_000)
    max_late_hours: int = _setting(
        24, "an event this much older than its record is rejected", least=0, most=87_600
    )
    max_outage_hours: int = _setting(
        24, "the longest outage after which totals are still right", least=0, most=87_600
    )
    deduplicate_minutes: int = _setting(
        10, "an event_id seen again within this time counts once; 0 = off", least=0, most=10_080
    )
    streak_slide_seconds: int = _setting(
        2, "how often hot streaks are computed; must divide 10", ("1", "2", "5", "10")
    )

    watch_play: str = _setting(
        "no", "yes = a job looks for players who play like robots, and for sessions", ("no", "yes")
    )
    suspect_events: int = _setting(
        20, "events in five minutes from which on a player can be a suspect", most=1_000_000
    )
    suspect_factor: float = _setting(
        1.6, "a suspect has more events than this many times the median of the team", most=1_000
    )

    history_days: int = _setting(
        30,
        "how many days the boards of every minute are kept; 0 = do not keep them",
        least=0,
        most=36_500,
    )

    campaign_grace_minutes: int = _setting(
        10, "how long after its end a campaign still counts late spins", least=0, most=10_080
    )

    announcements_per_minute: int = _setting(
        6, "at most so many announcements a minute; 0 = none", least=0, most=600
    )
    leader_seconds: int = _setting(
        10, "how long somebody must lead before it is announced", least=0, most=3_600
    )
    milestone_points: int = _setting(
        50_000, "a team that passes a multiple of this is announced; 0 = none", least=0, most=10**15
    )
    streak_alarm: float = _setting(
        4.0, "a hot streak above this is announced; 0 = none", least=0, most=1_000
    )
    webhooks_file: str = _setting(
        "", "file that lists the webhooks that get announcements, one a line; empty = none"
    )
    webhook_secret_file: str = _setting(
        "", "file that holds the secret that signs what is sent to them; empty = no signature"
    )

    silent_partition_seconds: int = _setting(
        30, "after this long a silent partition holds back no window", least=10, most=86_400
    )

    topic: str = _setting("user-score", "the Kafka topic of the score events", form=TOPIC)
    topic_partitions: int = _setting(4, "partitions of that topic when it is created", most=10_000)
    kafka_brokers: str = _setting(
        "", "host:port[,…] of a broker of your own; empty = start one", form=BROKERS
    )
    kafka_port: int = _port(9092, "port of the broker that is started")
    kafka_controller_port: int = _port(
        9093, "port of that broker's controller (KRaft: it needs no ZooKeeper)"
    )
    kafka_heap_mb: int = _setting(512, "heap of that broker in MB", least=256, most=MOST_MB)
    kafka_java_options: str = _setting(
        "", "options for that broker's Java beside our own, such as -XX:+UseSerialGC"
    )

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

    event_format: str = _setting(
        JSON,
        "how events are written; with avro the jobs read it beside JSON. A choice is kept",
        (JSON, AVRO),
    )
    board_format: str = _setting(
        JSON,
        "how the jobs write the boards to Kafka, keys and values. A choice is kept",
        (JSON, AVRO),
    )
    schema_registry_url: str = _setting(
        "",
        "https://… of a schema registry of your own, to which Confluent's clients could talk; "
        "empty = start one where Avro is asked for",
        form=URL,
    )
    schema_registry_ca_file: str = _setting(
        "", "PEM file of the authority that signed its certificate; empty = the system's"
    )
    schema_registry_login_file: str = _setting(
        "", "file that holds the login there, as name:password, and nothing else"
    )
    schema_registry_port: int = _port(8085, "port of the registry that is started")

    postgres_url: str = _setting(
        "", "postgresql://admin:…@host:port/database of your own; empty = start one", form=DATABASE
    )
    postgres_port: int = _port(5432, "port of the PostgreSQL that is started")

    flink_rest_address: str = _setting(
        "", "host:port of a JobManager of your own; empty = start one", form=HOST_PORT
    )
    flink_rest_port: int = _port(8081, "port of the JobManager's REST interface and web page")
    flink_rpc_port: int = _port(6123, "port on which TaskManagers reach the JobManager")
    flink_blob_port: int = _port(6124, "port of the JobManager's blob server")
    flink_taskmanager_port: int = _port(
        6122, "port on which the JobManager reaches the TaskManager"
    )
    flink_data_port: int = _port(6121, "port for data between TaskManagers")
    flink_jobmanager_memory_mb: int = _setting(
        1024, "memory of the JobManager process in MB", least=768, most=MOST_MB
    )
    flink_taskmanager_memory_mb: int = _setting(
        0,
        "memory of the TaskManager process in MB; 0 = a third of the machine's, 2048 to 6144",
        least=0,
        most=MOST_MB,
    )
    flink_taskmanager_java_options: str = _setting(
        "", "options for the TaskManager's Java beside our own, such as -XX:MaxTenuringThreshold=2"
    )
    one_job: str = _setting(
        "no",
        "yes = all boards in one job that reads the topic once; no = a job for each board",
        ("no", "yes"),
    )
    parallelism: int = _setting(1, "parallelism of each job", most=128)
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
        most=MOST_MB,
    )
    checkpoint_seconds: int = _setting(30, "time between checkpoints", most=3_600)
    sink_flush_millis: int = _setting(
        100, "the longest time that the sink holds rows back", most=60_000
    )
    totals_flush_seconds: int = _setting(
        5,
        "the same for everybody's totals, for looking players up; 0 = do not write them",
        least=0,
        most=3_600,
    )
    zookeeper_port: int = _port(
        2181, "port of the ZooKeeper that keeps Flink's jobs; Kafka does not use it"
    )

    start_seconds: int = _setting(
        60,
        "how long a service may take to start; jobs and first rows may take twice as long",
        most=3_600,
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
        "",
        "the address on which the dashboard and the API listen; empty = bind_address",
        form=ADDRESS,
    )
    page_without_login: str = _setting(
        "no", "yes = whoever reaches the page from another machine may read it", ("no", "yes")
    )
    page_url: str = _setting(
        "",
        "https://… of the page as browsers see it, where a proxy serves it or people log in; "
        "it may have a path, such as https://example.org/boards",
    )
    oidc_metadata_url: str = _setting(
        "", "https://…/.well-known/openid-configuration of who logs people in", form=URL
    )
    oidc_client_id: str = _setting("", "the page's name there")
    oidc_client_secret_file: str = _setting(
        "", "file that holds the page's secret there and nothing else"
    )
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
    api_origins: str = _setting(
        "",
        "whose pages may read the API in a browser: https://game.example,…; * = everybody's; "
        "empty = nobody else's",
    )
    moderation_page: str = _setting(
        "on",
        "on = players can be banned on a page that is for this machine only, or has a login",
        ("on", "off"),
    )
    profile_api_url: str = _setting(
        "https://overfast-api.tekrop.fr",
        "where profiles of players are fetched from: https://…, or http://… of this machine",
        form=URL,
    )
    rate_per_second: float = _setting(
        50.0, "events per second of the injector that run_all.sh starts", least=0, most=1_000_000
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
    def has_avro(self) -> bool:
        """Whether anything is written in Avro, so that a schema registry is needed."""
        return AVRO in (self.event_format, self.board_format)

    @property
    def schema_registry(self) -> str:
        """The address of the schema registry in use, as Confluent's clients are told."""
        own = f"http://{self.bind_address}:{self.schema_registry_port}/apis/ccompat/v7"
        return self.schema_registry_url.rstrip("/") or own

    @property
    def page_address(self) -> str:
        """The address on which the dashboard and the API listen."""
        return self.dashboard_address or self.bind_address

    @property
    def page_host(self) -> str:
        """The host under which this machine reaches the dashboard and the API, as in a URL."""
        try:
            address = ip_address(self.page_address)
        except ValueError:
            return self.page_address
        if address.is_unspecified:  # every address, also the loopback ones
            address = ip_address("127.0.0.1" if address.version == 4 else "::1")
        return str(address) if address.version == 4 else f"[{address}]"

    @property
    def page_prefix(self) -> str:
        """The path below which a proxy serves the page, such as /boards; empty for none."""
        return urlsplit(self.page_url).path.rstrip("/")

    @property
    def is_page_for_this_machine(self) -> bool:
        """Whether the dashboard listens on a loopback address only, and no proxy shows it."""
        shown_at = urlsplit(self.page_url).hostname
        return _is_loopback(self.page_address) and (not shown_at or _is_loopback(shown_at))

    @property
    def origins(self) -> list[str]:
        """The origins whose pages may read the API in a browser."""
        return _listed(self.api_origins)

    def check_login(self) -> None:
        """Raise SettingError when others could open the page without a login, unasked."""
        if self.oidc_metadata_url:
            needed = ("oidc_client_id", "oidc_client_secret_file", "page_url")
            missing = [f"{PREFIX}{name.upper()}" for name in needed if not getattr(self, name)]
            if missing:
                raise SettingError(f"the login to the page needs {', '.join(missing)} too")
        elif not self.is_page_for_this_machine and self.page_without_login == "no":
            where = self.page_address
            if _is_loopback(where):
                where = self.page_url
            raise SettingError(
                f"The page would be open to everybody who reaches {where}. Set up a "
                "login (LEADERBOARD_OIDC_METADATA_URL, see docs/security.md), or say that this "
                "is what you want: LEADERBOARD_PAGE_WITHOUT_LOGIN=yes."
            )

    @property
    def give_more_time(self) -> str:
        """What to do where starting takes longer, as the rest of a sentence."""
        return f"set {PREFIX}START_SECONDS={2 * self.start_seconds}"

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
    for name in ("schema_registry_ca_file", "schema_registry_login_file"):
        if getattr(settings, name) and not settings.schema_registry_url:
            raise SettingError(
                f"{PREFIX}{name.upper()} is for a registry of your own: "
                f"{PREFIX}SCHEMA_REGISTRY_URL."
            )
    if settings.page_url and not _is_page_url(settings.page_url):
        raise SettingError(
            f"LEADERBOARD_PAGE_URL is {settings.page_url!r}; it must be like https://example.org "
            "or https://example.org/boards, with letters, digits, '.', '_', '~', '-' in the path."
        )
    if not _is_safe_url(settings.profile_api_url):
        raise SettingError(
            "LEADERBOARD_PROFILE_API_URL must begin with https://, or lead to this machine, and "
            "have no login, query or fragment."
        )
    for origin in settings.origins:
        if origin != "*" and not _is_origin(origin):
            raise SettingError(
                f"LEADERBOARD_API_ORIGINS names {origin!r}; it must be *, or origins such as "
                "https://game.example or http://localhost:3000, separated by commas."
            )
    return settings


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_safe_url(text: str) -> bool:
    """Whether nobody on the way can read or change what is asked there."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    is_bare = "@" not in parts.netloc and not parts.query and not parts.fragment
    is_safe = parts.scheme == "https" or _is_loopback(parts.hostname or "")
    return is_bare and is_safe and bool(parts.hostname)


def _is_page_url(text: str) -> bool:
    origin, *path = re.split(r"(?<=[^:/])/", text, maxsplit=1)
    return _is_origin(origin) and all(PATH.fullmatch(each) for each in path)


def _is_origin(text: str) -> bool:
    """Whether a browser may say this of a page: scheme, host and port, and nothing else."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # it raises ValueError for one above 65535
    except ValueError:
        return False
    is_bare = text == f"{parts.scheme}://{parts.netloc}" == text.lower()
    return is_bare and parts.scheme in ("http", "https") and bool(parts.hostname)


def _parse(item: Field[Any], text: str) -> Any:
    kind: type[Any] = type(item.default)
    choices = item.metadata["choices"]
    if choices:
        if text in choices:
            return kind(text)
        wanted = f"one of {', '.join(choices)}"
    elif kind is str:
        pattern, wanted = item.metadata["form"]
        if text == item.default or re.fullmatch(pattern, text, re.ASCII):
            return text
    else:
        least, most = item.metadata["least"], item.metadata["most"]
        wanted = f"{'a whole number' if kind is int else 'a number'} from {least} to {most}"
        with suppress(ValueError):
            number = kind(text)
            if least <= number <= most:
                return number
    # One with a login in it is not shown.
    what = "has not the right form" if "@" in text else f"is {text!r}"
    raise SettingError(f"{PREFIX}{item.name.upper()} {what}; it must be {wanted}.")


def shield(environment: MutableMapping[str, str], settings: Settings) -> None:
    """Take out what would change our services, and let nothing stand between us and them.

    Programs obey the environment whatever else they are told: libpq, say, takes PGSSLMODE, and
    every Java takes JAVA_TOOL_OPTIONS. What is for a service of your own stays.
    """
    foreign = [*FOREIGN]
    for own, patterns in FOREIGN_UNLESS_YOURS.items():
        foreign += [] if getattr(settings, own) else patterns
    for name in list(environment):
        if any(fnmatchcase(name, pattern) for pattern in foreign):
            del environment[name]
    # Java reads and writes the names of files by the locale, Python the text in them.
    environment.update({"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"})
    spared = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if spared != "*":
        flink = settings.flink_rest.rpartition(":")[0].strip("[]")
        registry = urlsplit(settings.schema_registry).hostname or ""
        hosts = [settings.bind_address, settings.page_address, flink, registry]
        all_spared = dict.fromkeys([*filter(None, spared.split(",")), *OWN_HOSTS, *hosts])
        environment.update(dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(all_spared)))


def refuse(error: SettingError) -> NoReturn:
    """End the process with the exit code of a wrong setting, after the message."""
    print(error, file=sys.stderr)
    sys.exit(2)


def started_with(settings: Settings) -> dict[str, Any]:
    """What the services were told when they were started last, by setting; empty before that."""
    try:
        return dict(json.loads((settings.state / STARTED).read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}


def _read_or_exit() -> Settings:
    """The settings of this process, which ends before it does anything when one is wrong.

    What is KEPT is that of the last start unless the environment names another, so that every
    command means the system that runs.
    """
    try:
        found = read(os.environ)
    except SettingError as error:
        refuse(error)
    told = started_with(found)
    chosen_anew = {name for name in KEPT if f"{PREFIX}{name.upper()}" in os.environ}
    found = replace(found, **{name: told[name] for name in {*KEPT} & {*told} - chosen_anew})
    shield(os.environ, found)
    return found


settings = _read_or_exit()
