"""How events become boards: what the services say of themselves, and what was left out."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from boards import sinks
from boards.sinks import Sink
from boards.snapshot import STALE_SECONDS, Row
from compose.status import Job, Status, counted
from dashboard import announcements, health, html
from dashboard.choices import choose_game
from dashboard.download import rejects_file
from dashboard.health import Health, Rejects
from dashboard.html import number, text
from games import chosen
from games.board import Game, Kept
from games.season import DAY_MILLIS
from jobs.names import JobName
from settings import settings

REFRESH_SECONDS = 2
PAYLOAD_LENGTH, LISTED_REJECTS = 300, 50
NOT_SAVED = "in no checkpoint yet"


def page() -> None:
    html.show("<h1>Pipeline</h1>")
    game = choose_game(chosen(settings))
    st.fragment(_pipeline, run_every=REFRESH_SECONDS)(game)
    if game.rejects:
        _offer_rejects(game)


def _offer_rejects(game: Game) -> None:
    """The list as a file, made when somebody asks: each of the pages would cost the server time."""
    with st.popover("Download", key="download", on_change="rerun") as offered:
        if offered.open:
            sink = health.sink_in_use(settings)
            latest = health.watch_rejects(game, sink.name, settings).latest(wait_seconds=3)
            rows = latest.rows if latest else []
            html.save("The last rejected messages", rejects_file(game, rows, settings))


def _pipeline(game: Game) -> None:
    latest = health.watch(settings).latest(wait_seconds=3)
    if latest is None:
        html.notice("The services are being asked how they are.", "wait")
        return
    sink = sinks.sink(latest.status.sink or settings.sink, settings)
    reasons = latest.reasons(game.topic(settings))
    if reasons:
        html.notice("<br/>".join(text(each, 400) for each in reasons))
    html.show(_picture(game, latest, sink))
    html.show(f"<h2>Jobs <small>{_flink_link()}</small></h2>{_jobs(game, latest)}")
    if game.announced and (receivers := announcements.receivers(settings)):
        html.show(f"<h2>Announcements</h2>{_receivers(receivers)}")
    if game.rejects:
        rejects = health.watch_rejects(game, sink.name, settings)
        _left_out(rejects.latest(wait_seconds=3), game.table(game.rejects).kept)


def _picture(game: Game, latest: Health, sink: Sink) -> str:
    status, topic = latest.status, game.topic(settings)
    ends = status.ends.get(topic, {})
    rows = [status.board_rows[each.name] for each in game.boards if each.name in status.board_rows]
    age, jobs = _data_age_seconds(game, status), _jobs_of(game, status)
    stations = [
        _station(
            "Events in",
            _per_second(latest.events_per_second.get(topic), is_counted=bool(ends)),
            f"{_source(game)}: {_state(status, game.service)}",
            "mean of a minute",
            is_good=not latest.is_silent(topic) if ends else None,
        ),
        _station(
            "Kafka",
            f"{number(sum(ends.values()) if ends else None)} <small>records</small>",
            f"broker: {_state(status, 'kafka')}",
            f"topic {text(topic)}, {len(ends)} partitions",
            is_good=bool(ends),
        ),
        _flink_station(list(jobs.values())),
        _station(
            sink.title,
            _per_second(
                _sum(latest.written_per_second.get(name) for name in jobs),
                is_counted=any(each.rows_written is not None for each in jobs.values()),
            ),
            "rows written",
            f"{sum(rows):,} places held" if game.boards else "",
            is_good=bool(rows) if game.boards else None,
        ),
        _station(
            "Page",
            number(age, "{:.1f} <small>s</small>".format),
            "age of the newest score",
            _late_events(game, status),
            is_good=None if age is None else age < STALE_SECONDS,
        ),
    ]
    return f'<ol class="flow">{"".join(stations)}</ol>'


def _flink_station(jobs: list[Job]) -> str:
    healthy = [each for each in jobs if not each.problems(settings)]
    ages = [each.checkpoint_age_seconds for each in jobs]
    checkpoints = [age for age in ages if age is not None]
    lags = [each.lag.records for each in jobs if each.lag]
    restarts = sum(each.restarts for each in jobs)
    return _station(
        "Flink",
        f"{len(healthy)} <small>of {len(jobs)} jobs well</small>",
        f"up to {number(max(lags, default=None))} records {NOT_SAVED}, "
        f"{counted(restarts, 'restart')}",
        f"oldest checkpoint {_age(max(checkpoints, default=None))}",
        is_good=bool(jobs) and len(healthy) == len(jobs),
    )


def _station(title: str, big: str, what: str, also: str, *, is_good: bool | None) -> str:
    css, word = {
        True: ("is-good", "well"),
        False: ("is-bad", "in trouble"),
        None: ("is-unknown", "unknown"),
    }[is_good]
    return (
        f'<li class="{css}"><h3>{title}<span class="unseen">: {word}</span></h3>'
        f'<p class="big">{big}</p><p>{what}</p><p>{also}</p></li>'
    )


def _jobs_of(game: Game, status: Status) -> dict[JobName, Job]:
    return {name: each for name, each in status.jobs.items() if name.game == game.name}


def _data_age_seconds(game: Game, status: Status) -> float | None:
    """The age of the newest data on any of the game's boards."""
    ages = (status.board_age_seconds.get(board.name) for board in game.boards)
    return min((age for age in ages if age is not None), default=None)


def _late_events(game: Game, status: Status) -> str:
    counts = {
        board.title: status.late_events.get(board.name)
        for board in game.boards
        if board.late_events
    }
    return ", ".join(
        f"{number(count)} events too late for {title.lower()}" for title, count in counts.items()
    )


def _source(game: Game) -> str:
    """What its event source is called: an injector, which invents events, or a worker."""
    kind = game.injector.kind if game.injector else ""
    return "injector" if kind in ("", "generator") else kind


def _state(status: Status, service: str) -> str:
    return text(status.services.get(service, "not started by this project").lower())


def _per_second(rate: float | None, *, is_counted: bool) -> str:
    """A rate, which takes a while to measure; N/A for what is not counted at all."""
    if rate is None and is_counted:
        return '<span class="missing">measuring …</span>'
    return number(rate, "{:,.0f} <small>/s</small>".format)


def _sum(rates: Iterable[float | None]) -> float | None:
    known = [each for each in rates if each is not None]
    return sum(known) if known else None


def _age(seconds: float | None) -> str:
    return number(seconds, "{:.0f} s ago".format)


def _flink_link() -> str:
    if not settings.is_page_for_this_machine:  # others cannot reach Flink
        return ""
    return f'<a href="http://{settings.flink_rest}" target="_blank">Flink&#39;s own page</a>'


def _jobs(game: Game, latest: Health) -> str:
    heads = {
        "Job": "name",
        "State": "state",
        "Read": "n",
        "Written": "n",
        NOT_SAVED.capitalize(): "n",
    }
    heads |= {"Checkpoint": "n", "Restarts": "n", "Repeated": "n"}
    jobs = _jobs_of(game, latest.status)
    rows = [_job(name, each, latest) for name, each in jobs.items()]
    return html.table("Jobs", heads, rows, "jobs wide", empty="Flink runs no job of ours")


def _job(name: JobName, each: Job, latest: Health) -> list[str]:
    css, state = "bad" if each.problems(settings) else "good", each.state
    if each.is_catching_up:
        css, state = "wait", "catching up"
    return [
        text(name.title),
        f'<span class="{css}">{text(state)}</span>',
        _per_second(latest.read_per_second.get(name), is_counted=True),
        _per_second(latest.written_per_second.get(name), is_counted=each.rows_written is not None),
        number(each.lag.records if each.lag else None),
        _age(each.checkpoint_age_seconds),
        f"{each.restarts:,}",
        f"{each.duplicates:,}",
    ]


def _receivers(receivers: Iterable[Row]) -> str:
    heads = {"Receiver": "name", "State": "state", "Taken": "n", "Failures": "n", "Dropped": "n"}
    rows = [
        [
            text(row["receiver"]),
            _taking(row),
            *(f"{row[name]:,}" for name in ("delivered", "failures", "dropped")),
        ]
        for row in receivers
    ]
    return html.table("Receivers of announcements", heads, rows, "jobs wide")


def _taking(row: Row) -> str:
    if row["failing_since"] is None:
        return '<span class="good">well</span>'
    why = f"{row['last_error']}, since {html.moment(row['failing_since'])} UTC"
    return f'<span class="bad">{text(why, 200)}</span>'


def _left_out(rejects: Rejects | None, kept: Kept | None) -> None:
    if rejects is None or rejects.trouble:
        why = text(rejects.trouble, 400) if rejects else "they are being read"
        html.show(f'<h2>Rejected</h2><p class="quiet">Unknown: {why}</p>')
        return
    reasons, messages = st.columns([2, 3])
    with reasons:
        _reject_reasons(rejects, kept)
    with messages:
        _reject_messages(rejects)


def _reject_reasons(rejects: Rejects, kept: Kept | None) -> None:
    counted = rejects.reasons.total()
    since = f"of the last {counted:,}, since {html.moment(rejects.since)} UTC"
    rows = [
        [text(reason, 100), f"{count:,}", f"{100 * count / counted:.0f} %"]
        for reason, count in rejects.reasons.most_common()
    ]
    heads = {"Reason": "name wrap", "Messages": "n", "Share": "n"}
    table = html.table("Rejected by reason", heads, rows, "reasons long", empty="None")
    listed = f"in the last {kept.millis // DAY_MILLIS} days" if kept and kept.millis else ""
    html.show(f"<h2>Rejected <small>{since if counted else listed}</small></h2>{table}")


def _reject_messages(rejects: Rejects) -> None:
    rows = [
        [
            html.moment(row["rejected_at"]),
            text(row["reason"], 100),
            f"{text(row['topic'])}-{row['partition']}:{row['offset']}",
            f"<code>{text(row['payload'], PAYLOAD_LENGTH)}</code>",
        ]
        for row in rejects.rows[:LISTED_REJECTS]
    ]
    heads = {"At, UTC": "time", "Reason": "reason wrap", "Where": "where", "Message": "wrap"}
    title = "The last rejected messages"
    table = html.table(title, heads, rows, "rejects wide long", empty="None")
    html.show(f"<h2>{title}</h2>{table}")
