"""The schema registry that this project starts: Apicurio's, by its interface like Confluent's.

Its schemas lie in a file of the database H2 in the state folder, and so outlive a restart.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from tempfile import mkdtemp

from compose import jars
from settings import Settings

LIBRARY = "registry"
JAVA = "REGISTRY_JAVA_HOME"  # names its Java to its command line
HEAP_MB = 192


def is_own(settings: Settings) -> bool:
    """Whether this project starts one."""
    return settings.has_avro and not settings.schema_registry_url


def unpack(folder: Path) -> None:
    """Unpack the archive in a folder of jars, if it is there and is not unpacked yet."""
    archive, target = _archive(folder), _program(folder).parent
    if not archive.exists() or target.exists():
        return
    unfinished = Path(mkdtemp(dir=archive.parent))
    with tarfile.open(archive) as packed:
        packed.extractall(unfinished, filter="data")
    unfinished.rename(target)


def command(settings: Settings) -> list[str]:
    """The command line, to be run in the state folder."""
    options = {
        "quarkus.http.host": settings.bind_address,
        "quarkus.http.port": settings.schema_registry_port,
        # Else it would listen on a second port, on every address.
        "quarkus.management.host-enabled": "false",
        "quarkus.http.access-log.enabled": "false",
        'quarkus.log.category."io.apicurio".level': "WARN",
        "apicurio.storage.kind": "sql",
        "apicurio.storage.sql.kind": "h2",
        "apicurio.datasource.url": "jdbc:h2:file:./data/registry/schemas",
        "apicurio.datasource.jdbc.initial-size": 1,
        "apicurio.datasource.jdbc.min-size": 1,
        "apicurio.datasource.jdbc.max-size": 10,
    }
    java = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Xms{HEAP_MB}m", f"-Xmx{HEAP_MB}m"]
    words = [*java, *(f"-D{name}={value}" for name, value in options.items())]
    start = f'exec "${JAVA}/bin/java" "$@"'
    return ["bash", "-c", start, LIBRARY, *words, "-jar", str(_program(Path("jars")))]


def _archive(folder: Path) -> Path:
    (jar,) = (each for each in jars.manifest() if each.library == LIBRARY)
    return folder / LIBRARY / jar.file


def _program(folder: Path) -> Path:
    archive = _archive(folder)
    return archive.parent / archive.name.removesuffix(".tar.gz") / "quarkus-run.jar"
