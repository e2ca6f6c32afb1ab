"""Files of objects: what is read, what is taken over, and where each trouble is said to be."""

import json
from collections.abc import Mapping

import pytest

from fedns.sources import documents, objects
from fedns.sources.documents import Content

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, ports: [{name: http, port: 80}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}
"""


def read(text: str, path: str = "a.yaml", before: Content | None = None) -> Content:
    return documents.read(path, text.encode(), objects.KINDS, before or Content())


def values(content: Content) -> Mapping[documents.ObjectKey, object]:
    return {one.key: one.value for one in content.entries.values() if one.value is not None}


def test_many_documents_lists_and_unknown_kinds() -> None:
    listed = "---\napiVersion: v1\nkind: List\nitems:\n" + "".join(
        f"{'- ' if not number else '  '}{line}\n"
        for number, line in enumerate(SERVICE.replace("web", "b").splitlines())
    )
    pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\n---\n# nothing\n"
    found = read(SERVICE + listed + pod)
    assert found.problems == ()
    assert list(values(found)) == [("Service", "shop", "web"), ("Service", "shop", "b")]


def test_a_typed_list_gives_its_items_their_kind() -> None:
    item = {"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer"}}
    text = json.dumps({"apiVersion": "v1", "kind": "ServiceList", "items": [item]})
    for path in ("a.json", "a.yaml"):
        assert list(values(read(text, path))) == [("Service", "default", "web")]


@pytest.mark.parametrize(
    ("path", "text", "where"),
    [
        ("a.yaml", "kind: List\nitems: [\n", "a.yaml:3"),
        ("a.yaml", "a: b\n\tc: d\n", "a.yaml:2"),
        ("a.json", '{\n"kind": "List",\n"items": [}\n', "a.json:3"),
        ("a.json", '{\n"kind": "List",\n"items": [', "a.json:3"),
        ("a.json", "[]", "a.json:1"),
        ("a.yaml", "[" * 100_000, "a.yaml:1"),
    ],
)
def test_a_broken_file_says_where(path: str, text: str, where: str) -> None:
    with pytest.raises(documents.Broken) as caught:
        read(text, path)
    assert caught.value.problem.where == where


def test_a_wrong_shape_says_line_and_field_and_keeps_the_last_good_object() -> None:
    before = read(SERVICE)
    after = read("# moved\n---\n" + SERVICE.replace("80", "eighty"), before=before)
    assert [str(problem) for problem in after.problems] == [
        "a.yaml:3: Service shop/web: Expected `int`, got `str` - at `$.spec.ports[0].port`"
        " (a whole number, without quotes)"
    ]
    assert values(after) == values(before)


def test_a_wrong_item_of_a_json_list_says_its_line() -> None:
    items = [
        '{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"externalIPs":["x"]}}',
        "{}",
    ]
    found = read('{"kind": "List", "items": [\n' + ",\n".join(items) + "\n]}", "a.json")
    assert [str(problem) for problem in found.problems] == [
        "a.json:2: Service default/a: `x` is no IP address - at `$.spec.externalIPs[...]`",
        "a.json:3: no Kubernetes object: it has no `kind`",
    ]


def test_unchanged_items_are_taken_over() -> None:
    item = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"type": "LoadBalancer"},
    }
    other = item | {"metadata": {"name": "b"}}
    before = read(json.dumps({"items": [item, other]}), "a.json")
    changed = other | {"spec": {"type": "LoadBalancer", "externalIPs": ["192.0.2.9"]}}
    after = read(json.dumps({"items": [item, changed]}), "a.json", before)
    taken = [one for digest, one in after.entries.items() if before.entries.get(digest) is one]
    assert [one.key[2] for one in taken] == ["a"]


def test_the_first_of_two_in_one_file_counts() -> None:
    found = read(SERVICE + "---\n" + SERVICE.replace("192.0.2.1", "192.0.2.2"))
    assert [problem.where for problem in found.problems] == ["a.yaml:7"]
    (value,) = values(found).values()
    assert isinstance(value, objects.Declared)
    assert value.addresses == ("192.0.2.1",)


def test_a_second_reading_says_the_same_of_unchanged_trouble() -> None:
    item = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    ports = ([{"port": 80}], [{"port": 81}], [{"port": 0}])
    variants = [item | {"spec": {"type": "LoadBalancer", "ports": each}} for each in ports]
    text = json.dumps({"items": [*variants[:2], variants[0], variants[2]]})
    before = read(text, "a.json")
    after = read(text, "a.json", before)
    assert len(before.problems) == 2
    assert (after.problems, values(after)) == (before.problems, values(before))
    gone = read(json.dumps({"items": variants[1:2]}), "a.json", after)
    assert (gone.problems, len(values(gone))) == ((), 1)


NAMES = ["a", "b", "c"]
MANY = "---\n".join(SERVICE.replace("web", name) for name in NAMES)
LISTED = "- " + SERVICE.rstrip().replace("\n", "\n  ") + "\n"
LIST = "apiVersion: v1\nitems:\n" + "".join(LISTED.replace("web", name) for name in NAMES) + "kind: List\n"


@pytest.mark.parametrize("whole", [MANY, LIST], ids=["documents", "list"])
def test_a_half_written_file_changes_nothing(whole: str) -> None:
    before = read(whole)
    assert [key[2] for key in values(before)] == NAMES
    for end in (end for end in range(1, len(whole)) if whole[end - 1] != "\n"):
        try:
            after = read(whole[:end], before=before)
        except documents.Broken:
            continue
        assert values(after) == values(before), whole[:end]
        assert values(read(whole, before=after)) == values(before)


def test_a_list_whose_kind_is_not_written_yet_changes_nothing() -> None:
    before = read(LIST)
    after = read(LIST.removesuffix("kind: List\n"), before=before)
    assert values(after) == values(before)
    assert [problem.what for problem in after.problems] == ["no Kubernetes object: it has no `kind`"]


def test_a_change_at_a_cut_end_waits_for_the_end_of_its_line() -> None:
    before, changed = read(MANY), MANY[:-1].replace("192.0.2.1", "192.0.2.9")
    after = read(changed, before=before)
    now = {
        key[2]: value.addresses for key, value in values(after).items() if isinstance(value, objects.Declared)
    }
    assert now == {"a": ("192.0.2.9",), "b": ("192.0.2.9",), "c": ("192.0.2.1",)}
    assert [problem.where for problem in after.problems] == ["a.yaml:17"]
    assert values(read(changed + "\n", before=after)) == values(read(changed + "\n"))
    assert read(MANY[:-1]).problems == ()


def test_a_sound_file_takes_away_what_it_lacks() -> None:
    before = read(SERVICE + "---\n" + SERVICE.replace("web", "b"))
    assert len(values(before)) == 2
    assert [key[2] for key in values(read(SERVICE, before=before))] == ["web"]
