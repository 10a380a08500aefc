"""Who may read the page: everybody on this machine, or whom an OpenID Connect provider knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boards.moderation import login_name
from clients.errors import SetupError
from clients.passwords import passwords
from settings import Settings

CALLBACK = "oauth2callback"  # Streamlit's own path


def secrets(settings: Settings) -> dict[str, Any]:
    """What Streamlit's login wants to know; empty when there is none.

    Raises SetupError without the client's secret.
    """
    if not settings.oidc_metadata_url:
        return {}
    try:
        client_secret = Path(settings.oidc_client_secret_file).read_text().strip()
    except OSError as error:
        raise SetupError(f"LEADERBOARD_OIDC_CLIENT_SECRET_FILE cannot be read: {error}") from None
    return {
        "auth": {
            "server_metadata_url": settings.oidc_metadata_url,
            "client_id": settings.oidc_client_id,
            "client_secret": client_secret,
            "redirect_uri": f"{settings.page_url.rstrip('/')}/{CALLBACK}",
            "cookie_secret": passwords(settings.state)["page_cookie"],
        }
    }


def is_allowed(settings: Settings, user: Mapping[str, Any]) -> bool:
    """Whether somebody whom the provider knows may read the page.

    What counts is an address that the provider has verified.
    """
    return not _listed(settings.oidc_allowed) or _is_among(settings.oidc_allowed, user)


def may_moderate(settings: Settings, user: Mapping[str, Any]) -> bool:
    """Whether somebody may ban on the page.

    Whoever sits at this machine may, or the moderators among those who log in.
    """
    if settings.moderation_page == "off":
        return False
    if settings.oidc_metadata_url:
        return is_allowed(settings, user) and _is_among(settings.oidc_moderators, user)
    return settings.is_page_for_this_machine


def author(settings: Settings, user: Mapping[str, Any]) -> str:
    """Who decides something on the page: an address of the log-in, or a name of this machine."""
    return str(user["email"]) if settings.oidc_metadata_url else login_name()


def _listed(addresses: str) -> set[str]:
    return {each.strip().lower() for each in addresses.split(",") if each.strip()}


def _is_among(addresses: str, user: Mapping[str, Any]) -> bool:
    email = str(user.get("email", "")).lower()
    is_verified = user.get("email_verified") is True
    return is_verified and bool({email, "@" + email.rpartition("@")[2]} & _listed(addresses))
