"""Which signs of a text people see, and how the others are shown."""

from __future__ import annotations

import re

# Letters and marks that count as printable, and yet show nothing: fillers of Hangul, a Braille
# pattern without dots, the joiner of graphemes, inherent vowels of Khmer, variation selectors.
UNSEEN_SIGNS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def printable(text: str, but: str = "") -> str:
    """A text whose other signs are shown as <U+200B>: none of them can steer a terminal."""
    return "".join(
        each if is_seen(each) and each not in but else f"<U+{ord(each):04X}>" for each in text
    )


def is_seen(sign: str) -> bool:
    """Whether people see this sign, or the blank that it makes."""
    return sign.isprintable() and not UNSEEN_SIGNS.match(sign)
