"""What is told of boards: kept, copied and served, each once, whatever dies and whenever."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import closing
from threading import Thread

import psycopg2
import pytest
import requests

from boards import announced, cache, deliveries, finals, kafka, sinks
from boards.announced import KafkaCopy
from boards.kafka import ANNOUNCEMENTS, records_since
from clients import postgres
from compose import announcer
from compose.announcer import Announcer
from compose.status import Status
from games import season as lengths
from games.score import GAME, TOP_TEAMS
from settings import PROJECT
from tests.conftest import Stack, eventually, page_server
from tests.dashboard.test_seasons import OLD, TABLES, ban, fill, of_day
from tests.receiving import Receiving, receiver

FOR_EVER = lengths.SEASONS["all"]


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(cache, "CACHED_SECONDS", 0)


@pytest.fixture
def stack(stores: Stack) -> Stack:
    """Leaders are told at once, and milestones of a thousand; no season ends meanwhile."""
    return stores.changed(
        season=FOR_EVER.name,
        leader_seconds=0,
        milestone_points=1_000,
        announcements_per_minute=600,
    )


@pytest.fixture
def db(stack: Stack):
    """The owner's cursor; boards and announcements are empty, and so is the topic of the teams."""
    sinks.sink("postgres", stack.settings).clear(TABLES)
    kafka.replace(stack.settings, TOP_TEAMS.topic, {})
    owner = postgres.connect(postgres.owner_dsn(stack.settings))
    with closing(owner) as open_db, open_db.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in ("awards", "awardings", "rows", "boards", "seasons", "published"):
            cursor.execute(f"DELETE FROM finals.{table}")
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("TRUNCATE moderation.decisions, announcements.records")
        cursor.execute("TRUNCATE announcements.memory, announcements.deliveries")
        yield cursor


def write(stack: Stack, totals: dict[str, int], sink: str = "postgres") -> None:
    """Teams with these totals in the season that runs, as the jobs write them."""
    reached_at = int(time.time() * 1000)
    start = FOR_EVER.start_of(reached_at)
    rows = [(start, team, f"Team {team}", total, reached_at) for team, total in totals.items()]
    if sink == "kafka":
        names = ("season_start", "team_id", "team_name", "total_score", "reached_at")
        records = {
            json.dumps({"season_start": row[0], "team_id": row[1]}).encode(): json.dumps(
                dict(zip(names, row, strict=True))
            ).encode()
            for row in rows
        }
        kafka.replace(stack.settings, TOP_TEAMS.topic, records)
        return
    with closing(postgres.connect(postgres.owner_dsn(stack.settings))) as db, db.cursor() as cursor:
        for row in rows:
            cursor.execute(
                "INSERT INTO flink.top_teams VALUES (%s, %s, %s, %s, %s) "
                "ON CONFLICT (season_start, team_id) DO UPDATE "
                "SET total_score = EXCLUDED.total_score, reached_at = EXCLUDED.reached_at",
                row,
            )


def told(cursor) -> list[str]:
    cursor.execute("SELECT sentence FROM leaderboard.announcements ORDER BY announcement_number")
    return [sentence for (sentence,) in cursor.fetchall()]


def copied(stack: Stack, cursor) -> list[str]:
    """The sentences of the topic's records of what is in the table, in their order."""
    cursor.execute("SELECT announcement_id::text FROM leaderboard.announcements")
    known = {each for (each,) in cursor.fetchall()}
    records = list(records_since(stack.settings, ANNOUNCEMENTS.topic, 0))
    return [row["sentence"] for key, row in records if key["announcement_id"] in known]


def begin(stack: Stack) -> None:
    """Let the copy begin with the first announcement."""
    with (
        closing(postgres.connect(postgres.keeper_dsn(stack.settings))) as db,
        db.cursor() as cursor,
    ):
        cursor.execute(deliveries.BEGIN, [KafkaCopy.name, False])


# Deciding, keeping, copying


def test_what_changes_is_told_and_kept_with_its_values(stack, db):
    write(stack, {"a": 900, "b": 1_500})
    telling = Announcer(stack.settings, GAME)
    assert telling.look() == 0
    write(stack, {"a": 2_100})
    assert telling.look() == 2
    assert telling.look() == 0
    assert told(db) == [
        "Team a now leads Top teams (2,100 points).",
        "Team a passes 2,000 points.",
    ]
    milestone, leader = announced.newest(stack.settings, GAME, 10)
    assert (leader["kind"], leader["board"], leader["season"]) == (
        *("leader", "top_teams", FOR_EVER.id(0)),
    )
    assert (milestone["entity_kind"], milestone["entity_id"], milestone["value"]) == (
        *("team", "a", 2_100),
    )
    assert milestone["banned_at"] is None
    ban(db, "a")  # a player of this id
    assert announced.newest(stack.settings, GAME, 1)[0]["banned_at"] is None
    db.execute(
        "INSERT INTO moderation.decisions (decision, kind, banned_id, reason, author) "
        "VALUES ('ban', 'team', 'a', 'bots', 'Ada')"
    )
    assert announced.newest(stack.settings, GAME, 1)[0]["banned_at"] is not None


def test_who_begins_anew_goes_on_with_what_is_remembered(stack, db):
    write(stack, {"a": 900, "b": 500})
    Announcer(stack.settings, GAME).look()
    for total in (1_100, 1_200, 2_300):
        write(stack, {"a": total})
        Announcer(stack.settings, GAME).look()
    # Computed again from the start, and there again in the end.
    sinks.sink("postgres", stack.settings).clear(TABLES)
    for total in (100, 2_300):
        write(stack, {"a": total})
        Announcer(stack.settings, GAME).look()
    assert told(db) == ["Team a passes 1,000 points.", "Team a passes 2,000 points."]


def test_two_who_tell_at_once_tell_each_once(stack, db):
    write(stack, {"a": 900})
    two = [Announcer(stack.settings, GAME) for _ in range(2)]
    for total in (950, 1_100, 2_100, 3_100):
        write(stack, {"a": total})
        threads = [Thread(target=each.look) for each in two]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    for each in two:
        each.look()
    assert told(db) == [f"Team a passes {number},000 points." for number in (1, 2, 3)]


def test_the_winners_of_a_season_that_becomes_final_are_told_once(stack, db):
    fill(db, OLD)
    write(stack, {"a": 900})
    Announcer(stack.settings, GAME).look()
    assert told(db) == []
    finals.finish(stack.settings, GAME, of_day(OLD), sinks.sink("postgres", stack.settings))
    for _ in range(3):
        Announcer(stack.settings, GAME).look()
    day = of_day(OLD).label
    assert told(db) == [
        f"Team T wins Top teams in season {day} (560 points).",
        f"Name of u0 wins Top players in season {day} (100 points).",
        f"Name of u0 wins Team MVPs in season {day} (17.9 % share).",
    ]


def test_a_crash_at_any_step_tells_nothing_twice_and_leaves_nothing_out(stack, db):
    """A process is killed one step later each time, and another one goes on after it."""
    write(stack, {"T": 900})
    Announcer(stack.settings, GAME).look()
    begin(stack)
    totals = [1_000 * number for number in range(1, 60)]
    command = [sys.executable, "-m", "tests.dashboard.killed", "tell", *map(str, totals)]
    done = subprocess.run(
        command, env=stack.environment, cwd=PROJECT, capture_output=True, text=True, timeout=300
    )
    *steps, last = done.stdout.splitlines()
    assert last.endswith("ended with 3"), done.stdout + done.stderr  # it lived: no step is left
    assert {"before the commit", "after the commit", "a record to announcements"} <= set(steps)
    expected = [f"Team T passes {number:,},000 points." for number in range(1, len(steps) + 2)]
    assert told(db) == expected
    assert copied(stack, db) == expected


@pytest.mark.parametrize("sink", ["postgres", "kafka"])
def test_a_service_that_is_killed_and_started_again_tells_each_once(stack, db, sink):
    stack = stack.changed(sink=sink)
    team = f"of {sink}"  # no other test has told of it
    write(stack, {team: 900, "b": 100}, sink)
    process = stack.begin("compose.announcer")
    try:
        eventually(lambda: remembers(db))
        for number in range(1, 6):
            write(stack, {team: 1_000 * number, "b": 100}, sink)
            time.sleep(0.7 * number)  # at another moment each time
            process.kill()
            process.wait()
            process = stack.begin("compose.announcer")
            said = [f"Team {team} passes {each},000 points." for each in range(1, number + 1)]
            eventually(lambda said=said: expect(told(db), said))
        eventually(lambda: expect(copied(stack, db), said))
    finally:
        process.kill()
        process.wait()
    assert told(db) == said


def remembers(cursor) -> None:
    cursor.execute("SELECT FROM announcements.memory")
    assert cursor.rowcount


def expect(found: list[str], wanted: list[str]) -> None:
    assert found == wanted


def test_one_at_a_time_tells(stack, db):
    def wait() -> None:
        with announcer.alone(stack.settings):
            pass

    other = Thread(target=wait, daemon=True)
    with announcer.alone(stack.settings) as check:
        check()
        other.start()
        other.join(3)
        assert other.is_alive()
    other.join(10)
    assert not other.is_alive()


def test_the_keeper_forgets_old_announcements_and_changes_none(stack, db):
    write(stack, {"a": 900})
    telling = Announcer(stack.settings, GAME)
    telling.look()
    for total in (1_100, 2_100):
        write(stack, {"a": total})
        telling.look()
        db.execute("UPDATE announcements.records SET announced_at = now() - interval '91 days'")
    write(stack, {"a": 3_100})
    telling.look()
    assert told(db) == ["Team a passes 3,000 points."]
    with (
        closing(postgres.connect(postgres.keeper_dsn(stack.settings))) as keeper,
        keeper.cursor() as cursor,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        cursor.execute("UPDATE announcements.records SET sentence = 'x'")


# Webhooks


def test_webhooks_get_each_whatever_they_answer_and_keep_nobody_waiting(stack, db, tmp_path):
    """One hangs, refuses and then takes; the other one, the table and the topic do not wait."""
    file = tmp_path / "webhooks"
    file.touch(0o600)

    def said_to(one: Receiving) -> list[str]:
        return [json.loads(body)["sentence"] for body in one.taken]

    def trouble_of(says: str) -> None:
        why = announcer.Deliveries(stack.settings).look(Status())
        assert why and says in why and "secret" not in why, why

    def expect_receivers(*counts: tuple[int, int]) -> None:
        rows = deliveries.listed(stack.settings)
        found = [(row["delivered"], row["dropped"]) for row in rows if row["receiver"] != "kafka"]
        assert sorted(found) == sorted(counts)

    said = [f"Team w passes {number},000 points." for number in range(1, 5)]
    with receiver() as bad, receiver() as good:
        file.write_text(f"{bad.url}\n{good.url}\n")
        own = stack.changed(webhooks_file=file)
        write(stack, {"w": 900})
        process = own.begin("compose.announcer")
        try:
            eventually(lambda: expect_receivers((0, 0), (0, 0)))
            eventually(lambda: remembers(db))
            bad.answer = None
            write(stack, {"w": 1_000})
            eventually(lambda: expect(said_to(good), said[:1]))
            eventually(lambda: expect(copied(stack, db), said[:1]))
            eventually(lambda: trouble_of("does not answer within 10 s"))
            bad.answer = 503
            write(stack, {"w": 2_000})
            eventually(lambda: expect(said_to(good), said[:2]))
            eventually(lambda: trouble_of("it answers 503"))
            assert said_to(bad) == []
            bad.answer = 200
            eventually(lambda: expect(said_to(bad), said[:2]))
            eventually(lambda: expect_receivers((2, 0), (2, 0)))
            assert announcer.Deliveries(stack.settings).look(Status()) is None
            # Refused for good, it is not tried again; and a crash repeats nothing.
            bad.answer = 404
            write(stack, {"w": 3_000})
            eventually(lambda: expect_receivers((2, 1), (3, 0)))
            bad.answer = 200
            process.kill()
            process.wait()
            process = own.begin("compose.announcer")
            write(stack, {"w": 4_000})
            eventually(lambda: expect(said_to(bad), [*said[:2], said[3]]))
            eventually(lambda: expect(said_to(good), said))
            # Another list is read while the service runs.
            file.write_text(f"{good.url}\n")
            eventually(lambda: expect_receivers((4, 0)))
        finally:
            process.kill()
            process.wait()


# The API


def test_announcements_are_listed_page_by_page(stack, db):
    write(stack, {"a": 900})
    telling = Announcer(stack.settings, GAME)
    telling.look()
    for number in range(1, 6):
        write(stack, {"a": 1_000 * number})
        telling.look()

    def asked(query: str, status: int = 200):
        answer = requests.get(f"{address}/api/announcements{query}", timeout=20)
        assert answer.status_code == status, answer.text
        return answer.json() if "json" in answer.headers["Content-Type"] else answer.text

    with page_server("dashboard.api", environment=stack.environment) as address:
        found = asked("?limit=2")
        assert [row["value"] for row in found["announcements"]] == [5_000, 4_000]
        assert (found["game"], found["total"], found["next_offset"]) == ("score", 5, 2)
        assert asked("?limit=2&offset=4")["announcements"][0]["value"] == 1_000
        assert asked("?kind=leader")["total"] == 0
        assert asked("?format=csv").count("passes") == 5
        for query, says in (
            ("?kind=x", "kind must be one of winner, "),
            ("?limit=0", "limit must be"),
            ("?x=1", "No parameter is called 'x'"),
        ):
            assert says in asked(query, 400)["error"], query


@pytest.mark.parametrize("module", ["dashboard.api", "dashboard"])
def test_a_stream_has_what_comes_and_goes_on_after_the_last_one(stack, db, module):
    """And it keeps no server from ending."""
    write(stack, {"a": 900})
    telling = Announcer(stack.settings, GAME)
    telling.look()
    for number in (1, 2):
        write(stack, {"a": 1_000 * number})
        telling.look()
    first = announced.newest(stack.settings, GAME, 2)[1]["announcement_number"]
    with page_server(module, environment=stack.environment) as address:
        asked = f"{address}/api/announcements/stream"
        new = requests.get(asked, stream=True, timeout=60)
        after = requests.get(asked, stream=True, timeout=60, headers={"Last-Event-ID": str(first)})
        assert new.headers["Content-Type"].startswith("text/event-stream")
        write(stack, {"a": 3_000})
        telling.look()
        assert [event["value"] for event in events(new, 1)] == [3_000]
        assert [event["value"] for event in events(after, 2)] == [2_000, 3_000]
        assert requests.head(asked, timeout=20).status_code == 200
        wrong = requests.get(asked, headers={"Last-Event-ID": "x"}, timeout=20)
        assert (wrong.status_code, "Last-Event-ID" in wrong.json()["error"]) == (400, True)
    # It has ended, though both are still open.
    new.close()
    after.close()


def events(response: requests.Response, count: int) -> list[dict]:
    """The next events of a stream, each of which has its number as its id."""
    found, id_ = [], 0
    for line in response.iter_lines(chunk_size=1, decode_unicode=True):
        heading, _, value = line.partition(": ")
        if heading == "id":
            id_ = int(value)
        if heading == "data":
            found.append(json.loads(value))
            assert found[-1]["announcement_number"] == id_
        if len(found) == count:
            return found
    raise AssertionError(f"the stream ended after {found}")


def test_without_postgresql_the_api_says_what_is_missing(stack, db):
    own = stack.changed(
        sink="kafka", postgres_url="postgresql://nobody@127.0.0.1:1/leaderboard"
    ).environment
    with page_server("dashboard.api", environment=own) as address:
        for path in ("", "/stream"):
            found = requests.get(f"{address}/api/announcements{path}", timeout=20)
            assert found.status_code == 503
            assert "Announcements are kept in PostgreSQL" in found.json()["error"]
