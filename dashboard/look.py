"""What every page looks like: text of others as text, numbers, tables, small charts, the style sheet.

Tables are plain HTML: no canvas, no chart library, columns of fixed width, and readable without seeing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from jobs import sql

STYLE = Path(__file__).with_name("style.css")
NAME_LENGTH = 48
SPARK_HEIGHT, SPARK_POINTS = 20, 60  # of a small chart, in its own units
MISSING = "N/A"
MARK = ' class="marked" aria-current="true"'
SINKS = {"postgres": "PostgreSQL", "kafka": "Kafka"}
JOINER = "\u200d"  # what makes one picture of several emoji


def show(html: str) -> None:
    """Show HTML whose texts have gone through `text`."""
    st.markdown(html, unsafe_allow_html=True)


def line(value: object) -> str:
    """What others wrote as one line of characters that can be seen."""
    return "".join(each if each.isprintable() or each == JOINER else " " for each in str(value or "")).strip()


def text(value: object, length: int = NAME_LENGTH) -> str:
    """What others wrote as HTML on one line of at most `length` characters; N/A for nothing.

    Only letters, digits and blanks of ASCII stand for themselves, so it is neither HTML nor Markdown.
    """
    seen = line(value)
    if not seen:
        return f'<span class="missing">{MISSING}</span>'
    cut = seen if len(seen) <= length else seen[: length - 1] + "…"
    plain = "".join(each if (each.isascii() and each.isalnum()) or each == " " else f"&#{ord(each)};" for each in cut)
    return f"<bdi>{plain}</bdi>"


def link(page: str, found_by: str, name: str | None) -> str:
    """The name of a player or team, which leads to its page; its id where there is no name."""
    shown = text(line(name) or found_by)
    return f'<a href="{page}?{urlencode({page: found_by})}" target="_self">{shown}</a>'


def title(name: str | None, known_by: str) -> str:
    """The heading of a page about one player or team: the name, or the id where there is none, and the id."""
    return f"<h2>{text(name or known_by, sql.NAME_LENGTH)} <small>{text(known_by, sql.ID_LENGTH)}</small></h2>"


def number(value: float | None, form: str = "{:,}") -> str:
    """A number with thousands separators, or in another form; N/A for None."""
    return text(None) if value is None else form.format(value)


def moment(value: datetime | None) -> str:
    """A time of today in UTC, or with its date; N/A for None."""
    if value is None:
        return text(None)
    return f"{value.astimezone(UTC):{'%H:%M:%S' if value.date() == datetime.now(UTC).date() else '%d %b %Y, %H:%M:%S'}}"


def duration(seconds: float) -> str:
    """12 s, 3 min 5 s, 2 h 10 min, 4 d 3 h."""
    whole = max(0, int(seconds))
    for unit, size, lower, lower_size in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // lower_size} {lower}"
    return f"{whole} s"


def share(ratio: float | None) -> str:
    """A part of a whole in per cent; N/A for None."""
    return text(None) if ratio is None else f"{100 * ratio:.1f} %"


def bar(part: float) -> str:
    """A bar behind a name, as long as this part of the longest."""
    return f'<span class="bar" style="width: {100 * part:.1f}%"></span>'


def spark(values: Sequence[float], what: str, points: int = SPARK_POINTS) -> str:
    """A line through the last values, equally far apart, the newest at the right; nothing for one alone."""
    shown = values[-points:]
    if len(shown) < 2:
        return ""
    low, high = min(shown), max(shown)
    span = (high - low) or 1
    places = " ".join(f"{x},{round((high - value) / span * SPARK_HEIGHT)}" for x, value in enumerate(shown))
    return (
        f'<svg class="spark" viewBox="0 0 {len(shown) - 1} {SPARK_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{what}, {_description(shown)}"><polyline points="{places}"></polyline></svg>'
    )


def _description(values: Sequence[float]) -> str:
    return f"between {abs(min(values, key=abs)):,.4g} and {abs(max(values, key=abs)):,.4g}"


def table(
    caption: str,
    heads: Mapping[str, str],
    rows: Iterable[Sequence[str]],
    kind: str = "",
    empty: str = "Nothing here yet",
    marked: int | None = None,
) -> str:
    """A table: heads with the class of their column ("n" for numbers, "name" for whom the row is about), rows of cells
    in HTML, one of which may be marked. The caption is for those who do not see the heading above it.
    """
    head = "".join(f'<th scope="col" class="{css}">{title}</th>' for title, css in heads.items())
    styles = list(heads.values())
    body = "".join(
        f"<tr{MARK if place == marked else ''}>{''.join(map(_cell, styles, cells))}</tr>"
        for place, cells in enumerate(rows)
    )
    body = body or f'<tr><td class="empty" colspan="{len(heads)}">{empty}</td></tr>'
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}"><table class="board {kind}">'
        f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(css: str, content: str) -> str:
    return f'<th scope="row" class="{css}">{content}</th>' if "name" in css else f'<td class="{css}">{content}</td>'


def facts(pairs: Mapping[str, str]) -> str:
    """A line of figures, each under its name."""
    return '<dl class="facts">' + "".join(f"<div><dt>{n}</dt><dd>{v}</dd></div>" for n, v in pairs.items()) + "</dl>"


def notice(html: str, css: str = "bad") -> None:
    """Say what is wrong and what to do."""
    show(f'<div class="notice {css}" role="alert"><p>{html}</p></div>')


def badge(word: str, css: str) -> str:
    """A state in one word and a colour."""
    return f'<span class="badge {css}" role="status">{word}</span>'


def is_wall() -> bool:
    """Whether the page hangs on a wall: no controls, big type."""
    return st.query_params.get("view") == "wall"


# Big enough for ten places of four boards to fill the screen, whatever its size.
WALL = """<style>
    html { font-size: clamp(10px, min(1.02vw, 1.98vh), 80px) !important; }
    .stHeader, .st-key-controls { display: none !important; }
    .stMainBlockContainer { padding: 1rem 1.5rem 0; max-width: none; }
    .facts { font-size: 1.35rem; }
</style>"""
