"""The pages, a module each, and the main script that Streamlit runs, `app.py`.

The main script lies in here on purpose: Streamlit serves a folder `pages` beside it by itself,
unasked. Beside `dashboard/pages/app.py` there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from settings import Settings


class Page(NamedTuple):
    """A function that shows a page, the page's title, and its path below the root.

    `is_offered` tells whether there is anything on it under these settings.
    """

    show: Callable[[], None]
    title: str
    path: str
    is_offered: Callable[[Settings], bool] = lambda settings: True
