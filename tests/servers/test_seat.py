"""Seats: one control per state directory, any number of instances that answer, and no name twice."""

from pathlib import Path

import pytest

from fedns.errors import StateError
from fedns.servers import seat


def test_every_instance_has_its_own_names_and_owns_no_other_file(tmp_path: Path) -> None:
    seats = [seat.take(str(tmp_path / "state"), control) for control in (False, True, False)]
    names = {each.worker(index) for each in seats for index in range(12)}
    assert len(names) == 36 and len({each.told for each in seats}) == 3
    for each in seats:
        assert {name for name in names if each.owns(name)} == {each.worker(index) for index in range(12)}
    for each in seats:
        each.leave()


def test_a_seat_that_was_left_is_taken_again(tmp_path: Path) -> None:
    first = seat.take(str(tmp_path), True)
    first.leave()
    again = seat.take(str(tmp_path), True)
    assert again.number == first.number == 0
    again.leave()


def test_control_excludes_control_and_nobody_else(tmp_path: Path) -> None:
    held = seat.take(str(tmp_path), True)
    with pytest.raises(StateError, match="another fedns serves"):
        seat.take(str(tmp_path), True)
    beside = seat.take(str(tmp_path), False)
    assert beside.number == 1
    beside.leave()
    held.leave()


def test_a_directory_that_cannot_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="Not a directory"):
        seat.take(str(tmp_path / "file" / "state"), False)
