"""A table in memory that is copied from, and dnspython as the secondary that reads what comes."""

from collections.abc import Iterator, Mapping

import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.xfr
import dns.zone

from fedns.dns import client, permit, transfer

ADDRESS = b"\xc0\x00\x02\x01"


class View(dict[bytes, bytes]):
    """What `transfer.View` asks for; `steps` is the journal."""

    def __init__(self, entries: Mapping[bytes, bytes], steps: Mapping[bytes, bytes] | None = None) -> None:
        super().__init__(entries)
        self[permit.RULES] = permit.encode((), [permit.network("192.0.2.0/24")])
        self.steps = dict(steps or {})

    def items(self) -> Iterator[tuple[bytes, bytes]]:  # type: ignore[override]
        yield from sorted(super().items())

    def journal(self, apex: bytes) -> Iterator[tuple[bytes, bytes]]:
        found = sorted(self.steps.items(), reverse=True)
        yield from (each for each in found if each[0][:-8] == apex)

    def step(self, key: bytes) -> bytes | None:
        return self.steps.get(key)


class Asker(client.Client):
    """A secondary at `ADDRESS` over TCP."""

    stream = True

    def address(self) -> bytes:
        return ADDRESS


def asker(now: int = 0) -> Asker:
    return Asker(client.Host(client.Server(), now))


def request(origin: str, serial: int | None = None) -> dns.message.Message:
    """AXFR, or IXFR from `serial`."""
    made = dns.message.make_query(origin, "AXFR" if serial is None else "IXFR")
    if serial is not None:
        soa = made.find_rrset(
            made.authority, dns.name.from_text(origin), dns.rdataclass.IN, dns.rdatatype.SOA, create=True
        )
        soa.add(dns.rdata.from_text("IN", "SOA", f". . {serial} 0 0 0 0"), 0)
    return made


def pulled(
    view: View, origin: str, serial: int | None = None, zone: dns.zone.Zone | None = None
) -> tuple[str, dns.zone.Zone]:
    """The kind of the transfer, and the zone after dnspython has taken it into `zone` (none: a new one)."""
    asked = request(origin, serial)
    found = transfer.begin(view, asked.to_wire(), asker())
    assert found is not None
    zone = zone or dns.zone.Zone(origin, relativize=False)
    kind = dns.rdatatype.AXFR if serial is None else dns.rdatatype.IXFR
    with dns.xfr.Inbound(zone, kind, serial) as inbound:
        done = False
        for packet in found.messages:
            done = (bool(packet) and inbound.process_message(_read(packet))) or done
        assert done
    return found.kind, zone


def _read(packet: bytes) -> dns.message.Message:
    return dns.message.from_wire(packet, xfr=True, one_rr_per_rrset=True)
