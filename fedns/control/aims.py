"""What the edges are to look at: probe targets and load-balancer hostnames, kept in step with the snapshot.

Law: they follow the snapshot, service by service, so that a turn costs what it touched. The edges are
aimed only when something differs.
"""

from collections.abc import Iterable, Iterator

from fedns.model import snapshot
from fedns.sources import change, probe

_NONE: frozenset[str] = frozenset()


class Aims:
    """Targets by (member, service) and hostnames by how many shards name them, as of the last turn."""

    def __init__(self) -> None:
        self.targets: dict[change.Target, probe.Target] = {}
        self._of: dict[str, tuple[dict[change.Target, probe.Target], frozenset[str]]] = {}
        self._uses: dict[str, int] = {}
        self._aliased = _NONE

    @property
    def hostnames(self) -> frozenset[str]:
        return frozenset(self._uses)

    def follow(self, after: snapshot.Snapshot, aliased: frozenset[str] = _NONE) -> tuple[bool, bool]:
        """Takes the touched services in, and the hosts that aliases lead to; whether targets, and whether
        hostnames, differ."""
        keys: Iterable[str] = {*self._of, *after.services} if after.touched is None else after.touched
        aimed = named = False
        for key in keys:
            service = after.services.get(key)
            targets = dict(_targets(key, service)) if service else {}
            hosts = _hostnames(service) if service else frozenset()
            old_targets, old_hosts = self._of.pop(key, ({}, frozenset()))
            if targets or hosts:
                self._of[key] = targets, hosts
            if targets != old_targets:
                aimed = True
                for gone in old_targets.keys() - targets.keys():
                    del self.targets[gone]
                self.targets.update(targets)
            if hosts != old_hosts:
                named = self._count(hosts - old_hosts, 1) or named
                named = self._count(old_hosts - hosts, -1) or named
        named = self._count(aliased - self._aliased, 1) or named
        named = self._count(self._aliased - aliased, -1) or named
        self._aliased = aliased
        return aimed, named

    def _count(self, hosts: frozenset[str], step: int) -> bool:
        """Adds one use (or takes one away) of each hostname; whether a name came or went."""
        differs = False
        for host in hosts:
            uses = self._uses.pop(host, 0)
            if uses + step:
                self._uses[host] = uses + step
            differs = differs or not uses or not uses + step
        return differs


def _targets(key: str, service: snapshot.Service) -> Iterator[tuple[change.Target, probe.Target]]:
    """The first address of each shard, where the service's policy has a probe."""
    spec = service.policy.probe
    if spec is None:
        return
    port = spec.port or next((one.number for one in service.ports if one.protocol == "tcp"), 0)
    for shard in service.shards:
        if shard.addresses and port:
            yield (shard.member, key), probe.Target(shard.addresses[0], port, spec)


def _hostnames(service: snapshot.Service) -> frozenset[str]:
    named = [shard.facts.hostnames for shard in service.shards if shard.facts.hostnames]
    return frozenset(host for each in named for host in each)
