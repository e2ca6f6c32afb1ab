"""Documents in strings: what is read means the same when it is written again."""

import pytest

from fedns.placement import texts

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("a: 80:80\nb: 22:22\n", 'a: 80:80\nb: "22:22"\n'),
        ("a: 2001-01-01\nb: 2001-01-01T00:00:00Z\n", 'a: "2001-01-01"\nb: "2001-01-01T00:00:00Z"\n'),
        ("a: y\nb: yes\nc: 'yes'\n", 'a: "y"\nb: true\nc: "yes"\n'),
        ("a: 1.0\nb: 1.50\nc: 0o7\nd: 0777\ne: 08\n", "a: 1.0\nb: 1.50\nc: 7\nd: 511\ne: 8\n"),
        ("a: '1e3'\nb: '08'\nc: '1_0'\n", 'a: "1e3"\nb: "08"\nc: "1_0"\n'),
        ("a: &x {k: 1}\nb: *x\nc: {<<: *x, l: 2}\n", "a:\n  k: 1\nb:\n  k: 1\nc:\n  k: 1\n  l: 2\n"),
        ("1: a\ntrue: b\n", '"1": a\n"true": b\n'),
        ('a: "\\u0085"\n', 'a: "\\N"\n'),
        ("a: |\n  x\n  y\n", "a: |\n  x\n  y\n"),
        ("'': 1\na: ''\n", '"": 1\na: ""\n'),
        ("a: 123456789012345678901234567890\n", "a: 123456789012345678901234567890\n"),
    ],
)
def test_yaml(text: str, after: str) -> None:
    assert texts.written(texts.read(text, "yaml"), "yaml") == after
    assert texts.read(after, "yaml") == texts.read(text, "yaml")


def test_json_keeps_its_order_and_its_numbers() -> None:
    text = '{"z":1.50,"a":12345678901234567890123,"é":"<"}'
    assert texts.written(texts.read(text, "json"), "json") == text


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "a: .inf\n",
        "a: !foo x\n",
        "a: !!binary aGk=\n",
        "null: 1\n",
        "? [1]\n: 2\n",
        "a: 1\n---\nb: 2\n",
        "a: &a [*a]\n",
        BOMB,
        "!!map x",
    ],
)
def test_what_json_has_no_word_for_is_no_document(text: str) -> None:
    with pytest.raises(texts.Unreadable):
        texts.read(text, "yaml")
