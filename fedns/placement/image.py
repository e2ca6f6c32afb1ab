"""The name of a container image, taken apart: registry, repository, tag, digest.

Law: pure, by the grammar of the distribution project. The first part is a registry if it has a dot or a port,
or is `localhost`. Digest and tag are one component to who changes it; who changes another keeps both.
"""

import re

from msgspec import Struct, structs

from fedns.model.propagation import ImageChange

_WORD = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_WORD}(?:\.{_WORD})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_STEP = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_TAG = r"\w[\w.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_NAME = rf"(?:{_HOST}/)?(?P<path>{_STEP}(?:/{_STEP})*)"
_IMAGE = re.compile(rf"(?P<name>{_NAME})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?", re.ASCII)
_TAGS, _DIGESTS = re.compile(_TAG, re.ASCII), re.compile(_DIGEST, re.ASCII)
HASHES = {"sha256": 64, "sha384": 96, "sha512": 128}
"""Digits of the digests that there are."""
LONGEST = 255


class Unusable(ValueError):
    """What is wrong with an image, or would be."""


class Image(Struct, frozen=True, gc=False):
    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}" if self.registry else self.repository
        return name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parsed(text: str) -> Image:
    """Unusable."""
    found = _IMAGE.fullmatch(text)
    if found is None and _IMAGE.fullmatch(text.lower()):
        raise Unusable(f"image {text!r}: repository name must be lowercase")
    if found is None or len(found["path"]) > LONGEST or not _sound(found["digest"] or ""):
        raise Unusable(f"{text!r} is no image")
    first, slash, rest = found["name"].partition("/")
    registry = first if slash and (first == "localhost" or "." in first or ":" in first) else ""
    return Image(registry, rest if registry else found["name"], found["tag"] or "", found["digest"] or "")


def _sound(digest: str) -> bool:
    """Whether a digest, if it is there, is of a known hash."""
    kind, _, digits = digest.partition(":")
    return not digest or (HASHES.get(kind) == len(digits) and digits == digits.lower())


def changed(text: str, change: ImageChange) -> str:
    """An image after one change. Unusable."""
    found = parsed(text)
    if change.component == "Tag":
        return str(_tag(found, change))
    field = change.component.lower()
    before = getattr(found, field)
    after = {"add": before + change.value, "replace": change.value, "remove": ""}[change.operator]
    if field == "repository" and not after:
        raise Unusable(f"image {text!r} without its repository is none")
    return str(structs.replace(found, **{field: after}))


def _tag(found: Image, change: ImageChange) -> Image:
    """What is neither a tag nor a digest changes nothing."""
    bare = structs.replace(found, tag="", digest="")
    if change.operator == "remove":
        return bare
    after = (found.tag or found.digest if change.operator == "add" else "") + change.value
    if _TAGS.fullmatch(after):
        return structs.replace(bare, tag=after)
    return structs.replace(bare, digest=after) if _DIGESTS.fullmatch(after) else found


def doubt(text: str, change: ImageChange) -> str:
    """What may not be meant by a change; empty: nothing."""
    found, made = parsed(text), changed(text, change)
    what = f"`{change.component} {change.operator}`"
    if change.operator == "add" and change.component == "Registry" and found.registry:
        return f"{what} to {text}, which has a registry, makes {made}"
    if change.value and made == text and change.value not in (found.registry, found.tag, found.digest):
        return f"{what} does nothing to {text}: {change.value!r} makes no tag of it"
    return "" if _IMAGE.fullmatch(made) else f"{what} makes {made} of {text}, which is no image"
