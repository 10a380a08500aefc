"""A game of one board: who has won most often."""

from __future__ import annotations

from games.board import Board, Entity, Game

MOST_WINS = Board(
    name="most_wins",
    key=("player",),
    grows=("wins",),
    value="wins",
    label="Wins",
    title="Most wins",
    question="since the beginning",
    entity=Entity("Player", "player", "player"),
)

GAME = Game(
    name="tiny",
    title="Tiny",
    topic=lambda settings: "tiny-plays",
    tables=(MOST_WINS,),
    sources=("plays.sql",),
)
