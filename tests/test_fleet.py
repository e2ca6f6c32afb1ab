"""Members and the fleet's place: directories, kubeconfigs, servers written out, the cluster one runs in."""

import pytest

from fedns import config, fleet
from fedns.kube import access

HEAD = "federation: f\ndomain: example.com\n"


def loaded(text: str) -> config.Loaded:
    return config.parse((HEAD + text).encode(), "/etc/fedns/fedns.yaml")


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ("kubeconfig: k", access.Where(kubeconfig="/etc/fedns/k")),
        ("kubeconfig: /k, context: c", access.Where(kubeconfig="/k", context="c")),
        ("api: {in_cluster: true}", access.Where(in_cluster=True)),
        ("api: {server: 'https://h:1', token: t}", access.Where(server="https://h:1", token="t")),
        (
            "api: {server: 'https://h', certificate: /c, key: /k, server_name: n}",
            access.Where(server="https://h", certificate="/c", key="/k", server_name="n"),
        ),
        ("manifests: /", None),
    ],
)
def test_where_a_member_and_the_fleet_are(written: str, where: access.Where | None) -> None:
    found = loaded(f"members: [{{name: a, {written}}}]\nfleet: {{{written}}}\n").config
    assert found is not None
    assert fleet.where(found.members[0]) == where == fleet.where(found.fleet)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("region: r", "'a' has no source"),
        ("manifests: /, kubeconfig: k", "more than one source"),
        ("kubeconfig: k, api: {in_cluster: true}", "more than one source"),
        ("manifests: /, context: c", "context without kubeconfig"),
        ("api: {server: h}", "api.server is no URL"),
        ("api: {in_cluster: true, server: 'https://h'}", "says it all"),
        ("api: {server: 'https://h', token: t, token_file: /etc/hostname}", "both api.token and"),
        ("manifests: /, selector: a=b", "selector is for API servers"),
        ("manifests: /, namespaces: a=b", "namespaces is for API servers"),
        ("manifests: /, exports: true", "exports is for API servers"),
        ("api: {server: 'https://h', key: /etc/hostname}", "api.key without api.certificate"),
        ("api: {sever: x}", "unknown key 'sever'"),
    ],
)
def test_what_cannot_be_meant_is_a_problem_with_its_line(written: str, told: str) -> None:
    found = loaded(f"members:\n- {{name: a, {written}}}\n")
    assert found.config is None
    assert [one for one in found.problems if told in one.what and one.where.endswith(":4")], found.problems


def test_the_namespace_is_ours_unless_told() -> None:
    found = loaded("fleet: {kubeconfig: k}\n").config
    assert found and (found.fleet.namespace, found.fleet.status) == (fleet.NAMESPACE, True)
    found = loaded("fleet: {kubeconfig: k, namespace: dns, status: false}\n").config
    assert found and (found.fleet.namespace, found.fleet.status) == ("dns", False)


def test_what_policies_know_a_member_by() -> None:
    taints = "['k=v:NoSchedule', 'x:NoExecute']"
    text = f"members: [{{name: a, manifests: /, aliases: [c1], provider: p, taints: {taints}}}]"
    found = loaded(text).config
    assert found is not None
    (member,) = found.members
    assert (member.aliases, member.provider) == (("c1",), "p")
    assert member.taints == (("k", "v", "NoSchedule"), ("x", "", "NoExecute"))
    assert "is no taint" in str(loaded("members: [{name: a, manifests: /, taints: [x]}]").problems)
