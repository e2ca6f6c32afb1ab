"""A request told step by step, through the very decision and the very choice that the data path makes.

Law: nothing is decided here: `decide` and `balance` are asked, and what they say is put in words. Numbers
drawn by chance are an argument, so that the same question has the same answer.
"""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import msgspec
from msgspec import Struct, structs

from fedns.gateway import balance, decide, normal
from fedns.gateway.balance import Tried
from fedns.gateway.decide import Decision
from fedns.gateway.head import Head
from fedns.gateway.options import Access, Basic, Network, Options
from fedns.gateway.route import Endpoint, Pool, Table

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))  # RFC 9110 section 9.2.2
_LEAVES = {
    "connect": "another member is tried before another endpoint of the same",
    "idempotent": "another member is tried before another endpoint of the same",
    "off": "endpoints of the same member may be tried next",
}
MOST_TRIES = 5
"""How many further tries are told where there is no limit."""
SILENT = frozenset(("rewrite", "refused"))
"""Options whose effect the steps tell themselves, and secrets."""


class Part(Struct, frozen=True):
    """One member's part of a tier, and where it serves."""

    member: str
    share: float
    endpoints: tuple[str, ...]


class Tier(Struct, frozen=True):
    load: float
    parts: tuple[Part, ...]


class Explanation(Struct, frozen=True):
    """`steps` in order, for people; the rest for programs. `status` 0: it is sent to `endpoint`, if there is
    one; `tries` are where it would go next, one after the other."""

    steps: tuple[str, ...]
    status: int
    fields: tuple[tuple[str, str], ...] = ()
    rule: str = ""
    canary: str = ""
    pool: str = ""
    target: str = ""
    tiers: tuple[Tier, ...] = ()
    endpoint: str = ""
    member: str = ""
    tries: tuple[str, ...] = ()
    retry: str = ""
    options: Options | None = None


def explain(table: Table, head: Head, pools: Callable[[bytes], Pool | None], draw: float) -> Explanation:
    """What becomes of a request. `pools` by key; `draw` from [0, 1) stands for all chance."""
    steps: list[str] = [f"{_text(head.method)} {_text(head.target)} of host {_text(head.host)}"]

    def alive(key: bytes) -> bool:
        found = pools(key)
        return found is not None and bool(found.tiers)

    try:
        made = decide.decide(table, head, draw, alive, steps)
    except normal.Rejected as rejected:
        steps.append(f"rejected: {rejected.why}")
        return Explanation(tuple(steps), rejected.status)
    rule = _text(made.location.rule) if made.location is not None else ""
    if made.status:
        fields = tuple((_text(name), _text(value)) for name, value in made.fields)
        steps += [f"answer {made.status}", *(f"{name}: {value}" for name, value in fields)]
        return Explanation(tuple(steps), made.status, fields, rule, options=made.options)
    found = pools(made.pool) or Pool()
    told = structs.replace(_sent(made, rule, found, steps, draw), options=made.options)
    if not told.endpoint:
        return told
    retry = plan(made.options or Options(), head.method)
    return structs.replace(told, retry=retry, steps=(*told.steps, retry))


def plan(options: Options, method: bytes) -> str:
    """When a request of this method is tried again, in words."""
    asked = options.retry
    if asked.tries == 1:
        return "it is tried once"
    kinds = (("an error", asked.error), ("silence", asked.timeout), ("an answer that is none", asked.invalid))
    after = [word for word, wanted in kinds if wanted] + [f"a {status}" for status in asked.statuses]
    if not after:
        return "it is tried once"
    often = f"up to {asked.tries} tries" if asked.tries else "as many tries as there are endpoints"
    within = f" within {asked.within:g} s" if asked.within else ""
    parts = [f"{often} in all{within}, after {', '.join(after)}"]
    if method not in IDEMPOTENT and not asked.unsafe:
        parts.append(f"a {_text(method)} that a backend may have taken is not sent again")
    parts.append(_LEAVES[asked.leave])
    return "; ".join(parts)


def _sent(made: Decision, rule: str, pool: Pool, steps: list[str], draw: float) -> Explanation:
    """What is sent to a pool, and where the choice falls."""
    if made.options is not None:
        steps += wishes(made.options)
    if made.authenticate:
        steps.append("credentials are asked for first")
    canary = str(made.canary) if made.canary is not None else ""
    name = _text(made.pool)
    tiers = tuple(
        Tier(tier.load, tuple(Part(p.member, p.share, tuple(map(_at, p.endpoints))) for p in tier.parts))
        for tier in pool.tiers
    )
    steps.append(
        f"pool {name}" + (", fail open: nobody is healthy, the last good serve" if pool.open else "")
    )
    steps += [f"tier {number}, {_load(tier)}: {_parts(tier)}" for number, tier in enumerate(tiers, 1)]
    chosen = _tries(made, pool, draw)
    if not chosen:
        steps.append("nobody can serve: 503")
        return Explanation(tuple(steps), 503, (), rule, canary, name, _text(made.target), tiers)
    first, *others = chosen
    steps.append(f"endpoint {_at(first)} of {first.member}")
    if others:
        steps.append("if it cannot be reached: " + ", then ".join(f"{_at(e)} of {e.member}" for e in others))
    tries = tuple(map(_at, others))
    where = _text(made.target)
    return Explanation(tuple(steps), 0, (), rule, canary, name, where, tiers, _at(first), first.member, tries)


def _tries(made: Decision, pool: Pool, draw: float) -> list[Endpoint]:
    """Where it goes, and where it would go when that fails, and again."""
    ready, tried = balance.prepare(pool), Tried(set(), set())
    retry = made.options.retry if made.options is not None else None
    count = min(retry.tries or MOST_TRIES, MOST_TRIES) if retry is not None else 1
    found: list[Endpoint] = []
    for _ in range(count):
        if made.want is not None:
            endpoint = balance.choose(ready, made.want, draw, tried)
        else:
            endpoint = balance.pick(ready, draw, tried)
        if endpoint is None:
            break
        found.append(endpoint)
        tried.hosts.add(endpoint.tag)
        if retry is not None and retry.leave != "off":
            tried.members.add(endpoint.member)
    return found


def wishes(options: Options) -> list[str]:
    return [f"option {name}: {text}" for name, text in wished(options).items()]


def wished(options: Options) -> dict[str, str]:
    """Options that are not the default, as JSON would have them; passwords are not told."""
    usual = Options()
    found = {}
    for name in Options.__struct_fields__:
        value = getattr(options, name)
        if value != getattr(usual, name) and name not in SILENT:
            found[name] = told(value)
    return found


def told(value: Any) -> str:
    if isinstance(value, Basic):
        return f"{len(value.users)} users of {_text(value.realm)}"
    plain = msgspec.to_builtins(_named(value), enc_hook=str, builtin_types=(bytes,))
    return msgspec.json.encode(_words(plain)).decode()


def _named(value: Any) -> Any:
    """Structs by the names of their fields, without those at their defaults."""
    if isinstance(value, Access):
        return {"deny": _networks(value.deny), "allow": _networks(value.allow)}
    if isinstance(value, Struct):
        rows = zip(value.__struct_fields__, _defaults(value), strict=True)
        return {name: _named(getattr(value, name)) for name, usual in rows if getattr(value, name) != usual}
    return value


def _networks(found: Iterable[Network]) -> list[str]:
    return [
        f"{IPv4Address(n) if v == 4 else IPv6Address(n)}/{(32 if v == 4 else 128) - b}" for v, n, b in found
    ]


def _defaults(value: Struct) -> list[Any]:
    fields = msgspec.structs.fields(value)
    return [each.default for each in fields]


def _words(value: Any) -> Any:
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, dict):
        return {key: _words(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_words(each) for each in value]
    return value


def _load(tier: Tier) -> str:
    return f"{tier.load:.0%} of requests" if tier.load else "in reserve"


def _parts(tier: Tier) -> str:
    return ", ".join(
        f"{part.member} {part.share:.0%} ({len(part.endpoints)} endpoint{'s' * (len(part.endpoints) > 1)})"
        for part in tier.parts
    )


def _at(endpoint: Endpoint) -> str:
    host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return f"{host}:{endpoint.port}"


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")
