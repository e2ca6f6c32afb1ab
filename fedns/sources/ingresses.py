"""What the fleet says about HTTP routing, put together: Ingresses, classes, and the Secrets they name.

Law: pure. A Secret that no Ingress names goes no further. What an object said stays while it cannot be read,
which its reader sees to.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fedns.model.ingress import Ingress, IngressClass, Said, Secret
from fedns.sources.documents import ObjectKey

NAMING = "secret"
"""How the annotations end whose value is the name of a Secret."""


def said(values: Iterable[tuple[ObjectKey, Any]]) -> Said:
    """Objects as `entries` strips them, by key; others are passed over."""
    found: list[Ingress] = []
    classes: list[IngressClass] = []
    secrets: dict[str, Secret] = {}
    for _, value in sorted((each for each in values if isinstance(each[1], KINDS)), key=lambda each: each[0]):
        if isinstance(value, Ingress):
            found.append(value)
        elif isinstance(value, IngressClass):
            classes.append(value)
        else:
            secrets[f"{value.namespace}/{value.name}"] = value
    return limited(Said(tuple(found), tuple(classes), secrets))


KINDS = (Ingress, IngressClass, Secret)


def limited(told: Said) -> Said:
    """With the Secrets alone that are named."""
    named = frozenset(_named(told.ingresses))
    return Said(
        told.ingresses, told.classes, {key: told.secrets[key] for key in sorted(named & told.secrets.keys())}
    )


def kept(before: Said, now: Said) -> Said:
    """What was known of objects that cannot be read yet, and all that can."""
    ingresses = {each.key: each for each in (*before.ingresses, *now.ingresses)}
    classes = {each.name: each for each in (*before.classes, *now.classes)}
    secrets: Mapping[str, Secret] = {**before.secrets, **now.secrets}
    return limited(Said(_sorted(ingresses), _sorted(classes), secrets))


def _sorted(found: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(found[key] for key in sorted(found))


def named_beside(found: Iterable[Ingress]) -> frozenset[str]:
    """Of the Secrets that Ingresses name, those that annotations do, of their own namespace."""
    return frozenset(
        name for each in found for name in _annotated(each) if name.startswith(each.namespace + "/")
    )


def _named(found: Iterable[Ingress]) -> Iterator[str]:
    for each in found:
        for tls in each.tls:
            if tls.secret:
                yield tls.secret if "/" in tls.secret else f"{each.namespace}/{tls.secret}"
        yield from _annotated(each)


def _annotated(found: Ingress) -> Iterator[str]:
    for key, text in found.annotations.items():
        if key.endswith(NAMING) and text:
            yield text if "/" in text else f"{found.namespace}/{text}"
