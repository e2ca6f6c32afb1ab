"""The CRDs say what the readers of policies and of members read, and what the writer of statuses writes."""

import re
from typing import Any, get_args

import msgspec
import pytest
import yaml

from fedns.model import policy
from fedns.sources import registrations
from tests.deploy import objects
from tests.sources import test_registrations as members

DEFINITIONS = {
    path.name.partition(".")[0]: yaml.safe_load(path.read_text())
    for path in (objects.DEPLOY / "crds").glob("*.fedns.io.yaml")
}


def root(plural: str) -> dict[str, Any]:
    (version,) = DEFINITIONS[plural]["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]
    return found


SPEC, MEMBER = root("trafficpolicies")["spec"], root("memberclusters")["spec"]
CONDITION = {
    "type": "Ready",
    "status": "False",
    "observedGeneration": 2,
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "reason": "Unreachable",
    "message": "no answer",
}
EXAMPLE = re.compile(r"^```yaml\n(apiVersion: fedns.io/v1alpha1\nkind: TrafficPolicy\n.*?)^```", re.M | re.S)
JOINED = re.compile(r"^```yaml\n(apiVersion: fedns.io/v1alpha1\nkind: MemberCluster\n.*?)^```", re.M | re.S)


@pytest.mark.parametrize(
    ("plural", "kind", "scope"),
    [("trafficpolicies", "TrafficPolicy", "Namespaced"), ("memberclusters", "MemberCluster", "Cluster")],
)
def test_names_are_those_of_the_objects_that_are_read(plural: str, kind: str, scope: str) -> None:
    definition = DEFINITIONS[plural]
    spec = definition["spec"]
    (version,) = spec["versions"]
    assert definition["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}"
    assert (spec["group"], version["name"], spec["names"]["kind"], spec["scope"]) == (
        "fedns.io",
        "v1alpha1",
        kind,
        scope,
    )
    assert version["storage"] and version["served"] and version["subresources"] == {"status": {}}
    resource = registrations.MEMBERS
    assert kind != resource.kind or (resource.plural, resource.namespaced) == (plural, scope != "Cluster")


def test_its_choices_are_those_of_the_model() -> None:
    choices = SPEC["properties"]
    assert choices["strategy"]["enum"] == list(get_args(policy.Strategy))
    assert choices["onAllUnhealthy"]["enum"] == list(get_args(policy.OnAllUnhealthy))
    assert choices["probe"]["properties"]["kind"]["enum"] == list(get_args(policy.ProbeKind))


def test_it_has_the_fields_of_the_documented_policy_which_fits_it() -> None:
    """`tests/laws/test_docs.py` sees to it that the documented policy shows every field that is read."""
    page = (objects.ROOT / "docs" / "input.md").read_text()
    found = EXAMPLE.search(page)
    assert found
    written = yaml.safe_load(found[1])["spec"]
    objects.fits(written, SPEC, "spec")
    for name, branch in (
        ("", SPEC),
        *((name, SPEC["properties"][name]) for name in ("probe", "ttl", "health")),
    ):
        shown = written[name] if name else written
        assert set(branch["properties"]) == set(shown), name


@pytest.mark.parametrize("plural", sorted(DEFINITIONS))
def test_columns_and_names_stand_in_the_schema(plural: str) -> None:
    (version,) = DEFINITIONS[plural]["spec"]["versions"]
    for column in version["additionalPrinterColumns"]:
        assert column["jsonPath"] == ".metadata.creationTimestamp" or named(column, root(plural))


def named(column: dict[str, Any], properties: dict[str, Any]) -> object:
    """The schema of what a column shows; a KeyError where it stands nowhere."""
    path, _, chosen = column["jsonPath"].partition("[?(@.")
    branch: dict[str, Any] = {"properties": properties}
    for name in path.lstrip(".").split("."):
        branch = branch["properties"][name]
    if chosen:
        assert re.fullmatch(r'type=="\w+"\)\]\.status', chosen)
        branch = branch["items"]["properties"]["status"]
    return branch["type"] == column["type"]


def test_members_are_shown_as_clusters_are() -> None:
    (version,) = DEFINITIONS["memberclusters"]["spec"]["versions"]
    shown = [one["name"].upper() for one in version["additionalPrinterColumns"] if not one.get("priority")]
    assert shown == ["READY", "VERSION", "REGION", "SERVICES", "AGE"]


def test_the_documented_member_has_the_fields_that_are_read() -> None:
    found = JOINED.search((objects.ROOT / "docs" / "input.md").read_text())
    assert found
    written = yaml.safe_load(found[1])
    spec = written["spec"]
    objects.fits(spec, MEMBER, "spec")
    assert set(spec) == set(MEMBER["properties"])
    shape = registrations.KINDS[registrations.MEMBERS].shape
    (field,) = (one for one in msgspec.structs.fields(shape) if one.name == "spec")
    assert {one.encode_name for one in msgspec.structs.fields(field.type)} == set(spec)
    assert members.read(written).trouble == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("server", "http://h"),
        ("server", "https://h?a=b"),
        ("region", "Europe"),
        ("zones", ["a.b"]),
        ("clients", ["10.0.0.0"]),
        ("gateway", "pods"),
        ("exports", "yes"),
        ("secretRef", {}),
        ("taints", ["a:Never"]),
        ("taints", [{"key": "a"}]),
        ("namespace", "x"),
    ],
)
def test_what_no_member_can_mean_does_not_fit(field: str, value: object) -> None:
    spec = {"server": "https://h", "secretRef": {"name": "eu"}, field: value}
    with pytest.raises(AssertionError):
        objects.fits(spec, MEMBER, "spec")


def test_statuses_fit() -> None:
    status = {
        "conditions": [CONDITION],
        "version": "v1.34.1",
        "region": "eu",
        "zones": ["eu-1"],
        "services": 3,
        "identity": "uid",
    }
    objects.fits(status, root("memberclusters")["status"], "status")
    objects.fits({"conditions": [CONDITION]}, root("trafficpolicies")["status"], "status")
    assert (
        root("memberclusters")["status"]["properties"]["conditions"]
        == (root("trafficpolicies")["status"]["properties"]["conditions"])
    )


def test_what_it_must_refuse_does_not_fit() -> None:
    probe = SPEC["properties"]["probe"]["properties"]
    for value, name in (("5 s", "interval"), ("1d", "timeout"), ("healthz", "path"), ("20", "expectStatus")):
        schema = probe[name].get("items", probe[name])
        assert not re.search(schema["pattern"], value), (name, value)
