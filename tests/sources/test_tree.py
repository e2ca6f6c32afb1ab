"""Which files differ, by looking at everything and by hints."""

import os
from pathlib import Path

import pytest

from fedns.sources import tree
from fedns.sources.tree import Difference


def make(root: Path) -> tree.Tree:
    return tree.Tree(str(root), (".yaml",))


def test_new_changed_and_removed_files_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.yaml", "sub/b.yaml", "c.txt", ".hidden.yaml"):
        (tmp_path / name).write_text("1")
    one = make(tmp_path)
    a, b = str(tmp_path / "a.yaml"), str(tmp_path / "sub/b.yaml")
    assert one.look() == Difference((a, b), ())
    assert one.look() == Difference((), ())
    Path(a).write_text("22")
    Path(b).unlink()
    assert one.look() == Difference((a,), (b,))


def test_a_hinted_file_counts_as_changed_and_others_are_not_looked_at(tmp_path: Path) -> None:
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    a.write_text("1")
    b.write_text("1")
    one = make(tmp_path)
    one.look()
    b.write_text("22")
    hints = {str(a), str(tmp_path / "c.txt"), str(tmp_path / ".a.yaml.swp")}
    assert one.look(hints) == Difference((str(a),), ())
    a.unlink()
    assert one.look({str(a)}) == Difference((), (str(a),))


def test_a_hinted_directory_means_everything(tmp_path: Path) -> None:
    one = make(tmp_path)
    one.look()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.yaml").write_text("1")
    assert one.look({str(tmp_path / "sub")}).changed == (str(tmp_path / "sub/a.yaml"),)
    os.rename(tmp_path / "sub", tmp_path.parent / "elsewhere")
    assert one.look({str(tmp_path / "sub")}).removed == (str(tmp_path / "sub/a.yaml"),)


def test_a_config_map_volume_is_followed_when_its_data_link_turns(tmp_path: Path) -> None:
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.yaml").write_text(version * 2)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    one = make(tmp_path)
    assert one.look().changed == (str(tmp_path / "a.yaml"),)
    (tmp_path / "..new").symlink_to("..2")
    os.replace(tmp_path / "..new", tmp_path / "..data")
    assert one.look({str(tmp_path / "..data")}).changed == (str(tmp_path / "a.yaml"),)


def test_a_ring_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/loop").symlink_to(tmp_path)
    (tmp_path / "sub/a.yaml").write_text("1")
    assert make(tmp_path).look().changed == (str(tmp_path / "sub/a.yaml"),)


def test_a_root_that_is_gone_is_no_empty_root(tmp_path: Path) -> None:
    one = make(tmp_path / "none")
    for hints in (None, {str(tmp_path / "none/a.yaml")}):
        with pytest.raises(FileNotFoundError):
            one.look(hints)
