"""The types of RFC 1035 for mailboxes, in a zone file and on the wire."""

from pathlib import Path

import dns.rdata
import dns.rdataclass
import pytest

from fedns.sources import mailboxes, zonefiles

ZONE = """$TTL 60
@ SOA ns1 hostmaster 1 2 3 4 5
@ NS ns1
phil MB pc
list MG phil
old MR phil
list MINFO owner errors.other.
"""
_AT = b"\x04acme\x03com\0"


@pytest.mark.parametrize(
    ("owner", "rtype", "wire"),
    [
        (b"\4phil", 7, b"\2pc" + _AT),
        (b"\4list", 8, b"\4phil" + _AT),
        (b"\3old", 9, b"\4phil" + _AT),
        (b"\4list", 14, b"\5owner" + _AT + b"\6errors\5other\0"),
    ],
)
def test_a_zone_with_mailboxes_is_read(owner: bytes, rtype: int, wire: bytes, tmp_path: Path) -> None:
    (tmp_path / "acme.com.zone").write_text(ZONE)
    reading = zonefiles.read(str(tmp_path / "acme.com.zone"), str(tmp_path))
    assert reading.problems == () and reading.facts
    held = {(name, kind): rdatas for name, kind, _, rdatas in reading.facts.rrsets}
    assert held[owner + _AT, rtype] == (wire,)


def test_what_is_read_is_written_as_others_write_it() -> None:
    mailboxes.learn()  # again: it is known by now
    octets = b"\5owner\0\6errors\0"
    assert dns.rdata.from_wire(dns.rdataclass.IN, 14, octets, 0, len(octets)).to_text() == "owner. errors."
