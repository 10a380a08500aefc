"""How clients are told to reach Kafka.

The login's password is in a file, never in a table's options.
"""

from __future__ import annotations

import gc
import logging
import socket
import stat
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    CorruptRecordError,
    KafkaConnectionError,
    KafkaTimeoutError,
    UnsupportedCodecError,
)
from kafka.record.util import crc32c_c

import games
from clients import kafka, postgres
from clients.errors import SetupError
from jobs import environment
from settings import SettingError, Settings, read

PASSWORD = 'a "b" \\c'


@pytest.fixture
def remote(tmp_path: Path) -> Settings:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    return Settings(
        state_folder=str(tmp_path),
        kafka_brokers="one:9093,two:9093",
        kafka_security_protocol="SASL_SSL",
        kafka_username="ada",
        kafka_password_file=str(secret),
        kafka_ca_file="/ca.pem",
    )


def test_our_own_broker_is_reached_by_its_address_alone():
    assert kafka.table_options(Settings()) == "'properties.bootstrap.servers' = '127.0.0.1:9092',"
    assert kafka.connection(Settings()) == {
        "bootstrap_servers": ["127.0.0.1:9092"],
        "security_protocol": "PLAINTEXT",
    }


def test_python_clients_log_in(remote):
    assert kafka.connection(remote) == {
        "bootstrap_servers": ["one:9093", "two:9093"],
        "security_protocol": "SASL_SSL",
        "ssl_cafile": "/ca.pem",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ada",
        "sasl_plain_password": PASSWORD,
    }


def test_flink_reads_the_login_from_a_file_of_its_owner(remote):
    options = kafka.table_options(remote)
    file = remote.state / "conf" / "kafka_login.properties"
    # Where the services run, which does not change when the folder is moved.
    seen = "/proc/self/cwd/conf/kafka_login.properties"
    assert f"'properties.sasl.jaas.config' = '${{file:{seen}:login}}'," in options
    yours = replace(remote, flink_rest_address="flink:8081")
    assert f"'${{file:{file}:login}}'," in kafka.table_options(yours)
    assert "'properties.ssl.truststore.location' = '/ca.pem'," in options
    assert "ada" not in options
    assert "\\c" not in options
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # Java's properties take one backslash of two, JAAS one of the two that are left.
    assert file.read_text().endswith(r'username="ada" password="a \\"b\\" \\\\c";' + "\n")


def test_a_password_file_that_is_not_there_is_named_with_its_setting(remote, tmp_path):
    (tmp_path / "secret").unlink()
    with pytest.raises(SetupError, match="LEADERBOARD_KAFKA_PASSWORD_FILE"):
        kafka.connection(remote)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "KAFKA_BROKERS"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_BROKERS": "a:1"}, "KAFKA_USERNAME"),
        ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM"),
    ],
)
def test_half_a_login_is_refused_by_what_is_missing(given, named):
    with pytest.raises(SettingError, match=f"LEADERBOARD_{named}"):
        read({f"LEADERBOARD_{name}": value for name, value in given.items()})


def test_a_databases_tls_reaches_flink_too(tmp_path):
    tls = "sslmode=verify-full&sslrootcert=/of us/ca.pem"
    url = f"postgresql://admin@db:5433/boards?{tls}&connect_timeout=5"
    access = postgres.flink_access(Settings(state_folder=str(tmp_path), postgres_url=url))
    assert access["jdbc_url"].startswith("jdbc:postgresql://db:5433/boards?")
    options = set(access["jdbc_url"].split("&"))
    assert {"sslmode=verify-full", "sslrootcert=/of%20us/ca.pem"} <= options


@pytest.mark.parametrize("kind", [KafkaConsumer, KafkaProducer, KafkaAdminClient])
def test_a_client_that_finds_no_broker_leaves_nothing_behind(kind, caplog):
    """The page and the monitor try again all day.

    What leaks does so each time; other threads' files come and go.
    """
    left = []
    # Or the messages that pytest keeps hold what they are of.
    caplog.set_level(logging.CRITICAL, "kafka")

    def held() -> tuple[int, int]:
        gc.collect()  # which closes the sockets of refused attempts
        return threading.active_count(), psutil.Process().num_fds()

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and does not listen
        settings = Settings(kafka_brokers=f"127.0.0.1:{silent.getsockname()[1]}")
        for _ in range(5):
            before = held()
            with pytest.raises(KafkaTimeoutError):
                kafka.client(kind, settings, bootstrap_timeout_ms=50)
            left.append(tuple(now - then for now, then in zip(held(), before, strict=True)))
    assert (0, 0) in left


@pytest.mark.parametrize(
    ("error", "brokers", "advice"),
    [
        (KafkaConnectionError(), "", "scripts/run_all.sh starts what is down"),
        (KafkaTimeoutError(), "", "scripts/run_all.sh starts what is down"),
        (UnsupportedCodecError(), "", "which installs it"),
        (CorruptRecordError(), "", "kafka.log"),
        (KafkaConnectionError(), "one:9093", "LEADERBOARD_KAFKA_BROKERS"),
        (UnsupportedCodecError(), "one:9093", "which installs it"),
    ],
)
def test_advice_fits_the_error(error, brokers, advice):
    said = kafka.remedy(error, Settings(kafka_brokers=brokers))
    assert advice in said
    assert ("starts what is down" in said) == ("starts what is down" in advice)


def test_checksums_are_computed_natively():
    """kafka-python falls back to Python, which takes a second for two megabytes."""
    assert crc32c_c


def test_every_topic_that_others_write_is_read_without_what_is_not_committed():
    statements = environment.source_statements(games.load("score"), Settings(), "group")
    tables = [each for each in statements if "'connector' = 'kafka'" in each]
    assert tables
    assert all("'properties.isolation.level' = 'read_committed'" in each for each in tables)
    assert "isolation" not in kafka.table_options(Settings())  # it says nothing to who writes
