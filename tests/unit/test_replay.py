"""Recorded events are sent as if they happened now, and messages of any topic are printed."""

from __future__ import annotations

import json

import pytest

from generator.__main__ import main
from generator.consume import told
from generator.form import form_of, forms
from generator.replay import Replay
from tests.unit.test_generator import signals  # noqa: F401

THEN, NOW = 1_700_000_000_000, 1_800_000_000_000  # epoch milliseconds


def scored(at: float, **other: object) -> dict:
    """A score event `at` seconds after THEN."""
    event = {"user_id": "ada", "team_id": "red", "team_name": "Red", "score": 3}
    return event | {"event_time_millis": THEN + int(at * 1000)} | other


def recording(folder, *lines: dict | bytes):
    path = folder / "scores.jsonl"
    texts = [json.dumps(line).encode() if isinstance(line, dict) else line for line in lines]
    path.write_bytes(b"".join(text + b"\n" for text in texts))
    return str(path)


def replayed(path, game="score", **options):
    """(seconds after the start, the event or the message) of every record."""
    found = list(Replay(path, game, **options).records(0, 0, 1, NOW))
    return [
        (record.due, json.loads(record.value) if record.key else record.value) for record in found
    ]


def times(records) -> list[tuple[float, float]]:
    """(seconds after the start, seconds after NOW that the event says)."""
    return [(due, (event["event_time_millis"] - NOW) / 1000) for due, event in records]


def test_events_come_with_the_pauses_that_their_times_say(tmp_path):
    path = recording(tmp_path, scored(5), scored(6.5), scored(65))
    assert replayed(path) == [(0, scored(5)), (1.5, scored(6.5)), (60, scored(65))]


def test_times_that_are_shifted_begin_now(tmp_path):
    path = recording(tmp_path, scored(5), scored(6.5), scored(65))
    assert times(replayed(path, is_shifted=True)) == [(0, 0), (1.5, 1.5), (60, 60)]


def test_twice_as_fast_is_half_the_pauses_and_no_event_is_in_the_future(tmp_path):
    path = recording(tmp_path, scored(0), scored(3), scored(60))
    assert times(replayed(path, is_shifted=True, speed=2)) == [(0, 0), (1.5, 1.5), (30, 30)]


def test_a_late_event_stays_as_late(tmp_path):
    path = recording(tmp_path, *map(scored, [0, 600, 60, 601, 660]))
    assert times(replayed(path, is_shifted=True))[1:-1] == [(600, 600), (600, 60), (601, 601)]


def test_one_wrong_time_does_not_keep_all_others_waiting(tmp_path):
    path = recording(tmp_path, *map(scored, [0, 86_400, 1, -300, 2, 3, 4]))
    assert [due for due, _ in replayed(path)] == [0, 0, 1, 1, 2, 3, 4]


def test_what_is_no_event_is_sent_as_it_is(tmp_path):
    broken = [b"score!", b"", b"[1]", b'{"score": 1', b"\xff"]
    broken += [
        b'{"score": 1, "event_time_millis": %s}' % time for time in (b"1e3", b"-1", b"9" * 400)
    ]
    path = recording(tmp_path, scored(0), *broken, scored(2))
    assert [line for _, line in replayed(path, is_shifted=True)][1:-1] == broken
    assert [due for due, _ in replayed(path)] == [0] * 9 + [2]


def test_the_key_is_the_player(tmp_path):
    (record,) = Replay(recording(tmp_path, scored(0, user_id="Zoë")), "score").records(0, 0, 1, NOW)
    assert record.key == "Zoë".encode()


def test_a_csv_file_has_numbers_where_events_have_them(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text(
        "user_id,user_name,team_id,team_name,score,event_time_millis\n"
        f'007,"Bond, James",red,,3,{THEN}\n008,,red,Red,many,{THEN + 1000}\n009,,red,Red,,\n'
    )
    first, second, third = (event for _, event in replayed(str(path)))
    assert first == {
        "user_id": "007", "user_name": "Bond, James", "team_id": "red", "team_name": "",
        "score": 3, "event_time_millis": THEN,
    }  # fmt: skip
    assert second["score"] == "many"
    assert "score" not in third


@pytest.mark.parametrize(
    ("name", "text", "code", "complaint"),
    [
        (
            "a.csv",
            "user_id,team_id,score,event_time_millis\na,b\n",
            1,
            "line 2: it has not as many",
        ),
        ("a.jsonl", '{"a": 1}\n', 2, "has events of no game that is known (actions, score"),
        ("a.jsonl", "", 2, "--game says whose they are"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_said(
    tmp_path,
    capsys,
    signals,  # noqa: F811
    name,
    text,
    code,
    complaint,
):
    (tmp_path / name).write_text(text)
    words = ["replay", str(tmp_path / name), "--output", "print"]
    try:
        found = main(words)
    except SystemExit as ended:
        found = ended.code
    assert found == code
    assert complaint in " ".join(capsys.readouterr().err.split())


def test_a_file_that_is_not_there_is_said(capsys):
    assert main(["replay", "nowhere.jsonl"]) == 1
    assert capsys.readouterr().err == (
        "replay: cannot read nowhere.jsonl: No such file or directory\n"
    )


TWENTY = ["--count", "20"]
OWN_WORDS = {"spins": ["--topic", "gameplay", "--loop", "--events", "20", "--print_n_msg", "0"]}


@pytest.mark.parametrize("game", sorted(forms()))
def test_what_a_generator_has_written_can_be_replayed(tmp_path, capfdbinary, signals, game):  # noqa: F811
    path = str(tmp_path / "sample.jsonl")
    words = ["--output", "file", "--path", path, "--seed", "1", "--rate", "0"]
    assert main([game, *words, *OWN_WORDS.get(game, TWENTY)]) == 0
    assert main(["replay", path, "--shift-to-now", "--output", "print"]) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    form = forms()[game]
    assert len(lines) == 20
    assert {form_of(json.loads(line)) for line in lines} == {game}
    assert all(form.key_of(json.loads(line)) for line in lines)


# What `consume` prints


def action(name: str, **given: str) -> bytes:
    plain = dict.fromkeys(("direction", "target", "collect_item", "use_item"), "")
    return json.dumps({"action": name} | plain | given).encode()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (action("move", direction="north"), "Player moved north"),
        (action("use_item"), "Player used nothing"),
        (action("attack", target="\x1b[2Jdragon"), "Player attacked <U+001B>[2Jdragon"),
        (action("fly"), action("fly").decode()),
        (b'{"score": 12}', '{"score": 12}'),
        (b"two\nlines\x07", "two<U+000A>lines<U+0007>"),
        (b"\xff", "\ufffd"),
        (b"", ""),
        (None, "nothing (a tombstone)"),
    ],
)
def test_a_message_is_told_on_one_line_that_steers_no_terminal(value, words):
    assert told(value) == words
