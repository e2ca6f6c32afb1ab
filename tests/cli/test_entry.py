"""Entries put into and taken out of the text of `fedns.yaml`; what is not seen through is not touched."""

import pytest
import yaml

from fedns.cli import entry

NEW = {"name": "new", "api": {"server": "https://h", "token_file": "credentials/new.token"}}
LINE = "- name: new\n  api: {server: 'https://h', token_file: credentials/new.token}\n"
INDENTED = "".join(f"  {line}\n" for line in LINE.splitlines())
FLOW = "{name: new, api: {server: 'https://h', token_file: credentials/new.token}}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: b  # c\n", f"a: b  # c\nmembers:\n{LINE}"),
        ("a: b\n\n\n", f"a: b\nmembers:\n{LINE}"),
        ("members:\n- name: a\n", f"members:\n- name: a\n{LINE}"),
        ("members:\n- name: a", f"members:\n- name: a\n{LINE}"),
        ("members:\n- name: a  # c\n# d\n\nb: c\n", f"members:\n- name: a  # c\n{LINE}# d\n\nb: c\n"),
        (
            "members:\n  - name: a\n    zones: [b,\n      c]\nd: e\n",
            f"members:\n  - name: a\n    zones: [b,\n      c]\n{INDENTED}d: e\n",
        ),
        ("members:\n- {name: a,\n   b: c}\n", f"members:\n- {{name: a,\n   b: c}}\n{LINE}"),
        ("members: []  # none\nb: c\n", f"members:  # none\n{LINE}b: c\n"),
        ("members: []", f"members:\n{LINE}"),
        ("members:\nb: c\n", f"members:\n{LINE}b: c\n"),
        ("members: [{name: a}]\n", f"members: [{{name: a}}, {FLOW}]\n"),
    ],
)
def test_an_entry_more(before: str, after: str) -> None:
    assert entry.added(before, NEW) == after
    assert (yaml.safe_load(after)["members"])[-1] == NEW


@pytest.mark.parametrize("text", ["", "# only this\n", "[a]", "{a: b}\n", "a: [\n", "a", "\ta: b"])
def test_what_is_not_seen_through(text: str) -> None:
    assert entry.added(text, NEW) is None
    assert entry.removed(text, "a") is None and entry.changed(text, "a", ("api", "server"), "x") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"members:\n- name: a\n{LINE}# c\n", "members:\n- name: a\n# c\n"),
        (f"members:\n# c\n{LINE}- name: b\n", "members:\n# c\n- name: b\n"),
        (f"members:\n{LINE}\n# c\nb: c\n", "members:\n  []\n\n# c\nb: c\n"),
        (f"members:\n  - name: a\n{INDENTED}", "members:\n  - name: a\n"),
        (f"members: [{FLOW}]\n", "members: []\n"),
        (f"members: [{{name: a}}, {FLOW},]\n", "members: [{name: a},]\n"),
        (f"members: [{FLOW}, {{name: a}}]\n", "members: [{name: a}]\n"),
        ("members:\n- name: a\n", None),
    ],
)
def test_an_entry_less(before: str, after: str | None) -> None:
    assert entry.removed(before, "new") == after


def test_a_value_of_an_entry() -> None:
    text = f"members:\n- name: a\n  api: {{server: x}}\n{LINE}# end\n"
    after = entry.changed(text, "new", ("api", "server"), "https://other:1")
    assert after == text.replace("'https://h'", '"https://other:1"')
    assert entry.changed(text, "new", ("api", "none"), "x") is None


def test_what_is_added_can_be_taken_out_again() -> None:
    for text in (
        "members: [{name: a}]\n",
        "members:\n- name: a  # c\n# d\n",
        "members:\n  - name: a\n    zones: [b]\n\nd: e\n",
    ):
        more = entry.added(text, NEW)
        assert more and entry.removed(more, "new") == text
