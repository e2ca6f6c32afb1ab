"""Static zones: what exists, what is hidden, what is refused."""

from fedns.dns import node, wire, zones
from tests.conformance import probes, worlds

_APEX = b"\x01z\0"
_SOA = "@ 300 SOA ns1 hostmaster 1 2 3 4 60\n"


def _compile(text: str, origin: str = "z.") -> zones.Compiled:
    apex = b"\0" if origin == "." else _APEX
    return zones.compile(apex, worlds.rrsets(f"$ORIGIN {origin}\n$TTL 300\n" + text, origin), 3)


def _flags(compiled: zones.Compiled, labels: bytes) -> int:
    return node.decode(compiled.nodes[labels + _APEX]).flags


def test_every_name_between_exists() -> None:
    found = _compile(_SOA + "@ NS ns1\na.b.c A 192.0.2.1\n")
    assert set(found.nodes) == {name + _APEX for name in (b"", b"\1a\1b\1c", b"\1b\1c", b"\1c")}
    assert found.problems == ()
    assert found.zone == node.Zone(_APEX, found.zone.soa if found.zone else b"", 300)
    assert {node.decode(value).zone for value in found.nodes.values()} == {3}


def test_flags() -> None:
    found = _compile(_SOA + "@ NS ns1\n*.w TXT x\nd NS ns.d\nns.d A 192.0.2.1\nt DNAME w\nx.t A 192.0.2.2\n")
    assert _flags(found, b"") == node.APEX
    assert _flags(found, b"\1w") == node.WILD
    assert _flags(found, b"\1d") == node.CUT
    assert _flags(found, b"\2ns\1d") == node.OCCLUDED
    assert _flags(found, b"\1t") == node.DNAME
    assert _flags(found, b"\1x\1t") == node.OCCLUDED
    hidden = (b"\1d", b"\2ns\1d", b"\1x\1t")
    assert not any(node.decode(found.nodes[name + _APEX]).slots for name in hidden)


def test_an_alias_beside_other_data_is_a_problem_and_left_out() -> None:
    rrsets = [
        *worlds.rrsets("$ORIGIN z.\n" + _SOA + "@ 300 NS ns1\nx 300 TXT x\n", "z."),
        (b"\1x" + _APEX, node.RRset(wire.CNAME, 300, (_APEX,))),
    ]
    found = zones.compile(_APEX, rrsets, 0)
    assert ["CNAME" in each.what for each in found.problems] == [True]
    assert [each.type for each in node.decode(found.nodes[b"\1x" + _APEX]).rrsets] == [wire.TXT]


def test_a_binding_that_is_an_alias_stands_alone() -> None:
    found = _compile(_SOA + "@ NS ns1\nx HTTPS 0 y\nx HTTPS 1 y\ny HTTPS 1 .\ny HTTPS 2 .\n@ SVCB 0 y\n")
    assert [(each.where, "HTTPS alias" in each.what) for each in found.problems] == [("x.z.", True)]


def test_without_a_soa_there_is_no_zone() -> None:
    found = _compile("@ NS ns1\n")
    assert found.zone is None and found.nodes == {}
    assert "SOA" in found.problems[0].what


def test_a_name_outside_is_a_problem() -> None:
    rrsets = [
        *worlds.rrsets("$ORIGIN z.\n" + _SOA + "@ 300 NS ns1\n", "z."),
        (b"\2xz\0", node.RRset(16, 1, (b"\0",))),
    ]
    found = zones.compile(_APEX, rrsets, 0)
    assert [each.where for each in found.problems] == ["xz."]
    assert set(found.nodes) == {_APEX}


def test_the_child_has_the_word_below_its_apex_but_not_over_its_ds() -> None:
    ds = "DS 1 13 2 " + "00" * 32
    upper = _compile(_SOA + f"@ NS ns1\nc NS ns.c\nc {ds}\nns.c A 192.0.2.9\n")
    child = b"\1c" + _APEX
    lower = zones.compile(
        child, worlds.rrsets("$ORIGIN c.z.\n" + _SOA + f"@ 300 NS ns1\n@ 300 {ds}1\n"[:-2], "c.z."), 4
    )
    joined = zones.overlay([(child, lower.nodes), (_APEX, upper.nodes)])
    assert b"\2ns\1c" + _APEX not in joined
    apex = node.decode(joined[child])
    assert apex.zone == 4 and [len(each.rdatas) for each in apex.rrsets if each.type == wire.DS] == [1]


def test_the_root_can_be_a_zone() -> None:
    found = _compile("@ 300 SOA . . 1 2 3 4 60\n@ NS a.\na A 192.0.2.1\n", ".")
    assert set(found.nodes) == {b"\0", b"\1a\0"}


def test_names_are_shown_as_people_write_them() -> None:
    assert zones.text(b"\0") == "."
    assert zones.text(b"\3a.b\2\0\x7f\0") == "a\\.b.\\000\\127."


def test_the_probe_zone_is_sound() -> None:
    origin = b"\x05probe\x07example\0"
    assert zones.compile(origin, worlds.rrsets(probes.ZONE, probes.ORIGIN), 0).problems == ()
