"""Turns zone text of the outside vectors into a dictionary view of the answer table.

dnspython reads the text here, so that the tests do not lean on the product's own zone reader.
"""

import dns.name
import dns.rdatatype
import dns.zone

from fedns.dns import node, zones

View = dict[bytes, bytes]


def wire_name(name: dns.name.Name) -> bytes:
    """Lower-case wire form."""
    return name.to_digestable()


def rrsets(text: str, origin: str) -> list[tuple[bytes, node.RRset]]:
    """Owner (lower-case wire) and RRset for all of the zone text."""
    apex = dns.name.from_text(origin)
    read = dns.zone.from_text(text, apex, relativize=False, check_origin=False)
    found = []
    for owner, rdataset in read.iterate_rdatasets():
        rdatas = tuple(rdata.to_wire(origin=apex) or b"" for rdata in rdataset)
        found.append((wire_name(owner), node.RRset(int(rdataset.rdtype), rdataset.ttl, rdatas)))
    return found


def view(texts: dict[str, str]) -> View:
    """A table with these zones: origin -> master-file text."""
    heads, tables = [], []
    for index, (origin, text) in enumerate(sorted(texts.items())):
        apex = wire_name(dns.name.from_text(origin))
        compiled = zones.compile(apex, rrsets(text, origin), index)
        assert compiled.zone is not None, compiled.problems
        heads.append(compiled.zone)
        tables.append((apex, compiled.nodes))
    return {**zones.overlay(tables), node.ZONES: node.encode_zones(heads), node.READY: b"1"}
