"""Which game a page shows: the one that its address names, or else the first."""

from __future__ import annotations

import streamlit as st

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
