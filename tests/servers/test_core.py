"""The core says octet for octet what `respond` says, or leaves it to it: as Python and compiled."""

import random
from array import array
from collections.abc import Mapping
from typing import Any

import pytest

from fedns.dns import atlas, inside, node, places, rate, respond, wire
from fedns.servers import batch, core, counters, prompt
from tests.conformance import probes
from tests.dns import test_inside
from tests.dns.test_places import From
from tests.fuzz import fuzz_packets
from tests.golden import fleet
from tests.servers import forms

_VIEW = fuzz_packets.view()
_OWNERS = ("@", "host", "HoSt", "svc", "alias", "ent", "a.wild", "x.sub", "nope", "a.b.Nope", "x.svc", "big")


class Hand:
    """Stands in for the listener; the tables are a mapping."""

    opened = 0

    def __init__(self) -> None:
        self.view: Mapping[bytes, bytes] = {}
        self.stamp, self.younger, self.has_keys = 0, 0, False
        self.pod = From()
        self.words = memoryview(array("Q", (0, 0)))

    def marks(self) -> memoryview | None:
        return self.words

    def open(self) -> int:
        self.opened += 1
        return self.stamp + self.younger

    def close(self) -> None:
        self.opened -= 1

    def get(self, key: bytes) -> bytes | None:
        assert self.opened == 1
        return self.view.get(key)

    def signed(self) -> bool:
        return self.has_keys

    def place(self, index: int, known: places.Places) -> int:
        return known.find(self.pod.address(), None).place

    def failed(self) -> None:
        raise AssertionError


class Bench:
    """A core with a batch of its own in memory."""

    def __init__(self, form: prompt.Form, path: str) -> None:
        self.frames = forms.frames()
        self.hand = Hand()
        limiter = rate.Limiter(rate.Limits(), 1)
        layout = counters.layout(counters.Cells(path))
        rows, gate = form.core.Rows(99, self.hand), form.gate.Gate(limiter, self.frames, 99)
        self.core: Any = form.core.Core(rows, self.frames, layout, self.hand, gate)

    def ask(self, view: Mapping[bytes, bytes], packets: list[bytes], stamp: int = 1) -> list[bytes | None]:
        self.hand.view, self.hand.stamp, self.hand.words[stamp % 2] = view, stamp, stamp
        for place, packet in enumerate(packets):
            self.frames.requests[place * batch.SLOT : place * batch.SLOT + len(packet)] = packet
            self.frames.received[place] = len(packet)
        left = self.core.answer(len(packets))
        lengths = self.frames.lengths[: len(packets)].tolist()
        assert left == lengths.count(0) and not self.hand.opened
        replies = self.frames.replies
        return [
            bytes(replies[place * batch.SLOT : place * batch.SLOT + length]) if length else None
            for place, length in enumerate(lengths)
        ]


@pytest.fixture
def nowhere(tmp_path: Any) -> str:
    return str(tmp_path / "cells")


@forms.EACH
def test_it_agrees_with_respond_on_what_it_takes(form: prompt.Form, nowhere: str) -> None:
    bench, taken = Bench(form, nowhere), 0
    tails = (b"", probes.opt(), probes.opt(600, flags=0x8000), probes.opt(4999), probes.opt(100))
    packets = [
        probes.query(owner, rtype, tail, flags)
        for owner in _OWNERS
        for rtype in (wire.A, wire.AAAA, wire.TXT)
        for tail in tails
        for flags in (0, wire.RD, 0x0130)
    ]
    for _ in range(2):  # learned, then known
        for start in range(0, len(packets), batch.SIZE):
            asked = packets[start : start + batch.SIZE]
            for packet, reply in zip(asked, bench.ask(_VIEW, asked), strict=True):
                assert reply in (None, respond.respond(_VIEW, packet, wire.OWN_SIZE)), packet
                taken += reply is not None
    assert taken > len(packets) / 3
    totals = counters.read(nowhere)
    assert totals and sum(totals.queries.values()) == taken


@forms.EACH
def test_it_agrees_with_respond_on_mutated_packets(form: prompt.Form, nowhere: str) -> None:
    bench, chance = Bench(form, nowhere), random.Random(3)
    seeds = [packet for packet in fuzz_packets.seeds() if len(packet) <= batch.SLOT]
    for _ in range(100):
        asked = [fuzz_packets.mutate(chance, chance.choice(seeds))[: batch.SLOT] for _ in range(batch.SIZE)]
        for packet, reply in zip(asked, bench.ask(_VIEW, asked), strict=True):
            assert reply is None or reply == respond.respond(_VIEW, packet, wire.OWN_SIZE), packet


@forms.EACH
def test_the_cluster_domain_of_an_agent_is_answered_by_it_wholly(form: prompt.Form, nowhere: str) -> None:
    told = {"cluster_ips": ["10.0.0.1"]}
    shards = {"us": {"addresses": ["192.0.2.1"], "inside": told}, "eu": {"addresses": ["192.0.2.2"]}}
    settings = {"federation": "fed", "domain": "example.com"}
    services = {"n/s": {"shards": shards}, "n/away": {"shards": {"eu": {"addresses": ["192.0.2.2"]}}}}
    world = {"settings": settings, "members": test_inside.MEMBERS, "services": services}
    built = fleet.build({**world, "where": atlas.Settings(home="us")})
    view, bench = built.table(inside.Kind(inside.Settings())), Bench(form, nowhere)
    labels = (
        "s.n.fed.svc",
        "s.n.svc",
        "away.n.fed.svc",
        "away.n.svc",
        "s.n.fed.n.svc",
        "s.n.fed",
        "www.google.com",
        "n",
    )
    deep = ("www.google.com.n.svc", "www.google.com.svc", "a.b.c.www.google.com.other.svc", "x.s.n.fed.svc")
    owners = [f"{each}.cluster.local." for each in (*labels, *deep)]
    for rtype in (wire.A, wire.AAAA):
        packets = [probes.query(owner, rtype, probes.opt()) for owner in owners]
        for _ in range(2):
            replies = bench.ask(view, packets)
            assert replies == [respond.respond(view, packet, wire.OWN_SIZE) for packet in packets]
            assert None not in replies


@forms.EACH
def test_answers_by_place_are_those_of_the_clients_place(form: prompt.Form, nowhere: str) -> None:
    shards = {"us": {"addresses": ["192.0.2.1"]}, "eu": {"addresses": ["192.0.2.2", "2001:db8::1"]}}
    for number, each in enumerate(shards.values()):
        each["inside"] = {"cluster_ips": [f"10.0.0.{number}"]}
    services = {f"n/{name}": {"shards": {each: shards[each]}} for name, each in (("s", "us"), ("t", "eu"))}
    services["n/near"] = {"shards": shards, "policy": {"strategy": "Nearest"}}
    world = {"settings": test_inside.SETTINGS, "members": test_inside.MEMBERS, "services": services}
    built = fleet.build({**world, "where": test_inside.WHERE})
    view, bench, taken = built.table(inside.Kind(inside.Settings())), Bench(form, nowhere), 0
    owners = [
        f"{each}.n.{rest}."
        for each in ("s", "t", "near")
        for rest in ("fed.svc.cluster.local", "svc.cluster.local")
    ]
    owners += ["near.n.fed.svc.example.com.", "s.n.fed.n.svc.cluster.local."]
    packets = [probes.query(owner, rtype, probes.opt()) for owner in owners for rtype in (wire.A, wire.AAAA)]
    for stamp in (1, 1, 2):
        for address in test_inside.IN.values():
            bench.hand.pod = From(address)
            for packet, reply in zip(packets, bench.ask(view, packets, stamp), strict=True):
                assert reply in (None, respond.respond(view, packet, wire.OWN_SIZE, bench.hand.pod)), packet
                taken += reply is not None
    assert taken > 3 * len(test_inside.IN) * len(packets) / 2, "what is not there for a client is left"


@forms.EACH
def test_addresses_take_turns(form: prompt.Form, nowhere: str) -> None:
    question = probes.query("svc.probe.example.", wire.A)[2:]
    packets = [bytes((1, ident)) + question for ident in range(6)]
    replies = Bench(form, nowhere).ask(_VIEW, packets)
    assert len(set(replies)) == 6 and len({reply[-4:] for reply in replies if reply}) == 3
    assert replies == [respond.respond(_VIEW, packet, wire.OWN_SIZE) for packet in packets]


@forms.EACH
def test_a_new_generation_voids_all_rows(form: prompt.Form, nowhere: str) -> None:
    bench, packet = Bench(form, nowhere), probes.query("host", wire.A)
    (before,) = bench.ask(_VIEW, [packet])
    gone = {key: value for key, value in _VIEW.items() if not key.startswith(b"\4host")}
    assert bench.ask(gone, [packet]) == [before]
    (after,) = bench.ask(gone, [packet], stamp=2)
    assert before and after and after[3] & 15 == wire.NXDOMAIN
    assert bench.ask(_VIEW, [packet], stamp=3) == [before]


@forms.EACH
def test_before_there_are_tables_all_is_left(form: prompt.Form, nowhere: str) -> None:
    packets = [probes.query(owner, wire.A) for owner in _OWNERS]
    assert Bench(form, nowhere).ask({}, packets, 0) == [None] * len(packets)


@forms.EACH
def test_more_questions_than_rows_are_answered_all_the_same(form: prompt.Form, nowhere: str) -> None:
    bench = Bench(form, nowhere)
    count = 2 * core.ROWS if form is not forms.PYTHON else 2000
    for start in range(0, count, batch.SIZE):
        asked = [probes.query(f"n{start + place}", wire.A) for place in range(batch.SIZE)]
        replies = bench.ask(_VIEW, asked)
        assert replies[7] == respond.respond(_VIEW, asked[7], wire.OWN_SIZE)
        assert None not in replies


@forms.EACH
def test_what_is_known_needs_no_look_at_the_tables(form: prompt.Form, nowhere: str) -> None:
    bench, packets = Bench(form, nowhere), [probes.query(owner, wire.A) for owner in ("host", "svc", "nope")]
    replies = bench.ask(_VIEW, packets)
    assert None not in replies and bench.ask({}, packets) == replies


@forms.EACH
def test_a_damaged_entry_is_left(form: prompt.Form, nowhere: str) -> None:
    name, whole = b"\4host\5probe\7example\0", _VIEW[b"\4host\5probe\7example\0"]
    kinds = (node.PLAIN, node.ROTATE, node.NODATA)
    slots = [node.SLOT.pack(kind, b"\0\1", 50, 60, 9999, 200) for kind in kinds]
    zone = whole[: 2 * node.SLOT.size] + b"\xff\xff" + whole[2 * node.SLOT.size + 2 :]
    broken = [whole[:9], b"", *(slot + whole[node.SLOT.size :] for slot in slots[1:])]
    broken += [slots[2] + zone[node.SLOT.size :]]
    bench, packet = Bench(form, nowhere), probes.query("host", wire.A)
    replies = [bench.ask({**_VIEW, name: each}, [packet], at + 1) for at, each in enumerate(broken)]
    assert [None] in replies and len(replies) == 5
    assert replies[0] == replies[1] == replies[2] == replies[4] == [None]


@forms.EACH
def test_dnssec_is_left_where_there_are_keys(form: prompt.Form, nowhere: str) -> None:
    bench = Bench(form, nowhere)
    bench.hand.has_keys = True
    asked = [probes.query("host", wire.A, probes.opt(flags=flags)) for flags in (0, 0x8000)]
    replies = bench.ask(_VIEW, asked)
    assert replies[0] is not None and replies[1] is None


@forms.EACH
def test_dnssec_is_left_from_the_first_generation_with_keys_on(form: prompt.Form, nowhere: str) -> None:
    bench = Bench(form, nowhere)
    host, other = (probes.query(owner, wire.A, probes.opt(flags=0x8000)) for owner in ("host", "svc"))
    assert bench.ask(_VIEW, [host]) != [None]
    bench.hand.has_keys, bench.hand.younger = True, 1  # published after the batch has begun
    assert bench.ask(_VIEW, [other]) == [None]
    assert bench.ask(_VIEW, [host, other], 3) == [None, None]


@forms.EACH
def test_long_names_and_answers_are_left_or_told_whole(form: prompt.Form, nowhere: str) -> None:
    label = b"\x3f" + b"x" * 63
    names = [label * count + b"\x07example\0" for count in (1, 2, 3)] + [
        label * 3 + b"\x3d" + b"y" * 61 + b"\0"
    ]
    table = dict(_VIEW)
    for name in names:
        slot = node.Slot(1, b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4abcd")
        table[name] = node.encode(node.Node(0, 0, (), {wire.A: slot}))
    packets = [b"\0\1\0\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1" for name in names]
    replies = Bench(form, nowhere).ask(table, packets)
    assert len(names[-1]) == 255 and replies[0] is not None
    for packet, reply in zip(packets, replies, strict=True):
        assert reply in (None, respond.respond(table, packet, wire.OWN_SIZE))
