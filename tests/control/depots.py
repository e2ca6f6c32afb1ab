"""Members that are fake API servers, a fleet that is a directory or another one, and who brings copies."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fedns import config, fleet
from fedns.control import dispatch, known
from fedns.errors import Problem
from fedns.kube import access, client
from fedns.model import assemble, facts
from fedns.sources import change, originals, watch
from tests.fakes import kubecluster

SPACE = "mynamespace"
LABEL = "fedns.io/propagated"
Object = dict[str, Any]


class Lease:
    """Held as the test says."""

    held = True


class _Known(NamedTuple):
    uid: str
    foreign: str = ""


class _Asked(NamedTuple):
    identity: _Known


class Roster:
    """Who is a member."""

    def __init__(self, clusters: Mapping[str, kubecluster.Served]) -> None:
        self.members = {name: member(name, one) for name, one in clusters.items()}
        self._asked = {name: _Asked(_Known(kubecluster.uid(one))) for name, one in clusters.items()}
        self.home: str | None = None

    def settle(self, name: str, cluster: kubecluster.Served) -> None:
        """One more member, the cluster that the fleet's objects are in."""
        self.home = "home"
        self._asked[name] = _Asked(_Known(self.home))
        self.members[name] = member(name, cluster)

    def mute(self, name: str) -> None:
        """Nobody has heard which cluster a member is, nor is it the fleet's."""
        self.home, self._asked[name] = "home", _Asked(_Known(""))

    def heard(self, name: str, cluster: kubecluster.Served) -> None:
        self._asked[name] = _Asked(_Known(kubecluster.uid(cluster)))

    def source(self, name: str) -> Any:
        return self._asked[name]


def member(name: str, cluster: kubecluster.Served, **labels: str) -> fleet.Member:
    return fleet.Member(name=name, region="r", labels=labels, api=fleet.Api(server=cluster.url))


class Parts:
    """Of a control process."""

    served: frozenset[str] | None = None

    def __init__(self, state: Path, clusters: Mapping[str, kubecluster.Served], **told: Any) -> None:
        hub = fleet.Fleet(namespace="fedns", distribute=True, **told)
        self.config = config.Config("f", "example.com", state=str(state), fleet=hub)
        self.known, self.roster = known.Known(assemble.World(), []), Roster(clusters)

    def reach(self, name: str, verdict: facts.Api) -> None:
        """Whether a member's API server answers."""
        told = facts.MemberFacts(name, "r", (), {}, {}, api=verdict)
        self.known.members = {**self.known.members, name: told}


class Depot:
    """The fleet's directory, and how its dispatch does."""

    def __init__(self, folder: Path, made: dispatch.Dispatch, parts: Parts) -> None:
        self.folder, self.dispatch, self.parts, self.lease = folder, made, parts, Lease()
        self.told: tuple[Problem, ...] = ()

    def hear(self, news: change.Change) -> None:
        if isinstance(news, change.ProblemsChange):
            self.told = news.problems

    def problems(self) -> str:
        return "\n".join(map(str, self.told))

    def states(self, cluster: str = "one") -> dict[str, tuple[str, str]]:
        """Name -> state, and words."""
        rows = self.dispatch.rows()
        return {row.what.name: (row.state, row.words) for name, row in rows if name == cluster}

    def all(self, cluster: str) -> set[str]:
        """The states that there are."""
        return {state for state, _ in self.states(cluster).values()}


def put(folder: Path, *objects: Object) -> None:
    """Writes objects into the fleet's directory, a file for each."""
    for one in objects:
        path = folder / f"{one['kind'].lower()}-{one['metadata']['name']}.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(one))
        fresh.replace(path)


def remove(folder: Path, *objects: Object) -> None:
    for one in objects:
        (folder / f"{one['kind'].lower()}-{one['metadata']['name']}.json").unlink()


def _made(*folders: Path) -> None:
    for one in folders:
        one.mkdir(exist_ok=True)


@asynccontextmanager
async def bringing(
    root: Path, clusters: Mapping[str, kubecluster.Served], **told: Any
) -> AsyncIterator[Depot]:
    """From a directory below `root`; `told`: what the configuration says of the fleet."""
    folder, state = root / "fleet", root / "state"
    _made(folder, state)
    parts, watcher, lease = Parts(state, clusters, **told), watch.Watcher(), Lease()
    made = dispatch.Dispatch(parts, originals.Directory(str(folder), watcher), lease)
    depot = Depot(folder, made, parts)
    depot.lease = lease
    async with _running(depot, asyncio.ensure_future(watcher.run())):
        yield depot


@asynccontextmanager
async def served(
    root: Path, hub: kubecluster.Served, clusters: Mapping[str, kubecluster.Served], **told: Any
) -> AsyncIterator[Depot]:
    """From an API server."""
    _made(root)
    parts, lease = Parts(root, clusters, **told), Lease()
    api = client.Client(access.Where(server=hub.url), asyncio.Semaphore(client.AT_ONCE))
    tells = client.Client(access.Where(server=hub.url), asyncio.Semaphore(client.AT_ONCE))
    made = dispatch.Dispatch(parts, originals.Server(api), lease, tells)
    depot = Depot(root, made, parts)
    depot.lease = lease
    async with _running(depot):
        yield depot


@asynccontextmanager
async def _running(depot: Depot, *more: "asyncio.Future[Any]") -> AsyncIterator[None]:
    tasks = (*more, asyncio.ensure_future(depot.dispatch.run(depot.hear)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        bugs = [one for one in found if not isinstance(one, asyncio.CancelledError)]
        assert not bugs, bugs


def get(cluster: kubecluster.Cluster, path: str) -> Any:
    """None: it is not there."""
    status, found = cluster.request("GET", path)
    return found if status == 200 else None


def maps(name: str) -> str:
    return f"/api/v1/namespaces/{SPACE}/configmaps/{name}"


def services(name: str) -> str:
    return f"/api/v1/namespaces/{SPACE}/services/{name}"


def deployments(name: str) -> str:
    return f"/apis/apps/v1/namespaces/{SPACE}/deployments/{name}"


def config_map(name: str, **data: str) -> Object:
    meta = {"name": name, "namespace": SPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def service(name: str, port: int = 80) -> Object:
    meta = {"name": name, "namespace": SPACE}
    spec = {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"name": "http", "port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def deployment(name: str, replicas: int = 2, image: str = "nginx") -> Object:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod},
    }


def policy(name: str, *kinds: str, members: tuple[str, ...] = ("one", "two"), **more: Any) -> Object:
    """Of kinds, as `v1/Service`, in whole."""
    rows = [dict(zip(("apiVersion", "kind"), kind.rsplit("/", 1), strict=True)) for kind in kinds]
    placement = {"clusterAffinity": {"clusterNames": list(members)}}
    return {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"resourceSelectors": rows, "placement": placement, **more},
    }


def writes(cluster: kubecluster.Cluster) -> list[str]:
    """Of copies, not of Leases."""
    return [
        line for line in cluster.log() if line[:3] in ("PAT", "DEL", "PUT", "POS") and "leases" not in line
    ]
