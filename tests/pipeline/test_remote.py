"""Somebody else's services, with TLS and a login: the pipeline runs, and shows no password."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals
from subprocess import DEVNULL
from typing import Any

import psycopg2
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

import settings as settings_module
from boards.sinks import sink as sink_of
from clients import postgres
from clients.passwords import write_secret
from compose import postgres as postgres_server
from compose import services
from settings import PREFIX, Settings
from tests import bounded, oracle
from tests.conftest import Stack, eventually, free_ports
from tests.pipeline.test_security import contents, everything, is_open, shown

PASSWORDS = {"SCRAM-SHA-512": "scram-4f1d9c0b7e", "PLAIN": 'plain "quoted" \\4f1d9c0b7e'}
BROKER = """
listeners=PLAINTEXT://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{controller},SASL_SSL://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required \
user_ada="{plain}";
ssl.keystore.type=PEM
ssl.keystore.location={certificate}
"""


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own, and what it signed for 127.0.0.1."""

    folder: Path
    name: str = "authority"

    def __post_init__(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.file)
        server = authority.issue_cert("127.0.0.1")
        key = load_pem_private_key(server.private_key_pem.bytes(), password=None)
        as_kafka_reads_it = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_secret(
            self.certificate, (as_kafka_reads_it + server.cert_chain_pems[0].bytes()).decode()
        )

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / f"{self.name}-server.pem"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def kafka(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a broker that takes nobody without TLS and a login."""
    inner, controller, port = free_ports(3)
    state = tmp_path_factory.mktemp("kafka")
    own = Settings(state_folder=str(state), kafka_port=inner, kafka_controller_port=controller)
    (state / "jars").symlink_to(Settings().state / "jars")
    for folder in ("conf", "logs"):
        (state / folder).mkdir()
    values = services._values(own)
    services._render("log4j2.properties", state / "conf" / "log4j2.properties", values)
    config = state / "conf" / "kafka.properties"
    services._render("kafka.properties", config, values)
    with config.open("a") as file:
        modules = "org.apache.kafka.common.security"
        # Once for the login module, once more for the file.
        plain = PASSWORDS["PLAIN"].replace("\\", r"\\").replace('"', r"\"").replace("\\", r"\\")
        file.write(BROKER.format(**locals(), certificate=authority.certificate))
    user = f"SCRAM-SHA-512=[name=ada,password={PASSWORDS['SCRAM-SHA-512']}]"
    arguments = [
        "format",
        "--config",
        str(config),
        "--cluster-id",
        "bGVhZGVyYm9hcmRzLTAwMg",
        "--add-scram",
        user,
    ]
    there: dict[str, Any] = {"cwd": state, "env": os.environ | services._environment(own)}
    command = services._java("kafka", 128, "kafka.tools.StorageTool", *arguments)
    subprocess.run(command, check=True, **there)
    with process(services._kafka(own).command, services._kafka(own).is_ready, **there):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def database(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The administrator's URL of a PostgreSQL that takes nobody without TLS."""
    (port,) = free_ports(1)
    own = Settings(state_folder=str(tmp_path_factory.mktemp("postgres")), postgres_port=port)
    postgres_server.make_cluster(own, "admin-4f1d9c0b7e")
    folder = postgres_server.data_folder(own)
    (folder / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "ssl": "on",
        "ssl_cert_file": authority.certificate,
        "ssl_key_file": authority.certificate,
    }
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    command = [
        *postgres_server.as_unprivileged(),
        str(postgres_server.programs().folder / "postgres"),
        "-D",
        str(folder),
        *words,
    ]
    tls = f"sslmode=verify-full&sslrootcert={authority.file}"
    url = f"postgresql://{postgres.ADMIN}:admin-4f1d9c0b7e@127.0.0.1:{port}/{{}}?{tls}"
    # By SIGINT, PostgreSQL waits for nobody.
    with process(command, lambda: postgres.connect(url.format("postgres")).close(), SIGINT):
        db = postgres.connect(url.format("postgres"))
        with db.cursor() as cursor:
            cursor.execute("CREATE DATABASE boards")
        db.close()
        yield url.format("boards")


@contextmanager
def process(
    command: list[str], is_ready, stop_signal: Signals = SIGTERM, **there: Any
) -> Iterator[None]:
    """A service of somebody else's, from when it answers on."""
    started = subprocess.Popen(command, stdout=DEVNULL, stderr=DEVNULL, **there)
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(services.NOT_READY),
            wait=wait_fixed(0.25),
            stop=stop_after_delay(60),
        ):
            with attempt:
                is_ready()
        yield
    finally:
        started.send_signal(stop_signal)
        started.wait(timeout=60)


@pytest.fixture
def remote(stack: Stack, authority: Authority, kafka: str, database: str, tmp_path: Path):
    """The stack's Flink with that broker and that database, by a chosen mechanism."""

    def with_mechanism(mechanism: str, **changed: str) -> Stack:
        secret = tmp_path / "secret"
        secret.write_text(f"{PASSWORDS[mechanism]}\n")
        chosen = {
            "kafka_brokers": kafka,
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": mechanism,
            "kafka_username": "ada",
            "kafka_password_file": str(secret),
            "kafka_ca_file": str(authority.file),
            "postgres_url": database,
            "topic": f"scores-{mechanism.lower()}",
        } | changed
        environment = stack.environment | {
            PREFIX + name.upper(): value for name, value in chosen.items()
        }
        return Stack(settings_module.read(environment), environment)

    return with_mechanism


@pytest.mark.parametrize(("sink", "mechanism"), [("postgres", "SCRAM-SHA-512"), ("kafka", "PLAIN")])
def test_the_pipeline_runs_through_tls_and_a_login(remote, sink, mechanism):
    stack = remote(mechanism)
    stack.run("compose", "create")
    stack.run("generator", "--count", "300", "--rate", "1000", "--seed", "3")
    expected = oracle.top_teams(oracle.totals(oracle.accepted(stack.records())))
    assert expected
    title = f"remote to {mechanism}"
    teams = bounded.GAME.board("top_teams")
    bounded.submit(stack.settings, [teams], title, sink, is_bounded=True)
    bounded.await_end(stack.settings, title)

    def check() -> None:
        assert sink_of(sink, stack.settings).read(bounded.GAME).rows[teams.name] == expected

    eventually(check)
    assert [
        path for path, text in everything(stack.settings) if shown(text, [PASSWORDS[mechanism]])
    ] == []
    secret = PASSWORDS[mechanism][-10:]
    holding = [
        file
        for file, content in contents(stack.settings.state)
        if shown(content.decode("latin-1"), [secret])
    ]
    assert [file.name for file in holding] == ["kafka_login.properties"]
    assert not is_open(holding[0], stack.settings.state)


@pytest.mark.parametrize("wrong", ["password", "authority"])
def test_a_broker_that_refuses_or_is_not_trusted_is_said_in_a_sentence(remote, tmp_path, wrong):
    guessed = tmp_path / "guessed"
    guessed.write_text("guessed")
    other = str(Authority(tmp_path, "other").file)
    changed = (
        {"kafka_password_file": str(guessed)} if wrong == "password" else {"kafka_ca_file": other}
    )
    refused = remote("SCRAM-SHA-512", **changed).run("compose", "create", check=False)
    assert refused.returncode == 1
    assert "refuses the login" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_database_with_a_certificate_of_somebody_else_is_not_trusted(
    database, authority, tmp_path
):
    other = Authority(tmp_path, "other")
    with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
        postgres.connect(database.replace(str(authority.file), str(other.file)))


def test_that_database_takes_nobody_without_tls(database):
    with pytest.raises(psycopg2.OperationalError, match=r"no pg_hba.conf entry"):
        postgres.connect(database.replace("verify-full", "disable"))
