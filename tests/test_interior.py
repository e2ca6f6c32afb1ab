"""`inside` in fedns.yaml: when the cluster domain is served, by which name and style, and what cannot be."""

import pytest

from fedns import config
from fedns.dns import names

HEAD = "federation: f\ndomain: example.com\n"
CLIENTS = "members: [{name: m, manifests: ., clients: [10.1.0.0/16]}, {name: n, manifests: .}]\n"


def loaded(text: str) -> config.Config:
    found = config.parse((HEAD + text).encode()).config
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "domain", "served"),
    [
        ("", "cluster.local", False),
        ("inside: {domain: k8s.test}\n", "k8s.test", True),
        ("inside: {style: rewrite}\n", "cluster.local", True),
        ("inside: {enabled: true}\n", "cluster.local", True),
    ],
)
def test_when_it_is_served_though_nobody_is_known_to_be_inside(text: str, domain: str, served: bool) -> None:
    kind = next(each for each in config.annexes(loaded(text)) if each.apex == names.wire(domain))
    assert kind.settings.served is served  # type: ignore[attr-defined]


def test_it_can_be_turned_off() -> None:
    found = loaded(CLIENTS + "inside: {enabled: false, domain: k8s.test}\n")
    assert names.wire("k8s.test") not in [each.apex for each in config.annexes(found)]
    assert not any(config.insider(found, member) for member in found.members)


def test_only_members_that_somebody_may_be_inside_of_are_told_what_is_there() -> None:
    found = loaded(CLIENTS)
    assert [member.name for member in found.members if config.insider(found, member)] == ["m"]
    found = loaded(CLIENTS + "inside: {style: cname, enabled: true}\n")
    assert [member.name for member in found.members if config.insider(found, member)] == ["m", "n"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("inside: {domain: example.com}\n", "the cluster domain example.com is the federation's domain too"),
        ("inside: {style: bind}\n", "inside.style"),
        ("inside: {domian: k8s.test}\n", "domian"),
    ],
)
def test_what_cannot_be_is_told(text: str, complaint: str) -> None:
    found = config.parse((HEAD + text).encode())
    assert found.config is None
    assert any(complaint in str(problem) for problem in found.problems)
