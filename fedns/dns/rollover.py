"""The life of the keys of one zone: states and times (RFC 7583, RFC 6781), names as Knot and BIND use them.

Law: a chain of trust never breaks in any cache. Nothing is signed by a key before caches can know it, and no
key or signature goes before caches have forgotten what needs it. Zone signing keys roll by pre-publication,
key signing keys by a double set of keys around the exchange of the DS record, which only somebody's word
(`seen`) ends. Keys of another algorithm or split come as a group: first their signatures, then the keys, then
the DS, and the old ones go in reverse (RFC 6781 section 4.1.4). One `step` takes a key one state on at most.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from msgspec import Struct, structs

Role = Literal["csk", "ksk", "zsk"]
State = Literal[
    "created", "pre-active", "published", "ready", "active", "retired", "retire-active", "post-active"
]
_PUBLIC = ("published", "ready", "active", "retired", "retire-active")
_SIGNING = ("pre-active", "active", "retire-active", "post-active")
SEEN, GONE, ROLL = "seen", "gone", "roll "
"""What may be asked of a zone's keys; `roll ` goes before a role."""


class Key(Struct, frozen=True):
    """`public`: the public key field of its DNSKEY, hexadecimal. `since`: when this state began; `until`:
    when it ends by itself, 0: something else must happen first. Keys that came together share a `group`; one
    that was `ahead` signs data before it is active."""

    tag: int
    algorithm: int
    role: Role
    public: str
    state: State = "created"
    since: float = 0.0
    until: float = 0.0
    group: int = 1
    ahead: bool = False


class Zone(Struct, frozen=True):
    """All keys of a zone. `ttl` is what its key sets are served with, and `older` until when caches may hold
    some with a longer one. `gone`: when nobody expects signatures any more (0: they do)."""

    keys: tuple[Key, ...] = ()
    asked: tuple[str, ...] = ()
    ttl: int = 0
    older: float = 0.0
    gone: float = 0.0


class Settings(NamedTuple):
    """All times in seconds. `max_ttl` is the longest TTL of the zone's data, `parent_ttl` that of the DS set
    in the parent zone, `propagation` how long until every server of zone or parent knows a change."""

    signed: bool = True
    algorithm: int = 13
    split: bool = False
    key_ttl: int = 3600
    max_ttl: int = 86400
    parent_ttl: int = 86400
    propagation: float = 300.0
    zsk_lifetime: float = 90 * 86400.0


class Want(NamedTuple):
    """A key to be made."""

    role: Role
    algorithm: int
    group: int


def stated(key: Key, state: State) -> Key:
    """A key in a state that somebody else decides about."""
    return structs.replace(key, state=state)


def public(key: Key) -> bool:
    """Whether it is in the DNSKEY set."""
    return key.state in _PUBLIC


def entry(key: Key) -> bool:
    """Whether it signs the key sets (a key with the SEP flag does as long as it is among them)."""
    return key.role != "zsk" and public(key)


def signs(key: Key) -> bool:
    """Whether it signs the zone's data."""
    early = key.ahead and key.state in ("published", "ready")
    return key.role != "ksk" and (early or key.state in _SIGNING)


def parental(keys: Iterable[Key]) -> tuple[Key, ...]:
    """The keys that the parent's DS set should stand for; none before caches are ready for the first."""
    entries = [key for key in keys if key.role != "zsk"]
    return tuple(next(filter(None, ([k for k in entries if k.state == s] for s in ("ready", "active"))), ()))


def wanted(zone: Zone, settings: Settings, now: float) -> tuple[Want, ...]:
    """The keys that are to be made now."""
    if not settings.signed:
        return ()
    roles: tuple[Role, ...] = ("ksk", "zsk") if settings.split else ("csk",)
    if not zone.keys:
        return tuple(Want(role, settings.algorithm, 1) for role in roles)
    if any(key.state == "created" for key in zone.keys):
        return ()
    group = max(key.group for key in zone.keys)
    settled = all(key.state == "active" for key in zone.keys)
    kinds = {(role, settings.algorithm) for role in roles}
    if settled and {(key.role, key.algorithm) for key in zone.keys} != kinds:
        return tuple(Want(role, settings.algorithm, group + 1) for role in roles)
    rolls = {role: at for role, at in _rolls(zone, settings) if at <= now and not refusal(zone, ROLL + role)}
    return tuple(Want(role, next(_with(zone, role)).algorithm, group) for role in rolls)


def joined(zone: Zone, keys: Iterable[Key]) -> Zone:
    """With new keys, and without the wishes for them."""
    new = tuple(keys)
    done = {ROLL + key.role for key in new}
    asked = tuple(word for word in zone.asked if word not in done)
    return structs.replace(zone, keys=(*zone.keys, *new), asked=asked)


def refusal(zone: Zone, word: str) -> str:
    """Why something cannot be asked now; empty: it can."""
    entries = [key for key in zone.keys if key.role != "zsk"]
    if word == GONE:
        return "" if zone.keys else "the zone has no keys"
    if word == SEEN:
        waits = any(key.state == "ready" for key in entries)
        return "" if waits else "no key waits for its DS record: see what comes next in `fedns key list`"
    role = word.removeprefix(ROLL)
    own = [key for key in zone.keys if key.role == role]
    if not own:
        return f"the zone has no {role.upper()}"
    if len({key.group for key in zone.keys}) > 1 or any(key.state != "active" for key in own):
        return "another roll is under way: it must come to its end first"
    return ""


def step(zone: Zone, settings: Settings, now: float) -> Zone:
    """The zone's keys as of now."""
    zone = _relived(zone, settings, now)
    for rule in _RULES:
        zone = rule(zone, settings, now)
    return zone


def due(zone: Zone, settings: Settings) -> float | None:
    """When `step` or `wanted` will next have something to do by itself."""
    times = [key.until for key in zone.keys if key.until]
    if settings.signed:
        times += [at for role, at in _rolls(zone, settings) if not refusal(zone, ROLL + role)]
    elif zone.gone:
        times.append(zone.gone)
    return min(times, default=None)


def _rolls(zone: Zone, settings: Settings) -> Iterator[tuple[Role, float]]:
    """(role, when): what was asked for, and zone signing keys that grow old."""
    roles: tuple[Role, ...] = ("csk", "ksk", "zsk")
    yield from ((role, 0.0) for role in roles if ROLL + role in zone.asked)
    if ROLL + "zsk" not in zone.asked:
        yield from (("zsk", key.since + settings.zsk_lifetime) for key in _with(zone, "zsk"))


def _with(zone: Zone, role: Role) -> Iterator[Key]:
    return (key for key in zone.keys if key.role == role)


def _relived(zone: Zone, settings: Settings, now: float) -> Zone:
    """With the TTL of the settings; caches keep what they have for as long as they were told."""
    if zone.ttl == settings.key_ttl:
        return zone
    older = max(zone.older, now + zone.ttl + settings.propagation)
    return structs.replace(zone, ttl=settings.key_ttl, older=older if zone.ttl else 0.0)


def _forgotten(zone: Zone, settings: Settings, now: float) -> float:
    """When no cache holds a key set of before now any more."""
    return max(now + zone.ttl, zone.older) + settings.propagation


def _begin(zone: Zone, settings: Settings, now: float) -> Zone:
    """Keys that were just made enter the zone."""
    others = [key for key in zone.keys if key.state != "created"]
    groups = {key.group for key in others}
    known = _forgotten(zone, settings, now)
    unsigned = max(known, now + settings.max_ttl + settings.propagation)  # data without signatures in caches

    def begun(key: Key) -> Key:
        if not others and key.role == "zsk":
            return _to(key, "active", now)
        if not others:
            return structs.replace(_to(key, "published", now, unsigned), ahead=True)
        if key.group in groups:
            return _to(key, "published", now, known)
        ahead = _to(key, "pre-active", now, now + settings.max_ttl + settings.propagation)
        return structs.replace(ahead, ahead=True)

    return _each(zone, lambda key: begun(key) if key.state == "created" else key)


def _advance(zone: Zone, settings: Settings, now: float) -> Zone:
    """Keys whose time has come take the next state."""
    over = {key.tag for key in zone.keys if key.until and key.until <= now}
    known = _forgotten(zone, settings, now)
    unused = now + settings.max_ttl + settings.propagation

    def advanced(key: Key) -> Key | None:
        if key.state == "pre-active":
            return _to(key, "active", now) if key.role == "zsk" else _to(key, "published", now, known)
        if key.state == "published":
            return _to(key, "active" if key.role == "zsk" else "ready", now)
        if key.state == "retire-active" and key.role != "ksk":
            return _to(key, "post-active", now, known)
        return None

    fresh = {key.tag for key in _with(zone, "zsk") if key.tag in over and key.state == "published"}
    if fresh:
        zone = _each(zone, lambda key: _to(key, "retired", now, unused) if _replaced(key, fresh) else key)
    return _each(zone, lambda key: advanced(key) if key.tag in over else key)


def _replaced(key: Key, fresh: set[int]) -> bool:
    return key.role == "zsk" and key.state == "active" and key.tag not in fresh


def _seen(zone: Zone, settings: Settings, now: float) -> Zone:
    """The parent has the DS of the keys that were ready: they take over."""
    if SEEN not in zone.asked:
        return zone
    zone = structs.replace(zone, asked=tuple(word for word in zone.asked if word != SEEN))
    new = [key for key in zone.keys if key.state == "ready"]
    if not new:
        return zone
    groups, tags = {key.group for key in new}, {key.tag for key in new}

    def after(key: Key) -> Key:
        if key.tag in tags:
            return structs.replace(_to(key, "active", now), ahead=False)
        if key.group not in groups:
            return _to(key, "retire-active", now, now + settings.parent_ttl + settings.propagation)
        if key.role == "zsk":
            return structs.replace(key, ahead=False)
        wait = max(settings.parent_ttl, settings.max_ttl if key.role == "csk" else 0)
        return _to(key, "retired", now, now + wait + settings.propagation)

    return _each(zone, after)


def _leave(zone: Zone, settings: Settings, now: float) -> Zone:
    """A zone that is to be unsigned is, once the parent's DS set is gone from all caches."""
    asked = tuple(word for word in zone.asked if word != GONE)
    if settings.signed:
        return structs.replace(zone, asked=asked, gone=0.0)
    if zone.gone and zone.gone <= now:
        return Zone(ttl=zone.ttl, older=zone.older)
    gone = now + settings.parent_ttl + settings.propagation if GONE in zone.asked else zone.gone
    return structs.replace(zone, asked=asked, gone=gone)


_RULES: tuple[Callable[[Zone, Settings, float], Zone], ...] = (_seen, _advance, _begin, _leave)


def _to(key: Key, state: State, now: float, until: float = 0.0) -> Key:
    return structs.replace(key, state=state, since=now, until=until)


def _each(zone: Zone, change: Callable[[Key], Key | None]) -> Zone:
    changed = (change(key) for key in zone.keys)
    return structs.replace(zone, keys=tuple(key for key in changed if key is not None))
