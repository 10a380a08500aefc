"""The four boards, live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from dashboard import health, live, look
from dashboard.boards import Boards, Row
from dashboard.look import duration, line, text
from settings import settings

STALE_SECONDS = 15  # the watermark's 5 s, a window's slide, a checkpoint's hiccup; more is trouble
TOPS = (10, 25, 50, 100)
INTERVALS = (1, 2, 5, 10)  # seconds
GAIN_SAMPLES = 30 // live.TREND_SECONDS


@dataclass(frozen=True)
class Panel:
    """How one board is shown: its title, what its value is, whose it is, and its number as text."""

    title: str
    question: str
    entity: str
    value: str
    label: str
    number: Callable[[float], str]


PANELS = {
    "top_teams": Panel("Top teams", "points of the season", "team", "total_score", "Points", "{:,}".format),
    "top_players": Panel("Top players", "points of the season", "user", "total_score", "Points", "{:,}".format),
    "hot_streaks": Panel("Hot streaks", "last 10 s against last 60 s", "user", "hotness", "Hotness", "×{:.2f}".format),
    "team_mvps": Panel("Team MVPs", "share of the team's points", "user", "contribution_ratio", "Share", look.share),
}


@dataclass(frozen=True)
class Choices:
    """What to show, all of it in the page's address; no sink means the one in use."""

    sink: str | None
    top: int
    team: str | None
    seconds: int
    is_paused: bool


def page() -> None:
    look.show('<h1 class="unseen">Live leaderboards</h1>')
    choices = _choices()
    st.fragment(_boards, run_every=None if choices.is_paused else choices.seconds)(choices)


def _choices() -> Choices:
    """The controls, which stand in the address; on a wall nobody sees them, but the address counts."""
    with st.container(key="controls", horizontal=True, vertical_alignment="bottom", horizontal_alignment="right"):
        top = st.segmented_control("Places", TOPS, default=TOPS[0], required=True, key="top", bind="query-params")
        team = st.selectbox(
            "Team", _teams(), index=None, placeholder="all", accept_new_options=True, key="team",
            bind="query-params", width=170,
        )  # fmt: skip
        with st.popover("More"):
            sink = st.selectbox(
                "Read the boards from", look.SINKS, index=None, placeholder="where the jobs write", key="sink",
                bind="query-params",
            )  # fmt: skip
            seconds = st.segmented_control(
                "Seconds between refreshes", INTERVALS, default=INTERVALS[0], required=True, key="every",
                bind="query-params",
            )  # fmt: skip
            look.show('<p><a href="?view=wall" target="_self">Wall view</a>: big type, no controls</p>')
        is_paused = st.toggle("Pause", key="paused", bind="query-params")
    return Choices(sink, top, team, seconds, is_paused)


def _teams() -> list[str]:
    seen = live.look(health.sink(settings), settings).boards
    return sorted({line(row["team_name"]) for row in seen.rows["top_teams"]}) if seen else []


def _boards(choices: Choices) -> None:
    """Everything that changes by the second: the state, notices and the four boards."""
    sink = choices.sink or health.sink(settings)
    seen = _seen(sink, choices.is_paused)
    _header(sink, seen, choices.is_paused)
    if seen.boards is None:
        return
    # One element rather than a tree of columns: each costs the server time for each viewer, every second.
    look.show(f'<div class="boards">{"".join(_board(name, seen, choices) for name in PANELS)}</div>')


def _seen(sink: str, is_paused: bool) -> live.Look:
    """What there is to show: what was seen last when paused."""
    kept = st.session_state.get("kept")
    if not (is_paused and kept and kept[0] == sink):
        kept = st.session_state["kept"] = (sink, live.look(sink, settings))
    return kept[1]


# The state


def _header(sink: str, seen: live.Look, is_paused: bool) -> None:
    as_of = seen.boards.as_of if seen.boards else None
    age = (datetime.now(UTC) - as_of).total_seconds() if as_of else 0
    is_old = age > STALE_SECONDS
    word, css = (
        ("PAUSED", "quiet") if is_paused
        else ("UNAVAILABLE", "stale") if seen.boards is None
        else ("STALE", "stale") if is_old or (seen.trouble and as_of)
        else ("EMPTY", "quiet") if not as_of
        else ("LIVE", "good")
    )  # fmt: skip
    figures = {
        "As of": f"{look.moment(as_of)} UTC",
        "Age": f'<span class="{"bad" if is_old else ""}">{duration(age)}</span>',
    }
    counts = seen.counts
    look.show(
        look.facts(
            {"State": look.badge(word, css)}
            | (figures if as_of else {})
            | {
                "Events/s": look.number(counts.events_per_second, "{:,.0f}"),
                "Players": look.number(counts.players),
                "Teams": look.number(counts.teams),
                "Season": _season(seen.boards),
                "From": look.SINKS[sink],
            }
        )
    )
    if seen.trouble:
        kept = " The boards below are the last that were read." if as_of else ""
        look.notice(f"{text(seen.trouble, 400)}{kept}")
    elif is_old and not is_paused:
        look.notice(f"The boards stand still: the newest score is {duration(age)} old. {_why(sink)}")
    elif not as_of:
        look.notice(f"No scores yet: the boards fill a few seconds after the first score arrives. {_why(sink)}", "wait")


def _why(sink: str) -> str:
    """Why no new data comes, by what the services say."""
    shown = health.watch(settings).latest()
    if shown is None:
        return "The services are being asked why."
    using = shown.status.sink
    if using and using != sink:
        return f"The jobs write to {look.SINKS[using]}: read from there, or move them with python -m jobs --switch."
    reasons = shown.reasons()
    if not reasons:
        return "All services run, and records come in: a job may be catching up."
    return "; ".join(text(each, 400) for each in reasons[:3]) + ". See the page Pipeline."


def _season(seen: Boards | None) -> str:
    if settings.season == "all":
        return "all time"
    start = seen.season_start if seen else None
    form = "%d %b, %H:%M" if settings.season == "hour" else "%d %b"
    return f"{settings.season} of {start:{form}}" if start else text(None)


# One board


def _board(name: str, seen: live.Look, choices: Choices) -> str:
    """The HTML of a board, drawn once for all who look at the same part of it."""
    part = name, choices.team, choices.top
    if part not in seen.drawn:
        seen.drawn[part] = _draw(name, seen, choices)
    return seen.drawn[part]


def _draw(name: str, seen: live.Look, choices: Choices) -> str:
    panel = PANELS[name]
    rows = [row for row in seen.boards.rows[name] if choices.team in (None, line(row["team_name"]))][: choices.top]
    heads = {"#": "rank", '<span class="unseen">moved in a minute</span>': "move", _entity(panel): "name"}
    heads |= {"Trend": "trend", panel.label: "value"}
    longest = max((row[panel.value] for row in rows), default=0)
    filled = look.table(
        panel.title,
        heads,
        [_row(name, row, seen, longest) for row in rows],
        kind="ranks" if choices.top == TOPS[0] else "ranks long",
        empty=f"Nobody of {text(choices.team)} is here" if choices.team else "Nothing here yet",
    )
    heading = f"<h2>{panel.title} <small>{panel.question}{_notes(name, seen.boards)}</small></h2>"
    return f'<section class="panel {name}">{heading}{filled}</section>'


def _entity(panel: Panel) -> str:
    return "Team" if panel.entity == "team" else "Player"


def _row(name: str, row: Row, seen: live.Look, longest: float) -> list[str]:
    panel = PANELS[name]
    if panel.entity == "team":
        who = look.link("team", row["team_id"], row["team_name"])
    else:
        who = look.link("player", row["user_id"], row["user_name"])
        who += f' <span class="team">{text(row["team_name"])}</span>'
    found = row[live.KEYS[name]]
    return [
        str(row["rank_number"]),
        _move(seen.movement(name, found)),
        look.bar(row[panel.value] / longest if longest else 0) + who,
        look.spark(_trend(panel, seen.trend(name, found)), "trend of five minutes"),
        panel.number(row[panel.value]),
    ]


def _move(moved: int | str | None) -> str:
    if moved == "new":
        return '<span class="new">new</span>'
    if not moved:
        return ""
    sign, css, word = ("▲", "good", "up") if moved > 0 else ("▼", "bad", "down")
    arrow = f'<span aria-hidden="true">{sign}</span><span class="unseen">{word} </span>'
    return f'<span class="{css}">{arrow}{abs(moved)}</span>'


def _trend(panel: Panel, values: list[float]) -> list[float]:
    """What the trend shows: totals only ever rise, so it is what they gained in half a minute."""
    if panel.value != "total_score":
        return values
    return [now - before for before, now in zip(values, values[GAIN_SAMPLES:], strict=False)]


def _notes(name: str, seen: Boards) -> str:
    """What else is to be said of a board: that it lags behind the others, or left something out."""
    newest = seen.newest(name)
    lag = (seen.as_of - newest).total_seconds() if newest else 0
    behind = f' · <span class="bad">{duration(lag)} behind the other boards</span>' if lag > STALE_SECONDS else ""
    late = seen.rows["late_events"][:1] if name == "hot_streaks" else []
    return (f" · {late[0]['events']:,} events of the season came too late" if late else "") + behind
