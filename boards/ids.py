"""Ids and names as people see them, and as they search for them.

Two ids that differ never look the same for a blank or an unseen sign.
"""

from __future__ import annotations

import re
from unicodedata import category, normalize

from clients.signs import is_seen, printable

JOINER = "\u200d"  # what makes one picture of several emoji
BLANK = "␠"
# Blanks that nobody sees: at an end, or beside others, which a browser shows as one.
UNSEEN_BLANKS = re.compile(r"^ +| +$| {2,}")
MARKS = re.compile("[\u0300-\u036f]")  # above and below letters


def visible(id_: str) -> str:
    """An id with its unseen blanks as ␠, and other signs that cannot be seen as <U+200B>.

    It is for showing only: what identifies is the id itself.
    """
    return UNSEEN_BLANKS.sub(lambda blanks: BLANK * len(blanks[0]), printable(id_, but=BLANK))


def line(value: object) -> str:
    """What others wrote as one line of characters that can be seen."""
    characters = str(value or "")
    seen = (each if each.isprintable() or each == JOINER else " " for each in characters)
    return "".join(seen).strip()


def label(name: str | None, known_by: str) -> str:
    """A name on one line; the id, as people can tell it from others, where there is no name."""
    is_named = says_something(line(name)) and name != known_by
    return line(name) if is_named else visible(known_by)


def says_something(name: str) -> bool:
    """Whether anything of a name can be seen: a mark alone, which belongs to a letter, cannot."""
    return any(is_seen(each) and each != " " and category(each) != "Mn" for each in name)


def folded(name: str) -> str:
    """A name as a search compares it, just as leaderboard.folded in PostgreSQL makes it."""
    return normalize("NFKC", MARKS.sub("", normalize("NFKD", name)).casefold())
