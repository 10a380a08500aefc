"""Jars are the ones that the manifest names, whatever a killed download left behind."""

from __future__ import annotations

import hashlib

import pytest
from jgo.maven import Artifact

from clients.errors import SetupError
from compose import jars
from compose.jars import Jar

CONTENT = b"a jar"
JAR = Jar(hashlib.sha256(CONTENT).hexdigest(), "flink", "org.example:thing:1.0")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for jars; whatever is downloaded into it is the right jar."""

    def download(self):
        path = tmp_path / "maven" / "thing-1.0.jar"
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_bytes(CONTENT)
        return path

    monkeypatch.setattr("jgo.maven.Artifact.resolve", download)
    monkeypatch.setattr(jars, "manifest", lambda: [JAR])
    return tmp_path


def test_a_jar_is_linked_into_its_library(folder):
    jars.fetch(folder)
    assert (folder / "flink" / "thing-1.0.jar").read_bytes() == CONTENT


def test_a_jar_of_two_libraries_is_downloaded_once(folder, monkeypatch):
    two = [JAR, JAR._replace(library="kafka")]
    monkeypatch.setattr(jars, "manifest", lambda: two)
    asked = []
    download = Artifact.resolve
    monkeypatch.setattr("jgo.maven.Artifact.resolve", lambda it: asked.append(it) or download(it))
    jars.fetch(folder)
    for jar in two:
        assert (folder / jar.library / "thing-1.0.jar").read_bytes() == CONTENT
    assert len(asked) == 1


def test_a_moved_folder_keeps_its_jars(folder):
    jars.fetch(folder)
    moved = folder.rename(folder.with_name("elsewhere"))
    assert (moved / "flink" / "thing-1.0.jar").read_bytes() == CONTENT


def test_half_a_jar_is_fetched_again(folder):
    (folder / "maven").mkdir()
    (folder / "maven" / "thing-1.0.jar").write_bytes(CONTENT[:2])
    jars.fetch(folder)
    assert (folder / "flink" / "thing-1.0.jar").read_bytes() == CONTENT


def test_another_jar_under_the_same_name_is_refused(folder, monkeypatch):
    monkeypatch.setattr(jars, "manifest", lambda: [JAR._replace(sha256="0" * 64)])
    with pytest.raises(SetupError, match=r"org\.example:thing:1\.0"):
        jars.fetch(folder)


def test_no_network_says_what_to_check(folder, monkeypatch):
    def fail(self):
        raise RuntimeError("no route to host")

    monkeypatch.setattr("jgo.maven.Artifact.resolve", fail)
    with pytest.raises(SetupError, match="Check the network"):
        jars.fetch(folder)


def test_every_line_of_the_manifest_is_a_jar():
    named = jars.manifest()
    assert {jar.library for jar in named} == {
        "compiler",
        "flink",
        "kafka",
        "operator",
        "profiler",
        "registry",
        "sql",
    }
    assert all(len(jar.sha256) == 64 and jar.coordinates.count(":") in (2, 4) for jar in named)


def test_what_is_no_jar_is_called_as_in_the_repository():
    archive = JAR._replace(coordinates="org.example:thing:1.0:tar.gz:all")
    assert (JAR.file, archive.file) == ("thing-1.0.jar", "thing-1.0-all.tar.gz")


def test_flink_reads_what_is_compressed_by_zstd_as_the_broker_does():
    """Its connector brings the other codecs along."""
    codecs = {
        library: {jar.coordinates for jar in jars.manifest() if jar.library == library}
        for library in ("flink", "kafka")
    }
    (zstd,) = (each for each in codecs["kafka"] if ":zstd-jni:" in each)
    assert zstd in codecs["flink"]
