"""Who is connected, by network: nobody takes the places of all.

Law: a count per network, gone with its last connection. A network beyond its share loses its own connections,
not those of others; when all places are taken, the network with the most gives one back. Exempt prefixes have
no share to keep to, and are asked last.
"""

from collections import Counter
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from fedns.dns import rate

Network = tuple[int, int]  # IP version, and the leading bits of the address as a number
EXEMPT: Network = (0, 0)


class Crowd:
    """The connections of one worker."""

    def __init__(self) -> None:
        self._counts: Counter[Network] = Counter()
        self._limits: rate.Limits | None = None
        self._exempt: list[IPv4Network | IPv6Network] = []

    def network(self, peer: str, limits: rate.Limits) -> Network:
        """Where an address, as the socket module writes it, belongs."""
        if limits is not self._limits:
            self._limits, self._exempt = limits, [ip_network(each) for each in limits.exempt]
        address = ip_address(peer.partition("%")[0])
        if any(address in each for each in self._exempt):
            return EXEMPT
        bits = limits.prefix4 if address.version == 4 else limits.prefix6
        return address.version, int(address) >> (address.max_prefixlen - bits)

    def full(self, network: Network, limits: rate.Limits) -> bool:
        """Whether the network has its share already."""
        share = limits.connections if limits.enabled and network != EXEMPT else 0
        return 0 < share <= self._counts[network]

    def enter(self, network: Network) -> None:
        self._counts[network] += 1

    def leave(self, network: Network) -> None:
        self._counts[network] -= 1
        if not self._counts[network]:
            del self._counts[network]

    def largest(self) -> Network:
        """Who has most; the exempt where there is nobody else."""
        others = (network for network in self._counts if network != EXEMPT)
        return max(others, key=self._counts.__getitem__, default=EXEMPT)
