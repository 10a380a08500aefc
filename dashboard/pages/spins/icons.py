"""The icons of slot games: a machine in the game's own colour, with its number."""

from __future__ import annotations

from collections.abc import Sequence

COLOURS, STEP = 12, 5  # of style.css; games whose numbers are neighbours are far apart in colour
SHOWN = 6  # icons of one campaign; how many more there are is said
MACHINE = (
    '<rect x="2" y="3" width="17" height="18" rx="4"></rect>'
    '<path class="arm" d="M20.5 13V7.5"></path><circle cx="20.5" cy="6" r="2"></circle>'
    '<rect class="reels" x="4.5" y="8" width="12" height="7" rx="1.5"></rect>'
    '<path class="bars" d="M8.5 8v7M12.5 8v7"></path>'
)


def colour(games: Sequence[int], chosen: int | None = None) -> str:
    """The class that gives the colour of the chosen game, else of the first of these; or blue."""
    if chosen is not None and (not games or chosen in games):
        return f"slot{chosen * STEP % COLOURS}"
    return f"slot{games[0] * STEP % COLOURS}" if games else "blue"


def icon(game_id: int) -> str:
    """A game's icon and number."""
    machine = f'<svg class="machine" viewBox="0 0 24 24" aria-hidden="true">{MACHINE}</svg>'
    return (
        f'<span class="slot {colour([game_id])}" title="game {game_id}">{machine}'
        f'<span class="unseen">game </span>{game_id}</span>'
    )


def icons(games: Sequence[int], chosen: int | None = None) -> str:
    """The icons of a campaign's games, the chosen one first; all games are a word."""
    if not games:
        every = '<span class="slot blue">all games</span>'
        return every if chosen is None else icon(chosen) + every
    ordered = sorted(games, key=lambda game_id: (game_id != chosen, game_id))
    more = len(ordered) - SHOWN
    rest = f'<span class="slot more">and {more} more</span>' if more > 0 else ""
    return "".join(map(icon, ordered[:SHOWN])) + rest
