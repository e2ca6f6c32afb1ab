"""What becomes of an object in a member when another is applied to it, as server-side apply does it.

Law: pure. What is sent wins; what is not sent stays, unless it was ours alone before. Lists whose items
have a key are merged by it, in the kinds of Kubernetes itself; every other list is replaced whole.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fedns.placement import item, owned, quantity

Keyed = Mapping[str, tuple[tuple[str, ...], ...]]
KEYS: Keyed = {
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
    if isinstance(found, dict):
        rows = {key: tidy(value) for key, value in found.items()}
        return {key: value for key, value in rows.items() if not _nothing(key, value)}
    return [tidy(each) for each in found] if isinstance(found, list) else found


def _nothing(field: str, value: Any) -> bool:
    return value is None or value == [] or (value == {} and field in PLAIN)


def merged(there: item.Item, sent: item.Item) -> dict[str, Any]:
    """The object in the member after `sent` was applied."""
    keyed = keys(sent)
    own, others = owned.rows(there)
    made = item.own(there)
    for fields in own:
        owned.release(made, sent, fields, others)
    over: dict[str, Any] = _over(made, sent, keyed, "")
    return over


def keys(sent: item.Item) -> Keyed:
    """The lists of its kind that are merged, and by what."""
    group = item.group(sent)
    return KEYS if "." not in group or group.endswith(".k8s.io") else {}


def _over(there: Any, sent: Any, keyed: Keyed, field: str) -> Any:
    if isinstance(there, dict) and isinstance(sent, dict):
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


def _list(there: list[Any], sent: list[Any], key: tuple[str, ...], keyed: Keyed) -> list[Any]:
    wanted = {_key(each, key): each for each in sent}
    kept = [
        _over(each, wanted.pop(_key(each, key)), keyed, "") if _key(each, key) in wanted else each
        for each in there
    ]
    return [*kept, *wanted.values()]


def _has(items: Sequence[Any], key: tuple[str, ...]) -> bool:
    return all(
        isinstance(each, dict) and all(isinstance(value, str | int) for value in _key(each, key))
        for each in items
    )


def _key(found: Mapping[str, Any], key: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(found.get(name, owned.DEFAULTS.get(name)) for name in key)


def stands(there: item.Item, sent: item.Item, seen: owned.Seen | None = None) -> bool:
    """Whether surely nothing changes when `sent` is applied; otherwise `merged` tells. No copy is made for
    that. `seen`: where parts of both may have been looked at before."""
    own, others = owned.rows(there)
    if any(owned.releases(there, sent, fields, others, seen) for fields in own):
        return False
    keyed = keys(sent)
    for name, value in sent.items():
        if name == "metadata" and isinstance(value, dict):
            about, below = item.metadata(there), seen and owned.Seen(seen.table, seen.sent.get(name) or {})
            if not all(_alike(about.get(one), each, one, keyed, below) for one, each in value.items()):
                return False
        elif not _alike(there.get(name), value, name, keyed, seen):
            return False
    return True


def _alike(there: Any, sent: Any, field: str, keyed: Keyed, seen: owned.Seen | None) -> bool:
    if seen is None or not isinstance(there, dict | list) or sent is not seen.sent.get(field):
        return _covered(there, sent, keyed, field)
    key = (id(there), id(sent))
    if key not in seen.table:
        seen.table[key] = _covered(there, sent, keyed, field)
    return seen.table[key]


def _covered(there: Any, sent: Any, keyed: Keyed, field: str) -> bool:
    """Whether `_over` leaves what is there, but for what `tidy` takes out."""
    if isinstance(there, dict) and isinstance(sent, dict):
        return all(_kept(there, key, value, keyed, field) for key, value in sent.items())
    if isinstance(there, list) and isinstance(sent, list) and field in keyed:
        key = next((row for row in keyed[field] if _has(there, row) and _has(sent, row)), None)
        if key is not None:
            rows = {_key(each, key): each for each in there}
            mine = ((rows.get(_key(each, key)), each) for each in sent)
            whole = len(rows) == len(there)
            return whole and all(old is not None and _covered(old, each, keyed, "") for old, each in mine)
    return bool(there == sent or tidy(there) == tidy(sent))


def _kept(there: dict[str, Any], key: str, value: Any, keyed: Keyed, field: str) -> bool:
    if key not in there:
        return _nothing(key, tidy(value))
    if _covered(there[key], value, keyed, key):
        return True
    return bool(keyed) and _spelt(field, key) and quantity.same(there[key], value)
