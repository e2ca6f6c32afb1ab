"""Nodes and zones survive their bytes; the hot path's short cuts agree with the long way."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import answers, node, wire

_OWNER = b"\x03svc\x07example\0"
_names = st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=4).map(
    lambda labels: b"".join(bytes([len(each)]) + each for each in labels)
)
_rrsets = st.builds(
    node.RRset,
    st.integers(1, 65535),
    st.integers(0, 2**31 - 1),
    st.lists(st.binary(max_size=40), min_size=1, max_size=4).map(tuple),
)
_addresses = st.lists(st.binary(min_size=4, max_size=4), max_size=5)
_slots = st.one_of(
    st.builds(lambda rdatas: answers.slot(_OWNER, (), wire.A, 30, rdatas), _addresses),
    st.builds(
        lambda choices: answers.weighted(_OWNER, (), wire.A, 30, choices),
        st.lists(st.tuples(st.integers(1, 9), _addresses.filter(bool)), min_size=1, max_size=4),
    ),
)
_nodes = st.builds(
    node.Node,
    st.integers(0, 65535),
    st.integers(0, 63),
    st.lists(_rrsets, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from([wire.A, wire.AAAA]), _slots),
    st.lists(st.tuples(_names, st.lists(_rrsets, max_size=2).map(tuple)), max_size=3).map(tuple),
    st.booleans(),
)


@given(_nodes)
def test_a_node_survives_its_bytes(value: node.Node) -> None:
    assert node.decode(node.encode(value)) == value


@given(_nodes)
def test_place_agrees_with_decode(value: node.Node) -> None:
    zone, flags, children = node.place(node.encode(value))
    assert (zone, flags & ~node.STALE, children) == (value.zone, value.flags, len(value.children))


@given(_nodes)
def test_adopted_children_are_as_if_encoded_with_it(value: node.Node) -> None:
    stem = node.encode(value._replace(children=()))
    assert node.adopt(stem, [node.child(*each) for each in value.children]) == node.encode(value)


def test_stale_slots_stay_stale() -> None:
    for slot in (
        answers.slot(_OWNER, (), wire.A, 30, [b"1234"]),
        answers.slot(_OWNER, (), wire.A, 30, []),
        answers.weighted(_OWNER, (), wire.A, 30, [(1, [b"1234"]), (2, [b"5678"])]),
    ):
        value = node.Node(0, 0, slots={wire.A: slot._replace(stale=True)})
        assert node.decode(node.encode(value)).slots[wire.A].stale


def test_zones_survive_their_bytes() -> None:
    soa = b"\0\0" + struct.pack(">5L", 42, 1, 2, 3, 60)
    zones = (node.Zone(b"\0", soa, 3600), node.Zone(_OWNER, soa, 30))
    assert node.decode_zones(node.encode_zones(zones)) == zones
    assert node.decode_zones(b"") == ()


def test_a_negative_answer_lives_as_long_as_the_smaller_of_ttl_and_minimum() -> None:
    soa = b"\0\0" + struct.pack(">5L", 42, 1, 2, 3, 60)
    assert node.Zone(b"\0", soa, 3600).negative_ttl == 60
    assert node.Zone(b"\0", soa, 30).negative_ttl == 30
    assert node.Zone(b"\0", soa, 30).serial == b"\0\0\0\x2a"


def test_no_special_key_ends_as_a_question_does() -> None:
    assert not any(key.endswith(b"\0") for key in (node.ZONES, node.READY, node.META))


@given(
    st.lists(_nodes, min_size=1, max_size=5, unique_by=node.encode), st.lists(st.integers(0, 4), max_size=9)
)
def test_each_place_has_its_view(nodes: list[node.Node], choices: list[int]) -> None:
    views = [node.encode(each) for each in nodes]
    choices = [0, *(each % len(views) for each in choices)]
    data = node.locate(views, choices)
    assert node.decode(data) == nodes[0]
    assert node.placed(data) is (len(views) > 1)
    if len(views) > 1:
        assert node.views(data) == views
        assert [node.view(data, place) for place in range(len(choices))] == [views[each] for each in choices]
        assert node.view(data, len(choices)) == views[0]
    for rtype, at in node.SLOT_AT.items():
        alike = len({repr(each.slots.get(rtype)) for each in nodes}) == 1
        assert alike is not bool(data[at] & node.PLACED_SLOT)
