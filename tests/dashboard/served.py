"""The page over boards whose rows have these names: python -m tests.dashboard.served NAME…"""

import sys
from unittest.mock import patch

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


with (
    patch.object(PostgresSink, "read", read),
    patch.object(health, "status", lambda _: Status("postgres")),
):
    main()
