"""Files that several write and read at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clients.files import write_whole

TEXTS = [letter * 10_000 for letter in "abcdefgh"]


def test_a_file_that_many_write_at_once_is_one_of_theirs(tmp_path: Path):
    path = tmp_path / "note.json"
    with ThreadPoolExecutor(len(TEXTS)) as pool:
        list(pool.map(lambda text: write_whole(path, text), TEXTS * 50))
    assert path.read_text() in TEXTS
    assert list(tmp_path.iterdir()) == [path]
