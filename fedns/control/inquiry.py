"""What becomes of one HTTP request, asked by a person: the data path's own decision, and what is known about
everybody who could have got it.

Law: nothing is decided here: `gateway.explain` asks the matcher, the pools are those that are published, and
who is out of them is out in the words of the selection. Chance is taken out: the draw is fixed.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from msgspec import structs

from fedns.control import views
from fedns.errors import FednsError
from fedns.gateway import endpoints, explain, head, normal, route
from fedns.gateway.compile import Output
from fedns.gateway.endpoints import Wanted
from fedns.model import selection
from fedns.model.snapshot import Service, Shard, Snapshot
from fedns.portal import Gateway
from fedns.servers import api, itinerary
from fedns.servers.itinerary import Asked, Itinerary

DRAW = 0.5
NOBODY = "no client is named, and addresses decide who may come: --from names one"
PORTS = {"http": 80, "https": 443}
SEEN = ("tries", "refused", "reset", "silent", "errors")
"""The columns of `tally.SEEN`, in order."""
Seen = Mapping[tuple[str, bytes], Sequence[int]]


class Scene(NamedTuple):
    """Everything that is known when somebody asks. `table` and `pools` are published, `output` is what they
    were compiled to; `seen` as `tally.seen` has it."""

    settings: Gateway
    table: route.Table
    pools: Mapping[bytes, route.Pool]
    output: Output
    snapshot: Snapshot
    generation: int
    problems: Iterable[api.Problem]
    seen: Seen
    probes: views.Probes
    where: Mapping[str, str]
    """Ingress (`namespace/name`) -> what problems call it."""
    place: selection.Place | None = None
    """Where the gateway is."""


class _Told(NamedTuple):
    """What the explanation of a request leads to."""

    made: explain.Explanation
    wanted: Wanted | None
    secure: bool


def explained(scene: Scene, asked: Asked, now: float) -> Itinerary:
    """The way of one request. FednsError where it cannot be one."""
    parts = urlsplit(asked.url)
    if parts.scheme not in PORTS or not parts.netloc:
        raise FednsError(f"not a URL of http or https: {asked.url!r}")
    secure = parts.scheme == "https"
    steps, listener = _listener(scene.settings, secure, _port(asked.url))
    certificate = _certificate(scene, (parts.hostname or "").encode()) if secure else None
    if certificate is not None:
        steps.append(_sealed(certificate))
    made = _asked(scene, asked, secure, steps)
    wanted = scene.output.wanted.get(made.pool.encode())
    if wanted is not None:
        made = structs.replace(made, steps=tuple(_chosen(scene, wanted, made.steps, now)))
    told = _Told(made, wanted, secure)
    return _written(scene, asked, told, now, (listener, certificate))


def _chosen(scene: Scene, wanted: Wanted, steps: Sequence[str], now: float) -> Iterable[str]:
    """The steps, and before that of the pool what the pool is made by."""
    service = scene.snapshot.services.get(wanted.service)
    for step in steps:
        if service is not None and step.startswith("pool "):
            yield from _rule(scene, wanted, service, now)
        yield step


def _rule(scene: Scene, wanted: Wanted, service: Service, now: float) -> Iterable[str]:
    if wanted.choice.levels:
        levels = "; then ".join(", ".join(level) for level in wanted.choice.levels)
        yield f"service {wanted.service}: clusters by annotation: {levels}"
        return
    rule = selection.select(endpoints.reached(service), scene.place, now).rule
    yield f"service {wanted.service}: {rule}"
    if selection.local(service.policy):
        yield f"the gateway is {_where(scene.place)}" + ("" if scene.place else ": gateway.place says where")


def _port(url: str) -> int:
    try:
        parts = urlsplit(url)
        return parts.port or PORTS[parts.scheme]
    except ValueError as error:
        raise FednsError(f"not a URL: {url!r} ({error})") from None


def _listener(settings: Gateway, secure: bool, port: int) -> tuple[list[str], str]:
    """Who listens for it, and what is to be said of that."""
    found = [str(each) for each in (settings.tls if secure else settings.listen)]
    kind = "TLS" if secure else "HTTP"
    exact = [each for each in found if each.rpartition(":")[2] == str(port)]
    if exact:
        return [f"listener {exact[0]} for {kind}"], exact[0]
    if found:
        return [f"nothing listens on port {port} here; {kind} is at {', '.join(found)}"], found[0]
    key = "gateway.tls" if secure else "gateway.listen"
    return [f"nothing listens for {kind}: {key} is not set"], ""


def _asked(scene: Scene, asked: Asked, secure: bool, steps: list[str]) -> explain.Explanation:
    """Through the matcher, with the steps before it."""
    parts = urlsplit(asked.url)
    if asked.client:
        ip_address(asked.client)
    fields = [(name.strip().lower(), value.strip()) for name, value in asked.headers]
    if not any(name == "host" for name, _ in fields):
        fields.insert(0, ("host", parts.netloc.rpartition("@")[2]))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        request = head.read(asked.method.encode("ascii"), target.encode(), raw, secure)
    except UnicodeError:
        raise FednsError("fields of a header are Latin-1, methods are ASCII") from None
    except normal.Rejected as rejected:
        return explain.Explanation((*steps, f"rejected: {rejected.why}"), rejected.status)
    request.client = asked.client
    if asked.client:
        steps.append(f"client {asked.client}")
    made = explain.explain(scene.table, request, scene.pools.get, DRAW)
    unnamed = not asked.client and made.options is not None and made.options.access is not None
    return structs.replace(made, steps=(*steps, *([NOBODY] if unnamed else []), *made.steps))


def _certificate(scene: Scene, host: bytes) -> itinerary.Certificate:
    """The one that a client is shown who asks for this name (SNI), as `seals` chooses."""
    wanted = route.sealed(scene.table, host).certificate
    for name in dict.fromkeys((wanted, b"")):
        found = scene.output.certificates.get(name)
        if found is not None:
            return _read(name.decode(), found.chain)
    why = f"secret {wanted.decode()} is not there, and there is no default" if wanted else "none is for it"
    return itinerary.Certificate(wanted.decode(), [], None, why)


def _read(name: str, chain: bytes) -> itinerary.Certificate:
    try:
        own = x509.load_pem_x509_certificates(chain)[0]
        ends = own.not_valid_after_utc.timestamp()
    except (ValueError, IndexError) as error:
        return itinerary.Certificate(name, [], None, f"it cannot be read: {error}")
    try:
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return itinerary.Certificate(name, names.get_values_for_type(x509.DNSName), ends)
    except (ValueError, x509.ExtensionNotFound):
        return itinerary.Certificate(name, [], ends)


def _sealed(told: itinerary.Certificate) -> str:
    called = f"certificate of secret {told.secret}" if told.secret else "the default certificate"
    if told.ends is None:
        return f"no certificate can be shown: {told.why}; the handshake fails"
    return f"{called}, for {', '.join(told.names) or 'no name'}"


def _written(
    scene: Scene,
    asked: Asked,
    told: _Told,
    now: float,
    before: tuple[str, itinerary.Certificate | None],
) -> Itinerary:
    made, wanted = told.made, told.wanted
    service, port = (wanted.service, wanted.port) if wanted is not None else ("", "")
    options = explain.wished(made.options) if made.options is not None else {}
    return Itinerary(
        url=asked.url,
        method=asked.method,
        generation=scene.generation,
        steps=list(made.steps),
        status=made.status,
        fields=list(made.fields),
        listener=before[0],
        certificate=before[1],
        rule=made.rule,
        canary=made.canary,
        service=service,
        port=port,
        pool=made.pool,
        target=made.target,
        endpoint=made.endpoint,
        member=made.member,
        tries=list(made.tries),
        retry=made.retry,
        options=options,
        tiers=[
            itinerary.Tier(tier.load, {part.member: part.share for part in tier.parts}) for tier in made.tiers
        ],
        candidates=_candidates(scene, wanted, now) if wanted is not None else [],
        problems=list(_problems(scene, made)),
    )


def _candidates(scene: Scene, wanted: Wanted, now: float) -> list[itinerary.Candidate]:
    """Every member that has the service, those who serve first."""
    service = scene.snapshot.services.get(wanted.service)
    if service is None:
        return []
    pool = scene.pools.get(wanted.key) or route.Pool()
    out = endpoints.outside(wanted, endpoints.Seen(service, scene.snapshot.members), now)
    told = views.shards(scene.snapshot, now, {"service": wanted.service}, scene.probes)
    found = [
        _candidate((shard, each), (wanted, pool, scene.seen), out)
        for shard, each in zip(service.shards, told, strict=True)
    ]
    return sorted(found, key=lambda each: (each.tier or len(pool.tiers) + 1, each.member))


def _candidate(
    one: tuple[Shard, api.Shard], among: tuple[Wanted, route.Pool, Seen], out: Mapping[str, str]
) -> itinerary.Candidate:
    (shard, told), (wanted, pool, seen) = one, among
    tier, part = next(
        ((at, p) for at, tier in enumerate(pool.tiers, 1) for p in tier.parts if p.member == shard.member),
        (0, None),
    )
    chosen = {(each.address, each.port) for each in part.endpoints} if part is not None else set()
    if part is None:
        why = out.get(shard.member, f"it has no endpoint that takes requests for port {wanted.port or 'any'}")
    else:
        why = "serves" if pool.tiers[tier - 1].load else "in reserve: serves when those before it cannot"
    row = seen.get((shard.member, wanted.key), ())
    return itinerary.Candidate(
        member=shard.member,
        tier=tier,
        share=part.share if part is not None else 0.0,
        why=why,
        state=told.state,
        reason=told.reason,
        age=told.age if told.since else None,
        evidence=told.evidence,
        endpoints=[
            itinerary.Endpoint(_at(each), each.zone, each.state, (each.address, each.port) in chosen)
            for each in endpoints.stands(shard, wanted.port)
        ],
        seen=dict(zip(SEEN, row, strict=False)),
    )


def _where(place: selection.Place | None) -> str:
    if place is None:
        return "nowhere"
    inside = [f"inside member {place.member}"] if place.member else []
    return ", ".join(filter(None, ("/".join(filter(None, place[:2])), *inside)))


def _at(stand: endpoints.Stand) -> str:
    host = f"[{stand.address}]" if ":" in stand.address else stand.address
    return f"{host}:{stand.port}" if stand.port else host


def _problems(scene: Scene, made: explain.Explanation) -> Iterable[api.Problem]:
    """Those of the Ingresses that the request met."""
    keys = {text.partition(" ")[0] for text in (made.rule, made.canary) if text}
    names = {name for key in keys for name in (scene.where.get(key, ""), f"Ingress {key}") if name}
    return (each for each in scene.problems if any(_names(each.where, name) for name in names))


def _names(where: str, name: str) -> bool:
    return where == name or where.endswith(f": {name}")
