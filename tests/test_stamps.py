"""Stamps of files."""

import os
from pathlib import Path

from fedns import stamps


def test_every_content_has_its_stamp(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert stamps.of(str(path)) == stamps.ABSENT
    path.write_text("one")
    first = stamps.of(str(path))
    assert first == stamps.of(str(path)) != stamps.ABSENT
    (tmp_path / "b").write_text("two")
    os.replace(tmp_path / "b", path)
    assert stamps.of(str(path)) != first
