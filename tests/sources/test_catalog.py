"""Objects over many files: rivals, broken files, removed files."""

from pathlib import Path

from fedns.sources import catalog, objects

TEXT = "{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{externalIPs: [{ip}]}}}}\n"
WEB = ("Service", "default", "web")


def read(one: catalog.Catalog) -> set[tuple[str, str, str]]:
    found = one.look()
    return set().union(*(one.read(path) for path in (*found.changed, *found.removed)))


def address(one: catalog.Catalog) -> str:
    value = one.get(WEB)
    assert isinstance(value, objects.Declared)
    return value.addresses[0]


def test_of_two_files_the_first_by_path_counts(tmp_path: Path) -> None:
    one = catalog.Catalog(str(tmp_path), objects.KINDS)
    (tmp_path / "b.yaml").write_text(TEXT.format(name="web", ip="192.0.2.2"))
    assert read(one) == {WEB}
    (tmp_path / "a.yaml").write_text(TEXT.format(name="web", ip="192.0.2.1"))
    assert read(one) == {WEB}
    assert address(one) == "192.0.2.1"
    (problem,) = one.problems()
    assert problem.where == f"{tmp_path}/b.yaml:1"
    assert "a.yaml" in problem.what
    (tmp_path / "a.yaml").unlink()
    assert read(one) == {WEB}
    assert address(one) == "192.0.2.2"
    assert one.problems() == ()


def test_a_broken_file_keeps_its_last_good_content(tmp_path: Path) -> None:
    one = catalog.Catalog(str(tmp_path), objects.KINDS)
    file = tmp_path / "a.yaml"
    file.write_text(TEXT.format(name="web", ip="192.0.2.1"))
    read(one)
    for broken in ("{", " \n", "\x00"):
        file.write_text(broken)
        assert read(one) == set()
        assert address(one) == "192.0.2.1"
        assert [problem.where[:-1] for problem in one.problems()] == [f"{file}:"]
    file.write_text(TEXT.format(name="web", ip="192.0.2.3"))
    assert read(one) == {WEB}
    assert one.problems() == ()
    file.unlink()
    assert read(one) == {WEB}
    assert one.get(WEB) is None
