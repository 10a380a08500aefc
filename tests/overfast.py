"""A small server that answers as the OverFast API does, about players who are made up.

python -m tests.overfast PORT serves it for whoever wants to look at the page.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

TTL_SECONDS = 600
AMOUNTS = {"eliminations": 18.5, "assists": 9.25, "deaths": 6.0, "damage": 8_100, "healing": 2_400}
HEROES = {"tank": "wrecking-ball", "damage": "tracer", "support": "ana"}
PUBLIC, PRIVATE, EMPTY = "public", "private", "empty"
PLAYERS = {"Nova-1111": PUBLIC, "Ümit-2222": PUBLIC, "Hidden-3333": PRIVATE, "Idle-4444": EMPTY}


class Reply(NamedTuple):
    """What the server says once: a status, a body, more headers, and after how long."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}
    seconds: float = 0


def reply(status: int, body: object = None, seconds: float = 0, **headers: object) -> Reply:
    """A body as JSON; X_Cache_TTL is the header X-Cache-TTL."""
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return Reply(status, json.dumps(body or {}).encode(), named, seconds)


def not_found(retry_after: int, next_check_at: int = 1) -> Reply:
    """An unknown player, as the API tells of one that was looked for before."""
    waits = {"retry_after": retry_after, "next_check_at": next_check_at, "check_count": 2}
    return reply(404, {"error": "Player not found"} | waits)


class Overfast:
    """The server: what it is to say next of a player, and which paths it was asked for, when."""

    def __init__(self) -> None:
        self.next: dict[str, deque[Reply]] = defaultdict(deque)  # by player, "" for all
        self.asked: list[str] = []
        self.times: list[float] = []
        self.headers: list[Mapping[str, str]] = []
        self.played = 10  # games of everybody in competitive; twice as many in quick play
        self.url = ""

    def answer(self, path: str, headers: Mapping[str, str]) -> Reply:
        self.asked.append(path)
        self.times.append(time.time())
        self.headers.append(headers)
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        player, _, what = unquote(parts.path).removeprefix("/players").strip("/").partition("/")
        for scripted in (self.next[""], self.next[player or query.get("name", "")]):
            if scripted:
                return scripted.popleft()
        kind = PLAYERS.get(player)
        if parts.path == "/players":
            return self._search(query["name"])
        if kind is None:
            return not_found(600)
        games = self.played * (2 if query.get("gamemode") == "quickplay" else 1)
        is_told = kind == PUBLIC and query.get("platform", "pc") == "pc"
        bodies = {
            "summary": summary(player, kind),
            "stats/summary": stats(games) if is_told else {},
            "stats/career": career(games) if is_told else {},
        }
        return reply(200, bodies[what], X_Cache_TTL=TTL_SECONDS)

    def _search(self, name: str) -> Reply:
        is_listed = PLAYERS.get(name) in (PUBLIC, EMPTY)
        one = {"player_id": name, "name": name.split("-")[0], "is_public": True}
        found = [one] if is_listed else []
        return reply(200, {"total": len(found), "results": found}, X_Cache_TTL=TTL_SECONDS)


def summary(player: str, kind: str) -> dict[str, Any]:
    """The summary of a player, with two ranks on PC if the profile is public."""
    ranks = {
        "season": 14,
        "tank": {"division": "diamond", "tier": 3, "role_icon": "https://example.org/tank.svg"},
        "damage": None,
        "support": {"division": "gold", "tier": 1},
        "open": None,
    }
    return {
        "username": player.split("-")[0],
        "avatar": "https://example.org/avatar.png",
        "namecard": None,
        "title": "Bytefixer" if kind == PUBLIC else None,
        "endorsement": {"level": 3, "frame": "https://example.org/frame.svg"},
        "competitive": {"pc": ranks, "console": None} if kind == PUBLIC else None,
        "last_updated_at": 1_780_000_000,
    }


def block(games: int) -> dict[str, Any]:
    """A summary of statistics over so many games, of ten minutes each."""
    return {
        "games_played": games,
        "games_won": games // 2,
        "games_lost": games - games // 2,
        "time_played": games * 600,
        "winrate": 50.0,
        "kda": 3.21 + games / 100,
        "total": {name: int(value * games) for name, value in AMOUNTS.items()},
        "average": dict(AMOUNTS),
    }


def stats(games: int) -> dict[str, Any]:
    return {
        "general": block(games),
        "roles": {"damage": block(games // 2), "support": block(games // 2)},
        "heroes": {"ana": block(games // 2), "tracer": block(games // 2)},
    }


def career(games: int) -> dict[str, Any]:
    def of_hero(games: int, **specific: float) -> dict[str, Any]:
        return {
            "assists": {"assists": games * 9, "healing_done": games * 2_400},
            "average": {"eliminations_avg_per_10_min": 18.5, "objective_time_avg_per_10_min": 89},
            "best": {"eliminations_most_in_game": 41, "weapon_accuracy_best_in_game": 62},
            "combat": {"eliminations": games * 18, "objective_time": games * 80},
            "game": {"time_played": games * 600, "games_played": games, "games_won": games // 2},
            "match_awards": None if specific else {"cards": games},
            "hero_specific": specific or None,
        }

    return {
        "all-heroes": of_hero(games),
        "ana": of_hero(games // 2, enemies_slept=23, scoped_accuracy=44),
        "tracer": of_hero(games // 2, pulse_bombs_attached=17),
        "wrecking-ball": None,
    }


@contextmanager
def serving(port: int = 0) -> Iterator[Overfast]:
    """The server, at its `url`."""
    api = Overfast()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = api.answer(self.path, dict(self.headers))
            time.sleep(said.seconds)
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            try:
                self.wfile.write(said.body)
            except ConnectionError:  # whoever asked waits no more
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield api
        finally:
            server.shutdown()


if __name__ == "__main__":
    with serving(int(sys.argv[1])) as server:
        print(f"{', '.join(PLAYERS)} at {server.url}; Ctrl-C ends it", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass
