"""The page over boards whose rows have these names: python -m tests.dashboard.served NAME…"""

import sys

from compose.status import Status
from dashboard import boards, health
from dashboard.__main__ import main
from tests.dashboard.test_app import shown_boards


def read(*_):
    names = sys.argv[1:]
    shown = shown_boards(range(len(names), 0, -1))
    for rows in shown.rows.values():
        for row, name in zip(rows, names, strict=False):
            row |= {"team_name": name, "user_name": name}
    return shown


boards.read = read
health.status = lambda _: Status("postgres")
main()
