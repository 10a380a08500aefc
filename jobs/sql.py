"""The SQL files of this project, with their placeholders filled in.

A placeholder that nothing fills is a KeyError: no half-filled SQL runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from string import Template

from compose import broker
from settings import PROJECT, Settings

# The job of each board, with the tables it writes. What is left out of the boards is seen on the way, and so rides
# along instead of reading the topic once more.
BOARDS = {
    "top_teams": ("top_teams", "rejected_events"),
    "top_players": ("top_players",),
    "hot_streaks": ("hot_streaks", "late_events"),
    "team_mvps": ("team_mvps",),
}
METRICS = tuple(BOARDS)

# A row for everybody who plays: for looking somebody up, which takes a database, and written at a beat of their own. A
# database is slow to take in thousands of newcomers: a job of their own, so that no board waits for that.
TOTALS = ("player_totals", "member_totals")
JOBS = BOARDS | {"totals": TOTALS}
TABLES = tuple(chain.from_iterable(JOBS.values()))

FOUND_PLAYERS, MEMBERS = 20, 100  # what a search, and a team, shows at most
SEARCHED_BEST = 3_000  # players who are looked through before an index is asked
TOTALS_ROWS = 100_000  # written earlier when so many have changed
BOARD_ROWS = 5_000  # the same for boards: at most what changes within sink_flush_millis

SPARE_PLACES = 20  # kept beyond the board's size: when somebody is banned, others move up

# Boards of a season's best, and whom they are of: who falls off is deleted by the job.
BEST = {"top_teams": "team_id", "top_players": "user_id"}

# What only grows while a season lasts, by table, in the order of significance.
GROWING = {
    "top_teams": ("total_score", "reached_at"),
    "top_players": ("total_score", "reached_at"),
    "team_mvps": ("team_total", "player_total"),
    "late_events": ("events",),
    "player_totals": ("total_score", "reached_at"),
    "member_totals": ("player_total",),
}

# How long rows that nobody writes again are kept, by table: the time they have, and milliseconds.
KEPT_MILLIS = {
    "hot_streaks": ("window_end", 60_000),
    "rejected_events": ("rejected_at", 7 * 86_400_000),
}

# JSON's white space: space, tab, line feed, carriage return. An id of nothing else is blank.
BLANKS = r"U&'\0020\0009\000A\000D'"

ID_LENGTH, NAME_LENGTH = 128, 200  # characters at most; more is rejected

# An event as injectors write it, within all limits but those of its time: these fields in this order, whole numbers,
# texts without escapes. Only single characters are repeated: a pattern that repeats a group calls itself for each time,
# and a message that is long enough would overflow the stack. Java looks up a class of single characters in one step,
# and a range in another.
_CHARACTER = r'[^"\\' + "".join(rf"\x{code:02x}" for code in range(32)) + "]"
_TEXT, _NAME = f'"{_CHARACTER}*"', f'"{_CHARACTER}{{0,{NAME_LENGTH}}}"'
_ID = f'"(?! *"){_CHARACTER}{{1,{ID_LENGTH}}}"'
_SCORE, _MILLIS = r"(?:0|[1-9]\d{0,5})", r"[1-9]\d{12}"
USUAL_EVENT = (
    rf'^\{{"event_id": ?{_TEXT}, ?"user_id": ?{_ID}, ?"user_name": ?{_NAME}, ?"team_id": ?{_ID}'
    rf', ?"team_name": ?{_NAME}, ?"score": ?{_SCORE}, ?"event_time_millis": ?{_MILLIS}, ?"event_type": ?{_TEXT}\}}\z'
)
# The values of such an event, each by its colon: what is between quotes, or digits.
USUAL_VALUE = r': ?"?((?<=")[^"]*|\d+)"?[,}]'
# What ends with the 13 digits of the time: in one object that ends with its time and its type, and as nearly all others
# write it. Patterns that begin with plain characters are found fast.
LAST_TIME = rf'"event_time_millis"(?<!\\"event_time_millis"): ?{_MILLIS}(?=, ?"event_type": ?"[^"\\]*"\}}\z)'
PLAIN_TIME = r'"event_time_millis"\s*:\s*"?\d{13}(?=["\s,}])'

# (length, first start after 1970-01-01T00:00Z) in milliseconds. 1970 began on a
# Thursday, so the first week from a Monday starts four days in.
SEASONS = {
    "hour": (3_600_000, 0),
    "day": (86_400_000, 0),
    "week": (604_800_000, 4 * 86_400_000),
}


def tables(jobs: Iterable[str], sink: str, settings: Settings) -> list[str]:
    """The tables that these jobs write to "postgres" or "kafka"; there may be none."""
    has_totals = sink == "postgres" and settings.totals_flush_seconds > 0
    return [table for job in jobs for table in JOBS[job] if has_totals or table not in TOTALS]


def kept_millis(settings: Settings) -> dict[str, tuple[str, int]]:
    """The same as KEPT_MILLIS with everybody's totals, of this season and the one before."""
    length = season_millis(settings.season)
    return KEPT_MILLIS | (dict.fromkeys(TOTALS, ("season_start", length)) if length else {})


def read(path: str, **values: object) -> str:
    """The text of `sql/<path>` with every `${name}` replaced by its value.

    Raises KeyError for a placeholder without a value.
    """
    return Template((PROJECT / "sql" / path).read_text()).substitute(values)


def season_start(season: str) -> str:
    """SQL for the start of the season that `event_millis` falls in, in epoch milliseconds."""
    if season == "all":
        return "CAST(0 AS BIGINT)"
    length, first = SEASONS[season]
    return f"event_millis - MOD(event_millis - {first}, {length})"


def season_millis(season: str) -> int | None:
    """How long a season is in milliseconds; None for one without an end."""
    return None if season == "all" else SEASONS[season][0]


def sources(settings: Settings, group: str) -> list[str]:
    """Statements that define what the metrics select from; the job commits its offsets to this consumer group."""
    millis = settings.max_late_hours * 3_600_000
    return [
        read(
            "sources/messages.sql",
            topic=settings.topic,
            group=group,
            last_time=LAST_TIME,
            plain_time=PLAIN_TIME,
            kafka_options=broker.table_options(settings),
        ),
        read(
            "sources/read_events.sql",
            max_late_millis=millis,
            blanks=BLANKS,
            usual_event=USUAL_EVENT,
            usual_value=USUAL_VALUE,
            id_length=ID_LENGTH,
            name_length=NAME_LENGTH,
        ),
        read("sources/valid_events.sql", season_start=season_start(settings.season)),
        read("sources/accepted_events.sql")
        if settings.deduplicate_minutes
        else "CREATE TEMPORARY VIEW accepted_events AS SELECT * FROM valid_events",
        read("sources/summed_players.sql"),
        read("sources/summed_teams.sql"),
        read("sources/summed_members.sql"),
    ]


def places(settings: Settings) -> int:
    """How many of the best are kept, of a season or a window."""
    return settings.board_size + SPARE_PLACES


def metric(name: str, settings: Settings) -> str:
    """The SELECT that computes a table."""
    return read(
        f"metrics/{name}.sql",
        topic=settings.topic,
        places=places(settings),
        streak_slide_seconds=settings.streak_slide_seconds,
        earlier_seconds=60 - settings.streak_slide_seconds,
    )


def lookups(collation: str, reader_role: str) -> str:
    """The statements that let readers look up one player or team in PostgreSQL."""
    return read(
        "postgres/lookups.sql",
        collation=collation,
        reader_role=reader_role,
        found_players=FOUND_PLAYERS,
        searched_best=SEARCHED_BEST,
        members=MEMBERS,
    )


def columns(name: str) -> str:
    """The columns and the primary key of a metric's table, in Flink's types."""
    return read(f"tables/{name}.sql").strip()


def kept_by(name: str) -> str | None:
    """The time by which a table's rows outlive the events that they come from; None when they do not."""
    return next((column for column in ("season_start", "rejected_at") if column in columns(name)), None)


def board_topic(name: str) -> str:
    """The compacted topic that holds a metric's table in Kafka mode."""
    return name.replace("_", "-")


def board(name: str, settings: Settings, all_seasons: bool = False) -> str:
    """The SELECT that ranks a metric's table where it is read, in PostgreSQL or SQLite."""
    newest = f"AND season_start = (SELECT MAX(season_start) FROM flink.{name})"
    return read(f"boards/{name}.sql", board_size=settings.board_size, of_seasons="" if all_seasons else newest).strip()


def remove_beyond(name: str, seasons: str, settings: Settings) -> str:
    """The statement, for PostgreSQL or SQLite, that leaves the best places of these seasons in a table of BEST."""
    return read("boards/beyond.sql", table=name, key=BEST[name], seasons=seasons, places=places(settings)).strip()
