"""A member's entry in the text of `fedns.yaml`: put in, changed, taken out; all else stays as it was written.

Law: pure. Text in, text out; None where it is not seen how. Whoever writes the outcome has it read first, and
compares it with what was meant: a parser of YAML tells where things stand, it does not tell what they mean.
"""

from collections.abc import Mapping
from typing import Any

import yaml

MEMBERS = "members"


def shown(wanted: Mapping[str, Any]) -> str:
    """An entry as it is written into a list."""
    return str(yaml.safe_dump([dict(wanted)], sort_keys=False, default_flow_style=None, width=1000))


def added(text: str, wanted: Mapping[str, Any]) -> str | None:
    """With one entry more, the last."""
    root = _root(text)
    if root is None or root.flow_style:
        return None
    members = _value(root, MEMBERS)
    if members is None:
        return f"{text.rstrip()}\n{MEMBERS}:\n{shown(wanted)}" if text.strip() else None
    if not isinstance(members, yaml.SequenceNode):
        return _after(text, members.start_mark.index, members.end_mark.index, shown(wanted))
    if not members.value:
        return _after(text, members.start_mark.index, members.end_mark.index, shown(wanted))
    last = members.value[-1]
    if members.flow_style:
        at = last.end_mark.index
        flow = yaml.safe_dump(dict(wanted), sort_keys=False, default_flow_style=True, width=1000).strip()
        return f"{text[:at]}, {flow}{text[at:]}"
    lines = text.splitlines(keepends=True)
    dash = _dash(lines, last)
    if dash is None:
        return None
    lines.insert(_end(last) + 1, "".join(f"{' ' * dash}{line}\n" for line in shown(wanted).splitlines()))
    if not lines[_end(last)].endswith("\n"):
        lines[_end(last)] += "\n"
    return "".join(lines)


def changed(text: str, name: str, path: tuple[str, str], value: str) -> str | None:
    """With another value in the entry of a member, as of `("api", "server")`."""
    node: yaml.Node | None = _entry(_root(text), name)
    for step in path:
        node = _value(node, step)
    if not isinstance(node, yaml.ScalarNode):
        return None
    quoted = yaml.safe_dump(value, default_style='"', width=1000).strip()
    return text[: node.start_mark.index] + quoted + text[node.end_mark.index :]


def removed(text: str, name: str) -> str | None:
    """Without the entry of a member."""
    root = _root(text)
    entry, members = _entry(root, name), _value(root, MEMBERS)
    if entry is None or not isinstance(members, yaml.SequenceNode):
        return None
    if members.flow_style:
        return _cut(text, members.value, members.value.index(entry))
    lines = text.splitlines(keepends=True)
    dash = _dash(lines, entry)
    if dash is None:
        return None
    if len(members.value) == 1:
        lines[entry.start_mark.line : _end(entry) + 1] = [f"{' ' * dash}[]\n"] if dash else ["  []\n"]
    else:
        del lines[entry.start_mark.line : _end(entry) + 1]
    return "".join(lines)


def _cut(text: str, items: list[yaml.Node], at: int) -> str:
    """Without one of the items of a list in flow style, and the comma that goes with it."""
    start, end = items[at].start_mark.index, items[at].end_mark.index
    if at:
        start = items[at - 1].end_mark.index
    elif len(items) > 1:
        end = items[1].start_mark.index
    return text[:start] + text[end:]


def _root(text: str) -> yaml.MappingNode | None:
    try:
        found = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    return found if isinstance(found, yaml.MappingNode) else None


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    for name, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(name, yaml.ScalarNode) and name.value == key:
            found: yaml.Node = value
            return found
    return None


def _entry(root: yaml.MappingNode | None, name: str) -> yaml.Node | None:
    members = _value(root, MEMBERS)
    for one in members.value if isinstance(members, yaml.SequenceNode) else ():
        called = _value(one, "name")
        if isinstance(called, yaml.ScalarNode) and called.value.rstrip(".").lower() == name:
            found: yaml.Node = one
            return found
    return None


def _after(text: str, start: int, end: int, block: str) -> str:
    """`block` on the lines after the value at `start`, which is empty and goes."""
    stop = text.find("\n", end)
    stop = len(text) if stop < 0 else stop
    return f"{text[:start].rstrip(' ')}{text[end:stop]}\n{block}{text[stop + 1 :]}"


def _dash(lines: list[str], item: yaml.Node) -> int | None:
    """The column of the `-` of an entry of a list in block style."""
    before = lines[item.start_mark.line][: item.start_mark.column]
    return before.index("-") if before.strip() == "-" else None


def _end(node: yaml.Node) -> int:
    """The last line on which there is something of it; blank lines and comments that follow are not."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    mark = node.end_mark
    return int(mark.line) - (1 if mark.column == 0 and mark.line > node.start_mark.line else 0)
