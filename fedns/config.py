"""`fedns.yaml`: what one installation is told, composed of small frozen structs.

Law: every unknown key, bad value and unreachable path is a `Problem` with file:line and a hint, and
all are found in one run. `Loaded.config` is None when anything is misspelt or wrong; a path that
cannot be reached is a problem too, yet the configuration stands: a server restarted without its
sources must serve from its persisted tables. Nobody is handed the whole `Config` but `app`.
"""

import os
from collections.abc import Iterable, Mapping
from math import inf
from typing import Annotated, Literal, NamedTuple

from msgspec import Struct, structs

from fedns import fleet as fleets
from fedns import geography, hosts, interior, keyring, portal, replicas, schema, values
from fedns import reverse as reverses
from fedns.dns import annex, atlas, client, names, rate
from fedns.errors import Problem
from fedns.model import assemble, policy
from fedns.values import (
    Bits4,
    Bits6,
    Count,
    Directory,
    File,
    Fraction,
    Host,
    Ip,
    Label,
    Listen,
    Prefix,
    Rate,
    Seconds,
    Secret,
    Slip,
    Text,
    TtlSeconds,
)

DEFAULT_FILE = "fedns.yaml"
ADMIN = "127.0.0.1:9053"
"""The admin API is unauthenticated, so it is bound to loopback unless told otherwise."""


class TtlBounds(Struct, frozen=True):
    min: TtlSeconds = 5
    max: TtlSeconds = 30


class Cookies(Struct, frozen=True):
    """DNS cookies (RFC 7873). `secret`: 32 hexadecimal digits each, where replicas that share no state
    directory must know each other's; the first is in use. `required`: over UDP, clients that know cookies are
    answered only with a good one."""

    enabled: bool = True
    secret: tuple[Secret, ...] = ()
    required: bool = False


class Tls(Struct, frozen=True):
    """DNS over TLS (RFC 7858): where, and the PEM files of the chain to show and of its key."""

    listen: tuple[Listen, ...] = ()
    certificate: File = ""
    key: File = ""


class RateLimit(Struct, frozen=True):
    """What one network may be told per second over UDP by each worker, as `rate.Limits` has it: `queries` are
    all together, the rest are replies by class, 0 is no limit. `slip`: every so many-th limited reply is sent
    cut (TC=1), so that whoever is really there asks over TCP. `exempt` is never limited. `connections` are
    those of one network over TCP."""

    enabled: bool = True
    queries: Rate = 5000
    answers: Rate = 2000
    nodata: Rate = 1000
    nxdomain: Rate = 1000
    referrals: Rate = 1000
    errors: Rate = 500
    slip: Slip = 2
    prefix4: Bits4 = 24
    prefix6: Bits6 = 56
    exempt: tuple[Prefix, ...] = ("127.0.0.0/8", "::1/128")
    connections: Rate = 250


class Dns(Struct, frozen=True):
    """`compat: v1` answers as Kubernetes federation v1 did, its known defects included. `nsid`, `identity`
    (`id.server`) and `version` (`version.bind`) are told to who asks; empty ones are not. `idle` is how long
    a quiet TCP connection lives. Who asks at one of `inside` is inside its member."""

    listen: tuple[Listen, ...] = (values.Address("127.0.0.1", 5300),)
    inside: tuple[geography.Inside, ...] = ()
    workers: Count = 2
    ttl: TtlBounds = TtlBounds()
    compat: Literal["fedns", "v1"] = "fedns"
    nsid: Text = ""
    identity: Text = ""
    version: Text = "fedns"
    idle: Seconds = 10.0
    cookies: Cookies = Cookies()
    ecs: geography.Ecs = geography.Ecs()
    tls: Tls = Tls()
    rate_limit: RateLimit = RateLimit()
    dnssec: keyring.Settings = keyring.Settings()


class Admin(Struct, frozen=True):
    listen: Listen = values.address(ADMIN)


class Health(Struct, frozen=True):
    """Defaults for every probe and for the damping of flapping shards; times are seconds."""

    interval: Seconds = 5.0
    timeout: Seconds = 2.0
    fall: Count = 3
    rise: Count = 5
    on_all_unhealthy: Literal["open", "closed"] = "open"
    hold: Annotated[float, schema.duration] = 30.0
    hold_max: Annotated[float, schema.duration] = 300.0
    hold_reset: Annotated[float, schema.duration] = 600.0
    degraded_below: Fraction = 0.5


class Config(Struct, frozen=True):
    """The whole file; paths are absolute, times are seconds. `member`: the one that this instance is in, and
    that everybody who asks it is inside of; empty: none."""

    federation: Label
    domain: Host
    nameservers: Mapping[str, tuple[Ip, ...]] = {}
    aliases: Mapping[str, Host] = {}
    state: Annotated[str, schema.anywhere] = ""
    zones: tuple[Directory, ...] = ()
    fleet: fleets.Fleet = fleets.Fleet()
    members: tuple[fleets.Member, ...] = ()
    member: Host = ""
    places: tuple[geography.Place, ...] = ()
    geo: geography.Geo = geography.Geo()
    dns: Dns = Dns()
    gateway: portal.Gateway = portal.Gateway()
    inside: interior.Inside = interior.Inside()
    reverse: reverses.Reverse = reverses.Reverse()
    clusterset: interior.Clusterset = interior.Clusterset()
    admin: Admin = Admin()
    transfer: replicas.Transfer = replicas.Transfer()
    health: Health = Health()
    tombstone: Annotated[float, schema.duration] = 300.0
    """How long names of a deleted service go on existing (NODATA instead of NXDOMAIN), seconds."""


class Loaded(NamedTuple):
    """`config` is None when it cannot be used; `problems` are all there are, in file order."""

    config: Config | None
    problems: tuple[Problem, ...]


def load(path: str) -> Loaded:
    """Reads `path`. Never raises for what stands in it."""
    reader = schema.Reader(path)
    return _finish(reader, reader.document(Config))


def parse(data: bytes, path: str = DEFAULT_FILE) -> Loaded:
    """As `load`, from bytes that stood in `path`."""
    reader = schema.Reader(path)
    return _finish(reader, reader.parse(data, Config))


def unknown(config: Config, member: str) -> str:
    """What is wrong with a member's name; empty: it may be one, by this file or by objects of the fleet."""
    if config.fleet.manifests or fleets.where(config.fleet) is not None:
        return ""
    return "" if any(each.name == member for each in config.members) else f"no member is called {member!r}"


def called(config: Config) -> str:
    return f"the members are {', '.join(each.name for each in config.members)}" if config.members else ""


def settled(config: Config) -> Config:
    """The gateway of an instance in a member is there too."""
    if not config.member:
        return config
    place = portal.Place(member=config.member)
    return structs.replace(config, gateway=structs.replace(config.gateway, place=place))


def _finish(reader: schema.Reader, config: Config | None) -> Loaded:
    if config is not None:
        for check in CHECKS:
            check(config, reader)
        config = _complete(config, reader.base)
    found = sorted((*reader.problems, *reader.warnings), key=_position)
    return Loaded(None if reader.problems else config, tuple(found))


def _position(problem: Problem) -> tuple[int, str]:
    line = problem.where.rpartition(":")[2]
    return (int(line) if line.isdigit() else 0, problem.what)


def _complete(config: Config, base: str) -> Config:
    """Defaults that depend on the file: state beside it; name server names in canonical form."""
    values = {field: getattr(config, field) for field in config.__struct_fields__}
    values["state"] = config.state or os.path.join(base, "state")
    values["nameservers"] = {name.rstrip(".").lower(): ips for name, ips in config.nameservers.items()}
    values["fleet"] = fleets.completed(config.fleet)
    values["dns"] = structs.replace(config.dns, dnssec=keyring.completed(config.dns.dnssec, config.domain))
    return settled(Config(**values))


def _check_sources(config: Config, reader: schema.Reader) -> None:
    fleets.check(config.fleet, config.members, reader)


def _check_names(config: Config, reader: schema.Reader) -> None:
    hosts.nameservers(config.nameservers, config.domain, reader)
    hosts.aliases(config.aliases, reader)


def _check_numbers(config: Config, reader: schema.Reader) -> None:
    if config.dns.ttl.min > config.dns.ttl.max:
        reader.bad(("dns", "ttl"), f"ttl.min {config.dns.ttl.min} is above ttl.max {config.dns.ttl.max}")
    if config.health.timeout > config.health.interval:
        reader.bad(
            ("health", "timeout"), "health.timeout is longer than health.interval", "probes would pile up"
        )
    if not config.dns.listen:
        reader.bad(("dns", "listen"), "dns.listen is empty", 'write ["127.0.0.1:5300"]')
    if config.dns.tls.listen and not (config.dns.tls.certificate and config.dns.tls.key):
        reader.bad(("dns", "tls"), "dns.tls.listen without a certificate and its key", "name both PEM files")


def _check_copies(config: Config, reader: schema.Reader) -> None:
    replicas.check(config.transfer, config.domain, reader)


def _check_places(config: Config, reader: schema.Reader) -> None:
    geography.check(config.places, config.geo, reader)
    told = [(("dns", "inside", at, "member"), each.member) for at, each in enumerate(config.dns.inside)]
    for path, member in (*told, *([(("member",), config.member)] if config.member else [])):
        wrong = unknown(config, member)
        if wrong:
            reader.bad(path, wrong, called(config))


def _check_dnssec(config: Config, reader: schema.Reader) -> None:
    keyring.check(config.dns.dnssec, config.domain, reader)


def _check_inside(config: Config, reader: schema.Reader) -> None:
    interior.check(config.inside, config.domain, reader)
    interior.check_set(config.clusterset, (config.domain, config.inside.domain), reader)
    reverses.check(config.reverse, reader)


CHECKS = (
    _check_sources,
    _check_names,
    _check_numbers,
    _check_places,
    _check_copies,
    _check_dnssec,
    _check_inside,
)
"""What one value cannot say about itself; run only on a file whose values are all good."""


def probe(config: Config) -> policy.ProbeSpec:
    """What a probe is where its policy does not say."""
    health = config.health
    return policy.ProbeSpec(
        interval=health.interval, timeout=health.timeout, fall=health.fall, rise=health.rise
    )


def defaults(config: Config) -> policy.TrafficPolicy:
    """The policy of a service that has none of its own."""
    health = config.health
    return policy.TrafficPolicy(
        ttl=policy.Ttl(config.dns.ttl.min, config.dns.ttl.max),
        on_all_unhealthy=health.on_all_unhealthy,
        health=policy.HealthSettings(
            hold=health.hold,
            hold_max=health.hold_max,
            hold_reset=health.hold_reset,
            degraded_below=health.degraded_below,
        ),
    )


def world(config: Config) -> assemble.World:
    """How facts are judged, without any facts. v1 kept the names of deleted services for ever."""
    v1 = config.dns.compat == "v1"
    tombstone = inf if v1 else config.tombstone
    return assemble.World(defaults=defaults(config), tombstone=tombstone, hostname_compat=v1)


def server(config: Config) -> client.Server:
    """How workers answer for themselves."""
    dns = config.dns
    return client.Server(
        nsid=dns.nsid,
        identity=dns.identity,
        version=dns.version,
        idle=dns.idle,
        proven=dns.cookies.required,
        limits=rate.Limits(**structs.asdict(dns.rate_limit)),
    )


def whereabouts(config: Config, more: Iterable[fleets.Member] = ()) -> atlas.Settings:
    """Where clients and regions are; `more`: members that stand elsewhere. v1 gave everybody the same
    answers."""
    if config.dns.compat == "v1":
        return atlas.Settings(ecs=False)
    members = (*config.members, *more)
    clients = {member.name: member.clients for member in members if member.clients}
    found = geography.settings(config.places, config.geo, config.dns.ecs, clients)
    inside = () if config.member else tuple(dict.fromkeys(each.member for each in config.dns.inside))
    return found._replace(inside=inside, home=config.member)


def annexes(config: Config) -> tuple[annex.Kind, ...]:
    """Zones beside the federated one."""
    cluster = "" if config.inside.enabled is False else config.inside.domain or interior.DOMAIN
    published = config.gateway.publish if config.gateway.serves else ()
    return (
        *interior.kinds(config.inside),
        *interior.sets(config.clusterset, published),
        *reverses.kinds(config.reverse, cluster),
    )


def insider(config: Config, member: fleets.Member) -> bool:
    """Whether somebody may be inside this member, so that it is to be told what is there."""
    if config.inside.enabled is False:
        return False
    if config.member:
        return member.name == config.member
    stated = member.clients or member.name in [each.member for each in config.dns.inside]
    return config.inside.written or bool(stated)


def naming(config: Config) -> names.Settings:
    """What federated names are made of."""
    where = whereabouts(config)
    told = config.nameservers, config.dns.compat, where, config.aliases
    return names.Settings(config.federation, config.domain, *told)
