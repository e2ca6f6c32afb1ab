"""What becomes of an object in a member when another is applied to it, as server-side apply does it.

Law: pure. What is sent wins; what is not sent stays, unless it was ours alone before. Lists whose items
have a key are merged by it, in the kinds of Kubernetes itself; every other list is replaced whole.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fedns.placement import item, quantity

KEYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "containers": (("name",),),
    "initContainers": (("name",),),
    "ephemeralContainers": (("name",),),
    "volumes": (("name",),),
    "env": (("name",),),
    "imagePullSecrets": (("name",),),
    "secrets": (("name",),),
    "volumeMounts": (("mountPath",),),
    "hostAliases": (("ip",),),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
}
"""By field: what tells the items of its list apart; of several the first that every item has."""
DEFAULTS = {"protocol": "TCP"}


PLAIN = frozenset(
    (
        "labels",
        "annotations",
        "matchLabels",
        "nodeSelector",
        "data",
        "binaryData",
        "stringData",
        "limits",
        "requests",
    )
)
"""Maps that are the same empty and absent; any other may mean something by being there (`emptyDir`)."""


def tidy(found: Any) -> Any:
    """The same without nulls, empty lists and empty plain maps: API servers do not keep them."""
    if isinstance(found, Mapping):
        rows = {key: tidy(value) for key, value in found.items()}
        return {key: value for key, value in rows.items() if not _nothing(key, value)}
    return [tidy(each) for each in found] if isinstance(found, list) else found


def _nothing(field: str, value: Any) -> bool:
    return value is None or value == [] or (value == {} and field in PLAIN)


def merged(there: item.Item, sent: item.Item) -> dict[str, Any]:
    """The object in the member after `sent` was applied."""
    known = item.ref(sent).group
    keyed = KEYS if "." not in known or known.endswith(".k8s.io") else {}
    managers = item.several(there, "metadata", "managedFields")
    own = [each.get("fieldsV1") for each in managers if each.get("manager") == item.MANAGER]
    others = [each.get("fieldsV1") for each in managers if each.get("manager") != item.MANAGER]
    made = item.own(there)
    for fields in own:
        _release(made, sent, fields, others)
    over: dict[str, Any] = _over(made, sent, keyed, "")
    return over


def _over(there: Any, sent: Any, keyed: Mapping[str, Any], field: str) -> Any:
    if isinstance(there, dict) and isinstance(sent, Mapping):
        made = dict(there)
        for key, value in sent.items():
            if not keyed or not _spelt(field, key) or not quantity.same(there.get(key), value):
                made[key] = _over(there[key], value, keyed, key) if key in there else value
        return made
    if isinstance(there, list) and isinstance(sent, list) and field in keyed:
        key = next((row for row in keyed[field] if _has(there, row) and _has(sent, row)), None)
        return sent if key is None else _list(there, sent, key, keyed)
    return sent


def _spelt(field: str, key: str) -> bool:
    """Whether what stands there is an amount: a server keeps it in a spelling of its own."""
    return field in quantity.MAPS or (key in quantity.FIELDS and field not in PLAIN)


def _list(there: list[Any], sent: list[Any], key: tuple[str, ...], keyed: Mapping[str, Any]) -> list[Any]:
    wanted = {_key(each, key): each for each in sent}
    kept = [
        _over(each, wanted.pop(_key(each, key)), keyed, "") if _key(each, key) in wanted else each
        for each in there
    ]
    return [*kept, *wanted.values()]


def _has(items: Sequence[Any], key: tuple[str, ...]) -> bool:
    return all(
        isinstance(each, Mapping) and all(isinstance(value, str | int) for value in _key(each, key))
        for each in items
    )


def _key(found: Mapping[str, Any], key: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(found.get(name, DEFAULTS.get(name)) for name in key)


def _release(made: Any, sent: Any, fields: Any, others: Sequence[Any]) -> None:
    """Removes from `made` what `fields` has as ours, is not sent, and is nobody else's."""
    for step, below in fields.items() if isinstance(fields, dict) else ():
        if step == ".":
            continue
        shared = [each[step] for each in others if isinstance(each, dict) and step in each]
        at = _place(made, step)
        if at is None:
            continue
        told, value = _value(sent, step), made[at]
        if below and isinstance(value, dict | list):
            _release(value, told if told is not None else type(value)(), below, shared)
        if told is None and not shared and (not below or "." in below or not value):
            del made[at]


def _place(made: Any, step: str) -> Any:
    """The key or the index in `made` that a step of managed fields means; None: it is not there."""
    kind, _, name = step.partition(":")
    if kind == "f":
        return name if isinstance(made, dict) and name in made else None
    if kind == "k" and isinstance(made, list):
        wanted = _read(name)
        return next((at for at, each in enumerate(made) if _agrees(each, wanted)), None)
    if kind == "v" and isinstance(made, list):
        return next((at for at, each in enumerate(made) if each == _read(name)), None)
    return None


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _value(sent: Any, step: str) -> Any:
    at = _place(sent, step)
    return None if at is None else sent[at]


def _agrees(found: Any, wanted: Any) -> bool:
    if not isinstance(found, Mapping) or not isinstance(wanted, Mapping):
        return False
    return all(found.get(name, DEFAULTS.get(name)) == value for name, value in wanted.items())
