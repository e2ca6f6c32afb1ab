"""Where objects of the fleet go, and how they differ there: the values of propagation and override policies.

Law: one value for every dialect; which spelling an object had is forgotten here. What is empty restricts
nothing. Rules about them are in `placement/`.
"""

from typing import Any, Literal

from msgspec import Struct

GROUPS = ("policy.karmada.io", "one.alibabacloud.com", "policy.one.alibabacloud.com")
"""In which policies are written, one after the other in the course of time."""
Operator = Literal["In", "NotIn", "Exists", "DoesNotExist"]
Change = Literal["add", "replace", "remove"]
Component = Literal["Registry", "Repository", "Tag"]
Preference = Literal["Aggregated", "Weighted"]

SYSTEM = ("kube-system", "kube-public", "kube-node-lease")
"""Namespaces of which nothing is propagated: they are each cluster's own."""
ROOT = "kube-root-ca.crt"
"""The ConfigMap by which pods know their API server, in every namespace: each cluster's own likewise."""


class Requirement(Struct, frozen=True, gc=False):
    """One condition on a label, or on a field of a cluster."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()


class Resources(Struct, frozen=True, gc=False):
    """Objects by the five that select them; `labels` None: no label selector was written."""

    api_version: str
    kind: str
    namespace: str = ""
    name: str = ""
    labels: tuple[Requirement, ...] | None = None


class Clusters(Struct, frozen=True, gc=False):
    """Members by their labels, by fields (provider, region, zone) and by names; `exclude` always wins."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()
    names: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Affinity(Struct, frozen=True, gc=False):
    """One group of members; of several the first that can take the object does. `name` is empty where there
    is one only."""

    clusters: Clusters
    name: str = ""


class Spread(Struct, frozen=True, gc=False):
    """How many groups of members with a common `field` (or `label`) there are to be; `most` 0: any number."""

    field: str = ""
    label: str = ""
    least: int = 1
    most: int = 0


class Toleration(Struct, frozen=True, gc=False):
    """Of the taints of members; an empty key tolerates every one, an empty effect all effects."""

    key: str = ""
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str = ""
    effect: str = ""


class Weight(Struct, frozen=True, gc=False):
    clusters: Clusters
    weight: int


class Division(Struct, frozen=True, gc=False):
    """How replicas are divided: packed into few members, or by `weights`, or by what is `available`."""

    preference: Preference = "Weighted"
    weights: tuple[Weight, ...] = ()
    available: bool = False


class Placement(Struct, frozen=True, gc=False):
    """`division` None: every member gets all replicas."""

    affinities: tuple[Affinity, ...] = (Affinity(Clusters()),)
    tolerations: tuple[Toleration, ...] = ()
    spread: tuple[Spread, ...] = ()
    division: Division | None = None


class Propagation(Struct, frozen=True, gc=False):
    """A PropagationPolicy, or with an empty namespace a ClusterPropagationPolicy.

    `overwrite`: what stands in a member already becomes ours. `preserve`: copies stay where the template, or
    the member's choice, is gone. `prune`: copies go with the policy. `suspended` are members to which nothing
    new goes; None are all. `needs` are override policies without which it does nothing, `lacks` those of them
    that are not there. `doubts` are words about what was written. `builtin`: nobody wrote it; `name` says
    what it is."""

    name: str
    namespace: str = ""
    resources: tuple[Resources, ...] = ()
    placement: Placement = Placement()
    priority: int = 0
    dependencies: bool = False
    overwrite: bool = False
    preserve: bool = False
    prune: bool = False
    suspended: tuple[str, ...] | None = ()
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    builtin: bool = False

    def suspends(self, names: tuple[str, ...]) -> bool:
        """Whether nothing new goes to the member of these names."""
        return self.suspended is None or any(name in self.suspended for name in names)

    @property
    def title(self) -> str:
        if self.builtin:
            return self.name
        return (
            f"PropagationPolicy {self.namespace}/{self.name}"
            if self.namespace
            else f"ClusterPropagationPolicy {self.name}"
        )


class ImageChange(Struct, frozen=True, gc=False):
    """Of the images of all containers, or of the one at `path`."""

    component: Component
    operator: Change
    value: str = ""
    path: str = ""


class ListChange(Struct, frozen=True, gc=False):
    """Of a container's `command` or `args`."""

    field: Literal["command", "args"]
    container: str
    operator: Change
    value: tuple[str, ...] = ()


class MapChange(Struct, frozen=True, gc=False):
    """Of an object's `labels` or `annotations`."""

    field: Literal["labels", "annotations"]
    operator: Change
    value: tuple[tuple[str, str], ...] = ()


class Patch(Struct, frozen=True, gc=False):
    """One operation of RFC 6902. `value` is what JSON has."""

    operator: Change
    path: str
    value: Any = None


class TextChange(Struct, frozen=True, gc=False):
    """Of a document that stands in the string at `path`."""

    path: str
    syntax: Literal["json", "yaml"]
    patches: tuple[Patch, ...]


class Rule(Struct, frozen=True, gc=False):
    """Changes for the members of `clusters`, in the order in which they are made: images, command, args,
    labels, annotations, fields, then the patch as a whole."""

    clusters: Clusters = Clusters()
    images: tuple[ImageChange, ...] = ()
    lists: tuple[ListChange, ...] = ()
    maps: tuple[MapChange, ...] = ()
    texts: tuple[TextChange, ...] = ()
    patch: tuple[Patch, ...] = ()


class Override(Struct, frozen=True, gc=False):
    """An OverridePolicy, or with an empty namespace a ClusterOverridePolicy. No `resources`: all objects."""

    name: str
    namespace: str = ""
    resources: tuple[Resources, ...] = ()
    rules: tuple[Rule, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return (
            f"OverridePolicy {self.namespace}/{self.name}"
            if self.namespace
            else f"ClusterOverridePolicy {self.name}"
        )

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name
