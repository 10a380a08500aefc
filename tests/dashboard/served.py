"""The page over boards whose rows have these names: python -m tests.dashboard.served NAME…"""

import sys
from datetime import UTC, datetime
from unittest.mock import patch

from boards import announced
from boards.announcements import called
from boards.postgres import PostgresSink
from compose.status import Status
from dashboard import health
from dashboard.__main__ import main
from tests.dashboard.test_app import some_boards


def read(*_):
    names = sys.argv[1:]
    boards = some_boards(range(len(names), 0, -1))
    for rows in boards.rows.values():
        for row, name in zip(rows, names, strict=False):
            row |= {"team_name": name, "user_name": name}
    return boards


def newest(*_):
    rows = [
        {
            "announcement_number": number,
            "announced_at": datetime.now(UTC),
            "board": "top_players",
            "kind": "leader",
            "sentence": f"{called(name, 'u')} now leads Top players (1,451 points).",
            "entity_kind": "player",
            "entity_id": f"u{number}",
            "entity_name": called(name, "u"),
            "banned_at": None,
        }
        for number, name in enumerate(sys.argv[1:])
    ]
    return rows


with (
    patch.object(PostgresSink, "read", read),
    patch.object(announced, "newest", newest),
    patch.object(health, "status", lambda _: Status("postgres")),
):
    main()
