"""Where a client is, and by which rule, in words: what `explain` says of `--from`.

Law: the place is found by what the workers find it with; only the rule's name is looked up again.
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from fedns.dns import client, names, places
from fedns.model import selection


class Standpoint(NamedTuple):
    """`place` as the selection law knows it; `address` in presentation form, empty for nobody in particular;
    `why` is the rule; `scope` how many bits of the address the place hangs on."""

    place: selection.Place
    address: str = ""
    why: str = ""
    scope: int = 0

    def told(self, local: bool) -> Iterator[str]:
        """`local`: whether the place may matter to the answer."""
        shown = places.text(self.place)
        if not local and self.why:
            yield "clients' places do not matter to its strategy"
        elif local and self.why:
            yield f"{f'client {self.address}' if self.address else 'the client'} is {shown}: {self.why}"
        elif local:
            yield f"no client is named: the default view, for clients {shown}"


def of(view: places.View, asker: client.Client, layout: names.Layout) -> Standpoint:
    """Where the asker is."""
    known, address = places.current(view), places.sender(asker)
    if not address and not asker.member:
        return Standpoint(layout.places[places.DEFAULT])
    found = known.find(address, asker.host.geo, asker.member)
    number = found.place if found.place < len(layout.places) else places.DEFAULT
    shown = str(ip_address(address)) if address else ""
    return Standpoint(layout.places[number], shown, _why(known, found, address), found.scope)


def _why(known: places.Places, found: places.Found, address: bytes) -> str:
    if found.why == "inside":
        return "as who asks at a listener inside that member"
    if found.why == "default":
        return "no rule is about it, so it is at the default place"
    if found.why != "prefix":
        return f"by the geographic database: {found.why}"
    client_ = ip_address(address)
    holding = [each for each in known.atlas.prefixes if client_ in ip_network(each.network)]
    return max(holding, key=lambda each: ip_network(each.network).prefixlen).rule
