"""`TrafficPolicy` objects (fedns.io/v1alpha1) of the fleet directory -> policies by target service.

Law: what an object leaves out comes from the configured defaults; out-of-range values are problems
and the object's last good value stays. `targetRef.name: "*"` is the policy of every service without
its own. Of two policies with one target the first by namespace/name counts. Policies
that distribute are looked at for what is wrong with them.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType, structs

from fedns.errors import Problem
from fedns.model.ingress import Said
from fedns.model.policy import (
    HealthSettings,
    OnAllUnhealthy,
    ProbeKind,
    ProbeSpec,
    Strategy,
    TrafficPolicy,
    Ttl,
)
from fedns.sources import catalog, entries, ingresses, objects, overrides, watch
from fedns.sources.change import IngressChange, PolicyChange, ProblemsChange, Publish

SWEEP_S = 30.0
"""Seconds between looks at everything, in case the kernel dropped news."""
EVERY = "*"
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)?\Z")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}

Policies = Mapping[str, TrafficPolicy]
"""By `namespace/name` of the service, or `*`."""
ObjectKey = tuple[str, str, str]
Duration = str | float | UnsetType
Number = int | UnsetType
Text = str | UnsetType


class _Target(Struct):
    name: str
    kind: str = "Service"
    namespace: str | None = None


class _Ttl(Struct, forbid_unknown_fields=True):
    min: Duration = UNSET
    max: Duration = UNSET


class _Probe(Struct, rename="camel", forbid_unknown_fields=True):
    kind: ProbeKind | UnsetType = UNSET
    port: Number = UNSET
    path: Text = UNSET
    host: Text = UNSET
    expect_status: list[int | str] | UnsetType = UNSET
    expect_body: Text = UNSET
    verify_tls: bool | UnsetType = UNSET
    grpc_service: Text = UNSET
    interval: Duration = UNSET
    timeout: Duration = UNSET
    fall: Number = UNSET
    rise: Number = UNSET


class _Health(Struct, rename="camel", forbid_unknown_fields=True):
    hold: Duration = UNSET
    hold_max: Duration = UNSET
    hold_reset: Duration = UNSET
    degraded_below: float | UnsetType = UNSET
    passive_errors: float | UnsetType = UNSET
    passive_requests: Number = UNSET


class _Spec(Struct, rename="camel", forbid_unknown_fields=True):
    target_ref: _Target
    strategy: Strategy | UnsetType = UNSET
    order: tuple[str, ...] | UnsetType = UNSET
    weights: dict[str, int] | UnsetType = UNSET
    spill: bool | UnsetType = UNSET
    min_ready: Number = UNSET
    probe: _Probe | UnsetType | None = UNSET
    ttl: _Ttl | UnsetType = UNSET
    on_all_unhealthy: OnAllUnhealthy | UnsetType = UNSET
    backup: list[str] | UnsetType = UNSET
    health: _Health | UnsetType = UNSET


class _TrafficPolicy(Struct):
    metadata: objects.Meta
    spec: _Spec


class Aimed(Struct, frozen=True):
    """A policy and the service it is for."""

    target: str
    policy: TrafficPolicy


def kinds(defaults: TrafficPolicy, probe: ProbeSpec) -> Mapping[tuple[str, str], objects.Kind]:
    """The table of kinds of a fleet directory."""

    def strip(found: _TrafficPolicy) -> Aimed:
        return _aimed(found, defaults, probe)

    return {("fedns.io/v1alpha1", "TrafficPolicy"): objects.Kind(_TrafficPolicy, strip)}


class Fleet:
    """The fleet directory (an empty path: none). `look` once, or `run` until cancelled.

    `defaults` stand for what a policy leaves out, `probe` for what its probe leaves out; `known` are the
    policies of before a restart, which stay while a file cannot be read."""

    def __init__(
        self,
        path: str,
        watcher: watch.Watcher,
        defaults: TrafficPolicy,
        probe: ProbeSpec,
        known: Mapping[str, TrafficPolicy] | None = None,
    ) -> None:
        self._path, self._watcher = path, watcher
        self._kinds = kinds(defaults, probe)
        self._catalog = catalog.Catalog(path, overrides.beside(self._kinds))
        self._known = known or {}
        self._before: Said | None = None
        self._said: Said | None = None
        self._policies: Policies | None = None
        self._problems: tuple[Problem, ...] | None = None

    def route(self, known: Said) -> None:
        """Reads Ingresses too. `known`: what they said before a restart, which stays likewise."""
        self._before = known
        self._catalog = catalog.Catalog(self._path, overrides.beside({**self._kinds, **entries.KINDS}))

    async def run(self, publish: Publish) -> None:
        if not self._path:
            publish(PolicyChange({}, None))
            self._mute(publish, whole=True)
            await asyncio.Event().wait()
        ear = self._watcher.listen(self._path)
        try:
            while True:
                self.look(await ear.news(SWEEP_S), publish)
        finally:
            self._watcher.leave(ear)

    def look(self, hints: watch.Hints, publish: Publish) -> None:
        """Look (None: at everything) and publish what differs."""
        try:
            difference = self._catalog.look(hints)
        except OSError as error:
            what = f"the directory cannot be read: {error.strerror}"
            if self._problems is None:
                publish(PolicyChange({}, frozenset(), whole=False))
                self._mute(publish, whole=False)
            lost = Problem(self._path, what, "the last known policies stay in use")
            self._tell((lost, *self._catalog.problems()), publish)
            return
        for path in (*difference.changed, *difference.removed):
            self._catalog.read(path)
        if self._before is not None:
            self._route(self._before, publish)
        values = ((key, value) for key, value in self._catalog.values() if isinstance(value, Aimed))
        policies, rivals = chosen(values)
        if self._catalog.blind:
            policies = {**self._known, **policies}
        if policies != self._policies:
            publish(PolicyChange(policies, touched(self._policies, policies)))
            self._policies = policies
        self._tell((*rivals, *self._catalog.problems()), publish)

    def _mute(self, publish: Publish, whole: bool) -> None:
        """A first word of Ingresses, where there is nothing to be said."""
        if self._before is not None:
            publish(IngressChange(Said(), whole))

    def _route(self, before: Said, publish: Publish) -> None:
        said = ingresses.said(self._catalog.values())
        if self._catalog.blind:
            said = ingresses.kept(before, said)
        if said != self._said:
            self._said = said
            publish(IngressChange(said))

    def _tell(self, problems: Iterable[Problem], publish: Publish) -> None:
        found = tuple(sorted(problems))
        if found != self._problems:
            self._problems = found
            publish(ProblemsChange("fleet", found))


def chosen(values: Iterable[tuple[ObjectKey, Aimed]]) -> tuple[Policies, list[Problem]]:
    """The policy of each target, the first by name where there are several; the others are problems."""
    found: dict[str, TrafficPolicy] = {}
    rivals = []
    for key, aimed in sorted(values, key=lambda item: item[0]):
        if aimed.target in found:
            what = f"another TrafficPolicy for {aimed.target} comes first by name"
            rivals.append(Problem(f"TrafficPolicy {key[1]}/{key[2]}", what, "remove one of them"))
        found.setdefault(aimed.target, aimed.policy)
    return found, rivals


def touched(before: Policies | None, after: Policies) -> frozenset[str] | None:
    """The services whose policy differs; None: any may be."""
    if before is None or before.get(EVERY) != after.get(EVERY):
        return None
    return frozenset(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _aimed(found: _TrafficPolicy, defaults: TrafficPolicy, default: ProbeSpec) -> Aimed:
    spec = found.spec
    given = _given(spec, "target_ref", "probe", "ttl", "health", "backup")
    probe = defaults.probe if spec.probe is UNSET else spec.probe and _probe(spec.probe, default)
    ttl = defaults.ttl if spec.ttl is UNSET else _ttl(spec.ttl, defaults.ttl)
    health = defaults.health if spec.health is UNSET else _health(spec.health, defaults.health)
    backup = defaults.backup if spec.backup is UNSET else tuple(_backup(one) for one in spec.backup)
    policy = structs.replace(defaults, **given, probe=probe, ttl=ttl, health=health, backup=backup)
    objects.require(
        all(weight >= 0 for weight in policy.weights.values()), "weights are not negative", "weights"
    )
    objects.require(policy.min_ready >= 0, "it is not negative", "minReady")
    objects.require(
        policy.on_all_unhealthy != "backup" or bool(policy.backup), "`backup` names something", "backup"
    )
    return Aimed(_target(spec.target_ref, found.metadata), policy)


def _target(target: _Target, meta: objects.Meta) -> str:
    objects.require(target.kind == "Service", "only a Service can be the target", "targetRef.kind")
    if target.name == EVERY:
        return EVERY
    return f"{target.namespace or meta.namespace or 'default'}/{target.name}"


def _probe(probe: _Probe, default: ProbeSpec) -> ProbeSpec:
    given = _given(probe, "expect_status", "interval", "timeout")
    if probe.expect_status is not UNSET:
        given["expect_status"] = tuple(_range(one) for one in probe.expect_status)
    given |= _durations(probe, "interval", "timeout", under="probe")
    spec = structs.replace(default, **given)
    objects.require(0 <= spec.port < 65536, "a port is from 1 to 65535", "probe.port")
    objects.require(
        spec.path.startswith("/") and spec.path.isascii() and spec.path.isprintable(),
        "it begins with `/`",
        "probe.path",
    )
    objects.require(
        spec.interval >= 0.1 and spec.timeout >= 0.01, "at least 100 ms, and a timeout", "probe.interval"
    )
    objects.require(spec.fall >= 1 and spec.rise >= 1, "at least 1", "probe.fall")
    objects.require(
        not spec.host or bool(objects.HOSTNAME.match(spec.host.lower())), "it is a host name", "probe.host"
    )
    return spec


def _range(text: int | str) -> tuple[int, int]:
    low, dash, high = str(text).partition("-")
    valid = low.isdigit() and (high.isdigit() or not dash)
    bounds = (int(low), int(high or low)) if valid and len(low) == 3 else (0, 0)
    objects.require(
        100 <= bounds[0] <= bounds[1] <= 599,
        f"`{text}` is no status (200) or range (200-399)",
        "probe.expectStatus",
    )
    return bounds


def _ttl(ttl: _Ttl, default: Ttl) -> Ttl:
    seconds = _durations(ttl, "min", "max", under="ttl")
    objects.require(all(value == int(value) for value in seconds.values()), "a TTL is whole seconds", "ttl")
    given = {name: int(value) for name, value in seconds.items()}
    bounds = structs.replace(default, **given)
    objects.require(
        0 <= bounds.min <= bounds.max <= 604800, "min is at most max, and max at most a week", "ttl"
    )
    return bounds


def _health(health: _Health, default: HealthSettings) -> HealthSettings:
    names = ("hold", "hold_max", "hold_reset")
    return structs.replace(default, **_given(health, *names), **_durations(health, *names, under="health"))


def _backup(text: str) -> str:
    try:
        return objects.address(text, "$.spec.backup")
    except objects.WrongShape:
        return objects.hostname(text, "$.spec.backup")


def _given(found: Struct, *but: str) -> dict[str, Any]:
    """The fields that the object says, under their own names."""
    named = {name: getattr(found, name) for name in found.__struct_fields__ if name not in but}
    return {name: value for name, value in named.items() if value is not UNSET}


def _durations(found: Struct, *names: str, under: str) -> dict[str, float]:
    return {
        name: _seconds(value, f"{under}.{name}")
        for name in names
        if (value := getattr(found, name)) is not UNSET
    }


def _seconds(value: str | float, path: str) -> float:
    match = _DURATION.match(str(value))
    if not match:
        raise objects.WrongShape(f"`{value}` is no duration like 5s, 500ms or 2m - at `$.spec.{path}`")
    return float(match[1]) * _UNITS[match[2]]
