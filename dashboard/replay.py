"""A season as a race: a slider through its minutes, and whoever passes whom in ten seconds.

The minute stands in the address. While the race runs, its clock is here, for each viewer alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import streamlit as st

from boards import history
from boards.seasons import Season, held_season, millis
from boards.snapshot import Row
from dashboard import html
from dashboard.html import label, text
from games import season as lengths
from games.board import Board, Game
from settings import Settings

AT, PLAY = "at", "play"  # in the address
CLOCK, SLOTS = "race", "slots"  # of a viewer: since when it runs and from where; who is where
DAY = timedelta(days=1)
FRAMES = 24  # of a day, or of a shorter season: each begins an hour, which is read at once
FRAME_SECONDS = 10 / FRAMES
MOST_PLACES = 25
ROW_REM = 1.8  # as high as a row of a board


@dataclass(frozen=True)
class Span:
    """The minutes of a season that are kept, and how much of it passes in a frame."""

    season: Season
    first: datetime
    last: datetime

    @property
    def step(self) -> timedelta:
        start, end = self.season.season_start, self.season.season_end
        return min(DAY, end - start if end else DAY) / FRAMES

    def within(self, minute: datetime) -> datetime:
        """This minute, or the nearest that is kept."""
        return min(max(minute, self.first), self.last)

    def frame(self, begin: datetime, seconds: float) -> datetime:
        """The minute that is shown so long after the race began there."""
        number, start = int(seconds / FRAME_SECONDS), self.season.season_start
        if number == 0:
            return begin
        before = (begin - start) // self.step
        return self.within(history.minute_of(start + (before + number) * self.step))


def span_of(game: Game, season: Season | None, minute: datetime, settings: Settings) -> Span | None:
    """The minutes of a season, by default of the one that a minute lies in; None without any.

    Raises BoardsUnavailable.
    """
    length = lengths.of(settings)
    season = season or held_season(game, length, length.start_of(millis(minute)))
    end = season.season_end
    first = history.first_minute(game, settings, season.season_start)
    last = history.last_minute(game, settings, end - history.MINUTE if end else None)
    return Span(season, first, last) if first and last and first <= last else None


# What stands in the address


def asked() -> datetime | None:
    """The minute in the address; None for now, or for a text that is no minute."""
    return history.minute_named(st.query_params.get(AT, ""))


def wrong() -> list[str]:
    """What the address asks for and there is not, as HTML."""
    name = st.query_params.get(AT)
    if name is None or asked():
        return []
    how = "2026-11-28T09:41Z"
    return [f"The address asks for at={text(name)}, which is no minute in UTC, such as {how}."]


def is_playing() -> bool:
    """Whether the race runs."""
    return asked() is not None and st.query_params.get(PLAY) == "true"


def choose(season: Season | None) -> None:
    """The switch between now and the past."""
    st.session_state["replay"] = AT in st.query_params
    st.toggle("Replay", key="replay", on_change=_switch, args=(season,))


def _switch(season: Season | None) -> None:
    if st.session_state["replay"]:
        now = datetime.now(UTC)
        end = season.season_end - history.MINUTE if season and season.season_end else now
        _go_to(min(now, end))
    else:
        _stop()
        st.query_params.pop(AT, None)


def _go_to(minute: datetime) -> None:
    _stop()
    st.query_params[AT] = history.address_of(minute)


def _stop() -> None:
    st.query_params.pop(PLAY, None)
    for name in (CLOCK, SLOTS):
        st.session_state.pop(name, None)


# The controls


def position(span: Span) -> datetime:
    """The minute to be shown now."""
    minute = span.within(asked() or span.last)
    if not is_playing():
        return minute
    begin = span.first if span.last - minute < span.step else minute  # it would end at once
    since, begin = st.session_state.setdefault(CLOCK, (time.monotonic(), begin))
    return span.frame(begin, time.monotonic() - since)


def buttons(span: Span) -> None:
    """A step back, play or stop, a step forward."""
    with st.container(key="replaying", horizontal=True, gap="small"):
        st.button("Back", help="A minute back", on_click=_step, args=(span, -history.MINUTE))
        if is_playing():
            st.button("Stop", type="primary", on_click=_step, args=(span, timedelta()))
        else:
            st.button("Play", type="primary", on_click=_play)
        st.button("Forward", help="A minute forward", on_click=_step, args=(span, history.MINUTE))


def _play() -> None:
    st.query_params[PLAY] = "true"


def _step(span: Span, by: timedelta) -> None:
    _go_to(span.within(position(span) + by))


def slider(span: Span, minute: datetime) -> None:
    """Where the minute lies in the season; people move it while no race runs."""
    if span.first == span.last:
        return
    if is_playing():
        # A slow browser would answer with the minute of an earlier frame, as if somebody moved it.
        st.progress((minute - span.first) / (span.last - span.first))
        return
    st.session_state["minute"] = minute
    st.slider(
        "Minute, in UTC",
        span.first,
        span.last,
        step=history.MINUTE,
        format="D MMM, HH:mm",
        key="minute",
        on_change=_moved,
        label_visibility="collapsed",
    )


def _moved() -> None:
    _go_to(st.session_state["minute"])


def end(minute: datetime) -> None:
    """Stop where the race has arrived."""
    _go_to(minute)


# The race


@dataclass(frozen=True)
class Slot:
    """A bar that moves: whose it is, and the name as HTML."""

    found_by: str
    name: str


def race(board: Board, rows: Sequence[Row], places: int) -> str:
    """The best of a board as bars, each at its place; the next ones move from there.

    Somebody's bar is the same element in all frames, so that the browser moves it.
    """
    places = min(places, MOST_PLACES)
    shown = rows[:places]
    slots_by_board = st.session_state.setdefault(SLOTS, {})
    slots, before = slots_by_board.get(board.name, ([None] * 2 * places, set()))
    named = {row[board.found_by]: _name(board, row) for row in shown}
    slots = seated(slots, before, named)
    slots_by_board[board.name] = slots, set(named)
    longest = max((row[board.value] for row in shown), default=0)
    placed = {row[board.found_by]: (place, row) for place, row in enumerate(shown)}
    bars = [
        _bar(board, slot, *placed[slot.found_by], longest)
        if slot and slot.found_by in placed
        else _gone(slot, places)
        for slot in slots
    ]
    return (
        '<p class="unseen">The race is running. Stop it to read the board.</p>'
        f'<ol class="race" aria-hidden="true" style="height: {places * ROW_REM:.1f}rem">'
        f"{''.join(bars)}</ol>"
    )


def seated(
    slots: Sequence[Slot | None], before: set[str], named: dict[str, str]
) -> list[Slot | None]:
    """Who has which slot now: all keep theirs, and newcomers take those that were not seen.

    There are twice as many slots as places, so one that was not seen is always free.
    """
    kept: list[Slot | None] = [
        Slot(slot.found_by, named.get(slot.found_by, slot.name)) if slot else None for slot in slots
    ]
    seats = {slot.found_by for slot in kept if slot}
    free = [
        number
        for number, slot in enumerate(kept)
        if slot is None or not (slot.found_by in named or slot.found_by in before)
    ]
    for found_by, name in named.items():
        if found_by not in seats:
            kept[free.pop(0)] = Slot(found_by, name)
    return kept


def _name(board: Board, row: Row) -> str:
    entity = board.entity
    found_by = row[entity.id_column]
    beside = f' <span class="beside">{text(row[entity.beside])}</span>' if entity.beside else ""
    return text(label(row[entity.name_column], found_by)) + beside


def _bar(board: Board, slot: Slot, place: int, row: Row, longest: float) -> str:
    bar = html.bar(max(0, row[board.value]) / longest if longest > 0 else 0)
    rank, value = row["rank_number"], board.show(row[board.value])
    return (
        f'<li style="transform: translateY({place * ROW_REM:.1f}rem)"><b>{rank}</b>'
        f'<span class="name">{bar}<span>{slot.name}</span></span><i>{value}</i></li>'
    )


def _gone(slot: Slot | None, places: int) -> str:
    name = slot.name if slot else ""
    return (
        f'<li class="gone" style="transform: translateY({places * ROW_REM:.1f}rem)"><b></b>'
        f'<span class="name">{html.bar(0)}<span>{name}</span></span><i></i></li>'
    )
