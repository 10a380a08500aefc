"""What all pages have in common: who may read them, how they look, the way between them."""

from __future__ import annotations

import streamlit as st

from dashboard import html, login, navigation
from dashboard.choices import game_of_address
from settings import settings

TITLE = "Live leaderboards"


def main() -> None:
    st.set_page_config(TITLE, "🏆", layout="wide")
    st.html(html.STYLE)
    if html.is_wall():
        st.html(html.wall(len(game_of_address(settings).boards) or 1))
    if settings.oidc_metadata_url and not _is_let_in():
        return
    pages = navigation.pages(settings)
    if not login.may_moderate(settings, st.user):
        pages.remove(navigation.MODERATION)
    listed = [
        st.Page(page.show, title=page.title, url_path=page.path, default=page is navigation.LIVE)
        for page in pages
    ]
    # Streamlit's own menu stays open on a phone after a choice.
    shown = st.navigation(listed, position="hidden")
    if shown.title != navigation.LIVE.title:  # so that tabs and bookmarks can be told apart
        st.set_page_config(f"{shown.title} · {TITLE}")
    with st.container(key="pages", horizontal=True, gap="small"):
        for page in listed:
            st.page_link(page)
    shown.run()


def _is_let_in() -> bool:
    """Whether a reader has logged in and may read; says what to do otherwise."""
    if not st.user.is_logged_in:
        st.title(TITLE, anchor=False)
        st.button("Log in", on_click=st.login)
        return False
    if not login.is_allowed(settings, st.user):
        html.notice(f"{html.text(st.user.get('email', 'You'))} may not read this page.")
        st.button("Log out", on_click=st.logout)
        return False
    return True


main()
