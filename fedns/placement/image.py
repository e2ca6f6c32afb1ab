"""The name of a container image, taken apart: registry, repository, tag, digest.

Law: pure. The first part is a registry if it has a dot or a port, or is `localhost` (as Docker reads it).
Digest and tag are one component to who changes it; who changes another keeps both.
"""

from msgspec import Struct, structs

from fedns.model.propagation import ImageChange

DIGEST = "sha256:"


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
    name, _, digest = text.partition("@")
    first, slash, rest = name.partition("/")
    registry = first if slash and (first == "localhost" or "." in first or ":" in first) else ""
    repository, colon, tag = (rest if registry else name).partition(":")
    if not repository or (colon and not tag):
        raise Unusable(f"{text!r} is no image")
    if repository != repository.lower():
        raise Unusable(f"image {text!r}: repository name must be lowercase")
    return Image(registry, repository, tag, digest)


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
    bare = structs.replace(found, tag="", digest="")
    if change.operator == "remove":
        return bare
    if change.operator == "add":
        return structs.replace(bare, tag=found.tag + change.value) if found.tag else found
    digest = change.value.startswith(DIGEST)
    return structs.replace(bare, **{"digest" if digest else "tag": change.value})


def doubt(text: str, change: ImageChange) -> str:
    """What may not be meant by a change; empty: nothing."""
    found = parsed(text)
    if change.operator != "add":
        return ""
    if change.component == "Registry" and found.registry:
        return f"`Registry add` to {text}, which has a registry, makes {changed(text, change)}"
    if change.component == "Tag" and not found.tag:
        return f"`Tag add` does nothing to {text}, which has no tag"
    return ""
