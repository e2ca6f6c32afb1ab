"""Golden pairs of the gateway: a fleet and its Ingresses -> routes, pools, problems, and what becomes of
requests.

An input is a fleet (see `fleet`), `objects` as Kubernetes has them, and `requests`, each a method, a URL and
header fields after `-H`.
"""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import yaml

from fedns.gateway import compile, endpoints, explain, head, route
from fedns.model import ingress
from fedns.sources import entries
from tests.golden import fleet

CASES = sorted((Path(__file__).parent / "gateway").glob("*.in.yaml"))
SETTINGS = {"federation": "fed", "domain": "fed.example", "nameservers": {"ns1.fed.example": ["192.0.2.53"]}}


@pytest.mark.parametrize("source", CASES, ids=lambda path: path.name.removesuffix(".in.yaml"))
def test_the_routes_of_a_fleet(source: Path) -> None:
    text = "".join(f"{line}\n" for line in _told(yaml.safe_load(source.read_text())))
    golden = source.with_name(source.name.replace(".in.yaml", ".out.txt"))
    if os.environ.get("FEDNS_GOLDEN") == "rewrite":
        golden.write_text(text)
    assert text == golden.read_text(), "run `make golden` and review the difference"


def _told(world: dict[str, Any]) -> Iterator[str]:
    built = fleet.build({"settings": SETTINGS, **world})
    output = compile.table(_given(world["objects"]), compile.Settings())
    table = route.table(route.encode(output.table))
    pools = {}
    for key, wanted in output.wanted.items():
        seen = endpoints.Seen(built.snapshot.services.get(wanted.service), built.snapshot.members)
        pools[key] = route.pool(route.encode(endpoints.pool(wanted, seen, fleet.NOW).pool))
    yield from _routes(table)
    yield from _pools(pools)
    yield "problems"
    doubts = endpoints.doubts(output.wanted.values(), built.snapshot)
    yield from sorted(f"  {problem}" for problem in {*output.problems, *doubts})
    for line in world["requests"]:
        yield from ("", line)
        found = explain.explain(table, _request(line), pools.get, 0.25)
        yield from (f"  {number}. {step}" for number, step in enumerate(found.steps[1:], 1))


def _given(objects: list[dict[str, Any]]) -> compile.Input:
    ingresses: list[ingress.Ingress] = []
    classes: list[ingress.IngressClass] = []
    secrets: dict[str, ingress.Secret] = {}
    for each in objects:
        kind = entries.KINDS[each["apiVersion"], each["kind"]]
        value = kind.strip(msgspec.convert(each, kind.shape))
        if isinstance(value, ingress.Ingress):
            ingresses.append(value)
        elif isinstance(value, ingress.IngressClass):
            classes.append(value)
        else:
            secrets[f"{value.namespace}/{value.name}"] = value
    return compile.Input(ingresses, classes, secrets)


def _request(line: str) -> head.Head:
    method, url, *words = shlex.split(line)
    where = urlsplit(url)
    fields = [(b"host", where.netloc.encode())]
    for word in words:
        name, colon, value = word.partition(": ")
        if colon:
            fields.append((name.lower().encode(), value.encode()))
    target = url.partition(where.netloc)[2] or "/"
    made = head.read(method.encode(), target.encode(), fields, where.scheme == "https")
    made.client = "192.0.2.7"
    return made


def _routes(table: route.Table) -> Iterator[str]:
    hosts = {**table.hosts, **{b"*" + name: host for name, host in table.wild.items()}}
    if table.anyone is not None:
        hosts[b"(any)"] = table.anyone
    for name, host in sorted(hosts.items()):
        tls = table.tls.get(name)
        said = "" if tls is None else f", TLS {_text(tls.certificate) or 'by default'}"
        yield f"host {_text(name)}{said}" + (f", sent to {_text(host.elsewhere)}" if host.elsewhere else "")
        for what, found in (("exact", host.exact), ("prefix", host.prefix), ("begins", host.starts)):
            for location in found.values():
                yield from _location(what, location)
        for regex in host.regexes:
            yield from _location(f"pattern ({_text(regex.literal)}...)", regex.location)
        if host.default is not None:
            yield from _location("else", host.default)
    if table.default is not None:
        yield "any other host"
        yield from _location("else", table.default)
    for number, options in enumerate(table.options[1:], 1):
        yield f"options {number}"
        yield from (f"  {line}" for line in explain.wishes(options))


def _location(what: str, location: route.Location) -> Iterator[str]:
    options = f", options {location.options}" if location.options else ""
    yield f"  {what} {_text(location.path)} -> {_text(location.pool) or 'nobody'}{options}"
    for each in location.variants:
        yield from (f"  {line}" for line in _location(f"if {explain.told(each.match)}", each))
    for canary in location.canaries:
        fields = {name: getattr(canary, name) for name in canary.__struct_fields__[4:-1]}
        told = " ".join(f"{name}={_text(value)}" for name, value in fields.items() if value)
        yield f"    canary {_text(canary.rule)} -> {_text(canary.pool)}: {told}"


def _pools(pools: dict[bytes, route.Pool]) -> Iterator[str]:
    for key, pool in sorted(pools.items()):
        yield f"pool {_text(key)}" + (" (fail open)" if pool.open else "")
        for tier in pool.tiers:
            yield f"  {tier.load:.0%}:"
            for part in tier.parts:
                where = ", ".join(f"{each.address} {each.port}" for each in part.endpoints)
                yield f"    {part.member} {part.share:.0%}: {where}"


def _text(raw: object) -> str:
    return raw.decode() if isinstance(raw, bytes) else str(raw)
