"""Webhooks: whom announcements are posted to, in Slack's or Discord's form or as plain JSON.

A file lists their addresses, which are secrets: whoever knows one may post there. So neither the
log nor the database has them. docs/announcements.md shows the file, the forms and the signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import requests

from boards.deliveries import NotTaken, Refused
from boards.seasons import frozen
from boards.snapshot import Row
from clients.errors import SetupError
from settings import PREFIX, Settings

CONNECT_SECONDS, READ_SECONDS = 5, 10
OLD_SECONDS = 3_600  # an older announcement is no news
LATER = (408, 425, 429)  # beside those above 499
SECRET = "whsec_"  # begins a secret in base64, as the Standard Webhooks write it
HOSTS = {"hooks.slack.com": "slack", "discord.com": "discord", "discordapp.com": "discord"}
SUPPRESS_EMBEDS = 4  # Discord's flag
PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def _json(announcement: Row) -> Row:
    return frozen(announcement)


def _slack(announcement: Row) -> Row:
    """Plain text: no mention, no link, no markup, whatever a name is made of."""
    text = html.escape(announcement["sentence"], quote=False)
    shown = {"type": "plain_text", "text": text, "emoji": False}
    return {
        "text": text,
        "blocks": [{"type": "section", "text": shown}],
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _discord(announcement: Row) -> Row:
    """The same: Discord shows the sign behind a backslash as it is, and mentions nobody."""
    return {
        "content": PUNCTUATION.sub(lambda sign: f"\\{sign[0]}", announcement["sentence"]),
        "allowed_mentions": {"parse": []},
        "flags": SUPPRESS_EMBEDS,
    }


FORMS: dict[str, Callable[[Row], Row]] = {"slack": _slack, "discord": _discord, "json": _json}


@dataclass(frozen=True)
class Webhook:
    """An address that takes announcements in a form, signed where there is a secret."""

    form: str
    url: str = field(repr=False)
    secret: bytes | None = field(default=None, repr=False)
    patience_seconds: float | None = OLD_SECONDS
    begins_now: bool = True

    @property
    def name(self) -> str:
        """Its host, and what tells it from others there; its address cannot be told from it."""
        digest = hashlib.sha256(self.url.encode()).hexdigest()
        return f"{urlsplit(self.url).hostname} {digest[:8]}"

    def send(self, announcement: Row) -> None:
        """Post an announcement. Raises NotTaken or Refused, which do not say the address."""
        body = json.dumps(FORMS[self.form](announcement)).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "live-leaderboards"}
        headers |= self._signature(str(announcement["announcement_id"]), body)
        try:
            # Without `auth`, it would show a login from ~/.netrc.
            with requests.post(
                self.url,
                data=body,
                headers=headers,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                auth=lambda request: request,
                stream=True,  # nobody reads what else it says
            ) as response:
                _judge(response)
        except requests.Timeout:
            raise NotTaken(f"it does not answer within {READ_SECONDS} s") from None
        except requests.exceptions.SSLError:
            raise NotTaken("its certificate is not trusted") from None
        except requests.ConnectionError:
            raise NotTaken("it cannot be reached") from None
        except requests.RequestException as error:
            raise Refused(f"it cannot be asked: {type(error).__name__}") from None

    def _signature(self, id_: str, body: bytes) -> dict[str, str]:
        """The headers of the Standard Webhooks: id, time and signature."""
        now = str(int(time.time()))
        headers = {"webhook-id": id_, "webhook-timestamp": now}
        if self.secret is not None:
            signed = f"{id_}.{now}.".encode() + body
            digest = hmac.new(self.secret, signed, hashlib.sha256).digest()
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return headers


def _judge(response: requests.Response) -> None:
    status = response.status_code
    if response.ok and status < 300:
        return
    if status >= 500 or status in LATER:
        asked = response.headers.get("Retry-After", "")
        raise NotTaken(f"it answers {status}", int(asked) if asked.isdecimal() else 0)
    raise Refused(f"it answers {status}")


# The file


def read(settings: Settings) -> list[Webhook]:
    """The webhooks that the file lists; none without a file.

    Raises SetupError when it cannot be read, others may read it, or a line is no webhook.
    """
    if not settings.webhooks_file:
        return []
    secret = _secret(settings)
    lines = _read(settings.webhooks_file, "webhooks_file").splitlines()
    found: dict[str, Webhook] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            webhook = _webhook(line, number, secret)
            found[webhook.name] = webhook
    return list(found.values())


def stamp(settings: Settings) -> list[int]:
    """What is another one when a file that `read` reads has changed."""
    files = filter(None, (settings.webhooks_file, settings.webhook_secret_file))
    return [os.stat(file).st_mtime_ns if os.path.exists(file) else 0 for file in files]


def _webhook(line: str, number: int, secret: bytes | None) -> Webhook:
    where = f"{PREFIX}WEBHOOKS_FILE, line {number}"  # not the line itself: it is a secret
    *form, url = line.split()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or len(form) > 1 or "@" in parts.netloc:
        raise SetupError(f"{where}: it must be an address, or slack, discord or json before one.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(host)):
        raise SetupError(f"{where}: the address must begin with https://, or lead to this machine.")
    kind = form[0] if form else HOSTS.get(host, "json")
    if kind not in FORMS:
        raise SetupError(f"{where}: the form must be one of {', '.join(FORMS)}.")
    return Webhook(kind, url, secret)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secret(settings: Settings) -> bytes | None:
    if not settings.webhook_secret_file:
        return None
    text = _read(settings.webhook_secret_file, "webhook_secret_file").strip()
    try:
        encoded = text.startswith(SECRET)
        secret = base64.b64decode(text[len(SECRET) :], validate=True) if encoded else text.encode()
    except ValueError:
        secret = b""
    if not secret:
        raise SetupError(
            f"{PREFIX}WEBHOOK_SECRET_FILE must hold a secret, or {SECRET} and one in base64."
        )
    return secret


def _read(file: str, setting: str) -> str:
    """A file of secrets. Raises SetupError when it cannot be read, or others may read it."""
    name = f"{PREFIX}{setting.upper()}"
    try:
        about = os.stat(file)
        # What Kubernetes mounts belongs to somebody else, and our group may read it.
        others = 0o077 if about.st_uid == os.getuid() else 0o007
        if about.st_mode & others:
            raise SetupError(f"{name}: others may read {file}. Run chmod 600 {file}.")
        return Path(file).read_text()
    except (OSError, ValueError) as error:
        raise SetupError(f"{name} cannot be read: {error}") from None
