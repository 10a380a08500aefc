"""One question to the OverFast API: spaced, bounded in time and size, and never an exception."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

SPACING_SECONDS = 0.2  # from one question to the next: five a second at most
CONNECT_SECONDS, READ_SECONDS = 5, 10
WHOLE_SECONDS = 30  # for an answer that comes in small pieces
LONGEST_BYTES = 2 * 2**20  # the longest career is about a tenth of it
PIECE_BYTES = 64 * 1024
HEADERS = {"Accept": "application/json", "User-Agent": "live-leaderboards profile worker"}


@dataclass(frozen=True)
class Reply:
    """What came back. `fault` says what is wrong with it, as the end of a sentence.

    `status` is HTTP's, 0 when nobody answered. `fresh_seconds` is how long the answer holds, and
    `retry_seconds` for how long nobody should ask again; None when it does not say.
    """

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    fresh_seconds: float | None = None
    retry_seconds: float | None = None
    fault: str = ""


class _Session(requests.Session):
    """Goes where it is told: not where an answer leads to, which may be anywhere."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class Client:
    """Asks one question after the other.

    `now` gives seconds since 1970, and `wait` waits for so many.
    """

    def __init__(
        self, base_url: str, now: Callable[[], float], wait: Callable[[float], None]
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._now, self._wait = now, wait
        self._asked_at = 0.0
        self._session = _Session()
        self._session.headers.update(HEADERS)
        self._session.auth = lambda request: request  # or it would show a login from ~/.netrc

    def get(self, path: str) -> Reply:
        """The answer to a path with its parameters, which begins with a slash."""
        ahead = self._asked_at + SPACING_SECONDS - self._now()
        if ahead > 0:  # more than that is a clock that was set back
            self._wait(min(ahead, SPACING_SECONDS))
        self._asked_at = self._now()
        try:
            with self._session.get(
                self._base_url + path,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                stream=True,
            ) as response:
                return self._read(response)
        except (requests.RequestException, HTTPError) as error:
            return Reply(0, fault=_reason(error))

    def _read(self, response: requests.Response) -> Reply:
        headers = response.headers
        said = Reply(
            response.status_code,
            fresh_seconds=_seconds(headers, "X-Cache-TTL"),
            retry_seconds=self._retry_seconds(headers),
        )
        until, text = self._now() + WHOLE_SECONDS, bytearray()
        # As it comes: read() would wait for a whole piece, however slow the other side is.
        while piece := response.raw.read1(PIECE_BYTES, decode_content=True):
            text += piece
            if len(text) > LONGEST_BYTES:
                return replace(said, fault=f"its answer is longer than {LONGEST_BYTES >> 20} MB")
            if self._now() > until:
                return Reply(0, fault=f"its answer took longer than {WHOLE_SECONDS} s")
        try:
            body = json.loads(bytes(text), parse_constant=_refuse)
        except (ValueError, RecursionError):
            return replace(said, fault="its answer is not JSON")
        if not isinstance(body, dict):
            return replace(said, fault="its answer is not a JSON object")
        return replace(said, body=body)

    def _retry_seconds(self, headers: Mapping[str, str]) -> float | None:
        seconds = _seconds(headers, "Retry-After")
        if seconds is None:
            with suppress(ValueError):  # it may be a date instead
                at = parsedate_to_datetime(headers.get("Retry-After", "")).timestamp()
                return max(0.0, at - self._now())
        return seconds


def _seconds(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name, "").strip()
    return float(text[:9]) if text.isascii() and text.isdigit() else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout | ReadTimeoutError):
        return f"it did not answer within {READ_SECONDS} s"
    if isinstance(error, requests.ConnectionError):
        return "it cannot be reached"
    return "its answer broke off"
