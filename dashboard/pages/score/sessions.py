"""How many play, and for how long at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial

import streamlit as st

from boards import sinks
from boards.sinks import Sink
from boards.snapshot import Row
from clients.errors import BoardsUnavailable, first_line
from dashboard import health, html
from dashboard.health import Watch
from dashboard.html import duration, moment, number, text
from games.score import ACTIVE_PLAYERS, ENDED_SESSIONS, GAME
from settings import Settings, settings

REFRESH_SECONDS, ASK_SECONDS = 5, 10
LISTED_MINUTES, PLOTTED_MINUTES = 30, 180
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True)
class Play:
    """Who plays, a row a minute, and the sessions that ended, likewise; the latest first."""

    active: list[Row] = field(default_factory=list)
    ended: list[Row] = field(default_factory=list)
    trouble: str | None = None

    def players(self, count: int) -> dict[datetime, int]:
        """How many played in each of the last minutes, so many at most; the latest first.

        Those without a row had nobody.
        """
        playing = {row["minute_end"]: row["players"] for row in self.active}
        last, first = max(playing), min(playing)
        minutes = (last - number * MINUTE for number in range(count))
        return {minute: playing.get(minute, 0) for minute in minutes if minute >= first}


def page() -> None:
    html.show("<h1>Sessions</h1>")
    html.show(
        "<p>A session ends when a player has no event for more than five minutes. Active are those "
        "with an event in the last five.</p>"
    )
    sink = health.sink_in_use(settings)
    st.fragment(_sessions, run_every=REFRESH_SECONDS)(sink)


@cache
def watch(sink_name: str, settings: Settings) -> Watch[Play]:
    """The one watch over how people play, in a sink."""
    ask = partial(play, sinks.sink(sink_name, settings))
    return Watch("sessions", ask, ASK_SECONDS)


def play(sink: Sink) -> Play:
    """What a sink holds. Raises nothing: the answer says when it cannot be read."""
    try:
        active, ended = sink.rows(GAME, [ACTIVE_PLAYERS, ENDED_SESSIONS])
    except BoardsUnavailable as error:
        return Play(trouble=first_line(error))
    return Play(active, ended)


def _sessions(sink: Sink) -> None:
    known = watch(sink.name, settings).latest(wait_seconds=3)
    if known is None or known.trouble:
        why = text(known.trouble, 400) if known else "Sessions are being read."
        html.notice(why, "bad" if known else "wait")
    elif not known.active:
        html.notice("The first minute of play is not over yet.", "wait")
    else:
        for part in (_figures(known), _plot(known), _minutes(known)):
            html.show(part)


def _figures(known: Play) -> str:
    ((latest, players),) = known.players(1).items()
    last_hour = [row for row in known.ended if row["minute_end"] > latest - HOUR]
    ended = sum(row["sessions"] for row in last_hour)
    seconds = sum(row["sessions"] * row["mean_seconds"] for row in last_hour)
    return html.facts(
        {
            "Active now": number(players),
            "As of, UTC": moment(latest),
            "Mean session, last hour": number(seconds / ended if ended else None, duration),
            "Ended, last hour": number(ended),
        }
    )


def _plot(known: Play) -> str:
    players = [*known.players(PLOTTED_MINUTES).values()][::-1]
    span = f"last {duration(60 * len(players))}, from {min(players):,} to {max(players):,}"
    line = html.spark(players, "Active players", PLOTTED_MINUTES)
    return f'<h2>Active players <small>{span}</small></h2><div class="chart">{line}</div>'


def _minutes(known: Play) -> str:
    ended = {row["minute_end"]: row for row in known.ended}
    rows = [
        [
            moment(minute),
            number(players),
            number(ended[minute]["sessions"] if minute in ended else 0),
            number(ended[minute]["mean_seconds"], duration) if minute in ended else "–",
        ]
        for minute, players in known.players(LISTED_MINUTES).items()
    ]
    heads = {"To, UTC": "name", "Active": "n", "Ended": "n", "Mean length": "n"}
    table = html.table("Minute by minute", heads, rows, "narrow long")
    return f"<h2>Minute by minute</h2>{table}"
