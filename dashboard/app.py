"""What all pages have in common: who may read them, how they look, and the way from one to another."""

from __future__ import annotations

import streamlit as st

from dashboard import login, look
from dashboard.screens import live, moderation, pipeline, player, team
from settings import settings


def main() -> None:
    st.set_page_config("Live leaderboards", "🏆", layout="wide")
    st.html(look.STYLE)
    if look.is_wall():
        st.html(look.WALL)
    if settings.oidc_metadata_url and not _is_let_in():
        return
    pages = [
        st.Page(live.page, title="Live", default=True),
        st.Page(player.page, title="Player", url_path="player"),
        st.Page(team.page, title="Team", url_path="team"),
        st.Page(pipeline.page, title="Pipeline", url_path="pipeline"),
    ]
    if login.may_moderate(settings, st.user):
        pages.append(st.Page(moderation.page, title="Moderation", url_path="moderation"))
    st.navigation(pages, position="hidden" if look.is_wall() else "top").run()


def _is_let_in() -> bool:
    """Whether a reader has logged in and may read; says what to do otherwise."""
    if not st.user.is_logged_in:
        st.title("Live leaderboards", anchor=False)
        st.button("Log in", on_click=st.login)
        return False
    if not login.is_allowed(settings, st.user):
        look.notice(f"{look.text(st.user.get('email', 'You'))} may not read this page.")
        st.button("Log out", on_click=st.logout)
        return False
    return True


main()
