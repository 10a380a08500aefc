"""What every page looks like: texts, numbers, tables, small charts, the style sheet.

What others wrote stays text. Tables are plain HTML: no canvas, no chart library, columns of fixed
width, and readable without seeing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from boards.ids import label, line, visible
from dashboard.download import CSV, File

STYLE = Path(__file__).with_name("style.css")
CUT_LENGTH, WHOLE_LENGTH = 48, 200  # of a name on a board, and at the head of its own page
SPARK_HEIGHT, SPARK_POINTS = 20, 60  # of a small chart, in its own units
PLOT_WIDTH, PLOT_HEIGHT = 600, 120  # of a plot, likewise
MISSING = "N/A"
MARK = ' class="marked" aria-current="true"'


def show(html: str) -> None:
    """Show HTML whose texts have gone through `text`."""
    st.markdown(html, unsafe_allow_html=True)


def text(value: object, length: int = CUT_LENGTH) -> str:
    """What others wrote as HTML on one line of at most `length` characters; N/A for nothing.

    Only letters, digits and blanks of ASCII stand for themselves: it is neither HTML nor Markdown.
    """
    whole = line(value)
    return _cut(whole, length) if whole else f'<span class="missing">{MISSING}</span>'


def identity(value: str, length: int = WHOLE_LENGTH) -> str:
    """An id as HTML, in which no blank or sign is unseen: no other id looks the same."""
    return _cut(visible(value), length)


def _cut(whole: str, length: int) -> str:
    cut = whole if len(whole) <= length else whole[: length - 1] + "…"
    return f"<bdi>{''.join(map(_plain, cut))}</bdi>"


def _plain(character: str) -> str:
    is_harmless = (character.isascii() and character.isalnum()) or character == " "
    return character if is_harmless else f"&#{ord(character)};"


def link(page: str, found_by: str, name: str | None, **chosen: str) -> str:
    """A name that leads to the page about its owner; the id where there is no name.

    Without a page it is the name alone. A page that chooses otherwise is told what is `chosen`.
    """
    shown = text(label(name, found_by))
    if not page:
        return shown
    found = address(page, chosen or {page: found_by})
    return f'<a href="{found}" target="_self">{shown}</a>'


def button(words: str, page: str, **chosen: str) -> str:
    """A link that looks like a button."""
    return f'<a class="button" href="{address(page, chosen)}" target="_self">{words}</a>'


def address(page: str, chosen: Mapping[str, str]) -> str:
    """Where a page is that chooses this, as an attribute of HTML."""
    return f"{page}?{urlencode(chosen).replace('&', '&amp;')}"


def title(name: str | None, known_by: str) -> str:
    """The heading of a page about one player or team: the name, or the id without one, and the id.

    Both are shown whole.
    """
    shown = text(label(name, known_by), WHOLE_LENGTH)
    return f"<h2>{shown} <small>{identity(known_by)}</small></h2>"


def number(value: float | None, form: Callable[[float], str] = "{:,}".format) -> str:
    """A number with thousands separators, or in another form; N/A for None."""
    return text(None) if value is None else form(value)


def rank(place: int | None, count: int | None) -> str:
    """A rank among so many; the rank alone where nobody knows how many they are."""
    return number(place) + (f" of {count:,}" if count is not None else "")


def moment(value: datetime | None) -> str:
    """A time of today in UTC, or with its date; N/A for None."""
    if value is None:
        return text(None)
    is_today = value.date() == datetime.now(UTC).date()
    return f"{value.astimezone(UTC):{'%H:%M:%S' if is_today else '%d %b %Y, %H:%M:%S'}}"


def duration(seconds: float) -> str:
    """12 s, 3 min 5 s, 2 h 10 min, 4 d 3 h."""
    whole = max(0, int(seconds))
    units = (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1))
    for unit, size, lower, lower_size in units:
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // lower_size} {lower}"
    return f"{whole} s"


def bar(part: float) -> str:
    """A bar behind a name, as long as this part of the longest."""
    return f'<span class="bar" style="width: {100 * part:.1f}%"></span>'


def spark(
    values: Sequence[float],
    what: str,
    points: int = SPARK_POINTS,
    *,
    later: str = "A line begins when somebody watches",
) -> str:
    """A line through the last values, equally far apart, the newest at the right.

    The greatest value is at the top. Dots for one value alone. A value that never changes is a line
    in the middle, and zero is one at the bottom.
    """
    last = values[-points:]
    if len(last) < 2:
        return f'<span class="later" title="{later}">…</span>'
    low, high = min(last), max(last)
    if low == high:
        low, high = (0, 1) if low == 0 else (low - 1, high + 1)
    places = " ".join(
        f"{x},{round((high - value) / (high - low) * SPARK_HEIGHT)}" for x, value in enumerate(last)
    )
    return (
        f'<svg class="spark" viewBox="0 0 {len(last) - 1} {SPARK_HEIGHT}" '
        f'preserveAspectRatio="none" role="img" aria-label="{what}, {_description(last)}">'
        f'<polyline points="{places}"></polyline></svg>'
    )


def _description(values: Sequence[float]) -> str:
    return f"between {min(values):,.4g} and {max(values):,.4g}"


def table(
    caption: str,
    heads: Mapping[str, str],
    rows: Iterable[Sequence[str]],
    kind: str = "",
    empty: str = "Nothing here yet",
    marked: int | None = None,
) -> str:
    """A table whose rows are cells in HTML; one of the rows may be marked.

    `heads` are the heads with the class of their column: "n" for numbers, "name" for whom the row
    is about. The caption is for those who do not see the heading above it.
    """
    head = "".join(f'<th scope="col" class="{css}">{title}</th>' for title, css in heads.items())
    styles = list(heads.values())
    body = "".join(
        f"<tr{MARK if place == marked else ''}>{''.join(map(_cell, styles, cells))}</tr>"
        for place, cells in enumerate(rows)
    )
    body = body or f'<tr><td class="empty" colspan="{len(heads)}">{empty}</td></tr>'
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}">'
        f'<table class="board {kind}"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(css: str, content: str) -> str:
    if "name" in css:
        return f'<th scope="row" class="{css}">{content}</th>'
    return f'<td class="{css}">{content}</td>'


def facts(pairs: Mapping[str, str]) -> str:
    """A line of figures, each under its name."""
    listed = (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs.items())
    return f'<dl class="facts">{"".join(listed)}</dl>'


def metrics(pairs: Mapping[str, str]) -> str:
    """Figures in large type, each under its name, six in a line where there is room."""
    listed = (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs.items())
    return f'<dl class="metrics">{"".join(listed)}</dl>'


def plot(days: Sequence[tuple[datetime, float]], what: str, form: Callable[[float], str]) -> str:
    """A line through values by day, each at its place in time, with the extremes beside it.

    A single day is a dot, and no day at all a sentence.
    """
    if not days:
        return f'<p class="quiet">{what}: {MISSING}</p>'
    (first, _), (last, _) = days[0], days[-1]
    values = [value for _, value in days]
    low, high = min(values), max(values)
    seconds = (last - first).total_seconds()
    places = [
        (
            PLOT_WIDTH * (at - first).total_seconds() / seconds if seconds else PLOT_WIDTH / 2,
            PLOT_HEIGHT * (high - value) / (high - low) if high > low else PLOT_HEIGHT / 2,
        )
        for at, value in days
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places)
    dates = dict.fromkeys(f"{at:%d %b %Y}" for at in (first, last))
    told = f"{what}, {len(days)} days, between {form(low)} and {form(high)}"
    return (
        f'<figure class="plot"><p><span>{form(high)}</span><span>{form(low)}</span></p>'
        f'<svg viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{told}"><polyline points="{line}"></polyline><path d="{dots}"></path></svg>'
        f"<figcaption>{''.join(f'<span>{each}</span>' for each in dates)}</figcaption></figure>"
    )


def hint(word: str, meaning: str) -> str:
    """A word that tells its meaning to whoever points at it."""
    return f'<span title="{meaning}">{word}</span>'


def save(label: str, file: File) -> None:
    """A button that saves a file, whose first mark tells spreadsheets that it is UTF-8."""
    content = file.text.encode("utf-8-sig", errors="replace")
    st.download_button(label, content, file.name, CSV, key=f"save {label}", on_click="ignore")


def move_boards(sink_name: str) -> str:
    """The command that lets the jobs write to another sink."""
    return f"<code>scripts/run_all.sh --sink {sink_name}</code>"


def notice(html: str, css: str = "bad") -> None:
    """Say what is wrong and what to do."""
    show(f'<div class="notice {css}" role="alert"><p>{html}</p></div>')


def badge(word: str, css: str) -> str:
    """A state in one word and a colour."""
    return f'<span class="badge {css}" role="status">{word}</span>'


def is_wall() -> bool:
    """Whether the page hangs on a wall: the boards fill it, without controls."""
    return st.query_params.get("view") == "wall"


MANY_BOARDS = 5  # so many stand three side by side where there is room


# Sizes of a wall in rem: the width of a board where two or three stand side by side, and of one
# without its trend; the heights of what is above the boards, of a board, and of its ten places.
TWO_WIDTH, THREE_WIDTH, TREND_WIDTH = 49, 39, 6
TOP_HEIGHT, BOARD_HEIGHT, PLACES_HEIGHT = 5.4, 24.5, 18
SMALL_WALL = 1600  # px; a narrower screen shows larger names in place of trends


def wall(boards: int) -> str:
    """The style of a wall: ten places of so many boards fill the screen, whatever its size."""
    is_many = boards >= MANY_BOARDS
    columns, board_width = (3, THREE_WIDTH) if is_many else (max(1, min(boards, 2)), TWO_WIDTH)
    lines = ceil(boards / columns)
    height = TOP_HEIGHT + lines * BOARD_HEIGHT
    others = height - lines * PLACES_HEIGHT
    place = f"calc((100vh - {others}rem) / {10 * lines})"

    def size(width: float) -> str:
        smaller = f"min({100 / (columns * width):.3f}vw, {100 / height:.3f}vh)"
        return f"font-size: clamp(10px, {smaller}, 80px) !important;"

    return f"""<style>
    html {{ {size(board_width)} }}
    .stHeader, .st-key-pages, .st-key-controls {{ display: none !important; }}
    [data-testid="stLayoutWrapper"]:has(> .st-key-controls) {{ display: none; }}
    .ranks .rank {{ width: 2rem; }}
    .stMainBlockContainer {{ padding: 1rem 1.5rem 0; max-width: none; }}
    .facts {{ font-size: 1.35rem; }}
    .ticker {{ font-size: 1.1rem; }}
    .winners {{ position: fixed; top: 0.5rem; right: 1.5rem; z-index: 5; border: 0; padding: 0; }}
    .winners dd:not(:nth-of-type(1)) {{ display: none; }}
    @media (min-width: 1101px) {{
        .many .panel {{ grid-column: span var(--of-three); }}
        .ranks:not(.long) tbody tr > * {{ height: max(1.8rem, {place}) !important; }}
    }}
    @media (max-width: {SMALL_WALL - 1}px) {{
        html {{ {size(board_width - TREND_WIDTH)} }}
        .ranks .trend {{ width: 0; padding: 0 !important; font-size: 0; }}
        .ranks .trend > *, .winners small {{ display: none; }}
    }}
</style>"""
