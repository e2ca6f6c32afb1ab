"""`fedns join` and `unjoin` with fake API servers: what is made, registered, refused, mended and undone."""

import base64
import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from fedns import config
from fedns.cli import codes, main
from tests.fakes import kubecluster
from tests.servers import certificates, running

HEAD = "# ours\nfederation: f\ndomain: example.com  # mine\n"
TEXT = f"{HEAD}members:\n# the first\n- name: first\n  manifests: .  # here\n# the end\n"
POLICY = """apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: p, namespace: web}
spec: {resourceSelectors: [{apiVersion: v1, kind: Service}]}
"""
ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/fedns-reader"
SECRETS = "/api/v1/namespaces/fedns/secrets"
MEMBERS = "/apis/fedns.io/v1alpha1/memberclusters"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    (tmp_path / "fedns.yaml").write_text(TEXT)
    return tmp_path


@pytest.fixture
def member(home: Path) -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as cluster:
        cluster.kubeconfig(home / "k")
        cluster.put(
            *(kubecluster.node(f"n{index}", "eu", zone) for index, zone in enumerate(("eu-a", "eu-b")))
        )
        yield cluster


def said(*words: str, code: int = codes.OK, keys: str | None = None) -> str:
    done = CliRunner().invoke(main.app, words, input=keys)
    assert done.exit_code == code, done.output
    return done.output


def join(*words: str, code: int = codes.OK) -> str:
    return said("join", "far", "--kubeconfig", "k", *words, code=code)


def tokens(cluster: kubecluster.Cluster) -> dict[str, str]:
    """Of the account in a member, by the Secrets that hold them."""
    found = cluster.request("GET", SECRETS)[1]["items"]
    return {one["metadata"]["name"]: base64.b64decode(one["data"]["token"]).decode() for one in found}


def test_a_cluster_becomes_a_member_in_the_file(member: kubecluster.Cluster, home: Path) -> None:
    told = join()
    assert f"far has joined: {member.url}, Kubernetes v1.34.1" in told
    assert "region eu, zones eu-a, eu-b (labels of 2 nodes)" in told and "proved" in told
    assert "fedns unjoin far --kubeconfig" in told
    ((name, token),) = tokens(member).items()
    assert name == "fedns-reader-token" and token not in told
    kept = home / "credentials" / "far.token"
    assert kept.read_text() == token and stat.S_IMODE(kept.stat().st_mode) == 0o600
    entry = f"- name: far\n  api: {{server: '{member.url}', token_file: credentials/far.token}}\n"
    assert (home / "fedns.yaml").read_text() == TEXT.replace("# the end\n", f"{entry}# the end\n")
    assert not config.load("fedns.yaml").problems
    assert member.request("GET", "/api/v1/services", token=token)[0] == 200
    assert member.request("GET", "/api/v1/secrets", token=token)[0] == 403


def test_a_second_time_mends_what_was_bent_and_changes_nothing_else(
    member: kubecluster.Cluster, home: Path
) -> None:
    join()
    text, held = (home / "fedns.yaml").read_text(), tokens(member)
    rules = member.request("GET", ROLE)[1]["rules"]
    patch = {"metadata": {"annotations": {"a": "b"}}, "rules": []}
    member.request("PATCH", ROLE, patch, "application/merge-patch+json")
    (home / "credentials" / "far.token").unlink()
    told = json.loads(join("-o", "json"))
    assert [one["what"] for one in told["made"] if one["changed"]] == ["ClusterRole fedns-reader"]
    found = member.request("GET", ROLE)[1]
    assert found["rules"] == rules and found["metadata"]["annotations"] == {"a": "b"}
    assert (home / "fedns.yaml").read_text() == text and tokens(member) == held
    assert (home / "credentials" / "far.token").read_text() in held.values()


def test_what_is_asked_for_is_said_and_granted(member: kubecluster.Cluster, home: Path) -> None:
    words = ["--region", "eu", "--zones", "a, b", "--selector", "x=y", "--in-namespaces", "team", "--exports"]
    join(*words, "--aliases", "c1, c2", "--provider", "p", "--taints", "k=v:NoExecute")
    found = config.load("fedns.yaml").config
    assert found
    told = found.members[-1]
    assert (told.region, told.zones, told.selector, told.namespaces, told.exports) == (
        "eu",
        ("a", "b"),
        "x=y",
        "team",
        True,
    )
    assert (told.aliases, told.provider, told.taints) == (("c1", "c2"), "p", (("k", "v", "NoExecute"),))
    assert "is no taint" in join("--taints", "k", code=codes.USAGE)
    granted = {one for rule in member.request("GET", ROLE)[1]["rules"] for one in rule["resources"]}
    assert {"serviceexports", "namespaces"} <= granted


def test_a_cluster_without_slices_grants_endpoints(member: kubecluster.Cluster) -> None:
    member.faults(absent=["discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"])
    join()
    assert any("endpoints" in rule["resources"] for rule in member.request("GET", ROLE)[1]["rules"])


def test_dry_run_prints_all_and_does_nothing(member: kubecluster.Cluster, home: Path) -> None:
    before = member.request("GET", "/api/v1/namespaces")[1]["items"]
    told = join("--dry-run")
    kinds = [one.get("kind") for one in yaml.safe_load_all(told)]
    assert kinds == ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret", None]
    assert "members:" in told and "token_file" in told
    assert member.request("GET", "/api/v1/namespaces")[1]["items"] == before
    assert not [line for line in member.log() if not line.startswith(("GET", "POST /apis/authorization"))]
    assert (home / "fedns.yaml").read_text() == TEXT and not (home / "credentials").exists()


def test_a_new_token_revokes_the_old_one(member: kubecluster.Cluster, home: Path) -> None:
    join()
    ((old, first),) = tokens(member).items()
    assert f"revoked   Secret fedns/{old}" in join("--rotate")
    ((new, second),) = tokens(member).items()
    assert new != old and second != first
    assert (home / "credentials" / "far.token").read_text() == second
    assert member.request("GET", "/api/v1/services", token=first)[0] == 401
    assert json.loads(join("-o", "json"))["revoked"] == [] and list(tokens(member)) == [new]


def test_a_token_that_ends_is_told(member: kubecluster.Cluster, home: Path) -> None:
    told = join("--duration", "30d")
    assert "ends at 20" in told and tokens(member) == {}
    token = (home / "credentials" / "far.token").read_text()
    assert member.request("GET", "/api/v1/services", token=token)[0] == 200
    join("--duration", "1m", code=codes.USAGE)
    join("--duration", "soon", code=codes.USAGE)


def test_all_rights_that_are_lacking_are_named_and_nothing_is_made(
    member: kubecluster.Cluster, home: Path
) -> None:
    member.faults(forbidden=["create:clusterroles", "secrets", "list:nodes", "escalate:clusterroles"])
    told = join(code=codes.PROBLEMS)
    for lacking in (
        "create clusterroles.rbac.authorization.k8s.io",
        "get secrets fedns-reader-token in namespace fedns",
        "escalate clusterroles",
    ):
        assert lacking in told
    assert "use a context with these rights" in told
    assert not [line for line in member.log() if line.startswith(("PATCH", "DELETE"))]
    assert (home / "fedns.yaml").read_text() == TEXT


def test_who_lacks_rights_may_print_what_others_apply(member: kubecluster.Cluster) -> None:
    member.faults(forbidden=["namespaces", "create:clusterroles"])
    done = CliRunner().invoke(main.app, ["join", "far", "--kubeconfig", "k", "--dry-run"])
    assert done.exit_code == codes.OK and "create clusterroles" in done.stderr
    assert [one.get("kind") for one in yaml.safe_load_all(done.stdout)][2:4] == [
        "ClusterRole",
        "ClusterRoleBinding",
    ]


def test_what_others_made_is_not_touched(member: kubecluster.Cluster, home: Path) -> None:
    member.put(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "fedns-reader"},
        }
    )
    assert "ClusterRole fedns-reader: there already, and not made by fedns" in join(code=codes.PROBLEMS)
    join("--namespace", "dns")
    assert member.request("GET", ROLE.replace("fedns-", "dns-"))[0] == 200


def test_one_cluster_is_one_member(member: kubecluster.Cluster, home: Path) -> None:
    join()
    told = said("join", "near", "--kubeconfig", "k", code=codes.PROBLEMS)
    assert "is a member already: far" in told and "fedns unjoin far" in told
    (home / "state" / "identities").mkdir(parents=True)
    (home / "state" / "identities" / "far").write_text("of another\n")
    assert "far was another cluster (UID of another" in join(code=codes.PROBLEMS)


def test_a_name_that_is_taken_is_refused(member: kubecluster.Cluster) -> None:
    told = said("join", "first", "--kubeconfig", "k", code=codes.PROBLEMS)
    assert "member first is there, reached in another way" in told


def test_a_secret_that_nobody_fills_is_not_waited_for_for_ever(
    member: kubecluster.Cluster, home: Path
) -> None:
    member.faults(controllers=False)
    assert "--duration asks for another kind" in " ".join(
        join("--wait", "500ms", code=codes.UNREACHABLE).split()
    )
    assert (home / "fedns.yaml").read_text() == TEXT


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (["--context", "none"], "no context 'none' (known: main)", codes.PROBLEMS),
        (["--kubeconfig", "none"], "none: No such file or directory", codes.PROBLEMS),
        (["--config", "none.yaml"], "cannot be read", codes.PROBLEMS),
    ],
)
def test_mistakes_are_told(home: Path, words: list[str], told: str, code: int) -> None:
    (home / "k").write_text(kubecluster.KUBECONFIG.format(server="http://127.0.0.1:9", user="{}"))
    assert told in said("join", "far", "--kubeconfig", "k", *words, code=code)


def test_a_cluster_out_of_reach(home: Path) -> None:
    (home / "k").write_text(kubecluster.KUBECONFIG.format(server="http://127.0.0.1:9", user="{}"))
    assert "127.0.0.1:9: Connection refused" in join(code=codes.UNREACHABLE)
    said("join", "no name", "--kubeconfig", "k", code=codes.USAGE)


def test_text_that_cannot_be_edited_safely_is_left_to_people(member: kubecluster.Cluster, home: Path) -> None:
    text = "{federation: f, domain: example.com, members: [{name: first, manifests: .},]}\n"
    (home / "fedns.yaml").write_text(text)
    told = join(code=codes.PROBLEMS)
    assert "could not be edited safely" in told and "- name: far\n  api: {server: " in told
    assert (home / "fedns.yaml").read_text() == text and (home / "credentials" / "far.token").exists()


def test_leaving_undoes_what_joining_did(member: kubecluster.Cluster, home: Path) -> None:
    before = {one["metadata"]["name"] for one in member.request("GET", "/api/v1/namespaces")[1]["items"]}
    join()
    (home / "state" / "identities").mkdir(parents=True)
    (home / "state" / "identities" / "far").write_text("00000000-0000-4000-8000-000000000001\n")
    leave = ("unjoin", "far", "--kubeconfig", "k")
    assert "would remove ClusterRole fedns-reader" in said(*leave, "--dry-run")
    assert "say --yes" in said(*leave, code=codes.USAGE)
    assert "removed   ClusterRole fedns-reader" in said(*leave, "--yes")
    assert (home / "fedns.yaml").read_text() == TEXT
    assert not any((home / "credentials").iterdir()) and not any((home / "state" / "identities").iterdir())
    assert member.request("GET", ROLE)[0] == 404 and tokens(member) == {}
    assert {
        one["metadata"]["name"] for one in member.request("GET", "/api/v1/namespaces")[1]["items"]
    } == before
    assert "no member far known: first" in " ".join(said(*leave, "--yes", code=codes.PROBLEMS).split())


def test_a_member_of_a_cluster_set_grants_writes_and_leaving_removes_what_was_written(
    member: kubecluster.Cluster, home: Path
) -> None:
    (home / "fedns.yaml").write_text(f"{TEXT}clusterset: {{write: true}}\n")
    join()
    ((_, token),) = tokens(member).items()
    space, labels = {"namespace": "default"}, {"app.kubernetes.io/managed-by": "fedns"}
    made = {"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport"}
    where = "/apis/multicluster.x-k8s.io/v1beta1/namespaces/default/serviceimports"
    ours = {**made, "metadata": {"name": "ours", **space, "labels": labels}}
    assert member.request("POST", where, ours, token=token)[0] == 201
    leases = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "fedns"}}
    assert member.request("POST", leases.format("fedns"), lease, token=token)[0] == 201
    assert member.request("POST", leases.format("default"), lease, token=token)[0] == 403
    member.put({**made, "metadata": {"name": "theirs", **space}})
    told = said("unjoin", "far", "--kubeconfig", "k", "--yes")
    assert "removed   1 serviceimports" in told
    assert [one["metadata"]["name"] for one in member.request("GET", where)[1]["items"]] == ["theirs"]
    assert member.request("GET", "/api/v1/namespaces/fedns")[0] == 404


def test_where_policies_have_copies_brought_the_command_that_grants_it_is_told_and_leaving_takes_it_back(
    member: kubecluster.Cluster, home: Path
) -> None:
    assert "rbac" not in join()
    (home / "fleet").mkdir()
    text = (
        (home / "fedns.yaml")
        .read_text()
        .replace(HEAD, f"{HEAD}fleet: {{manifests: fleet, distribute: true}}\n")
    )
    (home / "fedns.yaml").write_text(text)
    (home / "fleet" / "p.yaml").write_text(POLICY)
    hint = "fedns rbac --for-policies fleet --member far | kubectl --kubeconfig k apply -f -"
    assert hint in " ".join(join().split())
    member.put(*yaml.safe_load_all(said(*hint.partition(" | ")[0].split()[1:])))
    told = said("unjoin", "far", "--kubeconfig", "k", "--yes")
    for kind in ("ClusterRole", "ClusterRoleBinding", "Role fedns", "RoleBinding fedns"):
        name = f"{kind}/fedns-writer" if " " in kind else f"{kind} fedns-writer"
        assert f"removed   {name}" in told
    assert member.request("GET", ROLE.replace("reader", "writer"))[0] == 404


def test_leaving_spares_what_is_not_ours(member: kubecluster.Cluster) -> None:
    join()
    role = member.request("GET", ROLE)[1]
    member.put({**role, "metadata": {"name": "fedns-reader"}})
    member.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs", "namespace": "fedns"}})
    told = said("unjoin", "far", "--kubeconfig", "k", "--yes", code=codes.PROBLEMS)
    assert "stays     ClusterRole fedns-reader: it lacks our label" in told
    assert "stays     Namespace fedns: Secret theirs is in it" in told
    assert member.request("GET", ROLE)[0] == 200 and member.request("GET", f"{SECRETS}/theirs")[0] == 200


def test_leaving_never_cleans_up_in_another_cluster(member: kubecluster.Cluster, home: Path) -> None:
    join()
    (home / "credentials" / "far.uid").write_text("of another")
    told = said("unjoin", "far", "--kubeconfig", "k", "--yes", code=codes.PROBLEMS)
    assert "this is another cluster" in told and "name the context of the member" in told
    assert member.request("GET", ROLE)[0] == 200 and "far" in (home / "fedns.yaml").read_text()


def test_a_member_out_of_reach_leaves_and_what_remains_is_told(
    member: kubecluster.Cluster, home: Path
) -> None:
    join()
    member.stop()
    told = said("unjoin", "far", "--kubeconfig", "k", "--yes", code=codes.PROBLEMS)
    assert "could not be asked" in told and "kubectl -n fedns delete secret,serviceaccount" in told
    assert (home / "fedns.yaml").read_text() == TEXT


@pytest.fixture
def fleet(home: Path) -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as cluster:
        cluster.kubeconfig(home / "fleet")
        (home / "fedns.yaml").write_text(f"{HEAD}fleet: {{kubeconfig: fleet}}\n")
        yield cluster


@pytest.fixture
def secure(home: Path) -> Iterator[kubecluster.Cluster]:
    """A member that is reached by https."""
    chain, key = certificates.write(home)
    with kubecluster.running(0, ("--certificate", chain, "--key", key)) as cluster:
        ca = base64.b64encode(Path(chain).read_bytes()).decode()
        written = yaml.safe_load(cluster.kubeconfig(home / "k").read_text())
        written["clusters"][0]["cluster"]["certificate-authority-data"] = ca
        (home / "k").write_text(yaml.safe_dump(written))
        yield cluster


def registered(fleet: kubecluster.Cluster, name: str = "far") -> Any:
    return fleet.request("GET", f"{MEMBERS}/{name}")[1]


def test_a_cluster_becomes_a_member_in_the_fleet(
    fleet: kubecluster.Cluster, secure: kubecluster.Cluster, home: Path
) -> None:
    assert "MemberCluster far" in join("--region", "eu")
    found = registered(fleet)
    assert found["spec"]["server"] == secure.url and found["spec"]["region"] == "eu"
    assert base64.b64decode(found["spec"]["caBundle"]) == (home / "chain.pem").read_bytes()
    secret = fleet.request("GET", f"{SECRETS}/{found['spec']['secretRef']['name']}")[1]
    assert secret["metadata"]["labels"]["fedns.io/credentials"] == "member" and secret["data"]["token"]
    assert fleet.request("GET", "/api/v1/namespaces/fedns")[0] == 200
    assert not (home / "credentials").exists()
    said("unjoin", "far", "--yes", "--kubeconfig", "k")
    assert registered(fleet)["code"] == 404
    assert fleet.request("GET", SECRETS)[1]["items"] == []


def test_what_people_add_to_a_registration_stays(
    fleet: kubecluster.Cluster, secure: kubecluster.Cluster
) -> None:
    join()
    patch = {"metadata": {"labels": {"tier": "prod"}}, "spec": {"clients": ["10.0.0.0/8"]}}
    fleet.request("PATCH", f"{MEMBERS}/far", patch, "application/merge-patch+json")
    before = registered(fleet)
    join("--rotate")
    after = registered(fleet)
    assert after["metadata"]["labels"] == {"tier": "prod"} and after["spec"] == before["spec"]


def test_the_fleet_knows_which_cluster_a_name_is(
    fleet: kubecluster.Cluster, secure: kubecluster.Cluster
) -> None:
    join()
    told = said("join", "near", "--kubeconfig", "k", code=codes.PROBLEMS)
    assert "is registered already, as far" in told
    status = {"status": {"identity": "of another"}}
    fleet.request("PATCH", f"{MEMBERS}/far/status", status, "application/merge-patch+json")
    assert "far is another cluster (UID of another" in join(code=codes.PROBLEMS)


def test_a_fleet_in_which_the_kind_was_defined_a_moment_ago_is_waited_for(
    fleet: kubecluster.Cluster, secure: kubecluster.Cluster
) -> None:
    """API servers answer so while they make a store for it."""
    fleet.faults(refuse=[429, "TooManyRequests", 1])

    def asked() -> bool:
        return any(MEMBERS in line for line in fleet.log())

    def relents() -> None:
        running.until(asked, "it is asked")
        fleet.faults(refuse=[])

    thread = threading.Thread(target=relents)
    thread.start()
    assert "MemberCluster far" in join()
    thread.join()


def test_a_fleet_that_cannot_take_it_says_why(
    fleet: kubecluster.Cluster, secure: kubecluster.Cluster, home: Path
) -> None:
    fleet.faults(forbidden=["create:secrets"])
    assert "you may not create secrets in namespace fedns" in join(code=codes.PROBLEMS)
    fleet.faults(forbidden=[], absent=["fedns.io/v1alpha1"])
    assert "kubectl apply -k deploy/crds" in join(code=codes.PROBLEMS)
    assert "http://h: a MemberCluster is reached by https" in join(
        "--server", "http://h", code=codes.PROBLEMS
    )
    (home / "fedns.yaml").write_text(f"{HEAD}fleet: {{api: {{in_cluster: true}}}}\n")
    assert "--fleet-kubeconfig" in join(code=codes.PROBLEMS)
    fleet.faults(absent=[])
    assert "MemberCluster far" in join("--fleet-kubeconfig", "fleet")
