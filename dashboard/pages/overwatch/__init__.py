"""The Overwatch game's own page: one player's profile."""

from dashboard.pages import Page
from dashboard.pages.overwatch import profile

PAGES = (Page(profile.page, "Overwatch", "overwatch"),)
