"""What a page's address chooses, and what it asks for in vain.

The address is the one place where choices stand: a new one is a step in the browser's history, and
each step back shows what was chosen before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import html
from games import chosen
from games.board import Game
from settings import Settings


def in_address(
    name: str, options: Sequence[object] | None = None, default: object = None
) -> dict[str, Any]:
    """Arguments for a control whose choice stands in the address, under its name.

    Without options it may be any text. What the address does not say, or what is no option, is the
    default. (Streamlit's own `bind` changes the address without a step in the history.)
    """
    asked = st.query_params.get(name)
    if options is None:
        chosen = default if asked is None else asked
    else:
        chosen = next((each for each in options if _text(each) == asked), default)
    st.session_state[name] = chosen
    return {"key": name, "on_change": _put_into_address, "args": (name, default)}


def _put_into_address(name: str, default: object) -> None:
    chosen = st.session_state[name]
    if chosen in (None, "", default):
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = _text(chosen)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def games_with_boards(settings: Settings) -> tuple[Game, ...]:
    """The chosen games that have boards; another has pages of its own."""
    return tuple(game for game in chosen(settings) if game.boards)


def game_of_address(settings: Settings) -> Game:
    """The game that the page's address names; the first for a wrong name, or for none."""
    games = games_with_boards(settings) or chosen(settings)
    name = st.query_params.get("game")
    return next((game for game in games if game.name == name), games[0])


def choose_game(among: Sequence[Game]) -> Game:
    """The same among some games, with a control to change it; there is none for a single game."""
    games = {game.name: game for game in among}
    if len(games) == 1:
        return next(iter(games.values()))
    names = list(games)
    name = st.selectbox("Game", names, width=170, **in_address("game", names, names[0]))
    return games[name]


def _listed(options: Sequence[object]) -> str:
    """Options as a person lists them: 10, 25 or 50."""
    *others, last = map(str, options)
    return f"{', '.join(others)} or {last}" if others else last


def unknown(offered: Mapping[str, Sequence[object]]) -> list[str]:
    """What the address asks for that is not offered, each as HTML."""
    asked = {name: st.query_params.get(name) for name in offered}
    return [
        f"The address asks for {name}={html.text(value)}, which there is not. "
        f"You may choose {_listed(offered[name])}."
        for name, value in asked.items()
        if value is not None and value not in map(str, offered[name])
    ]
