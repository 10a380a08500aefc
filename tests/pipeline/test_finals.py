"""A season becomes final when real jobs have read all that may count in it, in both sinks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from boards import finals, tiers
from boards.kafka import AWARDS, records_since
from boards.seasons import Season, held_season
from boards.sinks import sink
from boards.tiers import Tier
from clients import postgres
from compose import seasons
from compose.seasons import Seasons
from compose.status import status
from games import season as lengths
from tests import bounded, oracle
from tests.bounded import GAME, Message
from tests.conftest import DEADLINE_SECONDS, Stack
from tests.oracle import Record

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
TODAY = lengths.SEASONS["day"].start_of(int(time.time() * 1000))


def of_day(start: int) -> Season:
    return held_season(GAME, lengths.SEASONS["day"], start)


def score(partition: int, recorded: int, at: int, user: str, points: int) -> Message:
    event = {"user_id": user, "team_id": f"team-{user[-1]}", "team_name": "", "score": points}
    return Message(partition, recorded, json.dumps(event | {"event_time_millis": at}).encode())


def a_day(start: int) -> list[Message]:
    """A season's events, the last of which that counts comes a minute before it is too late."""
    end = start + DAY
    noon = [
        score(n % 4, start + 12 * HOUR + n, start + 12 * HOUR, f"u{n}", 10 + n) for n in range(9)
    ]
    late = score(1, end + 24 * HOUR - MINUTE, end - 1, "u0", 100)
    too_late = score(2, end + 24 * HOUR + MINUTE, end - 1, "u1", 1_000)
    return [*noon, late, too_late]


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[tuple[Stack, list[Record]]]:
    """Jobs over a topic of days that are long over, with prizes."""
    own = stack.changed(topic="finals", one_job="yes")
    bounded.create_topic(own.settings)
    own.run("compose", "create")
    records = bounded.send(own.settings, a_day(TODAY - 5 * DAY))
    records += bounded.send(own.settings, [score(3, int(time.time() * 1000), TODAY, "u5", 1)])
    board = GAME.board("top_players")
    tiers.set_rule(own.settings, board, [Tier("crown", 1, 1), Tier("cup", percent=50)], "Ada")
    own.run("jobs", "--sink", "postgres", "--rebuild", "--drop-seasons")
    yield own, records
    tiers.set_rule(own.settings, board, [], "Ada")
    stack.run("jobs", "--sink", "postgres", "--rebuild", "--drop-seasons")


def await_final(own: Stack, start: int, sink_name: str) -> None:
    """Look until this day is final in the sink."""
    watching, used = Seasons(own.settings), sink(sink_name, own.settings)
    until = time.monotonic() + DEADLINE_SECONDS
    while used.past(GAME, of_day(start)).final_at is None:
        assert time.monotonic() < until, status(own.settings).problems
        watching.look(status(own.settings))


def expect(own: Stack, records: list[Record], start: int, sink_name: str) -> None:
    events = oracle.accepted(records)
    summed = oracle.totals(events, "day", start)
    assert summed.players["u0"].score == 110
    found = sink(sink_name, own.settings).past(GAME, of_day(start))
    for board in GAME.seasonal:
        assert found.rows[board.name] == oracle.rows_of(board, summed), board.name


def winners(own: Stack, start: int) -> list[tuple[str, str]]:
    with postgres.connect(postgres.reader_dsn(own.settings)) as db, db.cursor() as cursor:
        cursor.execute(
            "SELECT entity_id, prize #>> '{}' FROM leaderboard.awards WHERE season = %s "
            "ORDER BY rank_number, entity_id",
            [of_day(start).season],
        )
        return cursor.fetchall()


def test_a_season_is_final_in_both_sinks_whichever_the_jobs_write_to(own, monkeypatch):
    monkeypatch.setattr(seasons, "SETTLED_SECONDS", 6)
    stack, records = own
    first, second = TODAY - 5 * DAY, TODAY - 6 * DAY
    await_final(stack, first, "postgres")
    expect(stack, records, first, "postgres")
    # Half of nine, rounded up: the best five.
    won = [("u0", "crown"), *((f"u{number}", "cup") for number in (8, 7, 6, 5))]
    assert winners(stack, first) == won
    # Another day comes, and the boards move to Kafka.
    records = [*records, *bounded.send(stack.settings, a_day(second))]
    stack.run("jobs", "--sink", "kafka", "--switch")
    await_final(stack, second, "kafka")
    for start in (first, second):
        for name in ("postgres", "kafka"):
            expect(stack, records, start, name)
    assert winners(stack, first) == winners(stack, second) == won
    told = [value["season"] for _, value in records_since(stack.settings, AWARDS.topic, 0)]
    assert sorted(told) == sorted([of_day(each).season for each in (first, second)] * 5)
    assert finals.publish(stack.settings) == 0
