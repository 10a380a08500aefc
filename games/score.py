"""The score game: players of a mobile game score points for their teams.

docs/contract.md says what its events and boards promise; the numbers in brackets are its sections.
"""

from __future__ import annotations

from games.board import Board, Entity, Game, Injector, Kept, Table
from games.season import DAY_MILLIS, HOUR_MILLIS
from settings import Settings

ID_LENGTH, NAME_LENGTH = 128, 200  # characters at most; more is rejected (2.1)
HIGHEST_SCORE = 1_000_000  # of one event; more is rejected (2.1)
AHEAD_MILLIS = 60_000  # an event's time may be so far ahead of its record's (2.1)

PLAY_SECONDS = 5 * 60  # the window of a suspect, and the gap that ends a session (5.7, 5.8)
SHORT_SECONDS, LONG_SECONDS = 10, 60  # the two windows of a hot streak (5.4)
STREAK_EVENTS = 3  # the fewest in the short window that are a streak rather than a lucky shot

FOUND_PLAYERS, MEMBERS = 20, 100  # what a search, and a team, shows at most
SEARCHED_BEST = 3_000  # players who are looked through before an index is asked


def percent(ratio: float) -> str:
    """A part of a whole in per cent."""
    return f"{100 * ratio:.1f} %"


def are_totals_written(settings: Settings) -> bool:
    """Whether everybody's totals are written."""
    return settings.totals_flush_seconds > 0


def is_play_watched(settings: Settings) -> bool:
    """Whether suspects and sessions are written."""
    return settings.watch_play == "yes"


PLAYER = Entity("Player", "user_id", "user_name", page="player", beside="team_name")
TEAM = Entity("Team", "team_id", "team_name", page="team")

TOP_TEAMS = Board(
    name="top_teams",
    key=("team_id",),
    period="season_start",
    grows=("total_score", "reached_at"),
    keeps_best=True,
    value="total_score",
    label="Points",
    title="Top teams",
    question="points of the season",
    entity=TEAM,
    accent="blue",
    newest="reached_at",
    everybody="team_mvps",
    announced=("leader", "entry", "milestone", "winner"),
)
TOP_PLAYERS = Board(
    name="top_players",
    key=("user_id",),
    period="season_start",
    grows=("total_score", "reached_at"),
    keeps_best=True,
    value="total_score",
    label="Points",
    title="Top players",
    question="points of the season",
    entity=PLAYER,
    accent="teal",
    newest="reached_at",
    everybody="player_totals",
    announced=("leader", "entry", "winner"),
)
HOT_STREAKS = Board(
    name="hot_streaks",
    key=("window_end", "user_id"),
    kept=Kept("window_end", 60_000),
    appends=True,
    value="hotness",
    label="Hotness",
    title="Hot streaks",
    question=f"last {SHORT_SECONDS} s against last {LONG_SECONDS} s",
    entity=PLAYER,
    show="×{:.2f}".format,
    accent="orange",
    newest="window_end",
    late_events="late_events",
    announced=("streak",),
)
TEAM_MVPS = Board(
    name="team_mvps",
    key=("team_id",),
    period="season_start",
    grows=("team_total", "player_total"),
    value="contribution_ratio",
    label="Share",
    title="Team MVPs",
    question="share of the team's points",
    entity=PLAYER,
    show=percent,
    accent="purple",
    announced=("winner",),
)

MOST_IMPROVED = Board(
    name="most_improved",
    key=("user_id",),
    period="hour_start",
    grows=("points_this_hour", "points_hour_before"),
    kept=Kept("hour_start", 2 * HOUR_MILLIS),
    may_be_empty=True,  # until somebody has played in two hours
    why_empty="Nobody has points in both this hour and the hour before it (UTC) yet",
    value="improvement",
    label="Gain",
    title="Most improved",
    question="points of this hour less those of the hour before",
    entity=PLAYER,
    show="{:+,}".format,
    accent="green",
    newest="reached_at",
)

# A board's job writes what it leaves out, because it has read the topic already.
REJECTED_EVENTS = Table(
    name="rejected_events",
    key=("event_topic", "event_partition", "event_offset"),
    kept=Kept("rejected_at", 7 * DAY_MILLIS),
    archived_by="rejected_at",
    job=TOP_TEAMS.name,
    appends=True,
)
LATE_EVENTS = Table(
    name="late_events",
    key=(),
    period="season_start",
    grows=("events",),
    job=HOT_STREAKS.name,
)
# PostgreSQL takes in thousands of newcomers slowly: a job of their own, so that no board waits.
PLAYER_TOTALS = Table(
    name="player_totals",
    key=("user_id",),
    period="season_start",
    grows=("total_score", "reached_at"),
    kept=Kept("season_start"),
    job="totals",
    for_lookups=True,
    written_if=are_totals_written,
)
MEMBER_TOTALS = Table(
    name="member_totals",
    key=("team_id", "user_id"),
    period="season_start",
    grows=("player_total",),
    kept=Kept("season_start"),
    job="totals",
    for_lookups=True,
    written_if=are_totals_written,
)


def _of_play(name: str, key: str, time: str, grows: tuple[str, ...] = ()) -> Table:
    """How people play is for moderators, and no board: nobody is accused in public."""
    return Table(
        name=name,
        key=(key,),
        grows=grows,
        kept=Kept(time, DAY_MILLIS),
        job="play",
        appends=True,
        is_found=True,
        written_if=is_play_watched,
    )


SUSPECTS = _of_play("suspects", "user_id", "window_end", grows=("window_end",))
ACTIVE_PLAYERS = _of_play("active_players", "minute_end", "minute_end")
ENDED_SESSIONS = _of_play("ended_sessions", "minute_end", "minute_end")


def _values(settings: Settings) -> dict[str, object]:
    return {
        "id_length": ID_LENGTH,
        "name_length": NAME_LENGTH,
        "highest_score": HIGHEST_SCORE,
        "ahead_millis": AHEAD_MILLIS,
        "deduplicate_minutes": settings.deduplicate_minutes,
        "streak_slide_seconds": settings.streak_slide_seconds,
        "hour_millis": HOUR_MILLIS,
        "suspect_events": settings.suspect_events,
        "suspect_factor": settings.suspect_factor,
        "found_players": FOUND_PLAYERS,
        "searched_best": SEARCHED_BEST,
        "members": MEMBERS,
    }


def _injector_words(settings: Settings) -> list[str]:
    port = settings.generator_metrics_port
    return ["--rate", str(settings.rate_per_second), "--metrics-port", str(port)]


def _injector_ports(settings: Settings) -> dict[str, int]:
    port = settings.generator_metrics_port
    return {"generator_metrics_port": port} if port else {}


GAME = Game(
    name="score",
    title="Scores",
    topic=lambda settings: settings.topic,
    tables=(
        TOP_TEAMS,
        REJECTED_EVENTS,
        TOP_PLAYERS,
        HOT_STREAKS,
        LATE_EVENTS,
        TEAM_MVPS,
        MOST_IMPROVED,
        PLAYER_TOTALS,
        MEMBER_TOTALS,
        SUSPECTS,
        ACTIVE_PLAYERS,
        ENDED_SESSIONS,
    ),
    sources=(
        "messages.sql",
        "classified_messages.sql",
        "valid_events.sql",
        "accepted_events.sql",
        "player_season_totals.sql",
        "team_season_totals.sql",
        "latest_team_totals.sql",
        "recent_play.sql",
    ),
    values=_values,
    rejects=REJECTED_EVENTS.name,
    counts={"Players": PLAYER_TOTALS.name, "Teams": TEAM_MVPS.name},
    injector=Injector(_injector_words, _injector_ports),
)
