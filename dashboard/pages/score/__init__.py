"""The score game's own pages: one player, one team, sessions."""

from dashboard.pages import Page
from dashboard.pages.score import player, sessions, team
from games.score import is_play_watched

PAGES = (
    Page(player.page, "Player", "player"),
    Page(team.page, "Team", "team"),
    Page(sessions.page, "Sessions", "sessions", is_play_watched),
)
