"""What a cluster set says in a member, read from a fake API server: exports, imports, the member's name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedns.model.facts import Export, MemberFacts
from fedns.sources import cluster, kubernetes, subjects
from fedns.sources.change import MemberChange, ProblemsChange
from tests.fakes import kubecluster
from tests.sources import asking
from tests.sources.listening import Listener

WISH = subjects.Wish(inside=True, clusterset=True)
MEMBER = cluster.Member("m", inside=True, clusterset=True)
META = {"name": "web", "namespace": "mynamespace"}


@pytest.fixture
def server() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as found:
        found.put(
            kubecluster.service("pub", "192.0.2.1"),
            {"apiVersion": "v1", "kind": "Service", "metadata": META, "spec": {"clusterIP": "10.96.0.9"}},
        )
        yield found


def made(kind: str, version: str = "v1beta1", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": f"multicluster.x-k8s.io/{version}", "kind": kind, "metadata": META, **fields}


def watched(
    server: kubecluster.Cluster, folder: Path, test: asking.Test, wish: subjects.Wish = WISH
) -> Listener:
    def make() -> kubernetes.Member:
        return kubernetes.Member(MEMBER, asking.source(server, folder, wish), None, asking.REACH, asking.PACE)

    return asking.beside(make, MemberChange, test)


def facts(listener: Listener) -> MemberFacts:
    return listener.last(MemberChange).facts


def export(listener: Listener) -> Export | None:
    shard = facts(listener).shards.get("mynamespace/web")
    return shard.inside.export if shard is not None and shard.inside is not None else None


@pytest.mark.parametrize("version", ["v1beta1", "v1alpha1"])
def test_exports_and_imports_in_any_version(
    server: kubecluster.Cluster, tmp_path: Path, version: str
) -> None:
    others = {"v1alpha1", "v1beta1"} - {version}
    server.faults(absent=[f"multicluster.x-k8s.io/{one}" for one in others])

    async def test(listener: Listener) -> None:
        assert set(facts(listener).shards) == {"mynamespace/pub"}, "others are not exported"
        await asking.act(server.put, made("ServiceExport", version))
        await listener.until(lambda: export(listener) is not None)
        assert facts(listener).exports.keys() == {"mynamespace/web"}
        found = export(listener)
        assert found is not None and found.created > 1_600_000_000
        inside = facts(listener).shards["mynamespace/web"].inside
        assert inside is not None and inside.cluster_ips == ("10.96.0.9",) and not inside.published
        spec = {"type": "ClusterSetIP", "ips": ["10.98.0.1"], "ports": []}
        await asking.act(server.put, made("ServiceImport", version, spec=spec))
        await listener.until(lambda: bool(facts(listener).imports))
        assert dict(facts(listener).imports) == {"mynamespace/web": ("10.98.0.1",)}
        await asking.act(server.delete, made("ServiceExport", version))
        await listener.until(lambda: set(facts(listener).shards) == {"mynamespace/pub"})
        assert not facts(listener).exports

    watched(server, tmp_path, test)


def test_where_exports_decide_they_are_told_as_well(server: kubecluster.Cluster, tmp_path: Path) -> None:
    async def test(listener: Listener) -> None:
        assert not facts(listener).shards
        await asking.act(server.put, made("ServiceExport"))
        await listener.until(lambda: export(listener) is not None)
        assert set(facts(listener).shards) == {"mynamespace/web"}

    watched(server, tmp_path, test, WISH._replace(exports=True))


def test_what_the_member_is_called(server: kubecluster.Cluster, tmp_path: Path) -> None:
    name = {"name": "cluster.clusterset.k8s.io"}
    told = {"kind": "ClusterProperty", "metadata": name, "spec": {"value": "eu-1"}}
    server.put({"apiVersion": "about.k8s.io/v1alpha1", **told})

    async def test(listener: Listener) -> None:
        await listener.until(lambda: facts(listener).clusterid == "eu-1")

    watched(server, tmp_path, test)


def test_a_server_without_these_kinds_has_none(server: kubecluster.Cluster, tmp_path: Path) -> None:
    server.faults(absent=[f"multicluster.x-k8s.io/{one}" for one in ("v1alpha1", "v1beta1")])

    async def test(listener: Listener) -> None:
        assert set(facts(listener).shards) == {"mynamespace/pub"}

    listener = watched(server, tmp_path, test)
    assert not [each for one in listener.all(ProblemsChange) for each in one.problems]


def test_without_the_right_the_rest_goes_on_and_that_is_told(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    server.faults(forbidden=["serviceexports", "serviceimports"])

    async def test(listener: Listener) -> None:
        await listener.until(lambda: bool(listener.all(ProblemsChange)))
        await listener.until(lambda: len(listener.last(ProblemsChange).problems) > 1)

    listener = watched(server, tmp_path, test)
    told = "\n".join(str(each) for each in listener.last(ProblemsChange).problems)
    assert "none of its services is in the cluster set" in told
    assert "its addresses for services of the cluster set are unknown" in told
    assert set(facts(listener).shards) == {"mynamespace/pub"}
