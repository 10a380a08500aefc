"""Fetches the jars named in `native/jars.txt` by Maven coordinates and checks each one's sha256."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import requests
from jgo.constants import default_maven_repo
from jgo.maven import MavenContext
from rich.progress import Progress

from clients.errors import SetupError

MANIFEST = Path(__file__).parent / "native" / "jars.txt"
DOWNLOADS_AT_ONCE = 8
TIMEOUT_SECONDS = 60


class Jar(NamedTuple):
    """One jar: its sha256 in hex, the library folder it belongs to, and its coordinates."""

    sha256: str
    library: str
    coordinates: str


def manifest() -> list[Jar]:
    """All jars that the project uses."""
    lines = MANIFEST.read_text().splitlines()
    return [Jar(*line.split()) for line in lines if line and not line.startswith("#")]


def fetch(folder: Path, *libraries: str) -> None:
    """Link every jar, or those of some libraries, as `folder/<library>/<name>.jar`.

    What is not at hand is downloaded. The machine's Maven repository is used when it has the jar,
    else one in `folder`. Raises SetupError when a download fails, or when a jar is not the one in
    the manifest.
    """
    wanted = [jar for jar in manifest() if not libraries or jar.library in libraries]
    missing = [jar for jar in wanted if not _link(folder, jar).exists()]
    if not missing:
        return
    context = MavenContext(
        repo_cache=folder / "maven",
        local_repos=[Path(default_maven_repo())],
        timeout=TIMEOUT_SECONDS,
    )
    with Progress() as progress, ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        task = progress.add_task("Fetching jars", total=len(missing))
        for done in as_completed([pool.submit(_provide, context, folder, jar) for jar in missing]):
            done.result()
            progress.advance(task)


def _link(folder: Path, jar: Jar) -> Path:
    _, artifact, version = jar.coordinates.split(":")
    return folder / jar.library / f"{artifact}-{version}.jar"


def _provide(context: MavenContext, folder: Path, jar: Jar) -> None:
    group, artifact, version = jar.coordinates.split(":")
    link = _link(folder, jar)
    link.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):  # what a killed download left behind is fetched once more
        try:
            path = context.project(group, artifact).at_version(version).artifact().resolve()
        except (requests.RequestException, RuntimeError) as error:
            raise SetupError(
                f"Could not download {jar.coordinates}: {error}. Check the network (or its proxy) "
                "and run this again."
            ) from error
        if _sha256(path) == jar.sha256:
            link.unlink(missing_ok=True)
            link.symlink_to(path.resolve())
            return
        if folder in path.parents:
            path.unlink()
        else:
            context.local_repos.clear()
    raise SetupError(
        f"{path} is not the {jar.coordinates} that this project was tested with (sha256 differs)."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
