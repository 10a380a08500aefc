"""The SQL files of this project, with their placeholders filled in.

A placeholder that nothing fills is a KeyError: no half-filled SQL runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from string import Template

from compose import broker
from settings import PROJECT, Settings

# The job of each board, with the tables it writes. What is left out of the boards is seen on the
# way, so its list and its count ride along instead of reading the topic once more.
JOBS = {
    "top_teams": ("top_teams", "rejected_events"),
    "top_players": ("top_players",),
    "hot_streaks": ("hot_streaks", "late_events"),
    "team_mvps": ("team_mvps",),
}
METRICS = tuple(JOBS)
TABLES = tuple(chain.from_iterable(JOBS.values()))

# Kept beyond the board's size: when somebody is banned, others move up; and somebody who falls off
# what is kept and comes back, once more after a recovery, does so out of sight.
SPARE_PLACES = 20

# What only grows while a season lasts, by table, in the order of significance.
GROWING = {
    "top_teams": ("total_score", "reached_at"),
    "top_players": ("total_score", "reached_at"),
    "team_mvps": ("team_total", "player_total"),
    "late_events": ("events",),
}

# How long rows that nobody writes again are kept, by table: the time they have, and milliseconds.
KEPT_MILLIS = {
    "hot_streaks": ("window_end", 60_000),
    "rejected_events": ("rejected_at", 7 * 86_400_000),
}

# JSON's white space: space, tab, line feed, carriage return. An id of nothing else is blank.
BLANKS = r"U&'\0020\0009\000A\000D'"

# (length, first start after 1970-01-01T00:00Z) in milliseconds. 1970 began on a
# Thursday, so the first week from a Monday starts four days in.
SEASONS = {
    "hour": (3_600_000, 0),
    "day": (86_400_000, 0),
    "week": (604_800_000, 4 * 86_400_000),
}


def tables(metrics: Iterable[str]) -> list[str]:
    """The tables that the jobs of these metrics write."""
    return [table for metric in metrics for table in JOBS[metric]]


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
        read("sources/messages.sql", topic=settings.topic, group=group, kafka_options=broker.table_options(settings)),
        read("sources/read_events.sql", max_late_millis=millis, blanks=BLANKS),
        read("sources/valid_events.sql", season_start=season_start(settings.season)),
        read("sources/accepted_events.sql")
        if settings.deduplicate_minutes
        else "CREATE TEMPORARY VIEW accepted_events AS SELECT * FROM valid_events",
    ]


def metric(name: str, settings: Settings) -> str:
    """The SELECT that computes a table."""
    return read(
        f"metrics/{name}.sql",
        topic=settings.topic,
        places=settings.board_size + SPARE_PLACES,
        streak_slide_seconds=settings.streak_slide_seconds,
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
