"""The CRDs of policies that distribute say what their readers read, and their rules what readers refuse."""

import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import pytest
import yaml
from msgspec import Struct

from fedns.model import propagation as values
from fedns.sources import overrides, propagation
from tests.deploy import objects

HOME = objects.DEPLOY / "crds" / "policies"
ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}
COPIES = objects.DEPLOY / "helm" / "fedns" / "charts" / "policies" / "crds"
DEFINITIONS = {path.name: yaml.safe_load(path.read_text()) for path in sorted(HOME.glob("*.karmada.io.yaml"))}
SHAPES: dict[Any, str] = {str: "string", int: "integer", bool: "boolean"}
Schema = dict[str, Any]


def root(kind: str) -> Schema:
    """The schema of the objects of a kind."""
    (found,) = (one for one in DEFINITIONS.values() if one["spec"]["names"]["kind"] == kind)
    (version,) = found["spec"]["versions"]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


def test_all_kinds_are_there_under_their_names() -> None:
    told = {(one["spec"]["names"]["kind"], one["spec"]["scope"]) for one in DEFINITIONS.values()}
    assert told == {
        (kind, "Cluster" if kind.startswith("Cluster") else "Namespaced")
        for _, kind in overrides.KINDS
        if kind not in propagation.MISSPELT
    }
    for one in DEFINITIONS.values():
        spec = one["spec"]
        (version,) = spec["versions"]
        assert spec["group"] == propagation.GROUPS[0] and version["name"] == propagation.VERSION
        assert one["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}"
    listed = yaml.safe_load((HOME / "kustomization.yaml").read_text())["resources"]
    assert listed == sorted(DEFINITIONS)


def test_the_charts_are_copies() -> None:
    copies = {path.name: path.read_bytes() for path in COPIES.iterdir()}
    assert copies == {name: (HOME / name).read_bytes() for name in DEFINITIONS}


@pytest.mark.parametrize("kind", ["PropagationPolicy", "OverridePolicy"])
def test_one_of_a_namespace_has_the_fields_of_one_of_the_cluster(kind: str) -> None:
    own, wide = root(kind)["properties"]["spec"], root(f"Cluster{kind}")["properties"]["spec"]
    for one in (own, wide):
        one["properties"]["resourceSelectors"]["items"]["properties"]["namespace"].pop("description", None)
    assert own == wide


@pytest.mark.parametrize("kind", ["PropagationPolicy", "OverridePolicy"])
def test_it_has_the_fields_that_are_read_and_no_others(kind: str) -> None:
    shape = overrides.KINDS[f"{propagation.GROUPS[0]}/{propagation.VERSION}", kind].shape
    (spec,) = (one.type for one in msgspec.structs.fields(shape) if one.name == "spec")
    found = list(_differences(spec, root(kind)["properties"]["spec"], "spec"))
    assert not found, found


def _differences(shape: Any, schema: Schema, path: str) -> Iterator[str]:
    """What a schema says otherwise than the shape that is read; it may allow less."""
    if isinstance(shape, types.UnionType):
        (shape,) = (arm for arm in typing.get_args(shape) if arm is not type(None))
    origin, within = typing.get_origin(shape), typing.get_args(shape)
    if shape is Any:
        if schema not in (ANYTHING, {**ANYTHING, "nullable": True}):
            yield f"{path} may be anything"
    elif origin is Literal:
        if not set(schema["enum"]) <= set(within):
            yield f"{path} is one of {within}"
    elif origin is list:
        yield from _differences(within[0], schema["items"], f"{path}[]")
    elif origin is dict:
        yield from _differences(within[1], schema["additionalProperties"], f"{path}.*")
    elif isinstance(shape, type) and issubclass(shape, Struct):
        yield from _fields(shape, schema, path)
    elif schema["type"] != SHAPES[shape]:
        yield f"{path} is a {shape}"


def _fields(shape: type[Struct], schema: Schema, path: str) -> Iterator[str]:
    fields = {one.encode_name: one for one in msgspec.structs.fields(shape)}
    if schema["properties"].keys() != fields.keys():
        yield f"{path} has {sorted(schema['properties'].keys() ^ fields.keys())}"
    needed = {name for name, one in fields.items() if one.required}
    if not needed <= set(schema.get("required", ())):
        yield f"{path} needs {needed}"
    for name in fields.keys() & schema["properties"].keys():
        yield from _differences(fields[name].type, schema["properties"][name], f"{path}.{name}")


def test_choices_are_those_of_the_model() -> None:
    spec = root("PropagationPolicy")["properties"]["spec"]["properties"]
    scheduling = spec["placement"]["properties"]["replicaScheduling"]["properties"]
    assert set(scheduling["replicaDivisionPreference"]["enum"]) == set(typing.get_args(values.Preference))
    fitting = {"resourceSelectors": [{"apiVersion": "v1", "kind": "Service"}], "clusterIds": []}
    with pytest.raises(AssertionError, match="clusterIds is not in the schema"):
        objects.fits(fitting, root("PropagationPolicy")["properties"]["spec"], "spec")
