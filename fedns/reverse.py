"""The part of `fedns.yaml` about reverse zones: the prefixes whose addresses are told by name.

Law: a prefix that ends within a label is several zones, or, where it is narrower than the narrowest, a
problem: who has less than a /24 writes the /24, and has its names pointed here (RFC 2317).
"""

from collections.abc import Iterator

from msgspec import Struct

from fedns import schema
from fedns.dns import holders, reverse
from fedns.errors import FednsError
from fedns.values import Prefix

ZONES = 256
"""All together at most: more are a prefix that somebody mistyped."""


class Reverse(Struct, frozen=True):
    """`prefixes` hold addresses of load balancers, `inside` the cluster IPs of members."""

    prefixes: tuple[Prefix, ...] = ()
    inside: tuple[Prefix, ...] = ()


def check(told: Reverse, reader: schema.Reader) -> None:
    """What one value cannot say about itself."""
    seen: dict[holders.Network, str] = {}
    for path, prefix in _written(told):
        try:
            zones = reverse.split(prefix)
        except FednsError as error:
            reader.bad(path, str(error), "write the wider one, and have the addresses delegated (RFC 2317)")
            continue
        twice = next((each for each in zones if each in seen), None)
        if twice is not None:
            reader.bad(path, f"the zones of {prefix} are those of {seen[twice]} too", "write each once")
        seen.update(dict.fromkeys(zones, prefix))
    if len(seen) > ZONES:
        told_ = f"these prefixes are {len(seen)} zones: more than {ZONES}"
        reader.bad(
            ("reverse",), told_, "prefixes that end where a label does are one zone each: /16, /24, /32"
        )


def _written(told: Reverse) -> Iterator[tuple[schema.Path, str]]:
    for key, prefixes in (("prefixes", told.prefixes), ("inside", told.inside)):
        yield from ((("reverse", key, at), prefix) for at, prefix in enumerate(prefixes))


def kinds(told: Reverse, cluster: str) -> tuple[reverse.Kind, ...]:
    """`cluster`: the cluster domain; empty: there is none, and so no names inside clusters."""
    return reverse.kinds(reverse.Settings(told.prefixes, told.inside if cluster else (), cluster))
