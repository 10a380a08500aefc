"""What programs are answered: the real server over a real database and broker, without Flink."""

from __future__ import annotations

import asyncio
import csv
import http.client
import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from starlette.requests import Request

from boards import sinks
from clients import postgres
from clients.errors import SetupError
from dashboard import api
from games.score import GAME, MEMBER_TOTALS, PLAYER_TOTALS, TEAM_MVPS, TOP_PLAYERS, TOP_TEAMS
from settings import Settings
from tests import hostile
from tests.conftest import Stack, eventually, page_server
from tests.dashboard.test_players import ban, write, write_team

DAY = 86_400_000
NAMES = [name for name in hostile.LIMITS["user_name"] if "\0" not in name and len(name) <= 200]


@contextmanager
def served(stack: Stack, **changed: object) -> Iterator[str]:
    """The address of the API's server over these stores, under these changed settings."""
    environment = stack.changed(**changed).environment
    with page_server("dashboard.api", environment=environment) as address:
        yield address


def fill(stack: Stack, age_seconds: float = 1, behind_seconds: float = 0) -> None:
    """Fifteen teams and players on the boards and in the totals, one of them banned.

    The newest score is so old, and that of the players so far behind that of the teams.
    """
    now = int((time.time() - age_seconds) * 1000)
    season = now - now % DAY
    tables = [TOP_TEAMS, TOP_PLAYERS, TEAM_MVPS, PLAYER_TOTALS, MEMBER_TOTALS]
    sinks.sink("postgres", stack.settings).clear(tables)
    with closing(postgres.connect(postgres.owner_dsn(stack.settings))) as db, db.cursor() as cursor:
        cursor.execute("TRUNCATE moderation.decisions")
        for number in range(15):
            name = NAMES[number % len(NAMES)]
            team = [season, f"t/{number}", name, 100 - number, now]
            reached_at = now - int(behind_seconds * 1000)
            player = [season, f"u/{number} ü", name, "T", name, 100 - number, reached_at]
            cursor.execute("INSERT INTO flink.top_teams VALUES (%s, %s, %s, %s, %s)", team)
            cursor.execute(
                "INSERT INTO flink.top_players VALUES (%s, %s, %s, %s, %s, %s, %s)", player
            )
            write(cursor, (player[1], player[5], name, now), season=season)
        write_team(cursor, "T", 2_000, season=season)
        ban(cursor, "player", "u/3 ü")


@pytest.fixture(scope="module")
def address(stores: Stack) -> Iterator[str]:
    fill(stores)
    with served(stores) as found:
        yield found


def asked(url: str, status: int = 200, **headers: str) -> dict:
    answer = requests.get(url, headers=headers, timeout=20)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in answer.headers
    return answer.json()


def moment(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


def test_all_boards_are_listed(address):
    found = asked(f"{address}/api/boards")
    rows = {each["board"]: each["rows"] for each in found["boards"]}
    written = {"top_teams": 15, "top_players": 14, "team_mvps": 1}
    assert rows == {board.name: 0 for board in GAME.boards} | written
    assert (found["game"], found["sink"]) == ("score", "postgres")
    assert asked(f"{address}/api/boards?game=score")["boards"] == found["boards"]
    assert moment(found["as_of"]) > moment(found["season_start"])


def test_a_board_comes_in_pages(address):
    first = asked(f"{address}/api/boards/top_players")
    assert [row["rank_number"] for row in first["rows"]] == list(range(1, 11))
    assert (first["total"], first["next_offset"]) == (14, 10)
    rest = asked(f"{address}/api/boards/top_players?limit=100&offset=10")
    assert [row["rank_number"] for row in rest["rows"]] == [11, 12, 13, 14]
    assert rest["next_offset"] is None
    assert {row["user_name"] for row in first["rows"] + rest["rows"]} <= set(NAMES)
    assert set(first["rows"][0]) == {
        *("rank_number", "user_id", "user_name", "team_id", "team_name", "total_score"),
        *("reached_at", "season_start", "movement"),
    }


def test_a_player_has_rank_and_neighbours(address):
    found = asked(f"{address}/api/players/{quote('u/5 ü', safe='')}")
    assert (found["user_id"], found["rank_number"], found["players"]) == ("u/5 ü", 5, 14)
    assert [row["rank_number"] for row in found["neighbours"]] == [2, 3, 4, 5, 6, 7, 8]
    assert found["team_share"] == pytest.approx(95 / 2_000)
    assert moment(found["reached_at"])
    banned = asked(f"{address}/api/players/{quote('u/3 ü', safe='')}")
    assert (banned["rank_number"], banned["ban_reason"]) == (None, "plays with a bot")


def test_players_are_found_by_a_part_of_their_name(address):
    found = asked(f"{address}/api/players?name=SCRIPT")["players"]
    assert found
    assert all("<script>" in row["user_name"] for row in found)
    assert asked(f"{address}/api/players?name=nobody at all")["players"] == []


def test_a_team_has_members_with_shares(address):
    found = asked(f"{address}/api/teams/T")
    assert (found["members"], found["rank_number"], found["mvp"]["user_id"]) == (15, 1, "u/0 ü")
    assert found["best"][0]["fair_share"] == pytest.approx(100 / 2_000 * 15)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/boards/top_golfers", 404, "there are top_teams, top_players"),
        ("/api/players/nobody", 404, "No player has the id 'nobody' in the newest season"),
        ("/api/teams/a%20%2F", 404, "No team has the id"),
        ("/api/golfers", 404, "No such address; there are /api/boards"),
        ("/api/boards/top_teams?limit=0", 400, "limit must be a whole number from 1 to 100"),
        ("/api/boards/top_teams?limit=٣", 400, "limit must be"),
        ("/api/boards/top_teams?limit=101", 400, "limit must be"),
        ("/api/boards/top_teams?offset=-1", 400, "offset must be"),
        ("/api/boards/top_teams?offset=9999999999999", 400, "offset must be"),
        ("/api/boards/top_teams?offset=" + "0" * 9 + "9" * 5_000, 400, "offset must be"),
        (
            "/api/boards/top_teams?page=2",
            400,
            "No parameter is called 'page'; there are season, at, sink, limit, offset, format",
        ),
        ("/api/boards?game=golf", 400, "game must be one of score"),
        ("/api/boards?sink=oracle", 400, "sink must be one of postgres, kafka"),
        ("/api/boards/top_teams?format=xls", 400, "format must be one of json, csv"),
        ("/api/players/a?format=csv", 400, "No parameter is called 'format'"),
        ("/api/rejects?limit=1001", 400, "limit must be a whole number from 1 to 1000"),
        ("/api/players", 400, "name must be 1 to 200 characters"),
        ("/api/players?name=" + "x" * 201, 400, "name must be"),
        ("/api/players?name=a%00b", 400, "name must be"),
    ],
)
def test_what_cannot_be_answered_says_why(address, path, status, says):
    assert says in asked(address + path, status)["error"]


@pytest.mark.parametrize(
    "path", ["/api/boards", "/api/boards/top_teams", "/api/players/a", "/api/teams/a"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_there_is_nothing_to_write(address, path, method):
    answer = requests.request(method, address + path, timeout=20)
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert answer.json() == {"error": f"{method} is not for reading; ask with GET."}


def test_what_has_not_changed_is_not_sent_again(address):
    url = f"{address}/api/boards/top_teams?limit=1"
    first = requests.get(url, timeout=20)
    assert first.headers["Cache-Control"] == "private, max-age=1"
    again = requests.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=20)
    assert (again.status_code, again.content) == (304, b"")
    assert asked(url, **{"If-None-Match": '"another"'}) == first.json()
    known = (f'"another", W/{first.headers["ETag"]}', "*")
    again = [requests.get(url, headers={"If-None-Match": each}, timeout=20) for each in known]
    assert [each.status_code for each in again] == [304, 304]


def test_the_page_answers_the_same_and_is_still_there(address, stores):
    with page_server("dashboard", environment=stores.environment) as page:
        answer = requests.get(page, timeout=20)
        assert answer.status_code == 200
        assert "<title>" in answer.text
        for path in ("boards", "boards/top_players?limit=100", "players/nobody", "golfers"):
            ours, same = (
                requests.get(f"{server}/api/{path}", timeout=20) for server in (address, page)
            )
            assert (ours.status_code, ours.json()) == (same.status_code, same.json())


def test_it_is_ready_while_the_boards_are_fresh(address, stores):
    fill(stores)

    def check() -> None:
        assert asked(f"{address}/readyz")["status"] == "ready"

    eventually(check)
    fill(stores, age_seconds=100)

    def check_old() -> None:
        assert "s old; 30 s are allowed" in asked(f"{address}/readyz", 503)["error"]

    eventually(check_old)
    fill(stores, behind_seconds=130)

    def check_one() -> None:
        error = asked(f"{address}/readyz", 503)["error"]
        assert error == "The newest score on top_players is 130 s behind the others'."

    eventually(check_one)
    assert asked(f"{address}/healthz") == {"status": "alive"}


def test_boards_in_topics_are_answered_and_lookups_are_not(stores):
    with served(stores, sink="kafka") as address:
        assert asked(f"{address}/api/boards")["sink"] == "kafka"
        for path in ("players/a", "players?name=a", "teams/a"):
            assert "in PostgreSQL only" in asked(f"{address}/api/{path}", 503)["error"]
        assert "no score has arrived" in asked(f"{address}/readyz", 503)["error"]


def test_totals_that_nobody_writes_are_said_to_be_missing(stores):
    with served(stores, totals_flush_seconds=0) as address:
        assert "TOTALS_FLUSH_SECONDS is 0" in asked(f"{address}/api/players/a", 503)["error"]


def test_as_many_rows_are_answered_as_a_board_has(stores):
    with served(stores, board_size=7) as address:
        assert asked(f"{address}/api/boards/top_teams")["limit"] == 7
        error = asked(f"{address}/api/boards/top_teams?limit=8", 400)["error"]
        assert error == "limit must be a whole number from 1 to 7."
    with served(stores, board_size=300) as address:
        assert asked(f"{address}/api/boards/top_teams")["limit"] == 10
        assert asked(f"{address}/api/boards/top_teams?limit=300")["limit"] == 300


def test_a_database_that_is_away_is_said(stores):
    with served(stores, postgres_port=1) as address:
        for path in ("readyz", "api/boards", "api/boards/top_teams", "api/players/a"):
            assert "PostgreSQL cannot be reached" in asked(f"{address}/{path}", 503)["error"]
        assert asked(f"{address}/healthz") == {"status": "alive"}


def test_a_token_is_asked_for_when_there_is_one(stores, tmp_path):
    file = tmp_path / "token"
    file.write_text("secret-7\n")
    with served(stores, api_token_file=file) as address:
        for login in ("", "Bearer wrong", "secret-7", "Bearer é"):
            headers = {"Authorization": login.encode()}
            for path in ("boards", "boards/top_teams", "players/a", "players?name=a", "teams/a"):
                answer = requests.get(f"{address}/api/{path}", headers=headers, timeout=20)
                assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert asked(f"{address}/api/boards", Authorization="Bearer secret-7")["boards"]
        assert asked(f"{address}/healthz") == {"status": "alive"}


def test_a_token_may_have_any_signs(stores, tmp_path):
    file = tmp_path / "token"
    file.write_text("schlüssel", encoding="utf-8")
    with served(stores, api_token_file=file) as address:
        for token, status in (("schlüssel".encode(), 200), ("schlüssel".encode("latin-1"), 401)):
            headers = {"Authorization": b"Bearer " + token}
            answer = requests.get(f"{address}/api/boards", headers=headers, timeout=20)
            assert answer.status_code == status


def test_where_people_log_in_programs_need_a_token(tmp_path):
    assert api._token(Settings(oidc_metadata_url="https://example.org")) == b""
    assert api._token(Settings()) is None
    with pytest.raises(SetupError, match="API_TOKEN_FILE cannot be read"):
        api.application(Settings(api_token_file=str(tmp_path / "absent")))
    Path(tmp_path / "empty").touch()
    with pytest.raises(SetupError, match="is empty"):
        api.application(Settings(api_token_file=str(tmp_path / "empty")))


def test_answers_are_json_whatever_a_name_is(address):
    answer = requests.get(f"{address}/api/boards/top_players?limit=100", timeout=20)
    assert {row["user_name"] for row in json.loads(answer.content)["rows"]} <= set(NAMES)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_ban_shows_on_the_board_and_of_the_player(stores):
    fill(stores)
    with served(stores) as address:
        board, player = f"{address}/api/boards/top_players", f"{address}/api/players/u%2F0%20%C3%BC"
        assert asked(board)["rows"][0]["user_id"] == asked(player)["user_id"] == "u/0 ü"
        owner = postgres.connect(postgres.owner_dsn(stores.settings))
        with closing(owner) as db, db.cursor() as cursor:
            ban(cursor, "player", "u/0 ü")

        def check() -> None:
            assert asked(board)["rows"][0]["user_id"] == "u/1 ü"
            assert asked(player)["ban_reason"] == "plays with a bot"

        eventually(check)


def test_what_is_no_address_is_said_as_json(address):
    for path in ("/", "/api/", "/page"):
        assert "No such address" in asked(address + path, 404)["error"]


def test_the_api_lists_what_there_is(address):
    listed = {each["path"]: each for each in asked(f"{address}/api")["addresses"]}
    assert set(listed) == {
        *("/api/boards", "/api/boards/{board}", "/api/players", "/api/players/{id}"),
        *("/api/teams/{id}", "/api/rejects", "/api/seasons", "/api/awards", "/healthz", "/readyz"),
        *("/api/announcements", "/api/announcements/stream"),
    }
    parameters = ["season", "at", "sink", "limit", "offset", "format"]
    assert listed["/api/boards/{board}"]["parameters"] == parameters
    assert listed["/api/players/{id}"]["answers"] == "one player"


@pytest.fixture(scope="module")
def page(stores: Stack) -> Iterator[str]:
    """The address of the page's server, which answers the same."""
    with page_server("dashboard", environment=stores.environment) as found:
        yield found


HOSTILE_PATHS = [
    *("/api/players/..", "/api/players/../etc", "/api/teams/%2e%2e%2fetc%2fpasswd", "/api/../x"),
    *("/api/players/a%00b", "/api/players/%0A", "/api/teams/a%0Ab", "/api/golf%0D%0A"),
    *("/api/players/C:%5Cx", "/api/teams//etc", "/api/players/%FF%FE", "/api/boards/a%0Ab"),
    *("/api/", "/api/.", "/api/%2F%2Fevil.example", "/api/players/", "/api/players/..%5C.."),
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
@pytest.mark.parametrize("server", ["address", "page"])
def test_whatever_is_asked_the_answer_is_json(request, server, path):
    """As it stands: a library for HTTP would tidy the path first."""
    host = request.getfixturevalue(server).removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=20)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json")
        assert json.loads(answer.read())["error"]


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", ["", "/boards", "/players/a", "/golf"])
def test_the_page_answers_every_method_as_the_api_does(address, page, method, path):
    ours, same = (requests.request(method, f"{at}/api{path}", timeout=20) for at in (address, page))
    assert (ours.status_code, ours.content) == (same.status_code, same.content)
    assert ours.headers.get("Allow") == same.headers.get("Allow")


def test_options_says_what_is_allowed(address):
    answer = requests.options(f"{address}/api/boards", timeout=20)
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert "Access-Control-Allow-Origin" not in answer.headers


def saved(url: str, **headers: str) -> tuple[str, list[dict[str, str]]]:
    """The name and the rows of an answer in CSV."""
    answer = requests.get(url, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "Accept" in answer.headers["Vary"]
    name = answer.headers["Content-Disposition"].partition('filename="')[2].removesuffix('"')
    return name, list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


@pytest.mark.parametrize("board", GAME.boards, ids=lambda board: board.name)
def test_every_board_is_saved_as_csv(address, board):
    name, rows = saved(f"{address}/api/boards/{board.name}?format=csv")
    day = asked(f"{address}/api/boards/top_teams")["rows"][0]["season_start"][:10]
    assert re.fullmatch(rf"{board.name}_day-{day}_[\d-]{{10}}T\d{{6}}Z\.csv", name)
    same = asked(f"{address}/api/boards/{board.name}?limit=100")["rows"]
    assert [row["rank_number"] for row in rows] == [str(row["rank_number"]) for row in same]
    assert [list(row) for row in rows] == [list(row) for row in same]


def test_an_empty_board_is_saved_with_its_columns(address):
    answer = requests.get(f"{address}/api/boards/hot_streaks?format=csv", timeout=20)
    assert answer.text.startswith("rank_number,user_id,user_name,")
    assert answer.text.count("\r\n") == 1


def test_csv_is_what_the_header_asks_for_too(address):
    url = f"{address}/api/boards/top_teams"
    assert len(saved(url, Accept="text/csv")[1]) == 15
    assert len(saved(f"{url}?limit=3&offset=2", Accept="text/csv, application/json;q=0.9")[1]) == 3
    for accept in (
        "*/*",
        "application/json, text/csv;q=0.9",
        "text/html,*/*;q=0.8",
        "text/csv;q=x",
    ):
        assert asked(url, Accept=accept)["board"] == "top_teams"


def test_found_players_are_saved_too(address):
    name, rows = saved(f"{address}/api/players?name=u/&format=csv")
    assert name.startswith("players_day-")
    assert len(rows) == 15
    assert {row["user_id"]: row["is_banned"] for row in rows}["u/3 ü"] == "true"


@pytest.mark.parametrize("sink", ["postgres", "kafka"])
def test_rejected_messages_are_listed_and_saved(stores, sink):
    now = int(time.time() * 1000)
    owner = postgres.connect(postgres.owner_dsn(stores.settings))
    with closing(owner) as db, db.cursor() as cursor:
        cursor.execute("TRUNCATE flink.rejected_events")
        for offset, payload in enumerate(("{}", "=1+1")):
            row = ["user-score", 0, offset, "user_id missing", payload, now + offset]
            cursor.execute("INSERT INTO flink.rejected_events VALUES (%s, %s, %s, %s, %s, %s)", row)
    expected = ["=1+1", "{}"] if sink == "postgres" else []
    with served(stores) as address:
        url = f"{address}/api/rejects?sink={sink}"
        found = asked(url)
        assert [row["payload"] for row in found["rows"]] == expected
        name, rows = saved(f"{url}&format=csv")
        assert name.startswith("rejected_events_2")
        assert [row["payload"] for row in rows] == [each.replace("=", "'=") for each in expected]


GAME_ORIGIN = "https://game.example"


def preflight(url: str, origin: str, method: str = "GET") -> requests.Response:
    """What a browser asks before it lets a page of this origin send its token."""
    asks = {"Origin": origin, "Access-Control-Request-Method": method}
    asks |= {"Access-Control-Request-Headers": "authorization"}
    return requests.options(url, headers=asks, timeout=20)


@pytest.mark.parametrize("module", ["dashboard.api", "dashboard"])
def test_a_web_game_may_read_when_its_origin_is_named(stores, module):
    environment = stores.changed(api_origins=f"http://localhost:3000,{GAME_ORIGIN}").environment
    with page_server(module, environment=environment) as server:
        url = f"{server}/api/boards"
        answer = requests.get(url, headers={"Origin": GAME_ORIGIN}, timeout=20)
        assert answer.headers["Access-Control-Allow-Origin"] == GAME_ORIGIN
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
        assert "Origin" in answer.headers["Vary"]
        allowed = preflight(url, GAME_ORIGIN)
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == GAME_ORIGIN
        assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
        other = requests.get(url, headers={"Origin": "https://evil.example"}, timeout=20)
        assert "Access-Control-Allow-Origin" not in other.headers
        for origin, method in (("https://evil.example", "GET"), (GAME_ORIGIN, "POST")):
            refused = preflight(url, origin, method)
            assert refused.status_code == 400
            assert "Disallowed CORS" in refused.json()["error"]


def test_every_origin_may_read_when_that_is_the_setting(stores):
    with served(stores, api_origins="*") as address:
        answer = requests.get(f"{address}/readyz", headers={"Origin": "null"}, timeout=20)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_mistake_of_the_api_is_told_in_json():
    async def mistaken(request, settings):
        raise ZeroDivisionError("secret")

    endpoint = api.Endpoint(api.Question("/", "nothing", mistaken), Settings(), None)
    asked = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    answer = asyncio.run(endpoint._answer(Request(asked)))
    assert answer.status_code == 500
    assert json.loads(answer.body) == {"error": "The API has made a mistake; its log tells more."}
