"""The generated fleet is what the source reads, and the asker reads what is on the wire."""

import json
import sys
from pathlib import Path

import dns.message
import dns.rrset

sys.path.insert(0, str(Path(__file__).parent))
import ask
import fleet

SHAPE = fleet.Shape(members=3, services=4, moving=frozenset({(1, 2)}))


def items(path: Path) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(path.read_text())["items"]
    return listed


def test_every_member_has_its_services_and_moving_slices_apart(tmp_path: Path) -> None:
    fleet.Fleet(tmp_path, SHAPE).write(5399, 9099)
    folder = tmp_path / "members" / "member-01"
    assert len(items(folder / "services.json")) == 4
    assert len(items(folder / "endpointslices.json")) == 3
    assert [path.name for path in (folder / "slices").iterdir()] == ["svc-00002.json"]


def test_a_change_replaces_the_slice_of_one_shard(tmp_path: Path) -> None:
    disk = fleet.Fleet(tmp_path, SHAPE)
    disk.write(5399, 9099)
    disk.change(1, 2, ready=False)
    changed = json.loads((tmp_path / "members/member-01/slices/svc-00002.json").read_text())
    assert [one["conditions"]["ready"] for one in changed["endpoints"]] == [False, False]


def test_the_configuration_is_accepted(tmp_path: Path) -> None:
    from fedns import config

    disk = fleet.Fleet(tmp_path, SHAPE)
    disk.write(5399, 9099)
    loaded = config.load(str(disk.config))
    assert loaded.problems == ()
    assert loaded.config is not None and len(loaded.config.members) == 3


def test_the_asker_reads_compressed_answers() -> None:
    question = dns.message.from_wire(ask.query("a.example.com", 7))
    reply = dns.message.make_response(question)
    reply.answer.append(dns.rrset.from_text("a.example.com.", 5, "IN", "CNAME", "b.example.com."))
    reply.answer.append(dns.rrset.from_text("b.example.com.", 5, "IN", "A", "10.0.0.1", "10.0.0.2"))
    found = ask.parse(reply.to_wire())
    assert found == ask.Answer(0, frozenset({"10.0.0.1", "10.0.0.2"}), doubled=False)
