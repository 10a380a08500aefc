"""The spins game's own page: campaigns."""

from dashboard.pages import Page
from dashboard.pages.spins import campaigns

PAGES = (Page(campaigns.page, "Campaigns", "campaigns"),)
