"""What a page's address chooses: which game, and what it asks for in vain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import html
from games import chosen
from games.board import Game
from settings import Settings


def game_of_address(settings: Settings) -> Game:
    """The game that the page's address names; the first for a wrong name, or for none."""
    games = chosen(settings)
    name = st.query_params.get("game")
    return next((game for game in games if game.name == name), games[0])


def choose_game(settings: Settings) -> Game:
    """The same, with a control to change it; whoever has one game only is shown none."""
    games = {game.name: game for game in chosen(settings)}
    if len(games) == 1:
        return next(iter(games.values()))
    name = st.selectbox("Game", games, key="game", bind="query-params", width=170)
    return games[name]


def unknown(offered: Mapping[str, Sequence[object]]) -> list[str]:
    """What the address asks for that is not offered, each as HTML.

    Ask before the controls are shown: they take what they do not know out of the address.
    """
    asked = {name: st.query_params.get(name) for name in offered}
    return [
        f"The address asks for {name}={html.text(value)}, which there is not. "
        f"You may choose {' or '.join(map(str, offered[name]))}."
        for name, value in asked.items()
        if value is not None and value not in map(str, offered[name])
    ]
