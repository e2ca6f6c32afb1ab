"""Signed zones as they are told: to the admin API, to scrapers, and as problems.

Law: pure; it words what the keeper holds, and compares it with what is served.
"""

from collections.abc import Iterable, Iterator, Mapping

from fedns import keyring, metrics
from fedns.control import keys
from fedns.dns import keyset, names, node, zones
from fedns.errors import Problem
from fedns.servers import api
from fedns.sources import change

_UNSERVED = "is to be signed, but no such zone is served here"


def told(name: str, held: keys.Held) -> api.Signed:
    """One zone for the admin API."""
    shown = [
        api.Key(key.tag, key.role, keyset.ALGORITHMS[key.algorithm], key.state, key.since, key.until or None)
        for key in held.keys.keys
    ]
    steps = [api.Step(step.at or None, step.what) for step in keys.steps(name, held)]
    return api.Signed(name, shown, steps, float(keys.expiry(held)))


def measured(held: Mapping[str, keys.Held]) -> Iterator[metrics.SignedZone]:
    """All zones for scrapers."""
    for name, each in held.items():
        states: dict[tuple[str, str, str], float] = {
            (str(key.tag), key.role, key.state): 1.0 for key in each.keys.keys
        }
        times = [step.at for step in keys.steps(name, each) if step.at]
        yield metrics.SignedZone(name, states, min(times, default=0.0), float(keys.expiry(each)))


def problems(
    told: keyring.Settings, served: Iterable[node.Zone], facts: Mapping[str, change.ZoneFacts]
) -> tuple[Problem, ...]:
    """Zones that are to be signed and are not served, and TTLs that outlast what keys wait for."""
    apexes = {zone.apex for zone in served}
    wanted = {names.wire(name): name for name in told.zones}
    found = []
    for apex, name in wanted.items():
        if apex not in apexes:
            known = ", ".join(sorted(zones.text(each) for each in apexes))
            found.append(Problem(name, _UNSERVED, f"served: {known}"))
    for each in facts.values():
        longest = max((row[2] for row in each.rrsets), default=0) if each.origin in wanted else 0
        if longest > told.max_ttl:
            what = f"has a TTL of {longest} s, and `dns.dnssec.max_ttl` is {told.max_ttl} s"
            hint = "raise that: a key must stay until no cache needs it"
            found.append(Problem(each.path, what, hint))
    return tuple(found)
