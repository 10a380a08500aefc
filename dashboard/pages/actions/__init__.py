"""The actions game's own page: what is done most."""

from dashboard.pages import Page
from dashboard.pages.actions import most_done

PAGES = (Page(most_done.page, "Actions", "actions"),)
