"""Which kinds a member has copies of, as far as our rights cover them."""

import asyncio
from typing import Any

from fedns.distribute import relics
from fedns.kube import access, client
from tests.fakes import kubecluster

LABELS = {"fedns.io/propagated": "true"}
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "me", "namespace": "default"}}
RBAC = "rbac.authorization.k8s.io"


def copy(api: str, kind: str, **labels: str) -> dict[str, Any]:
    meta = {"name": "x", "namespace": "n", "labels": labels or LABELS}
    return {"apiVersion": api, "kind": kind, "metadata": meta}


def role(*rules: tuple[str, str, tuple[str, ...]]) -> list[dict[str, Any]]:
    given = [
        {"apiGroups": [group], "resources": [plural], "verbs": list(verbs)} for group, plural, verbs in rules
    ]
    head = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": "me"}}
    subject = {"kind": "ServiceAccount", "name": "me", "namespace": "default"}
    ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "me"}
    bound = {**head, "kind": "ClusterRoleBinding", "roleRef": ref, "subjects": [subject]}
    return [ACCOUNT, {**head, "kind": "ClusterRole", "rules": given}, bound]


def held(cluster: kubecluster.Cluster, token: str = "") -> relics.Relics:
    async def run() -> relics.Relics:
        where = access.Where(server=cluster.url, token=token)
        api = client.Client(where, asyncio.Semaphore(client.AT_ONCE))
        try:
            return await relics.held(api)
        finally:
            await api.close()

    return asyncio.run(run())


def token(cluster: kubecluster.Cluster) -> str:
    path = "/api/v1/namespaces/default/serviceaccounts/me/token"
    _, found = cluster.request("POST", path, {"spec": {"expirationSeconds": 3600}})
    return str(found["status"]["token"])


def test_an_administrator_looks_at_all_that_there_is() -> None:
    with kubecluster.running() as cluster:
        cluster.put(
            copy("v1", "ConfigMap"), copy("apps/v1", "Deployment"), copy("v1", "Secret", app="theirs")
        )
        cluster.faults(forbidden=["ingresses"])
        found = held(cluster)
        assert found.kinds == {("v1", "ConfigMap"), ("apps/v1", "Deployment")}
        assert found.unseen == ("ingresses.networking.k8s.io",)


def test_who_may_little_asks_for_nothing_else() -> None:
    write = relics.VERBS
    with kubecluster.running() as cluster:
        cluster.put(*(copy("v1", kind) for kind in ("ConfigMap", "Service", "Secret")))
        rules = ("", "configmaps", write), ("", "services", ("list", "watch")), ("apps", "deployments", write)
        cluster.put(*role(*rules))
        given = token(cluster)
        before = len(cluster.log())
        assert held(cluster, given) == relics.Relics(frozenset({("v1", "ConfigMap")}), ())
        asked = [line.partition("?")[0] for line in cluster.log()[before:] if "?" in line]
        assert asked == ["GET /api/v1/configmaps", "GET /apis/apps/v1/deployments"]
