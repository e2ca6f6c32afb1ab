"""Problems of Ingresses, and where they stand in files."""

from pathlib import Path

from fedns.cli import whereabouts
from fedns.errors import Problem

LIST = """\
apiVersion: networking.k8s.io/v1
kind: IngressList
items:
- metadata:
    name: a
    namespace: shop
    annotations:
      x/y: "1"
      x/z: "2"
- metadata: {name: b}
"""


def test_by_object_and_by_annotation(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("kind: Ingress\n a: [\n")
    (tmp_path / "list.yaml").write_text(LIST)
    (tmp_path / "one.json").write_text('{"kind": "Ingress",\n "metadata": {"name": "c", "namespace": "n"}}')
    given = [
        Problem("Ingress shop/a", "annotation x/z is odd", "h"),
        Problem("Ingress shop/a", "something else"),
        Problem("Ingress default/b", "what"),
        Problem("Ingress n/c", "what"),
        Problem("Ingress n/gone", "what"),
        Problem("elsewhere", "what"),
    ]
    found = whereabouts.placed(given, str(tmp_path))
    assert [each.where.removeprefix(f"{tmp_path}/") for each in found] == [
        "list.yaml:9", "list.yaml:4", "list.yaml:10", "one.json:1", "Ingress n/gone", "elsewhere",
    ]  # fmt: skip
    assert found[0] == Problem(f"{tmp_path}/list.yaml:9", "Ingress shop/a: annotation x/z is odd", "h")
    assert whereabouts.placed(given, "") == given
