"""What happens next to the keys of a zone, in words for people.

Law: it tells what `rollover` will do and decides nothing itself. Steps that wait for somebody come first.
"""

from typing import NamedTuple

from fedns.dns import rollover


class Next(NamedTuple):
    """A step to come; `at` in Unix seconds, 0: when somebody acts."""

    at: float
    what: str


def steps(zone: rollover.Zone, settings: rollover.Settings, name: str) -> tuple[Next, ...]:
    """All that is known to come, by time."""
    found = [each for key in zone.keys for each in _of(zone, key, settings, name)]
    if zone.keys and not settings.signed:
        found.append(_leaving(zone, name))
    return tuple(sorted(found))


def _of(zone: rollover.Zone, key: rollover.Key, settings: rollover.Settings, name: str) -> list[Next]:
    who = f"{key.role.upper()} {key.tag}"
    if key.state == "ready" and settings.signed:
        return [Next(0.0, f"{who} waits: give its DS to the parent zone, then `fedns key seen {name}`")]
    if key.state == "active" and key.role == "zsk" and settings.signed:
        if rollover.refusal(zone, rollover.ROLL + "zsk"):
            return []
        return [Next(key.since + settings.zsk_lifetime, f"{who} is old enough: a new one is published")]
    told = _TOLD.get((key.state, key.role == "zsk")) if key.until else None
    return [Next(key.until, f"{who} {told}")] if told else []


def _leaving(zone: rollover.Zone, name: str) -> Next:
    if zone.gone:
        return Next(zone.gone, "the zone is served without signatures")
    then = f"`fedns key seen {name} --gone`"
    return Next(0.0, f"the zone is to be unsigned: remove its DS at the parent, then {then}")


_TOLD = {
    ("pre-active", False): "is published: all cached data has its signatures by then",
    ("pre-active", True): "is published: all cached data has its signatures by then",
    ("published", False): "is ready: its DS may go to the parent zone",
    ("published", True): "is in every cache and takes over",
    ("retired", False): "leaves: nothing in caches needs it any more",
    ("retired", True): "leaves: its last signatures are out of all caches",
    ("retire-active", False): "leaves the DNSKEY set: its DS is out of all caches",
    ("retire-active", True): "leaves the DNSKEY set: the DS of its algorithm is out of all caches",
    ("post-active", False): "signs no more: no cache knows it",
    ("post-active", True): "signs no more: no cache knows it",
}
