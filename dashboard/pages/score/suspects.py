"""Who plays like a robot, and what speaks for it."""

from __future__ import annotations

from datetime import timedelta

from boards.sinks import Sink
from boards.snapshot import Row
from compose.status import counted
from dashboard import html
from dashboard.html import line, moment, number
from games.score import GAME, PLAY_SECONDS, SUSPECTS


def suspects(sink: Sink) -> list[Row]:
    """The suspects in a sink, the latest first. Raises BoardsUnavailable."""
    (rows,) = sink.rows(GAME, [SUSPECTS])
    return rows


def shown(place: int, suspect: Row) -> str:
    """A suspect with the evidence, as HTML."""
    name = html.link("player", suspect["user_id"], suspect["user_name"])
    figures = {
        "Events": number(suspect["events"]),
        "Team's median": number(suspect["team_median"], "{:,g}".format),
        "Factor": number(suspect["factor"], "×{:.1f}".format),
        "In a row": number(suspect["windows_in_a_row"]),
        "Until, UTC": moment(suspect["window_end"]),
        "Team": html.link("team", suspect["team_id"], suspect["team_name"]),
    }
    who = f"<h3>{place}. {name} <small>{html.identity(suspect['user_id'])}</small></h3>"
    return who + html.facts(figures)


def evidence(suspect: Row) -> str:
    """The same as a reason for a ban: a text in one line."""
    end = suspect["window_end"]
    begin = end - timedelta(seconds=PLAY_SECONDS)
    return (
        f"{counted(suspect['events'], 'event')} from {begin:%H:%M} to {end:%H:%M} UTC on "
        f"{end:%Y-%m-%d}, {suspect['factor']:.1f} times the median of "
        f"{suspect['team_median']:g} in team {line(suspect['team_name'])}; "
        f"{counted(suspect['windows_in_a_row'], 'window')} in a row"
    )
