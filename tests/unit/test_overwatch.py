"""The worker that fetches profiles: how it asks, what it obeys, and what it says.

The real client asks a small server of ours; everybody in here is made up.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from email.utils import formatdate
from itertools import pairwise

import pytest

from compose import services
from games.overwatch import (
    FAULT,
    GAME,
    HELD,
    NO_STATISTICS,
    OK,
    PRIVATE,
    UNKNOWN,
    WAIT,
    WRONG_TAG,
    Request,
    player_id,
)
from generator.overwatch import client, profiles, statistics
from generator.overwatch.client import Client
from generator.overwatch.memory import Memory
from generator.overwatch.profiles import Profiles
from settings import SettingError, Settings, read
from tests import overfast
from tests.overfast import Overfast, Reply, not_found, reply
from tests.unit.test_compose import SERVICES

START = 1_790_000_000.0
NOVA = Request("Nova-1111", "pc", "competitive")


class Clock:
    """A clock that stands still but for those who wait."""

    def __init__(self) -> None:
        self.seconds = START

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


class Worker:
    """The worker without Kafka: its requests, its answers, and its records of what it knows."""

    def __init__(self, api: Overfast) -> None:
        self.api, self.clock = api, Clock()
        self.records: list[tuple[str, bytes | None]] = []
        self.answers: list[dict] = []
        self.restart()

    def restart(self) -> None:
        """Begin anew with nothing but the records."""
        asks = Client(self.api.url, self.clock.now, self.clock.wait)
        memory = Memory(
            lambda *record: self.records.append(record), self.clock.now, list(self.records)
        )
        self.profiles = Profiles(asks.get, memory, self.answers.append, self.clock.now)

    def fetch(self, *requests: Request, seconds: float = 1e9) -> list[str]:
        """Work for so long on these requests; the statuses of the answers that came."""
        before, until = len(self.answers), self.clock.seconds + seconds
        for request in requests:
            self.profiles.add(request, len(self.answers))
        while (idle := self.profiles.idle_seconds) is not None:
            if self.clock.seconds + idle > until:
                break
            self.clock.wait(idle)
            self.profiles.step()
        return [answer["status"] for answer in self.answers[before:]]

    def asked(self) -> int:
        return len(self.api.asked)


@pytest.fixture
def api() -> Iterator[Overfast]:
    with overfast.serving() as server:
        yield server


@pytest.fixture
def worker(api: Overfast) -> Worker:
    return Worker(api)


# BattleTags and requests


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Nova#1111", "Nova-1111"),
        (" Nova-1111 ", "Nova-1111"),
        ("Ümit#2222", "Ümit-2222"),
        ("U\u0308mit#2222", "Ümit-2222"),
        ("아나#31234", "아나-31234"),
        ("nova#1111", "nova-1111"),
        ("Nova", None),
        ("Nova#", None),
        ("Nova#12", None),
        ("1Nova#1234", None),
        ("No va#1234", None),
        ("Nova#1234/../x", None),
        ("Nova?x=1#1234", None),
        ("N#1234", None),
        ("Abcdefghijklm#1234", None),
        ("Nova#١٢٣٤", None),
        ("", None),
    ],
)
def test_a_battle_tag_is_a_name_and_a_number(typed, expected):
    assert player_id(typed) == expected


def test_a_request_is_read_as_it_was_written():
    assert Request.read(json.dumps(NOVA.key).encode()) == NOVA


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"player_id": 1, "platform": "pc", "gamemode": "quickplay"}',
        b'{"player_id": "Nova#1111", "platform": "pc", "gamemode": "quickplay"}',
        b'{"player_id": "Nova-1111", "platform": "phone", "gamemode": "quickplay"}',
        b'{"player_id": "Nova-1111", "platform": "pc", "gamemode": "stadium"}',
    ],
)
def test_what_is_no_request_is_refused(value):
    with pytest.raises(ValueError):
        Request.read(value)


# A profile


def test_a_profile_is_three_questions_and_one_answer(worker, api):
    assert worker.fetch(NOVA) == [OK]
    assert api.asked == [
        "/players/Nova-1111/summary",
        "/players/Nova-1111/stats/summary?gamemode=competitive&platform=pc",
        "/players/Nova-1111/stats/career?gamemode=competitive&platform=pc",
    ]
    (answer,) = worker.answers
    assert {name: answer[name] for name in NOVA.key} == NOVA.key
    assert answer["retry_at"] is None and answer["detail"] == ""
    assert answer["fresh_until"] == (START + overfast.TTL_SECONDS) * 1000
    found = {
        (each["category"], each["hero"], each["statistic"]): (each["number"], each["words"])
        for each in answer["statistics"]
    }
    assert found["summary", "", "username"] == (None, "Nova")
    assert found["ranks", "tank", "rank"] == (3, "diamond")
    assert found["general", "", "time_played"] == (6_000, None)
    assert found["general", "", "average_eliminations"] == (18.5, None)
    assert found["roles", "support", "games_won"] == (2, None)
    assert found["heroes", "ana", "total_deaths"] == (30, None)
    assert found["game", "all-heroes", "games_played"] == (10, None)
    assert found["hero_specific", "ana", "enemies_slept"] == (23, None)
    assert ("ranks", "damage", "rank") not in found
    assert "example.org" not in json.dumps(answer)  # no pictures


def test_a_name_in_any_alphabet_is_asked_for_by_its_bytes(worker, api):
    assert worker.fetch(Request("Ümit-2222", "pc", "competitive")) == [OK]
    assert api.asked[0] == "/players/%C3%9Cmit-2222/summary"


def test_ids_are_case_sensitive(worker):
    assert worker.fetch(Request("nova-1111", "pc", "competitive")) == [UNKNOWN]
    assert worker.fetch(NOVA) == [OK]


def test_a_private_profile_is_told_from_one_without_statistics(worker, api):
    hidden, idle = (Request(each, "pc", "quickplay") for each in ("Hidden-3333", "Idle-4444"))
    assert worker.fetch(hidden) == [PRIVATE]
    assert api.asked[-1] == "/players?name=Hidden-3333"
    assert worker.answers[-1]["statistics"][0]["words"] == "Hidden"
    assert worker.fetch(idle) == [NO_STATISTICS]


def test_ranks_show_that_a_profile_is_public(worker, api):
    assert worker.fetch(Request("Nova-1111", "console", "quickplay")) == [NO_STATISTICS]
    assert not [path for path in api.asked if "name=" in path]


def test_the_same_request_twice_at_work_is_one(worker):
    assert worker.fetch(NOVA, NOVA) == [OK]


# Politeness


def test_five_questions_a_second_are_the_most(worker, monkeypatch):
    times = []
    answer = worker.api.answer
    monkeypatch.setattr(
        worker.api, "answer", lambda *asked: times.append(worker.clock.seconds) or answer(*asked)
    )
    worker.fetch(NOVA, Request("Ümit-2222", "pc", "quickplay"))
    assert len(times) == 6
    spaces = [later - earlier for earlier, later in pairwise(times)]
    assert spaces == pytest.approx([client.SPACING_SECONDS] * 5, abs=1e-3)


def test_nobody_is_asked_again_for_an_answer_that_is_fresh(worker, api):
    worker.fetch(NOVA)
    assert worker.fetch(NOVA) == [OK]
    assert worker.asked() == 3
    assert worker.answers[0] == worker.answers[1]
    # The summary is the same for every game mode.
    assert worker.fetch(Request("Nova-1111", "pc", "quickplay")) == [OK]
    assert Counter(api.asked)["/players/Nova-1111/summary"] == 1
    worker.restart()
    worker.fetch(NOVA)
    assert worker.asked() == 5
    worker.clock.wait(overfast.TTL_SECONDS)
    worker.fetch(NOVA)
    assert worker.asked() == 8


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (not_found(1_800), 1_800),
        (not_found(10, int(START) + 700), 700),
        (reply(404, {"error": {"error": "Player not found", "retry_after": 90}}), 90),
        (reply(404, {"error": "Player not found"}, Retry_After=120), 120),
        (reply(404, {"retry_after": "soon", "next_check_at": True}), profiles.UNKNOWN_SECONDS),
        (reply(404, {"retry_after": 10**400, "next_check_at": -5}), profiles.UNKNOWN_SECONDS),
        (not_found(10**9), profiles.LONGEST_SECONDS),
    ],
)
def test_an_unknown_player_is_not_asked_for_again_before_the_time(worker, api, said, seconds):
    api.next["Nova-1111"].append(said)
    assert worker.fetch(NOVA) == [UNKNOWN]
    assert worker.answers[-1]["retry_at"] == pytest.approx((START + seconds) * 1000, abs=1_000)
    worker.restart()
    worker.clock.wait(seconds - 5)
    assert worker.fetch(NOVA, Request("Nova-1111", "pc", "quickplay")) == [UNKNOWN, UNKNOWN]
    assert worker.asked() == 1
    worker.clock.wait(5)
    assert worker.fetch(NOVA) == [OK]


def test_nobody_is_asked_for_while_the_api_wants_to_be_left_alone(worker, api):
    api.next[""].append(reply(429, {"error": "rate limit"}, Retry_After=20))
    other = Request("Ümit-2222", "pc", "quickplay")
    assert worker.fetch(NOVA, other, seconds=19) == [HELD, HELD]
    assert worker.answers[0]["retry_at"] == (START + 20) * 1000
    assert worker.asked() == 1
    worker.restart()
    assert worker.fetch(NOVA, other, seconds=0.5) == [HELD, HELD]
    assert worker.asked() == 1
    assert worker.fetch() == [OK, OK]


def test_the_wait_may_be_a_date(worker, api):
    api.next[""].append(reply(429, Retry_After=formatdate(START + 20, usegmt=True)))
    assert worker.fetch(NOVA, seconds=5) == [HELD]
    assert worker.answers[-1]["retry_at"] == (START + 20) * 1000


def test_whoever_would_wait_for_long_is_told_to_come_back(worker, api):
    api.next[""].append(reply(503, Retry_After=3_600))
    assert worker.fetch(NOVA) == [WAIT]
    assert worker.answers[-1]["retry_at"] == (START + 3_600) * 1000
    assert worker.fetch(NOVA) == [WAIT]
    assert worker.asked() == 1
    worker.clock.wait(3_600)
    assert worker.fetch(NOVA) == [OK]


def test_a_short_wait_is_kept_to_itself(worker, api):
    api.next[""].append(reply(429, Retry_After=2))
    assert worker.fetch(NOVA) == [OK]
    assert worker.clock.seconds >= START + 2


def test_a_limit_that_never_ends_is_given_up(worker, api):
    api.next[""].extend([reply(429, Retry_After=1)] * 20)
    assert worker.fetch(NOVA) == [WAIT]
    assert worker.asked() == profiles.TRIES


@pytest.mark.parametrize("status", [503, 504])
def test_an_overloaded_api_is_tried_again_with_growing_waits(worker, api, status):
    api.next["Nova-1111"].extend([reply(status)] * 2)
    assert worker.fetch(NOVA) == [OK]
    assert worker.asked() == 5
    assert START + 3 <= worker.clock.seconds < START + 5  # 1 and 2 s, and the spaces between


@pytest.mark.parametrize("status", [503, 504])
def test_after_five_tries_it_is_a_fault(worker, api, status):
    api.next["Nova-1111"].extend([reply(status)] * 9)
    assert worker.fetch(NOVA) == [FAULT]
    assert worker.asked() == 5
    assert worker.clock.seconds >= START + 15  # 1, 2, 4 and 8 s
    assert worker.answers[-1]["detail"] == f"it answered with HTTP {status}, 5 times"


def test_who_waits_holds_up_no_other(worker, api):
    api.next["Nova-1111"].extend([reply(504)] * 4)
    assert worker.fetch(NOVA, Request("Ümit-2222", "pc", "quickplay")) == [OK, OK]
    assert [answer["player_id"] for answer in worker.answers] == ["Ümit-2222", "Nova-1111"]


def test_one_request_too_many_is_told_to_come_back(worker, monkeypatch):
    monkeypatch.setattr(profiles, "MOST_REQUESTS", 1)
    assert worker.fetch(NOVA, Request("Ümit-2222", "pc", "quickplay")) == [WAIT, OK]


def test_the_first_request_that_is_open_is_known(worker):
    assert worker.profiles.first_open is None
    for offset, name in enumerate(("Nova-1111", "Ümit-2222"), start=7):
        worker.profiles.add(Request(name, "pc", "quickplay"), offset)
    assert worker.profiles.first_open == 7
    worker.fetch()
    assert worker.profiles.first_open is None


# Faults


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (reply(500), "it answered with HTTP 500"),
        (reply(301, Location="/players/Nova-1111/summary"), "it answered with HTTP 301"),
        (Reply(404, b"<html>"), "it answered with HTTP 404"),
        (Reply(200, b"{"), "its answer is not JSON"),
        (Reply(200, b""), "its answer is not JSON"),
        (Reply(200, b"\xff{}"), "its answer is not JSON"),
        (Reply(200, b'{"kda": NaN}'), "its answer is not JSON"),
        (Reply(200, b'{"a":' * 100_000), "its answer is not JSON"),
        (Reply(200, b"[]"), "its answer is not a JSON object"),
        (Reply(200, b" " * 2**21 + b"{}"), "its answer is longer than 2 MB"),
    ],
)
def test_a_fault_of_the_api_is_said(worker, api, said, detail):
    api.next["Nova-1111"].append(said)
    assert worker.fetch(NOVA) == [FAULT]
    assert worker.answers[-1]["detail"] == detail
    assert worker.answers[-1]["statistics"] == []
    assert worker.fetch(NOVA) == [OK]


@pytest.mark.parametrize("status", [400, 422])
def test_a_battle_tag_that_the_api_refuses_is_wrong(worker, api, status):
    api.next["Nova-1111"].append(reply(status))
    assert worker.fetch(NOVA) == [WRONG_TAG]


def test_an_api_that_is_slow_is_tried_again(worker, api, monkeypatch):
    monkeypatch.setattr(client, "READ_SECONDS", 0.2)
    api.next["Nova-1111"].append(reply(200, seconds=0.5))
    assert worker.fetch(NOVA) == [OK]
    api.next["Ümit-2222"].extend([reply(200, seconds=0.3)] * 5)
    assert worker.fetch(Request("Ümit-2222", "pc", "quickplay")) == [FAULT]
    assert worker.answers[-1]["detail"] == "it did not answer within 0.2 s, 5 times"


def test_an_answer_that_takes_too_long_is_no_answer(worker, api, monkeypatch):
    monkeypatch.setattr(client, "WHOLE_SECONDS", -1)
    assert worker.fetch(NOVA) == [FAULT]
    assert "took longer" in worker.answers[-1]["detail"]


def test_an_api_that_is_away_is_a_fault(worker):
    worker.api.url = "http://127.0.0.1:1"
    worker.restart()
    assert worker.fetch(NOVA) == [FAULT]
    assert worker.answers[-1]["detail"] == "it cannot be reached, 5 times"


def test_no_login_is_shown_to_the_api(worker, api, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    worker.fetch(NOVA)
    assert not [each for each in api.headers if "authorization" in {name.lower() for name in each}]
    assert "live-leaderboards" in api.headers[0]["User-Agent"]


# Statistics


def test_what_has_not_the_form_of_the_api_is_left_out():
    summary = {
        "username": "No\0va" + "x" * 300,
        "title": 7,
        "endorsement": [],
        "competitive": {"pc": {"season": True, "tank": {"tier": "3"}, "support": {"tier": 2}}},
    }
    stats = {
        "general": {"kda": 10**400, "winrate": "50", "games_played": 3, "total": {"deaths": None}},
        "roles": [],
        "heroes": {"ana": 3, "bad name!": {"kda": 1}, "tracer": {"k\0da": 1, "kda": 1.5}},
    }
    career = {"ana": {"combat": {"deaths": 3}, "secrets": {"x": 1}, "best": None}, "tracer": None}
    found = statistics.of_profile(summary, stats, career, "pc")
    told = {(each["category"], each["hero"], each["statistic"]): each["number"] for each in found}
    assert told == {
        ("summary", "", "username"): None,
        ("ranks", "support", "rank"): 2,
        ("general", "", "games_played"): 3,
        ("heroes", "tracer", "kda"): 1.5,
        ("combat", "ana", "deaths"): 3,
    }
    assert found[0]["words"] == ("No\ufffdva" + "x" * 300)[:200]


def test_a_profile_of_too_many_statistics_is_a_fault(worker, monkeypatch):
    monkeypatch.setattr(statistics, "MOST", 10)
    assert worker.fetch(NOVA) == [FAULT]


def test_records_that_are_none_are_not_remembered(worker):
    entry = json.dumps({"until": START + 60, "body": {}}).encode()
    worker.records = [("api", b"{"), ("player Nova-1111", entry), ("player Nova-1111", None)]
    worker.restart()
    assert worker.fetch(NOVA) == [OK]


# The service


@pytest.mark.parametrize(
    "url", ["https://api.example.org/overfast", "http://127.0.0.1:8080", "http://localhost:1/x"]
)
def test_the_api_may_be_a_safe_address(url):
    assert read({"LEADERBOARD_PROFILE_API_URL": url}).profile_api_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.org",
        "https://ada:secret@api.example.org",
        "https://api.example.org?key=1",
        "https://api.example.org#x",
        "ftp://api.example.org",
    ],
)
def test_another_address_is_refused(url):
    with pytest.raises(SettingError, match="LEADERBOARD_PROFILE_API_URL") as refused:
        read({"LEADERBOARD_PROFILE_API_URL": url})
    assert "secret" not in str(refused.value)


def test_the_worker_is_a_service_of_its_game_with_and_without_containers():
    own = {each.name: each for each in services.services(Settings(games="score,overwatch"))}
    assert own[GAME.service].command == SERVICES[GAME.service]["command"].split()
    assert GAME.service not in {each.name for each in services.services(Settings())}
    assert SERVICES[GAME.service]["profiles"] == [GAME.name]
