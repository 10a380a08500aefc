"""How PostgreSQL is reached, as each of its roles."""

from __future__ import annotations

from urllib.parse import quote

import psycopg2
from psycopg2.extensions import connection, make_dsn, parse_dsn

from clients.passwords import passwords
from settings import Settings

DATABASE = "leaderboard"
ADMIN, FLINK = "leaderboard_admin", "leaderboard_flink"
READER, MODERATOR = "leaderboard_reader", "leaderboard_moderator"
KEEPER = "leaderboard_keeper"
TLS_OPTIONS = ("sslmode", "sslrootcert")  # of a connection string; libpq and JDBC understand both


def admin_dsn(settings: Settings) -> str:
    """Connection string of the role that may create the database and its roles."""
    if settings.postgres_url:
        return settings.postgres_url
    return _own_dsn(settings, ADMIN, "postgres_admin", "postgres")


def owner_dsn(settings: Settings) -> str:
    """Connection string to the boards' database as its owner."""
    dsn = admin_dsn(settings)
    return dsn if settings.postgres_url else make_dsn(dsn, dbname=DATABASE)


def reader_dsn(settings: Settings) -> str:
    """Connection string of the role that may read the views and nothing else."""
    return _role_dsn(settings, READER, "postgres_reader")


def moderator_dsn(settings: Settings) -> str:
    """Connection string of the role that may add decisions about bans and nothing else."""
    return _role_dsn(settings, MODERATOR, "postgres_moderator")


def keeper_dsn(settings: Settings) -> str:
    """Connection string of the role that adds what is final, the history and announcements."""
    return _role_dsn(settings, KEEPER, "postgres_keeper")


def flink_access(settings: Settings) -> dict[str, str]:
    """JDBC URL, user and password of the role that may write Flink's tables and nothing else."""
    return _jdbc(_role_dsn(settings, FLINK, "postgres_flink"))


def reader_access(settings: Settings) -> dict[str, str]:
    """The same of the role that may read the views and nothing else."""
    return _jdbc(reader_dsn(settings))


def _jdbc(dsn: str) -> dict[str, str]:
    parts = parse_dsn(dsn)
    host = f"{parts['host']}:{parts.get('port', '5432')}"
    options = "reWriteBatchedInserts=true&connectTimeout=5&socketTimeout=30&tcpKeepAlive=true"
    tls = {name: quote(parts[name], safe="/") for name in TLS_OPTIONS if name in parts}
    options += "".join(f"&{name}={value}" for name, value in tls.items())
    return {
        "jdbc_url": f"jdbc:postgresql://{host}/{parts['dbname']}?{options}",
        "jdbc_user": parts["user"],
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
    """A connection in autocommit mode. Raises psycopg2.OperationalError when nobody answers."""
    db = psycopg2.connect(dsn)
    db.autocommit = True
    return db
