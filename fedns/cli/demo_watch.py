"""What clients of the demo meet, DNS and the gateway side by side: one line whenever it changes.

Law: it asks as clients do, over the network, and knows nothing else; time is that of the machine.
"""

import http.client
import time
from collections.abc import Iterator
from typing import NamedTuple

import dns.exception
import dns.message
import dns.query

from fedns import values
from fedns.cli import demo_fleet

ROUND = 20
"""Requests of one look: enough for the smallest share to come up."""
PAUSE = 0.1
"""Seconds between two looks."""
PATIENCE = 2.0
HELLO = "hello from "
NAME = f"{demo_fleet.SERVICE}.{demo_fleet.NAMESPACE}.{demo_fleet.FEDERATION}.svc.{demo_fleet.DOMAIN}"
WIDE = sum(len(one.member) - 3 for one in demo_fleet.SITES)
"""Characters of a line that names all members."""
SILENT = "nothing answers"


class Seen(NamedTuple):
    """Who answers: members through the gateway and, beside them, statuses that were no 200; members of which
    DNS has the addresses."""

    gateway: tuple[str, ...]
    dns: tuple[str, ...]


def changes(gateway: values.Address, server: values.Address, seconds: float) -> Iterator[tuple[float, Seen]]:
    """(Unix time, what is seen) at first, and whenever it differs, for so long."""
    before, ends = None, time.monotonic() + seconds
    while time.monotonic() < ends:
        seen = Seen(tuple(sorted(set(answers(gateway)))), tuple(sorted(addresses(server))))
        if seen != before:
            before = seen
            yield time.time(), seen
        time.sleep(PAUSE)


def answers(gateway: values.Address) -> Iterator[str]:
    """Who answers some requests; a status where it is no 200."""
    connection = http.client.HTTPConnection(*gateway, timeout=PATIENCE)
    try:
        for _ in range(ROUND):
            connection.request("GET", "/", headers={"Host": demo_fleet.HOST})
            reply = connection.getresponse()
            said = reply.read().decode(errors="replace").strip()
            yield said.removeprefix(HELLO) if reply.status == 200 else str(reply.status)
    except (OSError, http.client.HTTPException):
        yield SILENT
    finally:
        connection.close()


def addresses(server: values.Address) -> Iterator[str]:
    """Members of which the global name has the address."""
    known = {one.address: one.member for one in demo_fleet.SITES}
    try:
        asked = dns.message.make_query(NAME, "A")
        reply = dns.query.udp(asked, server.host, PATIENCE, server.port)
    except (OSError, dns.exception.DNSException):
        yield SILENT
        return
    for row in (row for group in reply.answer for row in group):
        yield known.get(str(row), str(row))


def line(at: float, seen: Seen) -> str:
    """One change, for people: members that only one of both has are marked."""
    clock = time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at * 10) % 10}"
    return f"{clock}  gateway: {_told(seen.gateway, seen.dns):<{WIDE}}  DNS: {_told(seen.dns, seen.gateway)}"


def _told(these: tuple[str, ...], others: tuple[str, ...]) -> str:
    short = (f"{_short(each)}{'' if each in others else '*'}" for each in these)
    return " ".join(short) or "nobody"


def _short(member: str) -> str:
    return member.removeprefix("gce-")
