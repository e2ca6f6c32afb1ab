"""What a member's source has let through: facts with their age, and what the change guard holds back.

Law: both kinds of member, directories and API servers, publish through here. Losing the source freezes the
facts; a removal that the guard holds is let through only after a second look agrees; readiness is never held.
"""

from collections.abc import Mapping

from fedns.errors import Problem
from fedns.model import guard
from fedns.model.facts import Api, MemberFacts, ShardFacts
from fedns.sources import cluster

NOTHING: Mapping[str, ShardFacts] = {}


class Ledger:
    """One member's. `shards` are those last let through: at first what was known before a restart."""

    def __init__(self, member: cluster.Member, known: Mapping[str, ShardFacts] | None) -> None:
        self.cluster = cluster.Cluster(member)
        self.shards: Mapping[str, ShardFacts] = known or {}
        self.api: Api = "unknown"
        self.api_since = self.read_at = 0.0
        self.again: float | None = None
        """When to look once more at what is held; None: nothing is."""
        self._held = guard.NOTHING

    @property
    def facts(self) -> MemberFacts:
        """As they are to be published."""
        return self._with(self.shards)

    def reach(self, api: Api, now: float) -> bool:
        """Notes whether the source can be read; True if that is news."""
        if api == self.api:
            return False
        self.api, self.api_since = api, now
        return True

    def admit(
        self, touched: cluster.Touched, now: float, untold: Mapping[str, ShardFacts] = NOTHING
    ) -> cluster.Touched:
        """Passes what was read, and `untold` beside it, through the guard; the services whose published facts
        differ."""
        before, waited = self.facts, missing(self._held)
        after = self._with({**untold, **self.cluster.shards} if untold else self.cluster.shards)
        admitted = guard.admit(self._held, before, after, touched, now)
        self._held, self.again, self.shards = admitted.state, admitted.again, admitted.facts.shards
        if touched is None:
            return None
        kept = {key for key in missing(self._held) if self.shards.get(key) == before.shards.get(key)}
        late = {key for key in waited if self.shards.get(key) != before.shards.get(key)}
        return frozenset((touched - kept) | late)

    def held(self, where: str) -> tuple[Problem, ...]:
        """What the guard holds, as a problem of `where`."""
        found = missing(self._held)
        if not found:
            return ()
        what = f"{len(found)} of {len(self.shards)} services disappeared or lost their addresses at once"
        return (Problem(where, what, "held back until a second look agrees"),)

    def _with(self, shards: Mapping[str, ShardFacts]) -> MemberFacts:
        member, places = self.cluster.member, self.cluster.places
        return MemberFacts(
            name=member.name,
            region=places.region,
            zones=places.zones,
            labels=member.labels,
            shards=shards,
            nodes=places.nodes,
            api=self.api,
            api_since=self.api_since,
            read_at=self.read_at,
            clusterid=places.clusterid,
            exports=self.cluster.exports,
            imports=self.cluster.imports,
        )


def missing(state: guard.State) -> frozenset[str]:
    """The services that wait in the change guard."""
    held = [one.names for one in (state.services, state.shards) if one is not None]
    return frozenset().union(*held)
