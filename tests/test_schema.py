"""The reader of typed YAML: durations, names and hints; where a value stood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from fedns import schema


class Inner(Struct, frozen=True):
    count: int = 0
    loud: bool = False


class Outer(Struct, frozen=True):
    name: str
    share: float = 0.0
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()


def parse(text: str) -> tuple[Outer | None, list[str]]:
    reader = schema.Reader("f.yaml")
    value = reader.parse(text.encode(), Outer)
    return value, [str(problem) for problem in reader.problems]


def test_a_good_document_becomes_the_struct() -> None:
    value, problems = parse("name: 7\nshare: 0.5\ninner: {count: 3, loud: yes}\nmany: [{count: 1}]\n")
    assert problems == []
    assert value == Outer("7", 0.5, Inner(3, True), (Inner(1),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("share: 1", "f.yaml:1: 'name' is missing"),
        ("name: a\ninner:\n  count: x", "f.yaml:3: inner.count: 'x' is not a whole number"),
        ("name: a\ninner: {loud: maybe}", "f.yaml:2: inner.loud: 'maybe' is neither true nor false"),
        ("name: a\nmany:\n- {}\n- {cuont: 1}", "f.yaml:4: unknown key 'cuont' in many.1"),
        ("name: a\nmany: [3]", "must be a mapping"),
        ("name: a\nshare: nan", "'nan' is not a number"),
        ("name: [a]", "f.yaml:1: name: must be one value"),
    ],
)  # fmt: skip
def test_a_mistake_names_line_path_and_remedy(text: str, said: str) -> None:
    value, problems = parse(text)
    assert value is None
    assert any(said in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5), ("0.5", 0.5), ("500ms", 0.5), ("1h30m", 5400), ("2d", 172800), ("1.5m", 90)],
)
def test_durations(text: str, seconds: float) -> None:
    assert schema.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5x", "-5s", "5 s", "1e3", "٣s", "5s junk", "inf"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(schema.Bad):
        schema.seconds(text)


def test_names_are_canonical() -> None:
    reader = schema.Reader("f.yaml")
    assert schema.hostname("Example.COM.", reader) == "example.com"
    for bad in ("", ".", "a..b", "-a", "a" * 64, ".".join(["abcdefgh"] * 30), "exämple"):
        with pytest.raises(schema.Bad):
            schema.hostname(bad, reader)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    reader = schema.Reader("f.yaml")
    value = reader.parse(data, Outer)
    assert (value is None) == bool(reader.problems)


@given(st.text(alphabet="name: inercout[]{}-&*!,\n'\"#|>?1%", max_size=80))
def test_no_yaml_makes_it_raise(text: str) -> None:
    reader = schema.Reader("f.yaml")
    value = reader.parse(text.encode(), Outer)
    assert (value is None) == bool(reader.problems)
