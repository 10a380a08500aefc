"""The score game's own pages: one player, one team."""

from dashboard.pages import Page
from dashboard.pages.score import player, team

PAGES = (Page(player.page, "Player", "player"), Page(team.page, "Team", "team"))
