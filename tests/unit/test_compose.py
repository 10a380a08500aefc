"""The containers' file, as far as it can be judged without a container engine."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from string import Template
from subprocess import DEVNULL
from threading import Thread

import jsonschema
import pytest
from ruamel.yaml import YAML

import games
from compose import flink, prepare, registry, services
from settings import PREFIX, PROJECT, SETTINGS, Settings

FOLDER = PROJECT / "compose"
TEXT = (FOLDER / "docker-compose.yml").read_text()
FILE = YAML(typ="safe").load(TEXT)
SERVICES = FILE["services"]
ONE_SHOTS = {"prepare", "setup"}
GAMES = [
    each.name
    for each in iter_modules(games.__path__)
    if hasattr(import_module(f"games.{each.name}"), "GAME")
]
EVERY_GAME = Settings(games=",".join(GAMES))
ON_DEMAND = {
    name
    for name, service in SERVICES.items()
    if service.get("profiles") and not set(service["profiles"]) <= set(GAMES)
}
ENV = dict(
    line.split("=", 1)
    for line in (FOLDER / ".env").read_text().splitlines()
    if line and line[0] != "#"
)
NAMES = {PREFIX + name.upper(): str(default) for name, default, _ in SETTINGS}
OF_GAMES = {game.service: game for game in games.chosen(EVERY_GAME) if game.injector}
INJECTORS = [each for each in services.services(EVERY_GAME) if each.name in OF_GAMES]

# What the network of the containers decides, and nobody else.
FIXED = {
    "state_folder", "bind_address", "kafka_brokers", "postgres_url", "flink_rest_address",
    "kafka_controller_port", "zookeeper_port", "supervisor_port", "flink_rpc_port",
    "flink_blob_port", "flink_taskmanager_port", "flink_data_port", "kafka_security_protocol",
    "kafka_ca_file", "schema_registry_url", "schema_registry_ca_file", "schema_registry_login_file",
    "kafka_sasl_mechanism", "kafka_username", "kafka_password_file",
    "dashboard_address", "page_without_login", "oidc_metadata_url", "oidc_client_id",
    "oidc_client_secret_file", "oidc_allowed", "oidc_moderators",
    "api_token_file", "moderation_page", "webhooks_file", "webhook_secret_file",
}  # fmt: skip

# By its defaults, or by JOB_MANAGER_RPC_ADDRESS.
GIVEN_BY_THE_IMAGE = {
    "env.java.opts.all", "jobmanager.bind-host", "jobmanager.rpc.address", "taskmanager.bind-host",
    "taskmanager.host", "blob.server.port", "taskmanager.resource-id",
}  # fmt: skip


def test_there_are_the_services_that_run_without_containers_too():
    native = {service.name for service in services.services(EVERY_GAME)}
    assert set(SERVICES) - ONE_SHOTS - ON_DEMAND == native


def test_an_injector_has_its_games_profile_unless_the_game_is_computed_by_default():
    by_default = games.chosen(Settings())
    for name, game in OF_GAMES.items():
        own = [] if game in by_default else [game.name]
        assert SERVICES[name].get("profiles", []) == own


def test_it_is_what_the_compose_specification_allows():
    package = find_spec("check_jsonschema")
    schema = Path(package.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(FILE, json.loads(schema.read_text()))


def test_every_variable_has_a_value():
    assert set(re.findall(r"(?<!\$)\$\{?(\w+)", TEXT)) == set(ENV)


def test_every_setting_has_its_default_or_is_fixed():
    fixed = {PREFIX + name.upper() for name in FIXED}
    expected = {name: default for name, default in NAMES.items() if name not in fixed}
    # Its default looks at the machine's memory, which a container cannot do.
    expected["LEADERBOARD_FLINK_TASKMANAGER_MEMORY_MB"] = "2048"
    assert expected == ENV


def test_every_name_is_a_setting():
    assert set(re.findall(rf"{PREFIX}\w+", TEXT)) <= set(NAMES)


def test_the_image_has_every_room():
    kept = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    rooms = {path.parent.name for path in PROJECT.glob("*/__init__.py")} - {"benchmarks", "tests"}
    assert {"games", "boards", "compose"} < rooms
    assert rooms | {"data", "sql", "settings.py"} <= {line.removeprefix("!") for line in kept}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_can_happen(name):
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if other in ONE_SHOTS:
            assert how == {"condition": "service_completed_successfully"}
            assert "restart" not in SERVICES[other]
        else:
            # One of a profile may be left out.
            optional = {"required": False} if other in ON_DEMAND else {}
            assert how == {"condition": "service_healthy"} | optional
            assert "healthcheck" in SERVICES[other]


@pytest.mark.parametrize("name", ["dashboard", "api", "monitor"])
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_a_service_is_asked_for_its_health_without_a_proxy(name, status, code):
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.handle_request).start()
        asked = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{server.server_port}", _health(name))
        python = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
        done = subprocess.run(["sh", "-c", asked], env=os.environ | python | proxy, stderr=DEVNULL)
    assert done.returncode == code


@pytest.mark.parametrize("name", ["jobmanager", "taskmanager"])
def test_flink_is_asked_for_its_health_without_a_proxy(name):
    assert _health(name).startswith("wget --no-proxy ")


def _health(name: str) -> str:
    """The command by which the containers' engine asks for it."""
    return SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_for_this_machine_only(name):
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{LEADERBOARD_\w+_PORT\}:\d+", port)


@pytest.mark.parametrize("name", SERVICES)
def test_images_have_a_version(name):
    assert re.fullmatch(r"[\w/-]+:v?\d[\w.-]*", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_volumes_are_declared_and_at_the_state_folder(name):
    mounts = SERVICES[name].get("volumes", [])
    volumes = [volume.split(":") for volume in mounts if not volume.startswith("./")]
    assert {volume[0] for volume in volumes} <= set(FILE["volumes"])
    state = FILE["x-python"]["environment"]["LEADERBOARD_STATE_FOLDER"]
    assert all(volume[1] == state for volume in volumes if volume[0] == "state")


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_files_of_the_project_are_there_and_cannot_be_changed(name):
    mounts = [volume.split(":") for volume in SERVICES[name]["volumes"] if volume.startswith("./")]
    assert mounts
    assert all((FOLDER / path).is_file() and mode == "ro" for path, _, mode in mounts)


def metrics_port(service: services.Service) -> list[int]:
    """The ports on which an injector tells how far it is."""
    return [port for name, port in service.ports.items() if name.endswith("metrics_port")]


def test_prometheus_asks_where_the_metrics_are():
    config = YAML(typ="safe").load(FOLDER / "monitoring" / "prometheus.yml")
    asked = [
        target
        for each in config["scrape_configs"]
        for static in each.get("static_configs", [])
        for target in static["targets"]
    ]
    flink = _flink_properties()["metrics.reporter.prometheus.port"]
    monitor = f"monitor:{Settings().monitor_port}"
    injectors = [
        f"{service.name}:{port}" for service in INJECTORS for port in metrics_port(service)
    ]
    assert asked == [monitor, *injectors, f"jobmanager:{flink}"]
    assert config["scrape_configs"][-1]["dns_sd_configs"] == [
        {"names": ["taskmanager"], "type": "A", "port": int(flink)}
    ]


def without_rate(command: list[str]) -> list[str]:
    """The words of a command but for the rate, which may come from the environment."""
    if "--rate" not in command:
        return command
    rate = command.index("--rate")
    assert float(command[rate + 1]) == Settings().rate_per_second
    return command[:rate] + command[rate + 2 :]


@pytest.mark.parametrize("service", INJECTORS, ids=lambda service: service.name)
def test_an_injector_is_started_as_without_containers(service):
    there = Template(SERVICES[service.name]["command"]).substitute(NAMES).split()
    assert without_rate(there) == without_rate(service.command)
    for name, port in service.ports.items():
        published = f"127.0.0.1:${{{PREFIX}{name.upper()}}}:{port}"
        assert published in SERVICES[service.name]["ports"]


def test_there_is_no_password():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or name.endswith("_FILE")
            assert not re.search(r"://[^/@]*:[^/@]*@", str(value))
    assert "PASSWORD" not in (FOLDER / ".env").read_text()


def test_flink_is_set_as_without_containers(tmp_path):
    environment = SERVICES["taskmanager"]["environment"]
    # Its reporter listens on every interface: in the containers' network that is no harm.
    reporter = "metrics.reporter."
    ours = {
        key: value for key, value in _flink_properties().items() if not key.startswith(reporter)
    }
    prepare.write_slots(Settings(state_folder=str(tmp_path)))
    slots = (tmp_path / prepare.SLOTS_FILE).read_text().strip()
    ours["taskmanager.numberOfTaskSlots"] = slots
    native = native_flink()
    for short, name in (("JM", "jobmanager"), ("TM", "taskmanager")):
        options = Template(environment[f"FLINK_ENV_JAVA_OPTS_{short}"]).substitute(ENV)
        assert options.strip() == native.pop(f"env.java.opts.{name}")
    native |= {"rest.address": "jobmanager", "rest.bind-address": "0.0.0.0"}
    native |= {"high-availability.zookeeper.quorum": "zookeeper:2181"}
    for key in GIVEN_BY_THE_IMAGE:
        native.pop(key)
    assert ours == {key: value.replace(" ", "") for key, value in native.items()}


def _flink_properties() -> dict[str, str]:
    text = Template(SERVICES["taskmanager"]["environment"]["FLINK_PROPERTIES"]).substitute(ENV)
    return dict(line.split(": ", 1) for line in text.splitlines())


def native_flink() -> dict[str, str]:
    values = asdict(Settings()) | {
        "state_in_flink": "/state",
        "java_options": "",
        "taskmanager_memory_mb": ENV["LEADERBOARD_FLINK_TASKMANAGER_MEMORY_MB"],
        "task_slots": flink.task_slots(Settings()),
    }
    text = Template((FOLDER / "native" / "flink.yaml").read_text()).substitute(values)
    return dict(_flat(YAML(typ="safe").load(text)))


def _flat(tree: dict, path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", str(value).lower() if isinstance(value, bool) else str(value)


def test_there_are_slots_for_every_parallel_job(tmp_path):
    assert SERVICES["taskmanager"]["scale"] == "${LEADERBOARD_PARALLELISM}"
    one, four = (Settings(state_folder=str(tmp_path), parallelism=number) for number in (1, 4))
    prepare.write_slots(four)
    each = int((tmp_path / prepare.SLOTS_FILE).read_text())
    assert 4 * each == flink.task_slots(four)
    assert each == flink.task_slots(one)
    jobs = [job for game in games.chosen(one) for job in game.jobs]
    assert each == len(jobs) + 1


def test_flink_is_told_the_slots_in_a_line_of_their_own(tmp_path):
    state = FILE["x-python"]["environment"]["LEADERBOARD_STATE_FOLDER"]
    (script,) = (word for word in SERVICES["taskmanager"]["entrypoint"] if "&&" in word)
    (told,) = re.findall(r"FLINK_PROPERTIES\+=.*?(?= && )", script)
    assert f"$$(cat {state}/{prepare.SLOTS_FILE})" in told
    (tmp_path / prepare.SLOTS_FILE).write_text("6\n")
    own = told.replace("$$", "$").replace(state, str(tmp_path))
    properties = SERVICES["taskmanager"]["environment"]["FLINK_PROPERTIES"]
    done = subprocess.run(
        ["bash", "-c", f"{own}; printenv FLINK_PROPERTIES"],
        env=os.environ | {"FLINK_PROPERTIES": properties},
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"{properties}taskmanager.numberOfTaskSlots: 6\n"
    assert len(done.stdout.splitlines()) == len(properties.splitlines()) + 1


def test_kafka_is_set_as_without_containers():
    native = _properties("kafka.properties")
    settings = {key: value for key, value in native.items() if "${" not in value}
    settings.pop("log.dirs")  # a volume there
    ours = SERVICES["kafka"]["environment"]
    names = {key: "KAFKA_" + key.upper().replace(".", "_") for key in settings}
    assert {key: str(ours.get(name)) for key, name in names.items()} == settings


def test_the_registry_is_set_as_without_containers():
    words = registry.command(dataclasses.replace(Settings(), event_format="avro"))
    native = dict(word[2:].split("=", 1) for word in words if word.startswith("-D"))
    native["apicurio.datasource.url"] = "jdbc:h2:file:/data/schemas"  # a volume there
    for name in (
        "quarkus.http.host",
        "quarkus.http.port",
        'quarkus.log.category."io.apicurio".level',
    ):
        native.pop(name)
    ours = SERVICES["registry"]["environment"]
    names = {key: re.sub(r"\W", "_", key).upper() for key in native}
    assert {key: str(ours[name]) for key, name in names.items()} == native


def test_postgres_is_set_as_without_containers():
    command = SERVICES["postgres"]["command"]
    ours = dict(word[2:].split("=", 1) for word in command if word.startswith("-c"))
    properties = _properties("postgresql.conf")
    native = {key: value.strip("'") for key, value in properties.items() if "${" not in value}
    native.pop("unix_socket_directories")  # the image's own scripts use it
    assert ours == native


def _properties(name: str) -> dict[str, str]:
    lines = (FOLDER / "native" / name).read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and line[0] != "#")
    return {key.strip(): value.strip() for key, value in pairs}
