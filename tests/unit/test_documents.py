"""The documents lead where they say, and code that cites the contract cites what is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from settings import PROJECT

CONTRACT = (PROJECT / "docs" / "contract.md").read_text()
SECTIONS = set(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", CONTRACT, re.M))
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")])


def citing() -> dict[str, set[str]]:
    """The sections of the contract that each file cites, as in "docs/contract.md, 2.1"."""
    files = subprocess.run(
        [
            "git",
            "grep",
            "--untracked",
            "-lE",
            r"docs/contract\.md[ ,(]+[0-9]",
            "--",
            "*.py",
            "*.sql",
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    pattern = re.compile(r"docs/contract\.md[ ,(]+((?:\d+(?:\.\d+)?(?:, | and )?)+)")
    return {
        file: {
            number
            for found in pattern.findall((PROJECT / file).read_text())
            for number in re.findall(r"\d+(?:\.\d+)?", found)
        }
        for file in files
    }


def test_code_cites_sections_that_the_contract_has():
    cited = citing()
    assert len(cited) > 10
    assert {file: numbers - SECTIONS for file, numbers in cited.items() if numbers - SECTIONS} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_to_a_file_and_a_heading(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
        file = (page.parent / target) if target else page
        assert file.exists(), target
        if anchor:
            assert anchor in headings(file), f"{target}#{anchor}"


def headings(file: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", file.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_the_readme_is_short():
    assert len((PROJECT / "README.md").read_text().splitlines()) <= 160
