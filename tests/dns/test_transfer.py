"""Zones as a secondary gets them: whole, by difference, and not at all."""

import itertools
import time
from pathlib import Path

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.zone
import pytest

from fedns.dns import client, content, difference, journal, node, permit, resolve, transfer, tsig, wire
from tests.conformance import worlds
from tests.fakes import copying
from tests.golden import test_dns as golden

ORIGIN = "example.com."
TEXT = """$TTL 300
@ SOA ns.example.com. root.example.com. {serial} 3600 900 86400 60
@ NS ns.example.com.
ns A 192.0.2.53
* TXT "wild"
a.b.c A 192.0.2.1
sub NS ns.sub
ns.sub A 192.0.2.54
www A {www}
long TXT {long}
"""
CHILD = "$TTL 60\n@ SOA . . 1 2 3 4 5\n@ NS ns.example.com.\nx A 192.0.2.9\n"


def text(serial: int = 1, www: str = "192.0.2.80", long: str = "short") -> str:
    return TEXT.format(serial=serial, www=www, long=long)


def view(*texts: str) -> copying.View:
    """The last of these versions, with a journal of the steps between them."""
    tables = [worlds.view({ORIGIN: each}) for each in texts]
    steps: dict[bytes, bytes] = {}
    for number, (old, new) in enumerate(itertools.pairwise(tables)):
        before, after = node.decode_zones(old[node.ZONES]), node.decode_zones(new[node.ZONES])
        names = [key for key in old.keys() | new.keys() if key[-1] == 0]
        replaced = [(key, old.get(key), new.get(key)) for key in names if old.get(key) != new.get(key)]
        change = difference.of(replaced, content.Zones(before), content.Zones(after))[before[0].apex]
        steps[journal.key(before[0].apex, number)] = (
            journal.encode(journal.Step(before[0], after[0], change)) or b""
        )
    return copying.View(tables[-1], steps)


def expected(text: str) -> dns.zone.Zone:
    return dns.zone.from_text(text, ORIGIN, relativize=False)


def test_a_zone_whole() -> None:
    kind, zone = copying.pulled(view(text()), ORIGIN)
    assert kind == "axfr" and zone == expected(text())


def test_a_large_one_in_several_messages() -> None:
    many = " ".join(f'"{at:05}{"x" * 240}"' for at in range(100))
    rows = "".join(f"n{at} A 192.0.2.1\n" for at in range(3000))
    found = view(text(long=many) + rows)
    begun = transfer.begin(found, copying.request(ORIGIN).to_wire(), copying.asker())
    assert begun is not None
    sizes = [len(each) for each in begun.messages]
    assert max(sizes) > transfer.SIZE > sorted(sizes)[-2] and 0 in sizes
    assert copying.pulled(found, ORIGIN)[1] == expected(text(long=many) + rows)


@pytest.mark.parametrize("since", [1, 2])
def test_a_zone_by_difference(since: int) -> None:
    versions = [
        text(1),
        text(2, www="192.0.2.81"),
        text(3, www="192.0.2.82", long="other") + "new A 192.0.2.7\n",
    ]
    _, zone = copying.pulled(view(*versions[:since]), ORIGIN)
    kind, zone = copying.pulled(view(*versions), ORIGIN, since, zone)
    assert kind == "ixfr" and zone == expected(versions[2])


def test_who_is_current_gets_the_soa() -> None:
    found = view(text(1), text(2, www="192.0.2.81"))
    begun = transfer.begin(found, copying.request(ORIGIN, 2).to_wire(), copying.asker())
    assert begun is not None and begun.kind == "soa"
    assert [len(dns.message.from_wire(each).answer) for each in begun.messages] == [1]


def test_a_history_that_does_not_reach_back_is_the_whole_zone() -> None:
    found = view(text(5), text(6, www="192.0.2.81"))
    assert copying.pulled(found, ORIGIN, 3) == ("whole", expected(text(6, www="192.0.2.81")))


def test_a_lower_zone_is_delegated_by_the_upper_one() -> None:
    both = copying.View(worlds.view({ORIGIN: text(), "low.example.com.": CHILD}))
    upper = copying.pulled(both, ORIGIN)[1]
    assert upper.get_rdataset("low.example.com.", "NS") and not upper.get_node("x.low.example.com.")
    assert copying.pulled(both, "low.example.com.")[1].get_node("x.low.example.com.")


@pytest.mark.parametrize("source", golden.CASES, ids=lambda path: path.name)
def test_the_zone_of_a_fleet_is_what_a_dump_shows(source: Path) -> None:
    table, domain = golden.made(source)
    origin = f"{domain}."
    zone = copying.pulled(copying.View(table), origin)[1]
    written = source.with_name(source.name.replace(".in.yaml", ".out.zone")).read_text()
    assert zone == dns.zone.from_text(written, origin, relativize=False)


def _reply(found: copying.View, packet: bytes, asker: client.Client) -> dns.message.Message:
    assert not asker.stream or transfer.begin(found, packet, asker) is None
    made = resolve.resolve(found, packet, wire.STREAM if asker.stream else wire.OWN_SIZE, asker)
    assert made is not None
    return dns.message.from_wire(made)


def test_denied_by_default() -> None:
    found = view(text())
    found[permit.RULES] = permit.encode((), ())
    for serial in (None, 1):
        reply = _reply(found, copying.request(ORIGIN, serial).to_wire(), copying.asker())
        assert reply.rcode() == dns.rcode.REFUSED and not reply.answer


def test_a_zone_of_others() -> None:
    reply = _reply(view(text()), copying.request("example.net.").to_wire(), copying.asker())
    assert reply.rcode() == dns.rcode.NOTAUTH


def test_over_udp_there_is_no_axfr_and_an_ixfr_is_the_soa() -> None:
    class Datagram(copying.Asker):
        stream = False

    asker = Datagram(client.Host(client.Server()))
    assert _reply(view(text()), copying.request(ORIGIN).to_wire(), asker).rcode() == dns.rcode.REFUSED
    reply = _reply(view(text(9)), copying.request(ORIGIN, 3).to_wire(), asker)
    assert reply.answer[0].rdtype == dns.rdatatype.SOA and reply.answer[0][0].serial == 9


@pytest.mark.parametrize("cut", range(12, 80))
def test_no_octets_are_too_odd(cut: int) -> None:
    packet = copying.request(ORIGIN, 1).to_wire()
    begun = transfer.begin(view(text()), packet[:cut], copying.asker())
    assert begun is None or cut >= len(packet)


def test_signed_messages_bind_to_each_other() -> None:

    secret, name = bytes(range(32)), dns.name.from_text("key.")
    found = view(text() + "".join(f"n{at} A 192.0.2.1\n" for at in range(3000)))
    key = tsig.Key(name.to_digestable(), "hmac-sha384", secret)
    found[permit.RULES] = permit.encode([key], [permit.Grant(key=key.name)])
    asked, keyring = copying.request(ORIGIN), dns.tsig.Key(name, secret, "hmac-sha384")
    asked.use_tsig(keyring)
    begun = transfer.begin(found, asked.to_wire(), copying.asker(int(time.time())))
    assert begun is not None
    context, count = None, 0
    for packet in filter(None, begun.messages):
        taken = dns.message.from_wire(
            packet, keyring={name: keyring}, request_mac=asked.mac, xfr=True, tsig_ctx=context, multi=True
        )
        assert taken.had_tsig
        context, count = taken.tsig_ctx, count + 1
    assert count > 2
    unsigned = _reply(found, copying.request(ORIGIN).to_wire(), copying.asker())
    assert unsigned.rcode() == dns.rcode.REFUSED
