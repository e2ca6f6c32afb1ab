"""An apex with another's addresses: chains, shares, places, wildcards, delegations, what lies outside."""

from collections.abc import Sequence

import pytest

from fedns.dns import answers, flattening, names, node, wire
from tests.conformance import worlds

_HEAD = "@ SOA ns1 hostmaster 1 2 3 4 60\n@ NS ns1\nns1 A 192.0.2.1\n"
_VIEW = worlds.view(
    {
        "z.": "$ORIGIN z.\n$TTL 300\n"
        + _HEAD
        + "@ MX 10 mail\n@ A 192.0.2.250\na A 192.0.2.7\na A 192.0.2.8\n"
        "b 20 CNAME a\nc CNAME lb.example.net.\n*.w AAAA 2001:db8::1\nsub NS ns.else.\nnone TXT x\n"
        "r CNAME s\ns CNAME r\nsub.two NS ns1\n",
        "y.": "$ORIGIN y.\n$TTL 60\n" + _HEAD + "x AAAA 2001:db8::5\n",
    }
)
_APEXES = node.apexes(_VIEW[node.ZONES])


def _outside(host: bytes) -> Sequence[str]:
    return {names.wire("lb.example.net"): ("198.51.100.1", "2001:db8::9")}.get(host, ())


def _flat(target: str, view: worlds.View = _VIEW) -> tuple[flattening.Flat, node.Node]:
    reading = flattening.Reading(view.get)
    base = node.decode(_VIEW[names.wire("z.")])
    found = flattening.flatten(base, names.wire(target), reading, _APEXES, _outside)
    return found, node.decode(found.entry)


def _addresses(made: node.Node) -> list[tuple[int, int, int]]:
    """(type, TTL, how many)."""
    return [
        (each.type, each.ttl, len(each.rdatas)) for each in made.rrsets if each.type in (wire.A, wire.AAAA)
    ]


@pytest.mark.parametrize(
    ("target", "host", "found"),
    [
        ("a.z", "", [(wire.A, 300, 2)]),
        ("b.z", "", [(wire.A, 20, 2)]),
        ("x.y", "", [(wire.AAAA, 60, 1)]),
        ("any.w.z", "", [(wire.AAAA, 300, 1)]),
        ("c.z", "lb.example.net", [(wire.A, 30, 1), (wire.AAAA, 30, 1)]),
        ("lb.example.net", "lb.example.net", [(wire.A, 30, 1), (wire.AAAA, 30, 1)]),
        ("deep.sub.z", "deep.sub.z", []),
        ("none.z", "", []),
        ("r.z", "", []),
        ("nowhere.z", "", []),
    ],
)
def test_a_target_is_followed_to_its_end(target: str, host: str, found: list[tuple[int, int, int]]) -> None:
    flat, made = _flat(target)
    assert flat.host == (names.wire(host) if host else b"")
    assert flat.lost == (target == "nowhere.z")
    assert _addresses(made) == found
    assert {each.type for each in made.rrsets} - {wire.A, wire.AAAA} == {wire.NS, wire.MX}
    assert made.flags & node.APEX and names.wire(target) in flat.needs | {flat.host}
    for rtype, ttl, count in found:
        slot = made.slots[rtype]
        assert (slot.ancount, slot.unit * count) == (count, len(slot.body))
        assert int.from_bytes(slot.body[6:10], "big") == ttl
    assert all(made.slots[rtype].nodata for rtype in {wire.A, wire.AAAA} - {rtype for rtype, *_ in found})


def test_shares_and_staleness_come_along() -> None:
    owner = names.wire("web.z")
    addresses = (b"\1\1\1\1", b"\2\2\2\2")
    slot = answers.weighted(wire.ROOT, (), wire.A, 90, [(3, addresses[:1]), (1, addresses[1:])])
    rrset = node.RRset(wire.A, 90, addresses)
    held = node.Node(0, node.SERVICE, (rrset,), {wire.A: slot._replace(stale=True)}, stale=True)
    _, made = _flat("web.z", {**_VIEW, owner: node.encode(held)})
    assert made.stale and made.slots[wire.A] == slot._replace(stale=True) and rrset in made.rrsets
    alias = node.Node(0, 0, (node.RRset(wire.CNAME, 7, (owner,)),))
    _, made = _flat("short.z", {**_VIEW, owner: node.encode(held), names.wire("short.z"): node.encode(alias)})
    assert {body[6:10] for _, body in made.slots[wire.A].variants} == {b"\0\0\0\7"}
    assert made.slots[wire.A].schedule == slot.schedule


def test_who_is_answered_by_place_is_so_by_another_name_too() -> None:
    views = [
        node.encode(
            node.Node(
                0, 0, (node.RRset(wire.A, 9, (each,)),), {wire.A: answers.slot(b"\0", (), 1, 9, (each,))}
            )
        )
        for each in (b"\1\1\1\1", b"\2\2\2\2")
    ]
    flat, _ = _flat("near.z", {**_VIEW, names.wire("near.z"): node.locate(views, (1, 0, 1))})
    shown = [node.decode(node.view(flat.entry, place)).rrsets[-1].rdatas for place in range(3)]
    assert shown == [(b"\2\2\2\2",), (b"\1\1\1\1",), (b"\2\2\2\2",)]
