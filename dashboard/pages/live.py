"""The boards of a game, live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import streamlit as st

from boards import history, sinks
from boards.ids import folded
from boards.seasons import RUNNING, Season
from boards.sinks import Sink
from boards.snapshot import STALE_SECONDS, Boards, Row
from clients.errors import BoardsUnavailable
from dashboard import announcements, health, html, refresh, replay, seasons
from dashboard.choices import choose_game, games_with_boards, in_address, unknown
from dashboard.html import duration, line, text
from dashboard.refresh import Refreshed, Since
from games.board import Board, Entity, Game
from settings import Settings, settings

PLACES = (10, 25, 50, 100)
INTERVALS = (1, 2, 5, 10)  # seconds
SINCE = {"minute": "1 min", "hour": "1 h", "day": "day"}
MOVED = {
    "minute": "ranks gone up or down in the last minute",
    "hour": "ranks gone up or down in the last hour",
    "day": "ranks gone up or down since this day began, in UTC",
}
UNKNOWN = {
    "minute": "Known when the boards are a minute old",
    "hour": "Known when the history is an hour old",
    "day": "Known when the history has the first minutes of a day in UTC",
}
GAINED = "points of each minute, in the last hour"
VALUES = "the last hour"
LATER = "A line begins after three minutes"
NO_MINUTES = (
    "The history has no minute of this season. It has one for each minute in which jobs have "
    "written, as long as the setting LEADERBOARD_HISTORY_DAYS says."
)


@dataclass(frozen=True)
class Choices:
    """What to show, all of it in the page's address.

    No sink means the one in use, and no season the newest.
    """

    game: Game
    sink: str | None
    season: Season | None
    top: int
    group: str | None
    since: Since
    minute: datetime | None
    seconds: int
    is_paused: bool


def page() -> None:
    html.show(f'<h1 class="{"unseen" if html.is_wall() else ""}">Live leaderboards</h1>')
    if not games_with_boards(settings):
        html.notice("The chosen games have no boards. They have pages of their own.", "wait")
        return
    offered: dict[str, Sequence[object]] = {
        "game": [game.name for game in games_with_boards(settings)],
        "top": places(settings),
        "sink": sinks.NAMES,
        "since": refresh.SINCE,
        "every": INTERVALS,
    }
    choices = _choices()
    sink = _sink(choices.sink)
    wrong = [*unknown(offered), *seasons.wrong(choices.game, sink, settings), *replay.wrong()]
    if wrong:
        html.notice("<br/>".join(wrong), "wait")
    interval = None if choices.is_paused else choices.seconds
    if choices.minute:
        _replay(choices, choices.minute)
    elif choices.season is None:
        st.fragment(_boards, run_every=interval)(choices)
    else:
        is_final = choices.season.final_at is not None
        st.fragment(_past, run_every=None if is_final else interval)(choices, choices.season)


def _sink(name: str | None) -> Sink:
    """The sink of this name; the one in use when there is none."""
    return sinks.sink(name, settings) if name in sinks.NAMES else health.sink_in_use(settings)


def places(settings: Settings) -> list[int]:
    """How many places of each board one may ask for."""
    size = settings.board_size
    return sorted({size, *(each for each in PLACES if each < size)})


def _choices() -> Choices:
    """The controls, which stand in the address; on a wall nobody sees them, but that counts."""
    controls = st.container(
        key="controls",
        horizontal=True,
        vertical_alignment="bottom",
        horizontal_alignment="right",
    )
    with controls:
        game = choose_game(games_with_boards(settings))
        season = seasons.choose(game, _sink(st.query_params.get("sink")), settings)
        sizes = places(settings)
        top = st.segmented_control(
            "Places", sizes, required=True, **in_address("top", sizes, sizes[0])
        )
        since = st.segmented_control(
            "Moved in",
            refresh.SINCE,
            required=True,
            format_func=SINCE.__getitem__,
            **in_address("since", refresh.SINCE, refresh.SINCE[0]),
        )
        group = _choose_group(game)
        with st.popover("More"):
            sink = st.selectbox(
                "Read the boards from",
                sinks.NAMES,
                index=None,
                placeholder="where the jobs write",
                **in_address("sink", sinks.NAMES),
            )
            seconds = st.segmented_control(
                "Seconds between refreshes",
                INTERVALS,
                required=True,
                **in_address("every", INTERVALS, INTERVALS[0]),
            )
            wall = f'<a href="{_wall_address(game)}" target="_self">Wall view</a>'
            html.show(f"<p>{wall}: fills a screen, no controls</p>")
        minute = replay.asked()
        with st.popover("Download", key="download", on_change="rerun") as offered:
            if offered.open:
                seasons.offer_boards(game, _sink(sink), season, settings, minute)
        if game.seasonal:
            replay.choose(season)
        is_paused = st.toggle("Pause", **in_address("paused", (True, False), default=False))
    return Choices(game, sink, season, top, group, since, minute, seconds, is_paused)


def _wall_address(game: Game) -> str:
    is_alone = len(games_with_boards(settings)) == 1
    return "?view=wall" if is_alone else f"?view=wall&amp;game={game.name}"


def _choose_group(game: Game) -> str | None:
    groups = _groups(game)
    if groups is None:
        return None
    chosen_name: str | None = st.selectbox(
        groups.title,
        _names(game, groups),
        index=None,
        placeholder="all",
        accept_new_options=True,
        width=170,
        **in_address(groups.title.lower()),
    )
    return chosen_name


def _groups(game: Game) -> Entity | None:
    """Those who stand beside others on the boards and have a board of their own, such as teams."""
    beside = {board.entity.beside for board in game.boards}
    entities = (board.entity for board in game.boards)
    return next((entity for entity in entities if entity.name_column in beside), None)


def _names(game: Game, groups: Entity) -> list[str]:
    boards = refresh.refreshed(game, health.sink_in_use(settings), settings).boards
    if boards is None:
        return []
    own = (board for board in game.boards if board.entity == groups)
    rows = (row for board in own for row in boards.rows[board.name])
    return sorted({line(row[groups.name_column]) for row in rows})


def _boards(choices: Choices) -> None:
    """Everything that changes by the second: the state, notices and the boards."""
    game, sink = choices.game, _sink(choices.sink)
    latest = _latest(game, sink, choices.is_paused)
    _header(game, sink, latest, choices.is_paused)
    if latest.boards is None:
        return
    winners = seasons.last_winners(game, sink, latest.boards.season_start, settings)
    if winners:
        html.show(winners)
    _tell_unknown_group(choices, latest.boards)
    _show_boards(game.boards, latest, choices)


def _past(choices: Choices, season: Season) -> None:
    """A season that is over: its boards, as they became final or still are."""
    game, sink = choices.game, _sink(choices.sink)
    latest = refresh.past(game, sink, season, settings)
    boards = seasons.show(season, latest, settings, **{"Read from": sink.title})
    if boards:
        _tell_unknown_group(choices, boards)
        _show_boards(game.seasonal, latest, choices)


def _replay(choices: Choices, minute: datetime) -> None:
    """A season's minutes: one of them, or all of them as a race."""
    try:
        why = history.missing(choices.game, settings)
        span = None if why else replay.span_of(choices.game, choices.season, minute, settings)
    except BoardsUnavailable as error:
        why, span = str(error), None
    if span is None:
        html.notice(text(why or NO_MINUTES, 400), "wait")
        return
    replay.buttons(span)
    every = replay.FRAME_SECONDS if replay.is_playing() else None
    st.fragment(_as_of, run_every=every)(choices, span, every is not None)


def _as_of(choices: Choices, span: replay.Span, is_race: bool) -> None:
    """The boards as of a minute."""
    minute = replay.position(span)
    replay.slider(span, minute)
    latest = refresh.at_minute(choices.game, minute, settings)
    if latest.boards is None:
        html.notice(text(latest.trouble, 400))
        return
    figures = {
        "State": html.badge("RACE" if is_race else "AS OF", "quiet"),
        "Minute": f"{minute:%a %-d %b %Y, %H:%M} UTC",
        "Season": seasons.title(span.season),
    }
    if latest.boards.minute and latest.boards.minute < minute:
        figures["Kept last"] = f"{latest.boards.minute:%-d %b, %H:%M} UTC"
    html.show(html.facts(figures))
    past = replace(choices, season=choices.season or _over(span.season))
    if is_race:
        _show_race(latest.boards, past)
    else:
        _tell_unknown_group(past, latest.boards)
        _show_boards(choices.game.boards, latest, past)
    if is_race and minute == span.last:
        replay.end(minute)
    if is_race and not replay.is_playing():
        st.rerun()


def _over(season: Season) -> Season | None:
    """A season that is over; links lead to it."""
    return None if season.state(datetime.now(UTC)) == RUNNING else season


def _show_race(boards: Boards, choices: Choices) -> None:
    panels = [
        _section(board, replay.race(board, _chosen_rows(board, boards, choices), choices.top))
        for board in choices.game.boards
    ]
    css = "boards many" if len(panels) >= html.MANY_BOARDS else "boards"
    html.show(f'<div class="{css}">{"".join(panels)}</div>')


def _show_boards(shown: Sequence[Board], latest: Refreshed, choices: Choices) -> None:
    # One element rather than a tree of columns: each costs the server time for each viewer, every
    # second.
    panels = "".join(_panel(board, latest, choices) for board in shown)
    css = "boards many" if len(shown) >= html.MANY_BOARDS else "boards"
    html.show(f'<div class="{css}">{panels}</div>')


def _tell_unknown_group(choices: Choices, boards: Boards) -> None:
    """Say once that nobody on any board is of the team that is asked for."""
    groups = _groups(choices.game)
    if groups and choices.group and boards.as_of:
        everywhere = replace(choices, top=settings.board_size)
        if not any(_chosen_rows(board, boards, everywhere) for board in choices.game.boards):
            who = f"No {groups.title.lower()} on the boards is called {text(choices.group)}."
            html.notice(who, "wait")


def _latest(game: Game, sink: Sink, is_paused: bool) -> Refreshed:
    """What there is to show; what was shown last when paused."""
    part, kept = (game.name, sink.name), st.session_state.get("kept")
    if not (is_paused and kept and kept[0] == part):
        kept = part, refresh.refreshed(game, sink, settings)
        st.session_state["kept"] = kept
    latest: Refreshed = kept[1]
    return latest


# The state


def _header(game: Game, sink: Sink, latest: Refreshed, is_paused: bool) -> None:
    as_of = latest.boards.as_of if latest.boards else None
    age = (datetime.now(UTC) - as_of).total_seconds() if as_of else 0
    is_old = age > STALE_SECONDS
    figures = {"State": html.badge(*_state(latest, is_old, is_paused))}
    if as_of:
        css = "bad" if is_old else ""
        old = f'<span class="{css}">{duration(age)} old</span>'
        figures["Newest score"] = f"{html.moment(as_of)} UTC, {old}"
    counts = latest.counts
    figures["Events/s"] = html.number(counts.events_per_second, "{:,.0f}".format)
    figures |= {title: html.number(counts.rows.get(title)) for title in game.counts}
    figures |= {"Season": _season(latest.boards), "Read from": sink.title}
    html.show(html.facts(figures) + _ticker(game, latest))
    if latest.trouble:
        kept = " The boards below are the last that were read." if as_of else ""
        html.notice(f"{text(latest.trouble, 400)}{kept}")
    elif is_old and not is_paused:
        still = f"The boards stand still: the newest score is {duration(age)} old."
        html.notice(f"{still} {_why(game, sink)}")
    elif not as_of:
        html.notice(f"No scores yet. {_why(game, sink, is_filled=False)}", "wait")


def _ticker(game: Game, latest: Refreshed) -> str:
    """What was told last, drawn once for all; a paused page keeps it, as it keeps the boards."""
    part = "ticker", html.is_wall()
    if part not in latest.drawn:
        latest.drawn[part] = announcements.ticker(game, settings)
    return latest.drawn[part]


def _state(latest: Refreshed, is_old: bool, is_paused: bool) -> tuple[str, str]:
    """The state in a word, and its style."""
    if is_paused:
        return "PAUSED", "quiet"
    if latest.boards is None:
        return "UNAVAILABLE", "stale"
    if is_old or (latest.trouble and latest.boards.as_of):
        return "STALE", "stale"
    if not latest.boards.as_of:
        return "EMPTY", "quiet"
    return "LIVE", "good"


def _why(game: Game, sink: Sink, *, is_filled: bool = True) -> str:
    """Why no new data comes, by what the services say."""
    services = health.watch(settings).latest()
    if services is None:
        return "Asking the services for the reason …"
    using = services.status.sink
    if using and using != sink.name:
        title = sinks.sink(using, settings).title
        return (
            f"The jobs write to {title}, so nothing new comes to {sink.title}. "
            "Choose <em>where the jobs write</em> under More, "
            f"or move them: {html.move_boards(sink.name)}"
        )
    reasons = services.reasons(game.topic(settings))
    if not reasons and not is_filled:
        return "The boards fill a few seconds after the first score arrives."
    if not reasons:
        return "All services run, and records come in: a job may be catching up."
    return "; ".join(text(each, 400) for each in reasons[:3]) + ". See the page Pipeline."


def _season(boards: Boards | None) -> str:
    if settings.season == "all":
        return "all time"
    start = boards.season_start if boards else None
    form = "%d %b, %H:%M" if settings.season == "hour" else "%d %b"
    return f"{settings.season} of {start:{form}}" if start else text(None)


# One board


def _panel(board: Board, latest: Refreshed, choices: Choices) -> str:
    """The HTML of a board, drawn once for all who look at the same part of it."""
    part = board.name, choices.group, choices.top, choices.season, choices.since
    if part not in latest.drawn:
        latest.drawn[part] = _draw(board, latest, choices)
    return latest.drawn[part]


def _draw(board: Board, latest: Refreshed, choices: Choices) -> str:
    assert latest.boards
    rows = _chosen_rows(board, latest.boards, choices)
    moves = {
        f'<span aria-hidden="true">{html.hint("▲▼", MOVED[choices.since])}</span>'
        f'<span class="unseen">{MOVED[choices.since]}</span>': "move"
    }
    trends = {html.hint("Trend", GAINED if board.is_total else VALUES): "trend"}
    if choices.season or latest.boards.minute:  # nothing moves any more
        moves, trends = {}, {}
    heads = {"#": "rank", **moves, board.entity.title: "name", **trends, board.label: "value"}
    longest = max((row[board.value] for row in rows), default=0)
    table = html.table(
        board.title,
        heads,
        [_row(board, row, latest, longest, choices) for row in rows],
        kind="ranks" if choices.top == places(settings)[0] else "ranks long",
        empty="Not on this board" if choices.group else board.why_empty,
    )
    is_over = choices.season or latest.boards.minute
    return _section(board, table, "" if is_over else _notes(board, latest.boards))


def _section(board: Board, content: str, notes: str = "") -> str:
    heading = f"<h2>{board.title} <small>{board.question}{notes}</small></h2>"
    return f'<section class="panel {board.accent} {board.name}">{heading}{content}</section>'


def _chosen_rows(board: Board, boards: Boards, choices: Choices) -> list[Row]:
    rows, groups = boards.rows[board.name], _groups(choices.game)
    if groups and choices.group:
        wanted, column = folded(choices.group), groups.name_column
        rows = [row for row in rows if folded(line(row.get(column))) == wanted]
    return rows[: choices.top]


def _row(board: Board, row: Row, latest: Refreshed, longest: float, choices: Choices) -> list[str]:
    entity, found_by, season = board.entity, row[board.found_by], choices.season
    who = seasons.link(board, row, season, settings)
    if entity.beside:
        who += f' <span class="beside">{text(row[entity.beside])}</span>'
    who = html.bar(max(0, row[board.value]) / longest if longest > 0 else 0) + who
    rank, value = str(row["rank_number"]), board.show(row[board.value])
    if season or (latest.boards and latest.boards.minute):
        return [rank, who, value]
    trend = html.spark(latest.trend(board, found_by), "trend of an hour", later=LATER)
    move = _move(latest.movement(board, found_by, choices.since), choices.since)
    return [rank, move, who, trend, value]


def _move(moved: int | str | None, since: Since) -> str:
    if moved is None:
        return f'<span class="later" title="{UNKNOWN[since]}">·</span>'
    if isinstance(moved, str):
        return '<span class="new">new</span>'
    if not moved:
        return ""
    sign, css, word = ("▲", "good", "up") if moved > 0 else ("▼", "bad", "down")
    arrow = f'<span aria-hidden="true">{sign}</span><span class="unseen">{word} </span>'
    return f'<span class="{css}">{arrow}{abs(moved)}</span>'


def _notes(board: Board, boards: Boards) -> str:
    """What else is to be said of a board: that it lags behind, or left something out."""
    newest, late = boards.newest(board), boards.late_events(board)
    lag = (boards.as_of - newest).total_seconds() if boards.as_of and newest else 0
    events = "event" if late == 1 else "events"
    notes = f" · {late:,} {events} of the season came too late" if late else ""
    if lag > STALE_SECONDS and not board.may_be_empty:  # which may be old, too
        behind = f"{duration(lag)} behind the other boards"
        notes += f' · <span class="bad">{behind}</span>'
    return notes
