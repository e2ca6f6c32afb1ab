"""Per-service policy: the one object that both schemes read (`TrafficPolicy`, fedns.io/v1alpha1)."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Strategy = Literal["ActiveActive", "Weighted", "PrimarySecondary", "Nearest"]
OnAllUnhealthy = Literal["open", "closed", "backup"]
ProbeKind = Literal["http", "https", "tcp", "grpc"]


class Ttl(Struct, frozen=True, gc=False):
    """Bounds of the published TTL, seconds."""

    min: int = 5
    max: int = 30


class ProbeSpec(Struct, frozen=True):
    """How one service is probed. `port` 0: the first TCP port. Times are seconds."""

    kind: ProbeKind = "tcp"
    port: int = 0
    path: str = "/"
    host: str = ""
    expect_status: tuple[tuple[int, int], ...] = ((200, 399),)
    expect_body: str = ""
    verify_tls: bool = True
    grpc_service: str = ""
    interval: float = 5.0
    timeout: float = 2.0
    fall: int = 3
    rise: int = 5


class HealthSettings(Struct, frozen=True):
    """Numbers of the health law. `hold` is the first minimum time in a state that flaps, seconds;
    it doubles with each flap up to `hold_max` and is forgotten after `hold_reset` quiet seconds.
    `passive_age`: what gateways saw longer ago (seconds) says nothing any more."""

    hold: float = 30.0
    hold_max: float = 300.0
    hold_reset: float = 600.0
    degraded_below: float = 0.5
    passive_errors: float = 0.5
    passive_requests: int = 20
    passive_age: float = 60.0


class TrafficPolicy(Struct, frozen=True):
    """What one service wants. `order` and `weights` name members; `min_ready` counts endpoints;
    0: a shard without any is not down for it."""

    strategy: Strategy = "ActiveActive"
    order: tuple[str, ...] = ()
    weights: Mapping[str, int] = {}
    spill: bool = False
    min_ready: int = 1
    probe: ProbeSpec | None = None
    ttl: Ttl = Ttl()
    on_all_unhealthy: OnAllUnhealthy = "open"
    backup: tuple[str, ...] = ()
    health: HealthSettings = HealthSettings()
