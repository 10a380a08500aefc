"""Fetches the jars named in `native/jars.txt` by Maven coordinates and checks each one's sha256."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable
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
    """One jar: its sha256 in hex, the library folder it belongs to, and its coordinates.

    These are group:artifact:version, and :packaging:classifier for what is no jar.
    """

    sha256: str
    library: str
    coordinates: str

    @property
    def file(self) -> str:
        """The name of its file."""
        _, artifact, version, *rest = self.coordinates.split(":")
        packaging, *classifier = rest or ["jar"]
        return f"{'-'.join([artifact, version, *classifier])}.{packaging}"


def manifest() -> list[Jar]:
    """All jars that the project uses."""
    lines = MANIFEST.read_text().splitlines()
    return [Jar(*line.split()) for line in lines if line and not line.startswith("#")]


def fetch(folder: Path, *libraries: str) -> None:
    """Link every jar, or those of some libraries, as `folder/<library>/<its file>`.

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
    # One that two libraries need is downloaded once.
    links: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for jar in missing:
        links[jar.coordinates, jar.sha256].append(_link(folder, jar))
    with Progress() as progress, ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        task = progress.add_task("Fetching jars", total=len(links))
        provided = [pool.submit(_provide, context, folder, *of) for of in links.items()]
        for done in as_completed(provided):
            done.result()
            progress.advance(task)


def _link(folder: Path, jar: Jar) -> Path:
    return folder / jar.library / jar.file


def _provide(
    context: MavenContext, folder: Path, jar: tuple[str, str], links: Iterable[Path]
) -> None:
    coordinates, sha256 = jar
    group, artifact, version, *rest = coordinates.split(":")
    packaging, classifier = rest or ("jar", "")
    for _ in range(2):  # what a killed download left behind is fetched once more
        try:
            component = context.project(group, artifact).at_version(version)
            path = component.artifact(classifier, packaging).resolve()
        except (requests.RequestException, RuntimeError) as error:
            raise SetupError(
                f"Could not download {coordinates}: {error}. Check the network (or its proxy) "
                "and run this again."
            ) from error
        if _sha256(path) == sha256:
            for link in links:
                point(link, path, within=folder)
            return
        if folder in path.parents:
            path.unlink()
        else:
            context.local_repos.clear()
    raise SetupError(
        f"{path} is not the {coordinates} that this project was tested with (sha256 differs)."
    )


def point(link: Path, jar: Path, within: Path) -> None:
    """Let a link lead to a jar, whatever it led to.

    When both lie in one folder, it does so by a relative path: that may be moved, or copied.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    target, folder = jar.resolve(), link.parent.resolve()
    is_near = all(path.is_relative_to(within.resolve()) for path in (target, folder))
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(target, folder) if is_near else target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
