"""Compiles the Java functions that the SQL calls into a jar beside Flink's own."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from clients.errors import SetupError
from clients.java import java_home
from compose import jars
from settings import PROJECT

SOURCE = PROJECT / "functions"
NAME = "leaderboard-functions"
# Of the version that Flink's wheel needs at least. `--release` would need a JDK.
OPTIONS = ["-source", "17", "-target", "17", "-parameters", "-proc:none", "-failOnWarning"]


def compile_into(library: Path, jars_folder: Path) -> None:
    """Put a jar of the functions into a library, which has Flink's jars, unless it is there.

    The Eclipse compiler, fetched into `jars_folder`, needs no JDK. Raises SetupError when it
    cannot be had, or when the source does not compile.
    """
    jar = library / f"{NAME}-{_digest()}.jar"
    if jar.exists():
        return
    jars.fetch(jars_folder, "compiler")
    (compiler,) = (jars_folder / "compiler").glob("*.jar")
    with TemporaryDirectory() as folder:
        _compile(Path(folder), library, compiler)
        unfinished = Path(folder) / jar.name
        _pack(unfinished, Path(folder) / "classes")
        for old in library.glob(f"{NAME}-*.jar"):
            old.unlink()
        jar.write_bytes(unfinished.read_bytes())


def _digest() -> str:
    digest = hashlib.sha256()
    for file in _files():
        digest.update(str(file.relative_to(SOURCE)).encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _files() -> list[Path]:
    return sorted(file for file in SOURCE.rglob("*") if file.is_file())


def _compile(folder: Path, library: Path, compiler: Path) -> None:
    sources = [str(file) for file in _files() if file.suffix == ".java"]
    classpath = ":".join(map(str, sorted(library.glob("flink-*.jar"))))
    java = java_home() / "bin" / "java"
    command = [str(java), "-jar", str(compiler), *OPTIONS, "-cp", classpath]
    command += ["-d", str(folder / "classes"), *sources]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SetupError(f"The functions do not compile:\n{done.stdout}{done.stderr}")


def _pack(jar: Path, classes: Path) -> None:
    services = [file for file in _files() if "META-INF" in file.parts]
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(classes.rglob("*.class")):
            packed.write(file, file.relative_to(classes))
        for file in services:
            packed.write(file, file.relative_to(SOURCE / "java"))
