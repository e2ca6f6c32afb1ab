"""The demo's files are ordinary input: every one is read without a problem."""

from pathlib import Path

import yaml

from fedns import config
from fedns.cli import demo_fleet

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_written_is_a_sound_configuration(tmp_path: Path) -> None:
    loaded = config.load(demo_fleet.write(str(tmp_path), demo_fleet.Ports()))
    assert loaded.problems == ()
    assert loaded.config is not None
    assert [member.name for member in loaded.config.members] == [one.member for one in demo_fleet.SITES]
    assert str(loaded.config.dns.listen[0]) == "127.0.0.1:5300"


def test_the_objects_are_those_of_a_cluster(tmp_path: Path) -> None:
    demo_fleet.write(str(tmp_path), demo_fleet.Ports())
    kinds = [
        document["kind"]
        for path in sorted(tmp_path.glob("members/*/*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]
    assert kinds.count("Service") == kinds.count("EndpointSlice") == 4
    assert kinds.count("Node") == 10


def test_writing_again_leaves_the_state_alone(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/kept").touch()
    demo_fleet.write(str(tmp_path), demo_fleet.Ports())
    assert (tmp_path / "state/kept").exists()


def test_the_repository_serves_the_same_outside_zone() -> None:
    assert (ROOT / "zones/acme.com.zone").read_text() == demo_fleet.ZONE
