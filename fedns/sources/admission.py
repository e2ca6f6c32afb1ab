"""What Karmada's admission refuses of a policy, refused here too: a directory has no webhook before it.

Law: pure. What would be misread is refused with what to write instead; what merely does nothing is a doubt.
"""

import itertools
import re
from collections.abc import Iterator

from fedns.model import propagation as values
from fedns.sources import objects

NAME, GROUP = 63, 32
"""Characters of the name of a policy, and of a group of members."""
FIELDS = ("provider", "region", "zone")
EFFECTS = ("", "NoSchedule", "PreferNoSchedule", "NoExecute")
RESERVED, EXECUTION = ("karmada-system", "karmada-cluster"), "karmada-es-"
MARKS = "fedns.io/"
POINTER = re.compile(r"(/([^~/]|~[01])*)*")
_NAME = r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?"
KEY = re.compile(
    rf"(?:(?=[^/]{{1,253}}/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?{_NAME}",
    re.ASCII,
)
LABEL = re.compile(rf"({_NAME})?", re.ASCII)
"""Keys of labels and annotations, and what a label may say, as API servers have them."""


def named(meta: objects.Meta) -> None:
    """WrongShape: no policy may be called so."""
    if not 0 < len(meta.name) <= NAME:
        raise objects.WrongShape(
            f"a name has 1 to {NAME} characters, not {len(meta.name)} - at `$.metadata.name`"
        )


def propagation(found: values.Propagation, preempts: bool) -> None:
    """WrongShape: such a policy means something else than it says. `preempts`: it takes over from others."""
    _spread(found.placement.spread)
    for group in found.placement.affinities:
        sound = len(group.name) <= GROUP
        objects.require(
            sound,
            f"an affinityName has at most {GROUP} characters",
            "placement.clusterAffinities[...].affinityName",
        )
        clusters(group.clusters)
    for weight in found.placement.division.weights if found.placement.division else ():
        clusters(weight.clusters)
    for each in found.placement.tolerations:
        known = f"an effect is one of {', '.join(filter(None, EFFECTS))}, or none for all"
        objects.require(each.effect in EFFECTS, known, "placement.clusterTolerations[...].effect")
        plain = each.operator == "Equal" or not each.value
        objects.require(plain, "Exists goes without a value", "placement.clusterTolerations[...].value")
    exact = not preempts or all(each.name for each in found.resources)
    objects.require(exact, "`preemption: Always` goes with selectors by name", "resourceSelectors")


def _spread(told: tuple[values.Spread, ...]) -> None:
    fields = {each.field for each in told if each.field}
    whole = not fields or "cluster" in fields
    hint = (
        "beside another spreadByField there is one of `cluster`: add {spreadByField: cluster, minGroups: 1}"
    )
    objects.require(whole, hint, "placement.spreadConstraints")
    pairs = itertools.combinations([(each.field, each.label) for each in told], 2)
    twice = any(one == other for one, other in pairs)
    objects.require(not twice, "one constraint for each field or label", "placement.spreadConstraints")


def clusters(told: values.Clusters) -> None:
    """WrongShape: no such condition on members."""
    for each in told.fields:
        objects.require(
            each.key in FIELDS, f"a field is one of {', '.join(FIELDS)}, not `{each.key}`", ".fieldSelector"
        )
        objects.require(each.operator in ("In", "NotIn"), "a field is In or NotIn values", ".fieldSelector")


def pointer(path: str, field: str) -> None:
    """WrongShape: it is no way to a place in an object (RFC 6901)."""
    begins = not path or path.startswith("/")
    objects.require(begins, f"a path begins with a slash: `/{path}`, not `{path}`", field)
    objects.require(
        bool(POINTER.fullmatch(path)), "`~` in a path is written `~0`, and `/` in a name `~1`", field
    )


def maps(told: tuple[values.MapChange, ...]) -> None:
    """WrongShape: no API server takes such a label or annotation."""
    for each in told:
        field = f".{each.field}Overrider[...].value"
        for key, value in each.value:
            fits = KEY.fullmatch(key if each.field == "labels" else key.lower())
            objects.require(bool(fits), f"`{key}` is no key of {each.field}", field)
            sound = each.field == "annotations" or bool(LABEL.fullmatch(value))
            objects.require(
                sound, f"`{value}` is no label: up to 63 letters, digits, `-`, `_` and `.`", field
            )


def doubts(selected: tuple[values.Resources, ...]) -> Iterator[str]:
    """Words about what is never selected."""
    spaces = {each.namespace for each in selected} | {
        each.name for each in selected if each.kind == "Namespace"
    }
    for space in sorted(spaces):
        if space in values.SYSTEM:
            yield f"what is in {space} is never selected: it is each cluster's own"
        elif space in RESERVED or space.startswith(EXECUTION):
            yield f"{space} is Karmada's own namespace, and is distributed here as any other"


def ineffective(rules: tuple[values.Rule, ...]) -> Iterator[str]:
    """Words about labels and annotations that are always ours."""
    maps = itertools.chain.from_iterable(rule.maps for rule in rules)
    keys = {key for each in maps for key, _ in each.value if key.startswith(MARKS)}
    for key in sorted(keys):
        yield f"{key} tells whose a copy is: overriding it has no effect"
