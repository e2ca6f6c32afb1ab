"""Microseconds that the gateway's core spends on a request: its head read, decided, its endpoint chosen.

CPU time of this process, the best of several rounds; nothing is sent. The table beside it: what compiling,
publishing and taking over the routes costs. Targets: about 5 us for a decision and a choice, and no more than
a tenth more for 1,000 hosts x 10 rules than for one rule.
"""

import sys
import time
import timeit
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fedns.gateway import balance, compile, decide, head, route
from fedns.model.ingress import Backend, Ingress, Rule
from fedns.model.ingress import Path as Location

CALLS, ROUNDS = 20_000, 7
NGINX = "nginx.ingress.kubernetes.io/"
USUAL = (
    (b"user-agent", b"curl/8"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip"),
    (b"x-request-id", b"1"),
)


class Case(NamedTuple):
    name: str
    ingresses: Sequence[Ingress]
    host: str
    target: str
    fields: head.Fields = ()


def ingress(name: str, hosts: Sequence[str], paths: Sequence[str], **annotations: str) -> Ingress:
    """Every path at every host, to one Service; names of annotations with `_` for `-`."""
    asked = {NGINX + key.replace("_", "-"): text for key, text in annotations.items()}
    locations = tuple(Location(path, "Prefix", Backend("web", "80")) for path in paths)
    if "use-regex" in "".join(asked) or "rewrite-target" in "".join(asked):
        locations = tuple(Location(path, "ImplementationSpecific", Backend("web", "80")) for path in paths)
    service = Backend("canary" if "canary" in annotations else "web", "80")
    rules = tuple(Rule(host, tuple(Location(p.path, p.kind, service) for p in locations)) for host in hosts)
    return Ingress("shop", name, float("canary" in annotations), annotations=asked, rules=rules)


def cases() -> list[Case]:
    plain, host = [ingress("web", ["h"], ["/"])], "h"
    cookie = b"a=1; INGRESSCOOKIE=0123456789abcdef.01234567"
    ten = [f"/p{number}" for number in range(10)]
    return [
        Case("1 host x 1 rule", plain, host, "/p7/items?id=1"),
        Case(
            "1,000 hosts x 10 rules",
            [ingress(f"i{n}", [f"h{n}"], ten) for n in range(1000)],
            "h500",
            "/p7/items?id=1",
        ),
        Case(
            "100 routes x 20 paths",
            [ingress(f"i{n}", ["h"], [f"/r{n}/p{k}" for k in range(20)]) for n in range(100)],
            host,
            "/r77/p17/items?id=1",
        ),
        Case("a timeout", [ingress("web", ["h"], ["/"], proxy_read_timeout="9")], host, "/a"),
        Case(
            "a canary by weight",
            [*plain, ingress("c", ["h"], ["/"], canary="true", canary_weight="10")],
            host,
            "/a",
        ),
        Case(
            "a canary by header",
            [*plain, ingress("c", ["h"], ["/"], canary="true", canary_by_header="x-c")],
            host,
            "/a",
            ((b"x-c", b"always"),),
        ),
        Case(
            "affinity", [ingress("web", ["h"], ["/"], affinity="cookie")], host, "/a", ((b"cookie", cookie),)
        ),
        Case(
            "a pattern, rewritten",
            [ingress("web", ["h"], ["/api(/|$)(.*)"], rewrite_target="/$2")],
            host,
            "/api/x",
        ),
        Case(
            "20 patterns",
            [ingress("web", ["h"], [f"/p{k}/[0-9]+" for k in range(20)], use_regex="true")],
            host,
            "/p7/123",
        ),
    ]


def spent(what: Callable[[], object]) -> float:
    """Microseconds of CPU for one call."""
    return min(timeit.repeat(what, number=CALLS, repeat=ROUNDS, timer=time.process_time)) / CALLS * 1e6


def measure(case: Case) -> str:
    begun = time.process_time()
    output = compile.table(compile.Input(case.ingresses), compile.Settings())
    compiled = time.process_time() - begun
    data = route.encode(output.table)
    taken = min(timeit.repeat(lambda: route.table(data), number=1, repeat=3, timer=time.process_time))
    table, target = route.table(data), case.target.encode()
    fields = ((b"host", case.host.encode()), *USUAL, *case.fields)
    asked = head.read(b"GET", target, fields)
    assert decide.decide(table, asked).status == 0
    read = spent(lambda: head.read(b"GET", target, fields))
    decided = spent(lambda: decide.decide(table, asked, 0.5))
    pool = balance.prepare(POOL)
    chosen = spent(lambda: balance.pick(pool, 0.3))
    return (
        f"{case.name:24}{read:8.2f}{decided:8.2f}{chosen:8.2f}"
        f"{compiled * 1e3:12.1f}{len(data) / 1024:10.1f}{taken * 1e3:10.2f}"
    )


def _pool() -> route.Pool:
    """Two members with three endpoints each, unevenly loaded."""
    parts = []
    for member, share in (("a", 0.6), ("b", 0.4)):
        found = tuple(route.Endpoint("10.0.0.1", n, member, f"{member}{n}".encode()) for n in range(3))
        parts.append(route.Part(member, share, found))
    return route.Pool((route.Tier(1.0, tuple(parts)),))


POOL = _pool()


def main() -> None:
    print(
        f"{'us for one':24}{'head':>8}{'decide':>8}{'choose':>8}{'compile ms':>12}{'KiB':>10}{'take ms':>10}"
    )
    for case in cases():
        print(measure(case))


if __name__ == "__main__":
    main()
