"""The gateway as `fedns.yaml` has it: where it listens, and on what terms.

Law: sizes are octets, times seconds; what a limit answers stands beside it in `gateway.terms`.
"""

from ipaddress import ip_network
from typing import Literal

from msgspec import Struct

from fedns.gateway import access, terms
from fedns.values import Amount, Count, Fraction, Label, Listen, Prefix, Reached, Seconds, Text

_USUAL = terms.Terms()


class Limits(Struct, frozen=True):
    """0: none. `head` and `header_fields` count what comes before a body, `per_client` connections of one
    address (IPv6: /64) at one worker."""

    head: Amount = _USUAL.head
    header_fields: Amount = _USUAL.fields
    target: Amount = _USUAL.target
    body: Amount = _USUAL.body
    connections: Amount = _USUAL.connections
    per_client: Amount = _USUAL.per_client
    streams: Count = _USUAL.streams
    head_timeout: Seconds = _USUAL.head_time
    idle: Seconds = _USUAL.idle
    websocket_idle: Seconds = _USUAL.quiet
    replay: Amount = _USUAL.replay
    retry_budget: Fraction = _USUAL.budget


class AccessLog(Struct, frozen=True):
    """`file` empty: standard output. It may be moved away at any time."""

    format: Literal["off", "json", "combined"] = "off"
    file: Text = ""


class Place(Struct, frozen=True):
    """Where the gateway is, for policies that go by nearness: where a member is, or a region and a zone of
    it. Nothing said: nowhere."""

    member: Text = ""
    region: Text = ""
    zone: Text = ""


class Gateway(Struct, frozen=True):
    """`listen` for HTTP, `tls` for HTTPS with the certificates of Ingresses; neither: no gateway runs.
    `trusted` peers are believed about their clients. `publish` are the addresses or names that clients reach
    it at, or `service` is the Service (in `fleet.namespace`) whose load balancer has them: they go to the
    statuses of Ingresses."""

    listen: tuple[Listen, ...] = ()
    tls: tuple[Listen, ...] = ()
    workers: Count = 2
    trusted: tuple[Prefix, ...] = ()
    proxy_protocol: bool = False
    forwarded: bool = False
    limits: Limits = Limits()
    access_log: AccessLog = AccessLog()
    publish: tuple[Reached, ...] = ()
    service: Label = ""
    place: Place = Place()

    @property
    def serves(self) -> bool:
        return bool(self.listen or self.tls)


def agreed(settings: Gateway) -> terms.Terms:
    """What workers are told."""
    limits, log = settings.limits, settings.access_log
    return terms.Terms(
        head=limits.head,
        fields=limits.header_fields,
        target=limits.target,
        body=limits.body,
        head_time=limits.head_timeout,
        idle=limits.idle,
        quiet=limits.websocket_idle,
        connections=limits.connections,
        per_client=limits.per_client,
        streams=limits.streams,
        replay=limits.replay,
        budget=limits.retry_budget,
        trusted=tuple(_network(each) for each in settings.trusted),
        proxied=settings.proxy_protocol,
        forwarded=settings.forwarded,
        log="" if log.format == "off" else log.format,
        log_path=log.file,
    )


def _network(text: str) -> terms.Network:
    found = ip_network(text, strict=False)
    return access.network(found.version, int(found.network_address), found.max_prefixlen - found.prefixlen)
