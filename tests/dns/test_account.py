"""What `explain` tells of names of the cluster domain, with the very words."""

from typing import Any

import pytest

from fedns.dns import annex, explain, explanation, inside
from tests.dns import test_inside as inner
from tests.dns.test_places import From
from tests.golden import fleet


def told(
    name: str, where: str = "us", style: inside.Style = "cname", **shards: dict[str, Any]
) -> explanation.Explanation:
    world = {"settings": inner.SETTINGS, "members": inner.MEMBERS, "where": inner.WHERE}
    built = fleet.build({**world, "services": {"n/s": {"shards": shards}}})
    kind = inside.Kind(inside.Settings(style=style))
    opened = kind.open(annex.Setting(built.layout, built.snapshot.members, 1))
    assert opened is not None
    asked = explain.Question(name, "A", From(inner.IN[where]), (opened,))
    return explain.explain(built.snapshot, built.layout, built.table(kind), asked, fleet.NOW)


HERE = inner.shard("10.0.0.1")
SICK = inner.shard("10.0.0.1", state="unhealthy")
AWAY = inner.shard("10.0.0.2", address="192.0.2.2")


def test_the_local_shard_serves() -> None:
    found = told(inner.SHORT, us=HERE, eu=AWAY)
    assert (found.kind, found.service) == ("inside", "n/s")
    place = "inside member us, in zone us-east1-a of region us-east1: 10.2.0.0/16, clients of member us"
    assert found.steps[:4] == (
        "a federated name as those inside member us have it",
        f"client 10.2.0.1 is {place}",
        "the member's own shard serves: 3 ready endpoints",
        "it leads to s.n.svc.cluster.local., the cluster's own name",
    )


def test_it_does_not_and_all_further_steps_are_those_of_the_federated_name() -> None:
    found = told(inner.SHORT, us=SICK, eu=AWAY)
    assert "the member's own shard does not: it is unhealthy: 0 of 3 endpoints ready" in found.steps
    assert "it leads to the name of zone us-east1-a, the narrowest of who asks" in found.steps
    assert any(
        step.startswith("zone us-east1-a: no shard can serve here (us: it is unhealthy")
        for step in found.steps
    )
    assert [each.member for each in found.candidates if each.serves] == ["eu"]
    assert found.reply.answer[-1].endswith("192.0.2.2")


@pytest.mark.parametrize(
    ("where", "step"),
    [
        ("region", "it leads to the name of region us-east1, the narrowest of who asks"),
        ("bare", "it leads to the global name: the member has neither zone nor region"),
        ("out", "it leads to the global name"),
    ],
)
def test_how_wide_a_name_it_leads_to(where: str, step: str) -> None:
    assert step in told(inner.SHORT, where, us=HERE).steps


def test_the_local_name() -> None:
    assert "as member us has it: 10.0.0.1" in told(inner.OWN, us=HERE).steps
    missing = told(inner.OWN, "eu", us=HERE)
    assert missing.kind == "missing"
    assert (
        "for those inside member eu there is no such name: it does not declare the service" in missing.steps
    )
    assert (
        "who asks is inside no member: for them there is no such name"
        in told(inner.OWN, "out", us=HERE).steps
    )
    sick = told(inner.OWN, us=SICK)
    assert "the federated name leads elsewhere: it is unhealthy: 0 of 3 endpoints ready" in sick.steps


def test_rewriting_looks_at_what_is_there_alone() -> None:
    assert "its own addresses are given" in told(inner.SHORT, style="rewrite", us=SICK).steps
    away = told(inner.SHORT, "eu", "rewrite", us=HERE)
    assert "the member does not have the service: it does not declare the service" in away.steps


@pytest.mark.parametrize("name", ["s.n.fed.n.svc.cluster.local", "www.example.com.cluster.local"])
def test_steps_of_a_search_path(name: str) -> None:
    found = told(name, us=HERE)
    assert found.kind == "missing" and found.rule.startswith("only S.N.F.svc and S.N.svc are names")
