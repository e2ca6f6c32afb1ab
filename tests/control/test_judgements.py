"""What is known, as statuses: of members that run, of those that do not, of objects with problems."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from fedns import config, portal
from fedns.control import frontage, judgements, known
from fedns.distribute import statuses
from fedns.errors import Problem
from fedns.kube import access, client
from fedns.model.facts import MemberFacts, ShardFacts
from fedns.sources import change, cluster, identity, kubernetes
from fedns.values import Address
from tests.fakes import kubecluster

TEXT = b"""federation: f
domain: example.com
nameservers: {ns1.example.com: [127.0.0.1]}
fleet: {api: {server: 'https://192.0.2.1'}}
members: [{name: own, api: {server: 'https://192.0.2.2'}}]
"""
POLICY = {"metadata": {"name": "p", "namespace": "n"}, "spec": {"targetRef": {"name": "s"}}}


class Roster:
    """The members that run."""

    def __init__(self) -> None:
        self.sources: dict[str, kubernetes.Member] = {}

    def source(self, name: str) -> kubernetes.Member | None:
        return self.sources.get(name)


class Parts:
    """What the control process has."""

    def __init__(self) -> None:
        loaded = config.parse(TEXT).config
        assert loaded
        self.config, self.known = loaded, known.Known(config.world(loaded))
        self.frontage = frontage.Frontage(portal.Gateway(publish=("192.0.2.7",)), "fedns")
        self.served: frozenset[str] | None = None
        self.roster = Roster()

    def complain(self, source: str, where: str, what: str) -> None:
        self.known.put(change.ProblemsChange(source, (Problem(where, what),)))


def by_type(verdict: statuses.Verdict) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.message or one.reason) for one in verdict.conditions}


def test_whether_an_object_can_be_read_says_who_reads_it() -> None:
    members, policies = judgements.Judge(Parts()).chapters()
    assert (members.resource.kind, policies.resource.kind) == ("MemberCluster", "TrafficPolicy")
    assert policies.check(msgspec.json.encode(POLICY)) == ""
    broken: dict[str, Any] = {**POLICY, "spec": {"targetRef": {"name": "s"}, "ttl": {"min": "1d"}}}
    assert "`1d` is no duration" in policies.check(msgspec.json.encode(broken))
    registered = {"metadata": {"name": "m"}, "spec": {"server": "http://m", "secretRef": {"name": "s"}}}
    assert "is no URL" in members.check(msgspec.json.encode(registered))


def test_problems_of_an_object_are_its_complaint() -> None:
    parts = Parts()
    judge = judgements.Judge(parts)
    parts.complain("fleet", "https://192.0.2.1: TrafficPolicy n/p", "another one comes first")
    parts.complain("roster", "MemberCluster own", "fedns.yaml has a member of this name")
    assert by_type(judge.policy("n/p", statuses.Live()))["Accepted"] == ("False", "another one comes first")
    assert by_type(judge.policy("n/q", statuses.Live()))["Accepted"][0] == "True"
    told = by_type(judge.member("own", statuses.Live()))
    assert told["Accepted"] == ("False", "fedns.yaml has a member of this name")
    parts.complain("fleet", "elsewhere", "other")
    assert by_type(judge.policy("n/p", statuses.Live()))["Accepted"][0] == "True"


def test_a_member_that_runs_is_told_as_its_source_and_its_facts_are(tmp_path: Path) -> None:
    parts = Parts()
    judge = judgements.Judge(parts)

    async def run(url: str) -> None:
        api = client.Client(access.Where(server=url), asyncio.Semaphore(client.AT_ONCE))
        register = identity.Register(str(tmp_path))
        source = kubernetes.Member(cluster.Member("m"), kubernetes.Source(api, register))
        parts.roster.sources = {"m": source, "own": source}
        begun = judge.member("m", statuses.Live())
        assert by_type(begun)["Ready"][0] == "Unknown" and begun.fields["services"] is None
        task = asyncio.ensure_future(source.run(lambda news: parts.known.put(news)))
        async with asyncio.timeout(20):
            while True:
                if source.reach.version and all(feed.settled for feed in source.feeds):
                    break
                await asyncio.sleep(0.01)
        facts = MemberFacts("m", "r", ("z",), {}, {"n/s": ShardFacts(())})
        parts.known.put(change.MemberChange(facts, None))
        verdict = judge.member("m", statuses.Live())
        assert {name: row[0] for name, row in by_type(verdict).items()} == {
            "Accepted": "True",
            "Ready": "True",
            "Synced": "True",
        }
        told = verdict.fields
        assert (told["version"], told["region"], told["zones"], told["services"]) == (
            "v1.34.1",
            "r",
            ["z"],
            1,
        )
        assert told["identity"] == source.identity.uid != ""
        assert not judge.member("own", statuses.Live()).fields, "that of fedns.yaml is another one"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with kubecluster.running() as found:
        asyncio.run(run(found.url))


def test_ingresses_are_told_where_they_are_reached_once_it_is_known_whose_they_are() -> None:
    parts = Parts()
    assert len(judgements.Judge(parts).chapters()) == 2
    served = portal.Gateway(listen=(Address("127.0.0.1", 0),), publish=("192.0.2.7",))
    parts.config = msgspec.structs.replace(parts.config, gateway=served)
    *_, routes = judgements.Judge(parts).chapters()
    assert routes.resource.kind == "Ingress" and routes.check(b"{}") == ""
    live = statuses.Live(fields={"loadBalancer": {}})
    assert routes.judge("shop/web", live) is None
    parts.served = frozenset({"shop/web"})
    verdict = routes.judge("shop/web", live)
    assert verdict is not None
    assert verdict.fields == {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
    assert routes.judge("shop/other", live) is None
