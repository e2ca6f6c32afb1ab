"""A question put to both roads of `respond`: what is ready, and what knows every rule, say the same."""

import dns.message

from fedns.dns import client, resolve, respond

View = dict[bytes, bytes]


def both(view: View, asked: tuple[str, str], limit: int, asker: client.Client) -> dns.message.Message:
    """The answer to (name, type), once it is known that both agree."""
    packet = dns.message.make_query(*asked, use_edns=0).to_wire()
    raw, slow = (road(view, packet, limit, asker) for road in (respond.respond, resolve.resolve))
    assert raw is not None and slow is not None
    found, other = dns.message.from_wire(raw), dns.message.from_wire(slow)
    assert (found.rcode(), found.flags) == (other.rcode(), other.flags)
    assert (found.answer, found.authority) == (other.answer, other.authority), "hot and slow differ"
    return found
