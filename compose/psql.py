"""Opens psql as the role that may read the views and nothing else: python -m compose.psql […]."""

from __future__ import annotations

import os
import shutil
import sys

from psycopg2.extensions import make_dsn, parse_dsn

from clients import postgres
from compose.postgres import programs
from settings import settings

PSQL = "psql"


def main() -> int:
    """Become psql; 1 with a message when there is none."""
    own = programs().folder / PSQL
    program = str(own) if own.exists() else shutil.which(PSQL)
    if program is None:
        print("psql is not here: install your system's client for PostgreSQL.", file=sys.stderr)
        return 1
    parts = parse_dsn(postgres.reader_dsn(settings))
    # Not on the command line, which everybody on the machine may read.
    secret = {"PGPASSWORD": parts.pop("password"), "PGOPTIONS": "-c search_path=leaderboard"}
    os.execve(program, [PSQL, make_dsn(**parts), *sys.argv[1:]], os.environ | secret)


if __name__ == "__main__":
    sys.exit(main())
