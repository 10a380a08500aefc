"""Schemas say what the SQL says; what an injector sends is Avro when its schema allows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from threading import Thread

import fastavro
import pytest

import games
from boards import schemas
from clients import registry
from games import avro
from games.score import TOP_PLAYERS
from generator.score.events import records
from generator.score.league import League, LeagueOptions
from settings import PROJECT, SettingError, Settings, read

GAMES = [games.load(path.parent.name) for path in sorted(PROJECT.glob("sql/*/sources"))]
SETTINGS = Settings(event_format="avro", board_format="avro")
RULE = re.compile(r"'checked-json\.fields\.(\w+)' = '(optional )?(\w+)")


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_the_schema_of_events_has_what_the_topics_table_reads(game):
    sources = (PROJECT / "sql" / game.name / "sources").glob("*.sql")
    rules = RULE.findall("".join(path.read_text() for path in sources))
    types = {field["name"]: field["type"] for field in avro.event(game)["fields"]}
    assert rules
    for name, optional, kind in rules:
        expected = "long" if kind == "number" else "string"
        assert types[name] == (["null", expected] if optional else expected), name


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_every_schema_is_one_of_avro(game):
    for _, schema in schemas.subjects([game], SETTINGS):
        fastavro.parse_schema(schema)


def test_a_tables_schemas_follow_its_columns():
    key, value = avro.key(TOP_PLAYERS), avro.value(TOP_PLAYERS)
    assert [field["name"] for field in key["fields"]] == list(TOP_PLAYERS.primary_key)
    assert {"name": "user_id", "type": "string"} in key["fields"]
    total = {"name": "total_score", "type": ["null", "long"], "default": None}
    assert total in value["fields"]
    names = [subject for subject, _ in schemas.subjects([games.load("score")], SETTINGS)]
    assert names[:3] == ["user-score-value", "top-teams-key", "top-teams-value"]


def test_a_game_without_a_schema_of_its_events_says_which_file_is_missing():
    other = replace(games.load("score"), name="golf", tables=())
    with pytest.raises(SettingError, match=r"sql/golf/event\.avsc"):
        schemas.check([other], SETTINGS)


@pytest.mark.parametrize("name", ["SCHEMA_REGISTRY_CA_FILE", "SCHEMA_REGISTRY_LOGIN_FILE"])
def test_a_login_is_for_a_registry_of_your_own(name):
    with pytest.raises(SettingError, match="LEADERBOARD_SCHEMA_REGISTRY_URL"):
        read({f"LEADERBOARD_{name}": "file"})


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Settings of a registry with one schema, that of the score events, which asks for a login."""
    schema = json.dumps(avro.event(games.load("score")))

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_in = self.headers["Authorization"] == "Basic YWRhOmE6Yg=="  # ada:a:b
            self.send_response(200 if is_in else 401)
            self.end_headers()
            self.wfile.write(json.dumps({"id": 7, "schema": schema}).encode())

        def log_message(self, *_: object) -> None:
            pass

    login = tmp_path_factory.mktemp("registry") / "login"
    login.write_text("ada:a:b\n")
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        yield replace(SETTINGS, schema_registry_url=url, schema_registry_login_file=str(login))
        server.shutdown()


def test_what_an_injector_sends_says_the_same_in_avro(own):
    encode = registry.encoder(own, "user-score")
    league = League(LeagueOptions(minimal=3), 1)
    for record in islice(records(league, 1_790_000_000_000), 50):
        sent = encode(record.value)
        assert sent[:5] == b"\0\0\0\0\7"
        assert len(sent) < len(record.value) / 1.5
        found, event = registry.decoded(own, sent), json.loads(record.value)
        assert found == dict.fromkeys(("event_id", "user_name", "event_type")) | event
        assert json.loads(registry.as_json(own, sent)) == found


@pytest.mark.parametrize(
    "event",
    [
        None, b"", b"score!", b"[]", b"{}", b'{"score": 5}',
        b'{"user_id":"a","team_id":"b","team_name":"c","score":3.9,"event_time_millis":1}',
        b'{"user_id":"a","team_id":"b","team_name":"c","score":true,"event_time_millis":1}',
        b'{"user_id":"\\ud800","team_id":"b","team_name":"c","score":1,"event_time_millis":1}',
        b'{"user_id":"a","team_id":"b","team_name":"c","score":1,"event_time_millis":1' + b"0" * 99
        + b"}",
    ],
)  # fmt: skip
def test_what_breaks_the_schema_is_sent_as_it_is(own, event):
    assert registry.encoder(own, "user-score")(event) is event


@pytest.mark.parametrize("message", [b"\0", b"\0\0\0\0\7", b"\0\0\0\0\7" + b"\xff" * 30, b"score!"])
def test_what_is_no_message_is_a_value_error(own, message):
    with pytest.raises(ValueError):
        registry.decoded(own, message)


def test_a_registry_that_does_not_let_us_in_or_is_away_is_named(own):
    stranger = replace(own, schema_registry_login_file="")
    with pytest.raises(registry.RegistryUnavailable, match="401"):
        registry.encoder(stranger, "user-score")
    nobody = replace(own, schema_registry_url="http://127.0.0.1:1")
    with pytest.raises(registry.RegistryUnavailable, match="does not answer"):
        registry.encoder(nobody, "user-score")
