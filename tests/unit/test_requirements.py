"""What is installed is what was looked at: every package with its version and its hashes."""

from __future__ import annotations

import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from settings import PROJECT

LOCK = (PROJECT / "requirements.lock").read_text()
LINES = (PROJECT / "requirements.txt").read_text().splitlines()
# A package and what follows up to the next one.
LOCKED = re.findall(r"^(\S+==[^\\\n]+)((?:\\?\n[ ].*)*)", LOCK, flags=re.MULTILINE)


def versions(lines: list[str]) -> set[tuple[str, str]]:
    wanted = map(Requirement, lines)
    return {(canonicalize_name(each.name), str(each.specifier)) for each in wanted}


def test_the_lock_has_all_that_the_list_names():
    wanted = versions([line for line in LINES if line and line[0] != "#"])
    assert len(wanted) > 20
    assert wanted <= versions([requirement for requirement, _ in LOCKED])


def test_the_lock_has_a_hash_for_every_package():
    assert len(LOCKED) == len(re.findall("^[^ #\n]", LOCK, flags=re.MULTILINE))
    assert [requirement for requirement, hashes in LOCKED if "--hash=sha256:" not in hashes] == []


def test_the_lock_names_no_place():
    assert "://" not in LOCK
    assert "--index" not in LOCK.replace("--no-emit-index-url", "")
