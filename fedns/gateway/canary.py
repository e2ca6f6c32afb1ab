"""The choice between a location's own pool and its canaries.

Law: explicit words of the request before habit, habit before chance, and nobody without endpoints is chosen
while another has some. Three orders, by `Options.mode`: fedns's (several canaries), ingress-nginx's exactly
(its first canary alone, habit first), and MSE's (a header, cookie or query rules weight out).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fedns.gateway import options, route
from fedns.gateway.head import Head
from fedns.gateway.route import Canary, Location

ALWAYS, NEVER = b"always", b"never"
THROUGH, CHOSEN, REFUSED, STAY = range(4)
"""What the rules of one canary say: nothing, yes, not this one, and the location's own whatever follows."""


class Case(NamedTuple):
    """One request before a choice. `draw` is from [0, 1); `alive` says whether a pool has endpoints; `steps`
    is told what happens; `bound` are the key and the pool's tag of the request's affinity cookie, if any."""

    head: Head
    draw: float
    alive: Callable[[bytes], bool]
    steps: list[str] | None
    bound: tuple[bytes, bytes]


def choose(location: Location, asked: options.Options, case: Case) -> Canary | None:
    """The canary that takes the request; None: the location's own pool."""
    if asked.mode == options.STRICT:
        return _strict(location, case)
    if asked.mode == options.MSE:
        return _mse(location.canaries, case)
    return _fedns(location, case)


def _fedns(location: Location, case: Case) -> Canary | None:
    alive = case.alive
    own = alive(location.pool)
    able = [each for each in location.canaries if alive(each.pool)]
    out = set()
    for each in able:
        says = explicit(each, case)
        if says == CHOSEN:
            return each
        if says == STAY and own:
            return None
        if says == REFUSED:
            out.add(each.pool)
    able = [each for each in able if each.pool not in out]
    if own and case.bound[0] and case.bound[1] == location.tag:
        _tell(case, "its cookie is bound to the location's own pool")
        return None
    for each in able:
        if case.bound[0] and each.sticky and each.tag == case.bound[1]:
            _tell(case, "its cookie is bound to {}", each)
            return each
    chosen = _weighed(able, case)
    if chosen is None and not own:
        chosen = next((each for each in able if each.weight), None)
        if chosen is not None:
            _tell(case, "the location's own pool has no endpoint: {}", chosen)
    return chosen


def _weighed(able: Sequence[Canary], case: Case) -> Canary | None:
    """One draw over all weights; where they add up to more than all, each gets its part of all."""
    whole = max(sum([each.weight / each.total for each in able]), 1.0)
    upto = 0.0
    for each in able:
        upto += each.weight / each.total / whole
        if case.draw < upto:
            _tell(case, "weight: {0} has {0.weight} of {0.total}", each)
            return each
    return None


def _strict(location: Location, case: Case) -> Canary | None:
    """The order of ingress-nginx 1.15, step by step."""
    canary = location.canaries[0]
    if not case.alive(location.pool):
        _tell(case, "the main pool has no endpoint: no canary is looked at")
        return None
    if case.bound[0] and case.bound[1] == location.tag:
        _tell(case, "its cookie is bound to the main pool")
        return None
    if not case.alive(canary.pool):
        _tell(case, "{} has no endpoint", canary)
        return None
    if case.bound[0] and canary.sticky and case.bound[1] == canary.tag:
        _tell(case, "its cookie is bound to {}", canary)
        return canary
    says = explicit(canary, case)
    if says:
        return canary if says == CHOSEN else None
    return _weighed((canary,), case)


def explicit(canary: Canary, case: Case) -> int:
    """What header, query and cookie say about one canary, in this order."""
    says = _header(canary, case) if canary.header else THROUGH
    if not says and canary.query:
        says = _query(canary, case)
    if not says and canary.cookie:
        says = _cookie(canary, case)
    return says


def _header(canary: Canary, case: Case) -> int:
    value = case.head.get(canary.header)
    if value is None:
        return THROUGH
    if canary.value:
        says = CHOSEN if value == canary.value else THROUGH
    elif canary.broken:
        says = STAY
    elif canary.pattern:
        says = CHOSEN if route.matches(canary.pattern, value) else THROUGH
    else:
        says = _WORDS.get(value, THROUGH)
    return _said(case, canary, (b"header", canary.header), says)


def _query(canary: Canary, case: Case) -> int:
    value = case.head.argument(canary.query)
    if value is None:
        return THROUGH
    if canary.query_value:
        says = CHOSEN if value == canary.query_value else THROUGH
    elif canary.query_pattern:
        says = CHOSEN if route.matches(canary.query_pattern, value) else THROUGH
    else:
        says = _WORDS.get(value, THROUGH)
    return _said(case, canary, (b"query", canary.query), says)


def _cookie(canary: Canary, case: Case) -> int:
    value = case.head.cookie(canary.cookie)
    if value is None:
        return THROUGH
    says = _WORDS.get(value, THROUGH)
    if canary.cookie_value and value == canary.cookie_value:
        says = CHOSEN
    return _said(case, canary, (b"cookie", canary.cookie), says)


def _mse(canaries: Sequence[Canary], case: Case) -> Canary | None:
    """Those with a header, query or cookie by that alone, the others by weight alone. The part of one without
    endpoints falls to the location's own pool."""
    for each in canaries:
        if each.spoken and _mse_spoken(each, case):
            return each if case.alive(each.pool) else None
    weighing = [each for each in canaries if not each.spoken]
    total = max([sum([each.weight for each in weighing]), 1, *[each.total for each in weighing]])
    upto = 0
    for each in weighing:
        upto += each.weight
        if case.draw * total < upto:
            _tell(case, "weight: {0} has {0.weight} of {1}", each, total)
            return each if case.alive(each.pool) else None
    return None


def _mse_spoken(canary: Canary, case: Case) -> bool:
    """A header rules query and cookie out; `never` is a value like others."""
    if not canary.header:
        return explicit(canary, case) == CHOSEN
    value = case.head.get(canary.header)
    if value is None:
        return False
    if canary.value:
        chosen = value in (ALWAYS, canary.value)
    elif canary.broken:
        chosen = False
    else:
        chosen = route.matches(canary.pattern, value) if canary.pattern else value == ALWAYS
    _said(case, canary, (b"header", canary.header), CHOSEN if chosen else THROUGH)
    return chosen


def _said(case: Case, canary: Canary, what: tuple[bytes, bytes], says: int) -> int:
    if case.steps is not None:
        kind, name = (each.decode("latin-1") for each in what)
        case.steps.append(f"canary: {kind} {name} says {_TOLD[says]} to {canary}")
    return says


def _tell(case: Case, what: str, *about: object) -> None:
    if case.steps is not None:
        case.steps.append("canary: " + what.format(*about))


_WORDS = {ALWAYS: CHOSEN, NEVER: REFUSED}
_TOLD = {THROUGH: "nothing", CHOSEN: "yes", REFUSED: "no", STAY: "nothing that can be read, so no"}
