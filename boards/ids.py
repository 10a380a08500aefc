"""Ids and names as people see them, and as they search for them.

Two ids that differ never look the same for a blank or an unseen sign.
"""

from __future__ import annotations

import re
from unicodedata import category, normalize

BLANK = "␠"
# Blanks that nobody sees: at an end, or beside others, which a browser shows as one.
UNSEEN_BLANKS = re.compile(r"^ +| +$| {2,}")
# Letters and marks that count as printable, and yet show nothing: fillers of Hangul, a Braille
# pattern without dots, the joiner of graphemes, inherent vowels of Khmer, variation selectors.
UNSEEN_SIGNS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
MARKS = re.compile("[\u0300-\u036f]")  # above and below letters


def visible(id_: str) -> str:
    """An id with its unseen blanks as ␠, and other signs that cannot be seen as <U+200B>.

    It is for showing only: what identifies is the id itself.
    """
    return UNSEEN_BLANKS.sub(lambda blanks: BLANK * len(blanks[0]), printable(id_, but=BLANK))


def printable(text: str, but: str = "") -> str:
    """A text whose other signs are shown as <U+200B>: none of them can steer a terminal."""
    return "".join(
        each if is_seen(each) and each not in but else f"<U+{ord(each):04X}>" for each in text
    )


def is_seen(sign: str) -> bool:
    """Whether people see this sign, or the blank that it makes."""
    return sign.isprintable() and not UNSEEN_SIGNS.match(sign)


def says_something(name: str) -> bool:
    """Whether anything of a name can be seen: a mark alone, which belongs to a letter, cannot."""
    return any(is_seen(each) and each != " " and category(each) != "Mn" for each in name)


def folded(name: str) -> str:
    """A name as a search compares it, just as leaderboard.folded in PostgreSQL makes it."""
    return normalize("NFKC", MARKS.sub("", normalize("NFKD", name)).casefold())
