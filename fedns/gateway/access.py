"""Who may come at all, by address.

Law: refusals before permissions; where anything is permitted, everything else is not. A client whose address
cannot be read is nobody.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from fedns.gateway.options import Access, Network

_OCTETS = 16


def allowed(access: Access, client: str) -> bool:
    """`client` is an IP literal."""
    version, number = numbered(client)
    if not version or within(access.deny, version, number):
        return False
    return not access.allow or within(access.allow, version, number)


def within(networks: Iterable[Network], version: int, number: int) -> bool:
    return any(
        family == version and number >> bits == numeric(network) >> bits for family, network, bits in networks
    )


def network(version: int, number: int, bits: int) -> Network:
    """As tables have it."""
    return version, number if version == 4 else number.to_bytes(_OCTETS, "big"), bits


def numeric(network: int | bytes) -> int:
    return network if isinstance(network, int) else int.from_bytes(network, "big")


@lru_cache(maxsize=8192)
def numbered(client: str) -> tuple[int, int]:
    """(4 or 6, the address as a number); an IPv4 address inside IPv6 is IPv4. (0, 0): no address."""
    try:
        address: IPv4Address | IPv6Address = ip_address(client)
    except ValueError:
        return 0, 0
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, int(address)
