"""Ids as people see them: two that differ never look the same for a blank or an unseen sign."""

from __future__ import annotations

import re

BLANK = "␠"
# Blanks that nobody sees: at an end, or beside others, which a browser shows as one.
UNSEEN_BLANKS = re.compile(r"^ +| +$| {2,}")


def visible(id_: str) -> str:
    """An id with its unseen blanks as ␠, and other signs that cannot be seen as <U+200B>.

    It is for showing only: what identifies is the id itself.
    """
    signs = (
        each if each.isprintable() and each != BLANK else f"<U+{ord(each):04X}>" for each in id_
    )
    return UNSEEN_BLANKS.sub(lambda blanks: BLANK * len(blanks[0]), "".join(signs))
