"""How events become boards: what the services say of themselves, and what was left out."""

from __future__ import annotations

import streamlit as st

from compose.status import STALE_SECONDS, Job, Status
from dashboard import health, look
from dashboard.health import Health, Rejects
from dashboard.look import number, text
from settings import settings

REFRESH_SECONDS = 2
PAYLOAD_LENGTH = 300


def page() -> None:
    look.show("<h1>Pipeline</h1>")
    st.fragment(_pipeline, run_every=REFRESH_SECONDS)()


def _pipeline() -> None:
    shown = health.watch(settings).latest(wait_seconds=3)
    if shown is None:
        look.notice("The services are being asked how they are.", "wait")
        return
    sink = shown.status.sink or settings.sink
    reasons = shown.reasons()
    if reasons:
        look.notice("<br/>".join(text(each, 400) for each in reasons))
    look.show(_picture(shown, sink))
    look.show(f"<h2>Jobs <small>{_flink_link()}</small></h2>{_jobs(shown)}")
    _left_out(shown.status, health.watch_rejects(settings, sink).latest(wait_seconds=3))


def _picture(shown: Health, sink: str) -> str:
    status, jobs = shown.status, shown.status.jobs.values()
    healthy = [each for each in jobs if not each.problems(settings)]
    checkpoints = [each.checkpoint_age_seconds for each in jobs if each.checkpoint_age_seconds is not None]
    lags = [each.lag.records for each in jobs if each.lag]
    age = status.data_age_seconds
    stations = [
        _station(
            "Events in", _per_second(shown.events_per_second),
            f"injector: {_state(status, 'generator')}", "mean of half a minute",
            is_good=shown.silent_seconds < health.LOOK_SECONDS if status.ends else None,
        ),
        _station(
            "Kafka", f"{number(sum(status.ends.values()) if status.ends else None)} <small>records</small>",
            f"broker: {_state(status, 'kafka')}", f"topic {text(settings.topic)}, {len(status.ends)} partitions",
            is_good=bool(status.ends),
        ),
        _station(
            "Flink", f"{len(healthy)} <small>of {len(jobs)} jobs well</small>",
            f"lag up to {number(max(lags, default=None))} records, {sum(each.restarts for each in jobs)} restarts",
            f"oldest checkpoint {_age(max(checkpoints, default=None))}",
            is_good=bool(jobs) and len(healthy) == len(jobs),
        ),
        _station(
            look.SINKS[sink], _per_second(_sum(shown.written_per_second)),
            "rows written", f"{sum(status.board_rows.values()):,} places held",
            is_good=bool(status.board_rows),
        ),
        _station(
            "Page", number(age, "{:.1f} <small>s</small>"),
            "age of the newest score", f"{number(status.late_events)} events too late for a hot streak",
            is_good=None if age is None else age < STALE_SECONDS,
        ),
    ]  # fmt: skip
    return f'<ol class="flow">{"".join(stations)}</ol>'


def _station(title: str, big: str, what: str, also: str, *, is_good: bool | None) -> str:
    css, word = {True: ("is-good", "well"), False: ("is-bad", "in trouble"), None: ("is-unknown", "unknown")}[is_good]
    return (
        f'<li class="{css}"><h3>{title}<span class="unseen">: {word}</span></h3>'
        f'<p class="big">{big}</p><p>{what}</p><p>{also}</p></li>'
    )


def _state(status: Status, service: str) -> str:
    return text(status.services.get(service, "not started by this project").lower())


def _per_second(rate: float | None) -> str:
    return number(rate, "{:,.0f} <small>/s</small>")


def _sum(rates: dict[str, float | None]) -> float | None:
    known = [each for each in rates.values() if each is not None]
    return sum(known) if known else None


def _age(seconds: float | None) -> str:
    return number(seconds, "{:.0f} s ago")


def _flink_link() -> str:
    return f'<a href="http://{settings.flink_rest}" target="_blank">Flink&#39;s own page</a>'


def _jobs(shown: Health) -> str:
    heads = {"Job": "name", "State": "state", "Read": "n", "Written": "n", "Lag, records": "n"}
    heads |= {"Checkpoint": "n", "Restarts": "n", "Repeated": "n"}
    rows = [_job(name, each, shown) for name, each in shown.status.jobs.items()]
    return look.table("Jobs", heads, rows, "jobs wide", empty="Flink runs no job of ours")


def _job(name: str, each: Job, shown: Health) -> list[str]:
    problems = each.problems(settings)
    state = f'<span class="{"bad" if problems else "good"}">{text(each.state)}</span>'
    return [
        text(name),
        state,
        _per_second(shown.read_per_second.get(name)),
        _per_second(shown.written_per_second.get(name)),
        number(each.lag and each.lag.records),
        _age(each.checkpoint_age_seconds),
        f"{each.restarts:,}",
        f"{each.duplicates:,}",
    ]


def _left_out(status: Status, seen: Rejects | None) -> None:
    if seen is None or seen.trouble:
        why = text(seen.trouble, 400) if seen else "they are being read"
        look.show(f'<h2>Rejected</h2><p class="quiet">Unknown: {why}</p>')
        return
    counted = sum(seen.reasons.values())
    of = f"of the last {counted:,}, since {look.moment(seen.since)} UTC" if counted else "none that is still listed"
    by_reason = [
        [text(reason, 100), f"{count:,}", f"{100 * count / counted:.0f} %"]
        for reason, count in seen.reasons.most_common()
    ]
    latest = [
        [
            look.moment(row["rejected_at"]),
            text(row["reason"], 100),
            f"{text(row['topic'])}-{row['partition']}:{row['offset']}",
            f"<code>{text(row['payload'], PAYLOAD_LENGTH)}</code>",
        ]
        for row in seen.rows
    ]
    reasons, messages = st.columns([2, 3])
    with reasons:
        heads = {"Reason": "name wrap", "Messages": "n", "Share": "n"}
        filled = look.table("Rejected by reason", heads, by_reason, "reasons long", empty="None")
        look.show(f"<h2>Rejected <small>{of}</small></h2>{filled}")
    with messages:
        heads = {"At, UTC": "time", "Reason": "reason wrap", "Where": "where", "Message": "wrap"}
        filled = look.table("The last rejected messages", heads, latest, "rejects wide long", empty="None")
        look.show(f"<h2>The last rejected messages</h2>{filled}")
