"""Which clusters a location goes to, as its annotations have it.

Law: a value with a digest, so that equal wishes share one pool; what can serve is still the selection's word.
"""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec
from msgspec import Struct

from fedns.gateway.annotations import Asked
from fedns.model.snapshot import Member

CLUSTER = "topology.istio.io/cluster"
REGION, ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
_SUBSET = "opensergo.io/canary"


def asked(wishes: Asked) -> "Choice":
    """What an Ingress chooses."""
    return Choice(
        levels=wishes.get("clusters", ()),
        weights=tuple(sorted(wishes.get("cluster-weights", {}).items())),
        labels=wishes.get("subset-labels", ()),
        subset=wishes.get("service-subset"),
        spill=wishes.get("spill-threshold", 0),
        failback=wishes.get("failback", 0.0),
        least=wishes.get("min-healthy", 1),
    )


class Choice(Struct, frozen=True, array_like=True, omit_defaults=True):
    """`levels` name members in order of preference; none: the service's own policy. `labels` narrow the
    members (nobody left: all of them); `subset` does so by MSE's own labels. `spill`: percent ready below
    which the next level helps. `failback`: seconds a level must be back before it serves again; `least`:
    ready endpoints that it needs."""

    levels: tuple[tuple[str, ...], ...] = ()
    weights: tuple[tuple[str, int], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    subset: str | None = None
    spill: int = 0
    failback: float = 0.0
    least: int = 1

    @property
    def digest(self) -> str:
        """Empty where nothing is chosen."""
        if self == Choice():
            return ""
        return blake2b(msgspec.msgpack.encode(self), digest_size=6).hexdigest()

    def fits(self, member: str, seen: Mapping[str, Member]) -> bool:
        """Whether a member has the labels asked for."""
        known = seen.get(member)
        labels = dict(known.labels) if known is not None else {}
        labels[CLUSTER] = member
        if known is not None:
            labels[REGION] = known.region
        for key, value in self.labels:
            if key == ZONE and known is not None and value in known.zones:
                continue
            if labels.get(key) != value:
                return False
        if self.labels or self.subset is None:
            return True
        if self.subset in ("", "base"):
            return not any(key.startswith(_SUBSET) and value for key, value in labels.items())
        return labels.get(f"{_SUBSET}-{self.subset}") == self.subset
