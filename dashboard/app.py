"""The page: four boards, live. In the order of the screen, from the top down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import boards, login
from dashboard.boards import Boards, BoardsUnavailable, Row
from jobs import job
from settings import settings

REFRESH_SECONDS = 1
STALE_SECONDS = 15  # the watermark's 5 s, a window's slide, a checkpoint's hiccup; more is trouble
TOPS = (10, 25, 50, 100)
SINKS = {"postgres": "PostgreSQL", "kafka": "Kafka"}
NAME_LENGTH = 48
ROW_PIXELS, HEADER_PIXELS = 28, 36  # the table's; the bars keep in step
SHOWN_ROWS = 10  # further ones are scrolled to


@dataclass(frozen=True)
class Panel:
    """How one board is shown: its columns, its colour on a light and a dark page, its number as text."""

    title: str
    question: str
    name: str
    value: str
    label: str
    number_format: str
    colours: tuple[str, str]
    text: Callable[[float], str]
    also: tuple[tuple[str, str], ...] = ()
    scale: float = 1


def _points(total: float) -> str:
    """Points in at most nine characters, for a bar; the table has them in full."""
    for size, unit in ((10**9, " B"), (10**6, " M")):
        if total >= 10 * size:
            return f"{total / size:,.1f}{unit}"
    return f"{total:,}"


PANELS = {
    "top_teams": Panel(
        "Top teams", "points of the season", "team_name", "total_score",
        "Points", "localized", ("#2563eb", "#60a5fa"), _points,
    ),
    "top_players": Panel(
        "Top players", "points of the season", "user_name", "total_score",
        "Points", "localized", ("#0f766e", "#2dd4bf"), _points, (("team_name", "Team"),),
    ),
    "hot_streaks": Panel(
        "Hot streaks", "last 10 s against last 60 s, points per event", "user_name", "hotness",
        "Hotness", "×%.2f", ("#c2410c", "#fb923c"), "×{:.2f}".format, (("team_name", "Team"),),
    ),
    "team_mvps": Panel(
        "Team MVPs", "the player's share of the team's points", "user_name", "contribution_ratio",
        "Share", "%.1f %%", ("#7e22ce", "#c084fc"), "{:.1f} %".format, (("team_name", "Team"),), 100,
    ),
}  # fmt: skip


def main() -> None:
    st.set_page_config("Live leaderboards", "🏆", layout="wide")
    st.html(_style())
    if settings.oidc_metadata_url and not _is_let_in():
        return
    with st.container(key="heading", horizontal=True, vertical_alignment="center"):
        st.title("Live leaderboards", anchor=False)
        sink = _choose("sink", SINKS, _sink_in_use() or settings.sink, SINKS.get)
        top = _choose("top", TOPS, TOPS[0], "Top {}".format)
        st.session_state.setdefault("paused", st.query_params.get("paused") == "yes")
        is_paused = st.toggle("Pause", key="paused")
    st.query_params.from_dict({"sink": sink, "top": top} | ({"paused": "yes"} if is_paused else {}))
    show(sink, top, is_paused)


def _is_let_in() -> bool:
    """Whether a reader has logged in and may read; says what to do otherwise."""
    if not st.user.is_logged_in:
        st.title("Live leaderboards", anchor=False)
        st.button("Log in", on_click=st.login)
        return False
    if not login.is_allowed(settings, st.user):
        st.error(f"{_plain(str(st.user.get('email', 'You')))} may not read this page.", icon=":material/lock:")
        st.button("Log out", on_click=st.logout)
        return False
    return True


def _choose(name: str, options: Iterable, default: Any, text: Callable[[Any], str]) -> Any:
    """A choice among options that stands in the URL; what the URL says wrongly is the default."""
    known = {str(option): option for option in options}
    st.session_state.setdefault(name, known.get(st.query_params.get(name), default))
    return st.segmented_control(
        name, known.values(), format_func=text, required=True, key=name, label_visibility="collapsed"
    )


@st.fragment(run_every=REFRESH_SECONDS)
def show(sink: str, top: int, is_paused: bool) -> None:
    """Everything that changes by the second: the header line, notices and the four boards."""
    seen, trouble = _look(sink, is_paused)
    _header(sink, seen, trouble, is_paused)
    if seen is None:
        return
    names = list(PANELS)
    for pair in (names[:2], names[2:]):
        for name, column in zip(pair, st.columns(2), strict=True):
            with column.container(border=True, key=f"panel_{name}"):
                _panel(name, seen, top)


# What there is to show


@st.cache_resource(ttl=0.9 * REFRESH_SECONDS, show_spinner=False)
def _read(sink: str) -> tuple[Boards | None, str | None]:
    """The boards, or why there are none; one read a second however many people watch."""
    try:
        return boards.read(sink, settings), None
    except BoardsUnavailable as error:
        return None, str(error)


def _look(sink: str, is_paused: bool) -> tuple[Boards | None, str | None]:
    """The boards to show, those last seen when paused or when there are no others, and any trouble."""
    last = st.session_state.setdefault("last_seen", {})
    if is_paused and sink in last:
        return last[sink], None
    with nullcontext() if last else st.spinner("Reading the boards …"):
        seen, trouble = _read(sink)
    if seen:
        last[sink] = seen
    return last.get(sink), trouble


@st.cache_data(ttl=5, show_spinner=False)
def _sink_in_use() -> str | None:
    """Where the jobs write the boards, "" when Flink does not answer, None when there are no jobs."""
    try:
        return job.sink_in_use(settings)
    except job.JobError:
        return ""


def _why(sink: str) -> str:
    """Why no new data comes, as far as Flink can tell, and what to do."""
    using = _sink_in_use()
    if using == "":
        return "Flink does not answer: scripts/run_all.sh starts what is down."
    if using is None:
        return "No job computes the boards: python -m jobs submits them."
    if using != sink:
        return f"The jobs write to {SINKS[using]}: read from there, or move them with python -m jobs --switch."
    return "The jobs run, so no scores arrive, or a job is recovering: scripts/status.sh tells more."


# The header line and notices


def _header(sink: str, seen: Boards | None, trouble: str | None, is_paused: bool) -> None:
    as_of = seen.as_of if seen else None
    age = (datetime.now(UTC) - as_of).total_seconds() if as_of else 0
    is_stale = age > STALE_SECONDS
    state = (
        ":red-badge[:material/cloud_off: **UNAVAILABLE**]" if trouble
        else ":gray-badge[:material/pause: **PAUSED**]" if is_paused
        else ":gray-badge[:material/hourglass_empty: **EMPTY**]" if not as_of
        else ":red-badge[:material/warning: **STALE**]" if is_stale
        else ":green-badge[:material/sensors: **LIVE**]"
    )  # fmt: skip
    parts = [state, SINKS[sink]]
    if as_of:
        shown_age = f"**{_duration(age)} old**"
        date = "%H:%M:%S" if as_of.date() == datetime.now(UTC).date() else "%d %b %Y, %H:%M:%S"
        parts.insert(1, f"as of **{as_of:{date}} UTC**, {f':red[{shown_age}]' if is_stale else shown_age}")
        parts.append(_season(seen))
    st.markdown(" &nbsp;·&nbsp; ".join(parts))
    if trouble:
        kept = " The boards below are the last that were read." if as_of else ""
        st.error(_plain(trouble + kept), icon=":material/cloud_off:")
    elif is_stale and not is_paused:
        st.error(f"**The boards stand still**: the newest score is {_duration(age)} old. {_why(sink)}",
                 icon=":material/warning:")  # fmt: skip
    elif seen and not as_of:
        st.info(f"**No scores yet**: the boards fill a few seconds after the first score arrives. {_why(sink)}",
                icon=":material/hourglass_empty:")  # fmt: skip


def _season(seen: Boards) -> str:
    starts = [row["season_start"] for name in ("top_teams", "top_players") for row in seen.rows[name]]
    if settings.season == "all" or not starts:
        return "all time"
    return f"season ({settings.season}) since {max(starts):%d %b, %H:%M} UTC"


def _duration(seconds: float) -> str:
    """12 s, 3 min 5 s, 2 h 10 min, 4 d 3 h."""
    whole = max(0, int(seconds))
    for unit, size, lower, lower_size in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // lower_size} {lower}"
    return f"{whole} s"


def _plain(text: str) -> str:
    """Text of others, such as a driver's message, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$:-])", r"\\\1", text)


# One board


def _panel(name: str, seen: Boards, top: int) -> None:
    panel, rows = PANELS[name], seen.rows[name][:top]
    newest = seen.newest(name)
    lag = (seen.as_of - newest).total_seconds() if newest else 0
    behind = f" · :red[{_duration(lag)} behind the other boards]" if lag > STALE_SECONDS else ""
    st.markdown(f"#### {panel.title} &ensp;:small[:gray[{panel.question}{_left_out(name, seen)}]{behind}]")
    height = HEADER_PIXELS + ROW_PIXELS * SHOWN_ROWS + 2
    if not rows:
        with st.container(height=height, border=False, vertical_alignment="center", horizontal_alignment="center"):
            st.markdown(":gray[Nothing here yet]", width="content")
        return
    bars, table = st.columns([6, 5])
    with bars.container(height=height, border=False, key=f"bars_{name}"):
        st.vega_lite_chart(_bars(rows, panel), _chart(panel), width="stretch", key=f"chart_{name}")
    digits = max(len(f"{row[panel.value]:,.0f}") for row in rows)
    table.dataframe(
        _table(rows, panel),
        hide_index=True,
        height=height,
        row_height=ROW_PIXELS,
        key=f"table_{name}",
        column_config={
            "rank": st.column_config.NumberColumn("#", width=40),
            "name": st.column_config.TextColumn("Team" if panel.name == "team_name" else "Player", width=110),
            "value": st.column_config.NumberColumn(
                panel.label, format=panel.number_format, width=max(76, 24 + 8 * digits)
            ),
            "Team": st.column_config.TextColumn(width=90),
        },
    )


def _left_out(name: str, seen: Boards) -> str:
    late = seen.rows["late_events"][:1] if name == "hot_streaks" else []
    return f" · {late[0]['events']:,} events of the season came too late" if late else ""


def _bars(rows: list[Row], panel: Panel) -> pd.DataFrame:
    """Bars in the order of the board: the axis is sorted by the place that each label begins with."""
    value = [float(row[panel.value]) * panel.scale for row in rows]
    text = [panel.text(row[panel.value] * panel.scale) for row in rows]
    labels = [f"{row['rank_number']}\u2002{_name(row[panel.name])}" for row in rows]
    return pd.DataFrame({
        "place": [f"{place:03d}{label}" for place, label in enumerate(labels)],
        "value": value,
        "room": max(value) * (1 + 0.06 * max(map(len, text))),  # for the text behind the longest bar
        "text": text,
    })  # fmt: skip


def _chart(panel: Panel) -> dict:
    """The same specification at every refresh, so that the browser moves bars instead of drawing anew."""
    colour = panel.colours[st.context.theme.type == "dark"]
    axis = {"labelExpr": "slice(datum.label, 3)", "labelLimit": 150, "labelFontSize": 13, "labelPadding": 8}
    y = {"field": "place", "type": "ordinal", "title": None, "axis": axis | {"ticks": False, "domain": False}}
    x = {"type": "quantitative", "axis": None, "scale": {"zero": True, "nice": False}}
    text = {"type": "text", "align": "left", "dx": 6, "color": colour, "fontSize": 13, "fontWeight": 600}
    return {
        "height": {"step": ROW_PIXELS},
        "encoding": {"y": y | {"scale": {"paddingInner": 0.28, "paddingOuter": 0.14}}},
        "layer": [
            {"mark": {"type": "bar", "color": colour, "cornerRadiusEnd": 4, "tooltip": False},
             "encoding": {"x": x | {"field": "value"}}},
            {"mark": text, "encoding": {"x": x | {"field": "value"}, "text": {"field": "text"}}},
            {"mark": {"type": "point", "opacity": 0, "tooltip": False}, "encoding": {"x": x | {"field": "room"}}},
        ],
        "config": {"view": {"stroke": None}},
    }  # fmt: skip


def _table(rows: list[Row], panel: Panel) -> pd.DataFrame:
    columns = {
        "rank": [row["rank_number"] for row in rows],
        "name": [_name(row[panel.name]) for row in rows],
        "value": [row[panel.value] * panel.scale for row in rows],
    }
    return pd.DataFrame(columns | {title: [_name(row[column]) for row in rows] for column, title in panel.also})


def _name(text: str | None) -> str:
    """A name as one line of bounded length; players choose what stands in it."""
    line = "".join(each if each.isprintable() else " " for each in text or "–")
    return line if len(line) <= NAME_LENGTH else line[: NAME_LENGTH - 1] + "…"


def _style() -> str:
    """What the theme cannot say: a line in each board's colour, and boards below each other when narrow."""
    lines = "".join(
        f".st-key-panel_{name} {{border-top: 3px solid {panel.colours[0]};}}" for name, panel in PANELS.items()
    )
    return f"""<style>
        .stMainBlockContainer {{padding: 1.4rem 2.5rem 1rem;}}
        .st-key-heading {{padding-bottom: 0.2rem;}}
        .st-key-heading > :has(h1) {{flex: 1 1 16rem;}}
        h1 {{padding: 0 !important; font-size: 2rem !important; white-space: nowrap;}}
        h4 {{padding: 0 0 0.4rem !important;}} h4 span span {{font-weight: 400;}}
        {lines}
        [class*="st-key-bars_"] {{padding-top: {HEADER_PIXELS}px;}}
        [data-testid="stHeader"] {{background: transparent; height: 0;}}
        @media (max-width: 1100px) {{
            .stMainBlockContainer {{padding: 1.4rem 0.8rem;}}
            [data-testid="stColumn"] {{min-width: 100%;}}
            [class*="st-key-bars_"] {{padding-top: 0;}}
        }}
    </style>"""


main()
