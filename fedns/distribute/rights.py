"""Who needs which rights, given what is configured: one table, for `rbac`, `join`, and the test of `deploy/`.

Law: pure, and least possible: no right that no line of code uses, no verb `*`, no Secret outside the fleet's
namespace unless a gateway shows the certificates of Ingresses (RBAC knows no types of Secrets). A member is
only read, unless imports of the cluster set are written to it. Rights on kinds that a cluster does not have
do no harm, so they are not asked for.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from fedns.model import propagation

READ = ("list", "watch")
"""What a watch is made of; whoever may list everything may as well get one, but nobody here does."""
LEASE = "fedns"
"""The Lease of the writers, in the fleet's namespace."""
COPIES = "fedns-copies"
"""The Lease in a member under which copies are brought there, where the fleet has none."""
SET = "cluster.clusterset.k8s.io"
"""The ClusterProperty that names a cluster in its set; who watches by name needs no more rights."""
RBAC = "rbac.authorization.k8s.io"
MANAGED = {"app.kubernetes.io/managed-by": "fedns"}
"""The label of what fedns made, by which it knows what it may change and remove."""


class Right(NamedTuple):
    """`verbs` on one resource (or a part of it, `memberclusters/status`), and what it is for. `names`: on
    these objects only; `local`: in the fleet's namespace only."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()
    local: bool = False


class Needs(Struct, frozen=True):
    """What one cluster is to us. `member`: its services are federated, `exports`: those with a ServiceExport,
    `namespaces`: those in namespaces with certain labels; `legacy`: it has no EndpointSlices, `clusterset`:
    it is one of a cluster set. `fleet`: it has the fleet-wide objects; `status`: how they fare is written
    back to them; `gateway`: HTTP is served as its Ingresses say. `imports`: those of the cluster set are made
    in members, `slices`: with endpoints; `elects`: who does that is found out in the member itself.
    `distribute`: policies of the fleet are followed."""

    member: bool = False
    exports: bool = False
    namespaces: bool = False
    legacy: bool = False
    fleet: bool = False
    status: bool = False
    gateway: bool = False
    clusterset: bool = False
    imports: bool = False
    slices: bool = False
    elects: bool = False
    distribute: bool = False


class Account(NamedTuple):
    """Who has the rights. `role` is the name of what gives them to it, all over the cluster."""

    name: str
    namespace: str
    role: str


class Grant(NamedTuple):
    """One verb on one resource, or on one object (`name`)."""

    group: str
    resource: str
    verb: str
    name: str = ""
    local: bool = False


IDENTITY = Right("", "namespaces", ("get",), "its UID tells which cluster this is", ("kube-system",))
NETWORKING = "networking.k8s.io"
MULTICLUSTER, GROUP = "multicluster.x-k8s.io", "fedns.io"
EXPORTS = Right(MULTICLUSTER, "serviceexports", READ, "which services are exported")
CALLED = Right("about.k8s.io", "clusterproperties", READ, "its name in its set", (SET,))
SPACES = Right("", "namespaces", READ, "which there are, and their labels")
MAKE = ("create", "patch", "delete")
LEASES = Right("coordination.k8s.io", "leases", ("create",), "one replica writes at a time", local=True)
LEASED = LEASES._replace(verbs=("get", "update"), names=(LEASE,))
LEASED_COPIES = LEASED._replace(names=(COPIES,))
PLURALS = ("propagationpolicies", "clusterpropagationpolicies", "overridepolicies", "clusteroverridepolicies")
POLICIES = tuple(
    Right(group, plural, READ, "which objects go to which members, and how they differ there")
    for group in propagation.GROUPS
    for plural in PLURALS
)
"""Of groups that a cluster does not know, too: only who may ask is told that there are none."""

TABLE: tuple[tuple[tuple[str, ...], Right], ...] = (
    (("member",), IDENTITY),
    (("fleet",), IDENTITY),
    (("member",), Right("", "services", READ, "what is federated, and at which addresses")),
    (("member",), Right("discovery.k8s.io", "endpointslices", READ, "which endpoints are ready, and where")),
    (("member", "legacy"), Right("", "endpoints", READ, "the same, in a cluster without EndpointSlices")),
    (("member",), Right("", "nodes", READ, "the region and the zones, and how many nodes are ready there")),
    (("member", "namespaces"), SPACES),
    (("member", "exports"), EXPORTS),
    (("member", "clusterset"), EXPORTS),
    (
        ("member", "clusterset"),
        Right(MULTICLUSTER, "serviceimports", READ, "its addresses for services of the cluster set"),
    ),
    (("member", "exports"), CALLED),
    (("member", "clusterset"), CALLED),
    (("member", "imports"), SPACES),
    (("member", "imports"), Right(MULTICLUSTER, "serviceimports", MAKE, "what the cluster set offers")),
    (
        ("member", "imports"),
        Right(MULTICLUSTER, "serviceimports/status", ("patch",), "which clusters offer it"),
    ),
    (
        ("member", "imports"),
        Right(MULTICLUSTER, "serviceexports/status", ("patch",), "whether it counts, and its conflicts"),
    ),
    (("member", "slices"), Right("discovery.k8s.io", "endpointslices", MAKE, "endpoints of other clusters")),
    (("member", "elects"), LEASES),
    (("member", "elects"), LEASED),
    (("fleet",), Right(GROUP, "trafficpolicies", READ, "how services are judged and served")),
    (("fleet",), Right(GROUP, "memberclusters", READ, "which clusters are members")),
    (("fleet",), Right("", "secrets", READ, "the credentials of the members", local=True)),
    (("fleet", "gateway"), Right(NETWORKING, "ingresses", READ, "what the gateway routes")),
    (("fleet", "gateway"), Right(NETWORKING, "ingressclasses", READ, "which Ingresses are its own")),
    (
        ("fleet", "gateway"),
        Right("", "secrets", READ, "the certificates and credentials that Ingresses name"),
    ),
    (("fleet", "status"), Right(GROUP, "memberclusters/status", ("patch",), "how each member fares")),
    (("fleet", "status"), Right(GROUP, "trafficpolicies/status", ("patch",), "whether it was accepted")),
    (
        ("fleet", "status", "gateway"),
        Right(NETWORKING, "ingresses/status", ("patch",), "where clients reach them"),
    ),
    (
        ("fleet", "status", "gateway"),
        Right("", "services", ("get",), "the addresses of the gateway's own Service", local=True),
    ),
    (("fleet", "status"), LEASES),
    (("fleet", "status"), LEASED),
    (("fleet", "imports"), LEASES),
    (("fleet", "imports"), LEASED),
    *((("fleet", "distribute"), each) for each in (*POLICIES, LEASES, LEASED)),
)
"""What must be true of a cluster (fields of `Needs`), and the right that follows."""


def rights(needs: Needs) -> tuple[Right, ...]:
    """All that one cluster has to grant."""
    return tuple(
        dict.fromkeys(right for fields, right in TABLE if all(getattr(needs, field) for field in fields))
    )


def beyond(given: Iterable[Right], before: Iterable[Right]) -> Iterator[Right]:
    """What of these rights is not granted by others already."""
    had = grants(before)
    for right in dict.fromkeys(given):
        verbs = (verb for verb in right.verbs if not grants([right._replace(verbs=(verb,))]) <= had)
        left = right._replace(verbs=tuple(verbs))
        if left.verbs:
            yield left


def rule(right: Right) -> dict[str, Any]:
    """A right as RBAC writes it."""
    names = {"resourceNames": list(right.names)} if right.names else {}
    return {"apiGroups": [right.group], "resources": [right.resource], **names, "verbs": list(right.verbs)}


def granted(account: Account, given: Iterable[Right]) -> tuple[dict[str, Any], ...]:
    """The objects that give these rights to an account, without the account."""
    found = tuple(given)
    rules = [rule(right) for right in found if not right.local]
    local = [rule(right) for right in found if right.local]
    return (
        *(_pair("Cluster", account, rules, {"name": account.role}) if rules else ()),
        *(_pair("", account, local, {"name": account.role, "namespace": account.namespace}) if local else ()),
    )


def ours(namespace: str) -> Account:
    """What fedns runs as in the fleet's cluster."""
    return Account("fedns", namespace, namespace)


def reader(namespace: str) -> Account:
    """What fedns is to a member. Its name is another one, so that a fleet's cluster can be a member too."""
    return Account("fedns-reader", namespace, f"{namespace}-reader")


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(MANAGED)}}


def account(told: Account) -> dict[str, Any]:
    """The account itself. Its token is not put into pods: nothing that runs in the cluster needs it."""
    meta = {"name": told.name, "namespace": told.namespace, "labels": dict(MANAGED)}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": meta,
        "automountServiceAccountToken": False,
    }


def grants(given: Iterable[Right]) -> frozenset[Grant]:
    """The same, one by one, so that two ways of writing them can be compared."""
    return frozenset(_each(given))


def _each(given: Iterable[Right]) -> Iterator[Grant]:
    for right in given:
        for verb in right.verbs:
            for name in right.names or ("",):
                yield Grant(right.group, right.resource, verb, name, right.local)


def _pair(
    scope: str, account: Account, rules: list[dict[str, Any]], meta: Mapping[str, Any]
) -> tuple[dict[str, Any], ...]:
    """A role, and that the account has it."""
    head = {"apiVersion": f"{RBAC}/v1", "metadata": {**meta, "labels": dict(MANAGED)}}
    subject = {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}
    reference = {"apiGroup": RBAC, "kind": f"{scope}Role", "name": account.role}
    return (
        {**head, "kind": f"{scope}Role", "rules": rules},
        {**head, "kind": f"{scope}RoleBinding", "roleRef": reference, "subjects": [subject]},
    )
