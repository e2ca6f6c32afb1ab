"""The doors that facts come in by: a source for each member, and one for the fleet, as they are told of.

Law: `serve` and `check` open the same doors. All API servers share one gate, so that a start asks a few at a
time; a door that `learns` nothing leaves no trace in the state directory.
"""

import asyncio
import os
from collections.abc import Mapping

from fedns import config, fleet
from fedns.kube import access, client
from fedns.model import ingress
from fedns.model.facts import ShardFacts
from fedns.model.policy import TrafficPolicy
from fedns.sources import cluster, identity, kubernetes, manifests, policies, registrations, subjects, watch
from fedns.sources import fleet as fleets

ALL = subjects.Wish()
Door = manifests.Directory | kubernetes.Member
Outer = policies.Fleet | fleets.Fleet


class Doors:
    """Those of one configuration."""

    def __init__(self, settings: config.Config, watcher: watch.Watcher, learns: bool = True) -> None:
        self._settings, self._watcher = settings, watcher
        self._gate = asyncio.Semaphore(client.AT_ONCE)
        self._routes = settings.gateway.serves
        self._clusterset = settings.clusterset.serves
        self.register = identity.Register(os.path.join(settings.state, "identities"), learns)

    @property
    def asked(self) -> access.Where | None:
        """The fleet's API server; None: it is a directory, or nothing."""
        return fleet.where(self._settings.fleet)

    def member(self, told: fleet.Member, known: Mapping[str, ShardFacts] | None = None) -> Door:
        """`known`: the shards that it had last."""
        endpoints = self._routes and told.gateway == "endpoints"
        about = cluster.Member(
            told.name,
            told.region,
            told.zones,
            told.labels,
            endpoints,
            config.insider(self._settings, told) or self._clusterset,
            self._clusterset,
            self._settings.clusterset.slices,
        )
        where = fleet.where(told)
        if where is None:
            return manifests.Directory(about, told.manifests, self._watcher, known)
        wanted = endpoints, about.inside, about.clusterset
        wish = subjects.Wish(told.selector, told.namespaces, told.exports, *wanted)
        return kubernetes.Member(about, self._source(where, wish), known)

    def fleet(
        self,
        known: Mapping[str, TrafficPolicy] | None = None,
        members: Mapping[str, registrations.Registered] | None = None,
        said: ingress.Said = ingress.NOTHING,
    ) -> Outer:
        """`known`: the policies, `members`: those registered, `said`: what Ingresses said, that there were
        last."""
        settings = self._settings
        defaults, probe = config.defaults(settings), config.probe(settings)
        if self.asked is None:
            directory = policies.Fleet(settings.fleet.manifests, self._watcher, defaults, probe, known)
            if self._routes:
                directory.route(said)
            return directory
        wanted = fleets.Wanted(policies.kinds(defaults, probe), settings.fleet.namespace, self._routes)
        before = fleets.Before(bool(known), members or {}, said)
        return fleets.Fleet(self._source(self.asked), wanted, before)

    def _source(self, where: access.Where, wish: subjects.Wish = ALL) -> kubernetes.Source:
        return kubernetes.Source(client.Client(where, self._gate), self.register, wish)
