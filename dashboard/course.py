"""A player's or a team's way through a season: the rank and the points of each minute, as plots.

The table beside them says the same to those who see no plot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import altair as alt

# Altair looks into it when it is there, also while another thread has loaded half of it: a plot
# fails then, and with it the page. Here it is loaded whole, under Python's lock.
import pandas  # noqa: F401
import streamlit as st

from boards import history
from boards.history import Step
from boards.seasons import Season, held_season, millis
from boards.snapshot import Row
from clients.errors import BoardsUnavailable
from dashboard import html
from dashboard.html import number, text
from games import season as lengths
from games.board import Board, Game
from settings import Settings

REFRESH_SECONDS = 60
HEIGHT = 230  # px
# Each is seen on a light page and on a dark one (WCAG 2.2: 3 to 1).
COLOURS = {"blue": "#3b82f6", "teal": "#0d9488"}
TICKS = 5
ROUND = [step * 10**zeros for zeros in range(6) for step in (1, 2, 5)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROUND_TIMES = [
    *(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12)),
    *(timedelta(days=days) for days in (1, 2, 7, 14, 30, 90)),
]
# 1.2M, and not 1.2G for a milliard; a zero is no "0M".
SHORT_NUMBER = "datum.value == 0 ? '0' : replace(format(datum.value, '~s'), 'G', 'B')"
# A midnight is called by its day.
TIME_OR_DAY = (
    "utcFormat(datum.value, utchours(datum.value) + utcminutes(datum.value) ? '%H:%M' : '%-d %b')"
)
MOST_LINES = 31
EVERY = [timedelta(minutes=5), *(timedelta(hours=hours) for hours in (1, 6, 24))]


def show(
    game: Game, board: Board, found_by: str, season: Season | None, settings: Settings
) -> None:
    """Draw the way of one entity of a board, in a season or the newest one."""
    now = datetime.now(UTC)
    length = lengths.of(settings)
    season = season or held_season(game, length, length.start_of(millis(now)))
    steps: list[Step] = []
    why = history.missing(game, settings)
    if not why:
        last = season.season_end - history.MINUTE if season.season_end else now
        until = history.minute_of(min(last, now))
        try:
            steps = history.course(board, found_by, season.season_start, until, settings)
        except BoardsUnavailable as error:
            why = str(error)
    if len(steps) > 1:
        _draw(board, steps)
    else:
        told = text(why, 400) if why else _nothing(board, season, steps, settings)
        html.show(f'<h2>Over the season</h2><p class="quiet">{told}</p>')


def _nothing(board: Board, season: Season, steps: Sequence[Step], settings: Settings) -> str:
    """Why there is no line, and when there will be one."""
    best = f"the best {settings.board_size} of {board.title}"
    if season.season_end and season.season_end <= datetime.now(UTC):
        return f"Never seen among {best} in this season, or its minutes are forgotten by now."
    return f"A line begins with the {'second' if steps else 'first'} minute among {best}."


def _draw(board: Board, steps: Sequence[Step]) -> None:
    ranks = [step.rank_number for step in steps if step.rank_number]
    rank, points, beside = st.columns([3, 3, 2])
    with rank:
        extremes = f"best {min(ranks)}, worst {max(ranks)}"
        html.show(f"<h2>Rank <small>{extremes}</small></h2>")
        told = f"The rank over the season, {extremes}. The table By time has the same numbers."
        st.altair_chart(rank_chart(board, steps), alt=told)
    with points:
        html.show(f"<h2>{board.label} <small>of the season</small></h2>")
        told = f"{board.label} over the season. The table By time has the same numbers."
        st.altair_chart(value_chart(board, steps), alt=told)
    with beside:
        rows = [
            [f"{step.minute:{_form(steps)}}", number(step.rank_number), _value(board, step)]
            for step in reversed(by_time(steps))
        ]
        heads = {"At, UTC": "time", "Rank": "n", board.label: "n"}
        html.show(f"<h2>By time</h2>{html.table('By time', heads, rows, 'course')}")


def _value(board: Board, step: Step) -> str:
    return text(None) if step.value is None else board.show(step.value)


def _form(steps: Sequence[Step]) -> str:
    """How the times in the table are written: of one day without its date."""
    return "%H:%M" if steps[0].minute.date() == steps[-1].minute.date() else "%-d %b, %H:%M"


def by_time(steps: Sequence[Step]) -> list[Step]:
    """Where somebody stood at whole hours or the like, MOST_LINES at most, and at the end."""
    first, last = steps[0].minute, steps[-1].minute
    every = next((each for each in EVERY if (last - first) / each < MOST_LINES - 1), EVERY[-1])
    midnight = first.replace(hour=0, minute=0)
    at = midnight + ((first - midnight) // every + 1) * every
    found, coming = [steps[0]], list(steps)
    while at < last:
        while len(coming) > 1 and coming[1].minute <= at:
            coming.pop(0)
        found.append(coming[0]._replace(minute=at))
        at += every
    return [*found, steps[-1]][-MOST_LINES:] if last > first else found


def rank_chart(board: Board, steps: Sequence[Step]) -> alt.Chart:
    """The ranks, the first at the top."""
    ranks = [step.rank_number for step in steps if step.rank_number]
    best, worst = min(ranks), max(ranks)
    scale = alt.Scale(domain=[worst + 0.5, best - 0.5], nice=False, zero=False)
    axis = alt.Axis(title=None, values=ticks(best, worst), format="d")
    return _chart(board, steps, alt.Y("rank:Q", axis=axis, scale=scale))


def ticks(best: int, worst: int) -> list[int]:
    """The ranks that are written beside a plot: the best one, and a few round ones."""
    step = next(each for each in ROUND if (worst - best) / each <= TICKS)
    return [best, *range(best - best % step + step, worst + 1, step)]


def value_chart(board: Board, steps: Sequence[Step]) -> alt.Chart:
    """The values, from zero on."""
    axis = alt.Axis(title=None, tickCount=TICKS, labelExpr=SHORT_NUMBER)
    return _chart(board, steps, alt.Y("value:Q", axis=axis), is_filled=True)


def times(first: datetime, last: datetime) -> list[datetime]:
    """The round times that are written below a plot."""
    step = next((each for each in ROUND_TIMES if (last - first) / each <= TICKS), ROUND_TIMES[-1])
    begin = first + (EPOCH - first) % step
    return [begin + number * step for number in range((last - begin) // step + 1)]


def _axis_time(time: datetime) -> alt.DateTime:
    hours, minutes = time.hour, time.minute
    return alt.DateTime(
        year=time.year, month=time.month, date=time.day, hours=hours, minutes=minutes, utc=True
    )


def _chart(board: Board, steps: Sequence[Step], y: alt.Y, *, is_filled: bool = False) -> alt.Chart:
    colour = COLOURS.get(board.accent, COLOURS["blue"])
    axis = alt.Axis(
        title=None,
        labelExpr=TIME_OR_DAY,
        values=[_axis_time(each) for each in times(steps[0].minute, steps[-1].minute)],
        labelOverlap=True,
        grid=False,
    )
    tooltip = [
        alt.Tooltip("time:N", title="At, UTC"),
        alt.Tooltip("rank:Q", title="Rank"),
        alt.Tooltip("value:Q", title=board.label, format=","),
    ]
    chart = alt.Chart(alt.Data(values=list(drawn(steps))))
    if is_filled:
        line = {"color": colour, "interpolate": "step-after", "strokeWidth": 2}
        marked = chart.mark_area(line=line, color=colour, opacity=0.18, interpolate="step-after")
    else:
        marked = chart.mark_line(color=colour, interpolate="step-after", strokeWidth=2)
    x = alt.X("at:T", scale=alt.Scale(type="utc"), axis=axis)
    return marked.encode(x=x, y=y, tooltip=tooltip).properties(height=HEIGHT)


def drawn(steps: Sequence[Step]) -> Iterator[Row]:
    """The points of a line that breaks where somebody was off the board."""
    for before, step in pairwise([None, *steps]):
        assert step
        if before and before.rank_number and step.rank_number is None:
            yield _point(before._replace(minute=step.minute))  # until then the line goes on
        yield _point(step)


def _point(step: Step) -> Row:
    return {
        "at": f"{step.minute:%Y-%m-%dT%H:%M:00Z}",
        "time": f"{step.minute:%-d %b, %H:%M}",
        "rank": step.rank_number,
        "value": step.value,
    }
