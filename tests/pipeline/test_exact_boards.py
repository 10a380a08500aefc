"""Seeded events with every fault go through Flink: both sinks show what the oracle does.

A reader looks at the boards every 20 ms meanwhile, and the TaskManager is killed under load.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg2
import pytest
from kafka import KafkaProducer, TopicPartition

from boards import lookups
from boards.sinks import sink as sink_of
from clients import flink, kafka, postgres
from games.sql import places
from jobs.running import planned, running
from settings import Settings
from tests import hostile, oracle
from tests.bounded import GAME
from tests.conftest import DEADLINE_SECONDS, Stack, eventually
from tests.invariants import Reader, expect_boards
from tests.oracle import Event, Record

EVENTS, MORE_EVENTS = 200_000, 110_000
# A slow machine, too, must send an event within a minute, or it is late for its hot streak.
RATE_PER_SECOND = 3_000
FAULTS = [
    "--late",
    "40",
    "--duplicates",
    "40",
    "--minimal",
    "40",
    "--corrupt",
    "50",
    "--hopping-robots",
    "5",
]
SLIDE_MILLIS = 2_000
WATERMARK_MILLIS = 5_000


@dataclass(frozen=True)
class Run:
    """What the topic holds, which events count, their totals, and what a reader saw meanwhile."""

    records: list[Record]
    events: list[Event]
    totals: oracle.Totals
    reader: Reader


@contextmanager
def playing(stack: Stack, events: int, seed: int, *more: str) -> Iterator[None]:
    """The injector at work in the background; it has sent everything when this is left."""
    options = [
        "--seed",
        str(seed),
        "--rate",
        str(RATE_PER_SECOND),
        "--count",
        str(events),
        *FAULTS,
        *more,
    ]
    injector = stack.begin("generator", *options)
    yield
    assert injector.wait(timeout=DEADLINE_SECONDS) == 0


def await_records(stack: Stack, count: int) -> None:
    """Wait until the topic holds so many records."""

    def check() -> None:
        assert stack.records_sent() >= count

    eventually(check)


def finished(stack: Stack, sink: str, reader: Reader) -> Run:
    """What became of everything that was sent, once the sink shows its totals."""
    records = stack.records()
    events = oracle.accepted(records)
    totals = oracle.totals(events)
    eventually(lambda: expect_totals(stack, sink, totals))
    return Run(records, events, totals, reader)


@pytest.fixture(scope="module")
def in_postgres(stack: Stack) -> Run:
    """200,000 events and all hostile messages into PostgreSQL; the TaskManager dies half-way."""
    stack.run("jobs", "--sink", "postgres")
    with Reader("postgres", stack.settings) as reader:
        producer = KafkaProducer(bootstrap_servers=stack.settings.brokers)
        for message in hostile.messages(int(time.time() * 1000)):
            producer.send(stack.settings.topic, key=b"hostile", value=message)
        producer.close()
        with playing(stack, EVENTS, seed=7):
            await_records(stack, EVENTS // 2)
            stack.kill("taskmanager")
        return finished(stack, "postgres", reader)


@pytest.fixture(scope="module")
def in_kafka(stack: Stack, in_postgres: Run) -> Run:
    """The boards move to Kafka while more events come, and the TaskManager dies again."""
    # The readers begin before the boards are there.
    kafka = sink_of("kafka", stack.settings)
    kafka.clear(kafka.tables(GAME.tables))
    with ExitStack() as readers:
        reader = readers.enter_context(Reader("kafka", stack.settings))
        left = readers.enter_context(Reader("postgres", stack.settings))
        # No late ones: on a slow machine they fall into the windows of the first game, which are
        # computed once more.
        with playing(stack, MORE_EVENTS, 8, "--late", "0"):
            stack.run("jobs", "--sink", "kafka", "--switch")
            stack.run("compose", "await")
            stack.kill("taskmanager")
        run = finished(stack, "kafka", reader)
    left.compare(run.events)
    assert left.looks > 100
    left.expect_nothing()
    return run


def expect_totals(stack: Stack, sink: str, totals: oracle.Totals) -> None:
    own = sink_of(sink, stack.settings)
    expect_boards(own.read(GAME), totals)
    if own.can_look_up:
        expect_everybodys_totals(stack, totals)


def expect_everybodys_totals(stack: Stack, totals: oracle.Totals) -> None:
    """Every row of the totals, and what lookups make of them for some players and teams."""
    with postgres.connect(postgres.owner_dsn(stack.settings)) as db, db.cursor() as cursor:
        for table in (each.name for each in GAME.jobs["totals"]):
            cursor.execute(f"SELECT * FROM flink.{table} WHERE season_start = {totals.season}")
            names = [column[0] for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            by_key = sorted(
                rows,
                key=lambda row: (
                    row["team_id"] if table == "member_totals" else "",
                    row["user_id"],
                ),
            )
            assert by_key == getattr(oracle, table)(totals)
    counts = {name: own_count(stack, table) for name, table in GAME.counts.items()}
    assert counts == {"Players": len(totals.players), "Teams": len(totals.teams)}
    scores = [total.score for total in totals.players.values()]
    for user_id in sorted(totals.players)[::37]:
        one, total = lookups.player(user_id, stack.settings), totals.players[user_id]
        above = sum(score > total.score for score in scores)
        assert one and total.team_id
        assert (one.total_score, one.rank_number, one.players) == (
            total.score,
            1 + above,
            len(scores),
        )
        assert one.points_for_team == totals.members[total.team_id, user_id].score
        assert one.team_total == totals.teams[total.team_id].score


def own_count(stack: Stack, table: str) -> int | None:
    return sink_of("postgres", stack.settings).count(GAME.table(table))


def expect_nothing_impossible(run: Run) -> None:
    """No reading had a broken rank, share or window, a total too high, or one that went back."""
    run.reader.compare(run.events)
    assert run.reader.looks > 500
    run.reader.expect_nothing()
    # As long as there is no watermark, events that are minutes old come into windows from before
    # the first event.
    prompt = [event for event in run.events if event.recorded - event.time < 60_000]
    began = min(event.time for event in prompt)
    windows = {
        window_end: rows for window_end, rows in run.reader.windows.items() if window_end > began
    }
    assert len(windows) > 10
    for window_end, rows in windows.items():
        assert rows == oracle.hot_streaks(prompt, window_end)


def expect_streaks(windows: dict[int, list[dict]], events: list[Event]) -> None:
    """Every window of the last minute is the oracle's, and there when the watermark has passed it.

    Older ones hold late events only, as many as came before the watermark.
    """
    newest = max(event.time for event in events)
    minute_ago = newest - 60_000
    first = minute_ago // SLIDE_MILLIS * SLIDE_MILLIS + SLIDE_MILLIS
    passed = range(first, newest - WATERMARK_MILLIS - 2 * SLIDE_MILLIS, SLIDE_MILLIS)
    recent = {*passed, *(window_end for window_end in windows if window_end > minute_ago)}
    assert any(windows.get(window_end) for window_end in recent)
    for window_end in recent:
        expected = [
            {
                name: value
                for name, value in row.items()
                if name not in ("rank_number", "window_end")
            }
            for row in oracle.hot_streaks(events, window_end, places(Settings()))
        ]
        by_player = sorted(windows.get(window_end, []), key=lambda row: row["user_id"])
        assert by_player == sorted(expected, key=lambda row: row["user_id"]), (
            f"{newest - window_end} ms before the end"
        )


def whole_windows(rows: list[dict]) -> dict[int, list[dict]]:
    """Rows of flink.hot_streaks by window, without marker rows and unfinished windows."""
    windows: dict[int, list[dict]] = defaultdict(list)
    sizes: dict[int, int] = {}
    for row in rows:
        window_end, size = row.pop("window_end"), row.pop("window_rows")
        sizes[window_end] = size
        windows[window_end] += [row] if row["user_id"] else []
    return {
        window_end: rows for window_end, rows in windows.items() if len(rows) == sizes[window_end]
    }


def streaks_in_postgres(stack: Stack) -> dict[int, list[dict]]:
    with postgres.connect(postgres.owner_dsn(stack.settings)) as db, db.cursor() as cursor:
        cursor.execute("SELECT * FROM flink.hot_streaks")
        names = [column[0] for column in cursor.description or ()]
        return whole_windows([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])


def rows_in_kafka(stack: Stack, name: str) -> list[dict]:
    """The rows that a table's compacted topic holds."""
    consumer = kafka.reader(stack.settings)
    partition = TopicPartition(GAME.table(name).topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning()
    end = consumer.end_offsets([partition])[partition]
    rows: dict[bytes, bytes | None] = {}
    while consumer.position(partition) < end:
        for polled in consumer.poll(timeout_ms=1000).values():
            rows.update((each.key, each.value) for each in polled)
    consumer.close()
    return [json.loads(value) for value in rows.values() if value is not None]


def test_totals_in_postgres_are_exact(stack, in_postgres):
    eventually(lambda: expect_totals(stack, "postgres", in_postgres.totals))


def test_hot_streaks_in_postgres_are_exact(stack, in_postgres):
    eventually(lambda: expect_streaks(streaks_in_postgres(stack), in_postgres.events))


def test_nothing_impossible_was_ever_read_from_postgres(in_postgres):
    expect_nothing_impossible(in_postgres)


def test_every_rejected_message_is_listed_once_with_its_reason(stack, in_postgres):
    expected = oracle.rejected(in_postgres.records)

    def check() -> None:
        with postgres.connect(postgres.reader_dsn(stack.settings)) as db, db.cursor() as cursor:
            cursor.execute('SELECT partition, "offset", reason FROM leaderboard.rejected_events')
            found = {(partition, offset): reason for partition, offset, reason in cursor}
        assert found == expected

    eventually(check)


def test_a_ban_closes_up_the_boards_and_an_unban_restores_them(stack, in_postgres):
    expect_ban_and_unban(stack, "postgres", in_postgres.totals)


def expect_ban_and_unban(stack: Stack, sink: str, totals: oracle.Totals) -> None:
    player, team = oracle.top_players(totals)[0]["user_id"], oracle.top_teams(totals)[1]["team_id"]
    decision = ["--reason", "wrote a bot", "--by", "Ada"]

    def expect_closed_up() -> None:
        read = sink_of(sink, stack.settings).read(GAME).rows
        assert read["top_players"] == oracle.top_players(totals, banned=player)
        assert read["top_teams"] == oracle.top_teams(totals, banned=team)
        assert read["team_mvps"] == oracle.team_mvps(totals, player, team)[:100]

    # In Kafka mode PostgreSQL need not know them.
    anyway = ["--anyway"] if sink == "kafka" else []
    stack.run("boards.moderation", "ban", "player", player, *decision, *anyway)
    stack.run("boards.moderation", "ban", "team", team, *decision, *anyway)
    eventually(expect_closed_up)
    listed = stack.run("boards.moderation", "list").stdout
    assert player in listed
    assert "wrote a bot" in listed
    stack.run("boards.moderation", "unban", "player", player, *decision)
    stack.run("boards.moderation", "unban", "team", team, *decision)
    eventually(lambda: expect_totals(stack, sink, totals))
    again = stack.run("boards.moderation", "unban", "team", team, *decision, check=False)
    assert again.returncode == 1
    assert "is not banned" in again.stderr
    assert stack.run("boards.moderation", "list", "--history").stdout.count(team) >= 2


def test_a_job_that_runs_is_not_submitted_twice(stack, in_postgres):
    again = stack.run("jobs", "--sink", "postgres")
    assert again.stdout.count("runs already") == len(
        planned([(GAME.name, job) for job in GAME.jobs], "postgres", stack.settings)
    )


def test_totals_in_kafka_are_exact_after_moving_there_under_load(stack, in_kafka):
    eventually(lambda: expect_totals(stack, "kafka", in_kafka.totals))


def test_hot_streaks_in_kafka_are_exact(stack, in_kafka):
    eventually(
        lambda: expect_streaks(whole_windows(rows_in_kafka(stack, "hot_streaks")), in_kafka.events)
    )


def test_nothing_impossible_was_ever_read_from_kafka(in_kafka):
    expect_nothing_impossible(in_kafka)


def test_every_rejected_message_is_in_the_topic_once_with_its_reason(stack, in_kafka):
    expected = oracle.rejected(in_kafka.records)

    def check() -> None:
        rows = rows_in_kafka(stack, "rejected_events")
        assert {
            (row["event_partition"], row["event_offset"]): row["reason"] for row in rows
        } == expected

    eventually(check)


def test_bans_hold_in_kafka_too(stack, in_kafka):
    expect_ban_and_unban(stack, "kafka", in_kafka.totals)


def test_a_rebuild_as_one_job_leaves_no_stale_row(stack, in_kafka):
    with postgres.connect(postgres.owner_dsn(stack.settings)) as db, db.cursor() as cursor:
        cursor.execute(
            "UPDATE flink.top_teams SET team_id = team_id || '-gone', total_score = total_score + 1"
        )
        cursor.execute("UPDATE flink.team_mvps SET team_id = team_id || '-gone'")
    with Reader("postgres", stack.settings, may_restart=True) as reader:
        stack.changed(one_job="yes").run("jobs", "--sink", "postgres", "--rebuild")
        eventually(lambda: expect_totals(stack, "postgres", in_kafka.totals))
    eventually(lambda: expect_streaks(streaks_in_postgres(stack), in_kafka.events))
    reader.expect_nothing()


def test_a_rebuild_in_kafka_leaves_no_stale_row(stack, in_kafka):
    stale = {"season_start": in_kafka.totals.season, "team_id": "TEAM-nobody"}
    row = stale | {"team_name": "", "total_score": 10**15, "reached_at": 0}
    producer = KafkaProducer(bootstrap_servers=stack.settings.brokers)
    producer.send("top-teams", key=json.dumps(stale).encode(), value=json.dumps(row).encode())
    producer.close()
    with Reader("kafka", stack.settings, may_restart=True) as reader:
        # The job of all boards ends as a whole, and so all are computed anew.
        stack.changed(one_job="yes").run(
            "jobs", "top_teams", "totals", "--sink", "kafka", "--switch"
        )
        eventually(lambda: expect_totals(stack, "kafka", in_kafka.totals))
    reader.expect_nothing()


def test_the_reader_role_reads_views_only(stack):
    with postgres.connect(postgres.reader_dsn(stack.settings)) as db, db.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM leaderboard.top_teams")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT * FROM flink.top_teams")


@pytest.mark.parametrize(
    "statement", ["DELETE FROM moderation.decisions", "SELECT * FROM flink.top_teams"]
)
def test_the_moderator_role_adds_decisions_only(stack, statement):
    refused = pytest.raises(psycopg2.errors.InsufficientPrivilege)
    with (
        postgres.connect(postgres.moderator_dsn(stack.settings)) as db,
        db.cursor() as cursor,
        refused,
    ):
        cursor.execute(statement)


def test_a_refused_submission_is_one_readable_sentence(stack):
    refused = stack.run("jobs", "top_golfers", check=False)
    assert refused.returncode == 2
    assert "no job is called top_golfers" in refused.stderr


def test_no_message_restarts_a_job(stack, in_kafka):
    """The job of the last rebuild has read every hostile message and has never restarted."""
    (job_id,) = running(stack.settings).values()

    def check() -> None:
        restarts = flink.rest(stack.settings, "GET", f"/jobs/{job_id}/metrics?get=numRestarts")
        assert [each["value"] for each in restarts] == ["0"]

    eventually(check)
