"""The CRD says what the reader of policies reads."""

import re
from typing import get_args

import yaml

from fedns.model import policy
from tests.deploy import objects

(VERSION,) = yaml.safe_load(objects.CRD.read_text())["spec"]["versions"]
SPEC = VERSION["schema"]["openAPIV3Schema"]["properties"]["spec"]
EXAMPLE = re.compile(r"^```yaml\n(apiVersion: fedns.io/v1alpha1\nkind: TrafficPolicy\n.*?)^```", re.M | re.S)


def test_its_names_are_those_of_the_objects_that_are_read() -> None:
    definition = yaml.safe_load(objects.CRD.read_text())
    spec = definition["spec"]
    assert definition["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}"
    assert (spec["group"], VERSION["name"], spec["names"]["kind"]) == (
        "fedns.io",
        "v1alpha1",
        "TrafficPolicy",
    )
    assert VERSION["storage"] and VERSION["served"]


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


def test_columns_and_names_stand_in_the_schema() -> None:
    for column in VERSION["additionalPrinterColumns"]:
        first, *rest = column["jsonPath"].lstrip(".").split(".")
        branch = SPEC if first == "spec" else None
        for name in rest if branch else ():
            branch = branch["properties"][name]
        assert branch or column["jsonPath"] == ".metadata.creationTimestamp"


def test_what_it_must_refuse_does_not_fit() -> None:
    probe = SPEC["properties"]["probe"]["properties"]
    for value, name in (("5 s", "interval"), ("1d", "timeout"), ("healthz", "path"), ("20", "expectStatus")):
        schema = probe[name].get("items", probe[name])
        assert not re.search(schema["pattern"], value), (name, value)
