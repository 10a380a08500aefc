"""The injector's events keep the contract, repeat with their seed, and are sent when due."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections import Counter, defaultdict
from itertools import islice, pairwise

import pytest

import generator
from generator.__main__ import main
from generator.pacing import Pacer
from generator.record import Record
from generator.score import faults
from generator.score.command import parse
from generator.score.events import records
from generator.score.league import League, LeagueOptions

START = 1_700_000_000_000
MINUTE = 60_000


def stream(
    count: int, seed: int = 1, start: int = START, process: int = 0, processes: int = 1, **game
) -> list[Record]:
    return list(
        islice(records(League(LeagueOptions(**game), seed, process, processes), start), count)
    )


def events(count: int, **options) -> list[dict]:
    return [json.loads(record.value or b"") for record in stream(count, **options)]


@pytest.fixture(scope="module")
def long_game() -> list[dict]:
    """An hour and a half, in which every first team is replaced twice."""
    return events(27_000, rate=5.0)


EVERY_FAULT = {"late": 5, "duplicates": 5, "corrupt": 5, "minimal": 5}


def test_the_same_seed_gives_the_same_bytes():
    assert stream(3000, **EVERY_FAULT) == stream(3000, **EVERY_FAULT)


def test_another_seed_gives_other_events():
    assert not {event["event_id"] for event in events(500)} & {
        event["event_id"] for event in events(500, seed=2)
    }


def test_another_start_moves_the_times_alone():
    moved = events(500, start=START + MINUTE)
    assert [
        event | {"event_time_millis": event["event_time_millis"] + MINUTE} for event in events(500)
    ] == moved


def test_an_event_has_the_fields_of_the_contract():
    for event in events(500):
        assert list(event) == [
            "event_id", "user_id", "user_name", "team_id", "team_name", "score",
            "event_time_millis", "event_type",
        ]  # fmt: skip
        assert re.fullmatch(
            r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", event["event_id"]
        )
        assert re.fullmatch(r"(USR|RBT)-[0-9A-F]{12}", event["user_id"])
        assert re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+", event["team_name"])
        assert event["event_type"] == "normal"


def test_every_record_is_keyed_by_its_player():
    assert all(record.key.decode() == json.loads(record.value)["user_id"] for record in stream(500))
    assert all(
        re.fullmatch(rb"(USR|RBT)-[0-9A-F]{12}", record.key) for record in stream(500, corrupt=1)
    )


def test_event_ids_are_unique():
    assert len({event["event_id"] for event in events(5000)}) == 5000


@pytest.mark.parametrize(("low", "high"), [(0, 20), (7, 7), (999_000, 1_000_000)])
def test_scores_stay_in_their_range(low, high):
    scores = {event["score"] for event in events(3000, scores=(low, high))}
    assert min(scores) >= low and max(scores) <= high
    assert len(scores) > min(15, high - low)


def test_gaps_are_exponential_around_the_rate():
    gaps = [later.due - earlier.due for earlier, later in pairwise(stream(20_000, rate=50.0))]
    assert sum(gaps) / len(gaps) == pytest.approx(1 / 50, rel=0.03)
    assert sum(gap > 1 / 50 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.02)  # 1 / e


def test_live_teams_have_unique_names_and_five_to_fifteen_members():
    league = League(LeagueOptions(teams=200), seed=1)
    for now in range(1, 700):
        league.begin_round(now)
        assert (
            len({team.name for team in league.teams})
            == len({team.team_id for team in league.teams})
            == 200
        )
    sizes = {len(team.members) for team in league.teams}
    assert (min(sizes), max(sizes)) == (5, 15)


def test_more_teams_than_pairs_of_words_still_have_unique_names():
    league = League(LeagueOptions(teams=5000, members=(1, 1)), seed=1)
    assert len({team.name for team in league.teams}) == 5000


def test_teams_live_20_to_40_minutes_and_are_replaced():
    league, rounds_by_team = League(LeagueOptions(teams=20), seed=1), {}
    for now in range(2000):
        league.begin_round(now)
        assert len(league.teams) == 20
        for team in league.teams:
            rounds_by_team.setdefault(team.team_id, [now, now])[1] = now
    whole = [
        (last + 1 - first) * 5 / 60
        for first, last in rounds_by_team.values()
        if first > 0 and last < 1999
    ]
    assert len(whole) > 60
    assert 20 <= min(whole) < 25 and 35 < max(whole) <= 40


def test_the_first_teams_do_not_end_together(long_game):
    last = {event["team_id"]: event["event_time_millis"] for event in long_game}
    first_ten = list(dict.fromkeys(event["team_id"] for event in long_game[:500]))[:10]
    assert len({last[team] // MINUTE for team in first_ten}) >= 7


def test_a_player_keeps_one_name_and_one_team(long_game):
    pairs_by_user = defaultdict(set)
    for event in long_game:
        pairs_by_user[event["user_id"]].add((event["user_name"], event["team_id"]))
    players = {user: pairs for user, pairs in pairs_by_user.items() if user.startswith("USR-")}
    assert len(players) > 200 and all(len(pairs) == 1 for pairs in players.values())


def test_a_hopping_robot_plays_for_many_teams(long_game):
    teams = defaultdict(set)
    for event in long_game:
        if event["user_id"].startswith("RBT-"):
            teams[event["user_id"]].add(event["team_id"])
    assert [len(each) > 5 for each in teams.values()].count(True) == 1


def test_one_team_in_n_has_a_robot():
    league = League(LeagueOptions(teams=40, robots=4), seed=1)
    robots = [
        sum(member.user_id.startswith("RBT-") for member in team.members) for team in league.teams
    ]
    assert Counter(robots) == {0: 30, 1: 10}


def test_no_robots_when_none_are_wanted():
    assert all(
        event["user_id"].startswith("USR-") for event in events(3000, robots=0, hopping_robots=0)
    )


def test_some_players_are_much_stronger():
    scores = defaultdict(list)
    for event in events(10_000):
        scores[event["user_id"]].append(event["score"])
    means = [sum(each) / len(each) for each in scores.values() if len(each) > 30]
    assert min(means) < 4 < 9 < max(means)


def test_players_get_into_form():
    # 3 events in 10 s whose average is half as high again as that of the last minute: a hot streak.
    hot, times = set(), defaultdict(list)
    for event in events(15_000):
        now, mine = event["event_time_millis"], times[event["user_id"]]
        mine.append((now, event["score"]))
        last_minute = [score for at, score in mine if at > now - MINUTE]
        last_seconds = [score for at, score in mine if at > now - 10_000]
        if len(last_seconds) >= 3 and len(last_minute) >= 6:
            ratio = (
                sum(last_seconds)
                / len(last_seconds)
                / max(0.1, sum(last_minute) / len(last_minute))
            )
            hot |= {event["user_id"]} if ratio >= 1.5 else set()
    assert len(hot) >= 15


def test_late_events_are_five_to_ten_minutes_old():
    late = []
    for record in stream(5000, late=4):
        event = json.loads(record.value)
        age = START + int(record.due * 1000) - event["event_time_millis"]
        assert (event["event_type"] == "late") == (age > 0)
        late += [age] if age else []
    assert len(late) == pytest.approx(1250, abs=120)
    assert 5 * MINUTE <= min(late) < 6 * MINUTE and 9 * MINUTE < max(late) <= 10 * MINUTE


def test_a_duplicate_is_the_same_record_some_moments_later():
    first, repeats, before = {}, 0, 0.0
    for record in stream(5000, duplicates=4):
        assert record.due >= before
        before = record.due
        event_id = json.loads(record.value)["event_id"]
        if event_id in first:
            repeats += 1
            assert record[:2] == first[event_id][:2] and 0 < record.due - first[event_id].due <= 5
        first.setdefault(event_id, record)
    assert repeats == pytest.approx(1000, abs=120)


def test_one_event_in_n_is_minimal():
    minimal = [event for event in events(4000, minimal=4) if "event_id" not in event]
    assert len(minimal) == pytest.approx(1000, abs=120)
    assert all(
        list(event) == ["user_id", "team_id", "team_name", "score", "event_time_millis"]
        for event in minimal
    )


GOOD = events(1)[0]


@pytest.mark.parametrize("name", faults.FAULTS)
def test_a_fault_is_no_event_of_the_contract(name):
    assert not is_good(faults.FAULTS[name](dict(GOOD)))


def is_good(value: bytes | None) -> bool:
    """The contract, strictly: what may be accepted or rejected is no good event, either."""
    try:
        event = json.loads((value or b"").decode(), object_pairs_hook=unrepeated)
        json.dumps(event, ensure_ascii=False).encode()
        texts = [event["user_id"], event["team_id"], event["team_name"]]
        return (
            all(type(text) is str and text.strip() for text in texts)
            and not any("\0" in text for text in [*texts, event["user_name"]])
            and max(map(len, texts[:2])) <= 128
            and len(texts[2]) <= 200
            and type(event["score"]) is int
            and 0 <= event["score"] <= 1_000_000
            and type(event["event_time_millis"]) is int
            and START - 86_400_000 <= event["event_time_millis"] <= START + MINUTE
        )
    except (AttributeError, ValueError, KeyError, TypeError):
        return False


def unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("repeated key")
    return dict(pairs)


def test_the_good_event_that_the_faults_start_from_is_good():
    assert is_good(json.dumps(GOOD).encode())


def test_faults_differ_from_each_other():
    assert len({fault(dict(GOOD)) for fault in faults.FAULTS.values()}) == len(faults.FAULTS)


def test_corrupt_lines_are_of_every_kind_and_as_often_as_wanted(monkeypatch):
    for name in faults.FAULTS:
        monkeypatch.setitem(faults.FAULTS, name, lambda event, name=name: name.encode())
    values = [record.value.decode() for record in stream(8000, corrupt=2)]
    bad = Counter(value for value in values if not value.startswith("{"))
    assert set(bad) == set(faults.FAULTS)
    assert bad.total() == pytest.approx(4000, abs=200)


def test_processes_share_the_work_and_no_name_or_id():
    parts = [events(2000, process=n, processes=3, teams=10) for n in range(3)]
    for field in ("event_id", "user_id", "team_id", "team_name"):
        values = [{event[field] for event in part} for part in parts]
        assert sum(map(len, values)) == len(set.union(*values))
    assert sum(len({event["team_id"] for event in part}) for part in parts) == 10
    assert parts[0][-1]["event_time_millis"] - START == pytest.approx(2000 / 50 * 3 * 1000, rel=0.1)


class FakeClock:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now, self.is_stopped = 100.0, False
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def pacer(self) -> Pacer:
        return Pacer(lambda: self.now, self.wait, lambda: self.is_stopped)


def due(*seconds: float) -> list[Record]:
    return [Record(b"", b"", each) for each in seconds]


def test_a_record_is_sent_when_it_is_due():
    clock = FakeClock()
    sent = [clock.now - 100 - record.due for record in clock.pacer().pace(due(0.0, 0.5, 0.5, 3.0))]
    assert all(0 <= lag < 0.002 for lag in sent) and len(sent) == 4


def test_waits_are_short_enough_for_a_stop_and_long_enough_for_the_processor():
    clock = FakeClock()
    list(clock.pacer().pace(due(0.0001, 5.0)))
    assert min(clock.waits) >= 0.0019 and max(clock.waits) <= 0.1


def test_after_a_delay_it_catches_up_without_waiting():
    clock = FakeClock()
    pacer, behind = clock.pacer(), []
    for record in pacer.pace(due(1.0, 2.0, 3.0, 20.0)):
        behind.append(round(pacer.behind_seconds))
        clock.now += 10.0 if record.due == 1.0 else 0.0
    assert behind == [0, 9, 8, 0]


def test_unpaced_records_wait_for_nothing():
    clock = FakeClock()
    assert len(list(clock.pacer().pace(due(1.0, 2.0), is_paced=False))) == 2 and clock.waits == []


def test_the_duration_ends_a_stream_even_between_records():
    clock = FakeClock()
    assert len(list(clock.pacer().pace(due(1.0, 2.0, 60.0), duration_seconds=10))) == 2
    assert clock.now == pytest.approx(110, abs=0.1)


def test_a_stop_ends_a_stream_while_it_waits():
    clock = FakeClock()
    clock.wait = lambda seconds: setattr(clock, "is_stopped", True)
    assert list(clock.pacer().pace(due(60.0))) == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--rate -1", "a number of 0 or more"),
        ("--rate nan", "a number of 0 or more"),
        ("--members 5", "LOW-HIGH"),
        ("--members 15-5", "LOW-HIGH"),
        ("--members 0-5", "at least one member"),
        ("--score-range 0-1000001", "1,000,000"),
        ("--teams 0", "1 or more"),
        ("--late -1", "0 or more"),
        ("--processes 2 --teams 1", "at least as many --teams"),
        ("--processes 2 --output print", "--output kafka"),
        ("--output file", "--path"),
        ("--path x", "--output file"),
        ("--output paper", "invalid choice"),
        ("--brokers localhost", "host:port"),
        ("--brokers localhost:65536", "host:port"),
        ("--metrics-port 65536", "a port, 0 to 65535"),
    ],
)
def test_bad_usage_is_explained(words, complaint, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(words.split())
    assert ended.value.code == 2 and complaint in capsys.readouterr().err


def test_a_run_without_seed_is_unlike_any_other():
    assert parse([]).seed != parse([]).seed


@pytest.fixture
def signals():
    """Restores the handlers that a run in this process installs."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_print_writes_events_as_lines(capfdbinary, signals):
    assert main(["--output=print", "--rate=0", "--count=50", "--seed=1"]) == 0
    lines, status = capfdbinary.readouterr()
    assert [json.loads(line)["event_id"] for line in lines.splitlines()] == [
        e["event_id"] for e in events(50, rate=0)
    ]
    assert b"sent 50, acknowledged 50, failed 0" in status


def test_file_holds_the_same_bytes_for_the_same_start(tmp_path, signals):
    for name in ("one", "two"):
        words = f"--output file --path {tmp_path / name} --rate 0 --count 500 --seed 1"
        words += f" --start {START} --corrupt 3"
        assert main(words.split()) == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() != b""


def test_a_file_that_cannot_be_written_is_said(tmp_path, capsys, signals):
    assert main(f"--output file --path {tmp_path}/no/such/folder --count 1".split()) == 1
    assert "No such file" in capsys.readouterr().err


def test_the_score_game_runs_with_and_without_its_name(tmp_path, signals):
    words = f"--output file --rate 0 --count 200 --seed 1 --start {START} --path {tmp_path}/"
    assert main(f"{words}unnamed".split()) == main(f"score {words}named".split()) == 0
    assert (tmp_path / "unnamed").read_bytes() == (tmp_path / "named").read_bytes() != b""


@pytest.mark.parametrize("word", ["chess", "run", "score.command"])
def test_a_word_that_is_no_game_is_refused_with_the_games(word, capsys):
    assert main([word, "--count", "1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert repr(word) in line and {"score", "spins"} <= set(re.findall(r"\w+", line))


def test_a_second_game_is_a_package_and_nothing_else(tmp_path, monkeypatch, capsys):
    (tmp_path / "darts").mkdir()
    (tmp_path / "darts" / "__init__.py").write_text("def main(words): return 40 + len(words)\n")
    monkeypatch.setattr(generator, "__path__", [*generator.__path__, str(tmp_path)])
    try:
        assert main(["darts", "--rate", "5"]) == 42
        assert main(["chess"]) == 2 and " darts, " in capsys.readouterr().err
    finally:
        sys.modules.pop("generator.darts", None)
        vars(generator).pop("darts", None)
