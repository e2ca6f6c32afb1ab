"""Cookie secrets: rolled over in stages, kept over restarts, nobody else's to read."""

import itertools
import os
from pathlib import Path

import pytest

from fedns.control import secrets

NOW = 1_700_000_000.0


def test_the_next_is_known_before_it_is_used_and_the_last_for_longer(tmp_path: Path) -> None:
    kept = secrets.Secrets(str(tmp_path / "cookies.json"))
    seen = [kept.words(NOW + day * secrets.PERIOD).split() for day in range(5)]
    for before, after in itertools.pairwise(seen):
        assert after[0] == before[1] and before[0] in after
    assert len({words[0] for words in seen}) == 5
    assert kept.words(NOW + 4.5 * secrets.PERIOD).split() == seen[4]
    assert kept.wait(NOW + 4.5 * secrets.PERIOD) == secrets.PERIOD / 2


def test_a_restart_goes_on_with_what_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "cookies.json"
    words = secrets.Secrets(str(path)).words(NOW)
    assert secrets.Secrets(str(path)).words(NOW + 5) == words
    assert os.stat(path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "{}", '{"made": 1, "texts": ["00"]}', '{"made": "x", "texts": 3}', "[1]"]
)
def test_a_file_of_no_use_is_written_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cookies.json"
    path.write_text(text)
    words = secrets.Secrets(str(path)).words(NOW)
    assert secrets.Secrets(str(path)).words(NOW) == words and len(words.split()) == 2


def test_what_cannot_be_written_is_used_and_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    kept = secrets.Secrets(str(folder / "cookies.json"))
    words = kept.words(NOW)
    assert kept.wait(NOW) == secrets.RETRY
    folder.mkdir()
    assert (
        kept.words(NOW + secrets.RETRY)
        == words
        == secrets.Secrets(str(folder / "cookies.json")).words(NOW + 70)
    )


def test_given_secrets_are_used_as_they_are(tmp_path: Path) -> None:
    kept = secrets.Secrets(str(tmp_path / "cookies.json"), ["ab" * 16, "cd" * 16])
    assert kept.words(NOW) == "ab" * 16 + " " + "cd" * 16 and kept.wait(NOW) is None
    assert not list(tmp_path.iterdir())
