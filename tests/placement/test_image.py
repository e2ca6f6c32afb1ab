"""Names of images: what they are made of, and what is none."""

import pytest

from fedns.model.propagation import Change, ImageChange
from fedns.placement import image

DIGEST = "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx", ("", "nginx", "", "")),
        ("localhost/a:1", ("localhost", "a", "1", "")),
        ("r.example:5000/a/b:1", ("r.example:5000", "a/b", "1", "")),
        ("library/nginx", ("", "library/nginx", "", "")),
        (f"r.example/a:1@{DIGEST}", ("r.example", "a", "1", DIGEST)),
        ("Upper/a", ("", "Upper/a", "", "")),
        ("[::1]:5000/a__b/c--d:1", ("[::1]:5000", "a__b/c--d", "1", "")),
    ],
)
def test_parts(text: str, parts: tuple[str, ...]) -> None:
    found = image.parsed(text)
    assert (found.registry, found.repository, found.tag, found.digest) == parts and str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a:",
        "r.example/",
        "upper/A",
        f"@{DIGEST}",
        "a@sha256:b",
        "a//b",
        "-a",
        "a:-1",
        "a:1 ",
        f"a@{DIGEST}0",
    ],
)
def test_no_image(text: str) -> None:
    with pytest.raises(image.Unusable):
        image.parsed(text)


@pytest.mark.parametrize(
    ("text", "operator", "value", "after"),
    [
        ("a", "add", "v1", "a:v1"),
        ("a", "add", "-alpine", "a"),
        ("a:v1", "add", "-alpine", "a:v1-alpine"),
        ("a:v1", "replace", "two words", "a:v1"),
        ("a:v1", "replace", "sha256:short", "a:v1"),
        (f"a:v1@{DIGEST}", "replace", "v2", "a:v2"),
        (f"a@{DIGEST}", "add", "-x", f"a@{DIGEST}"),
    ],
)
def test_what_is_no_tag_and_no_digest_changes_nothing(
    text: str, operator: Change, value: str, after: str
) -> None:
    """As Karmada's `SetTagOrDigest` has it."""
    change = ImageChange("Tag", operator, value)
    assert image.changed(text, change) == after
    assert bool(image.doubt(text, change)) is (text == after)


def test_a_change_that_leaves_what_is_no_image_is_doubted() -> None:
    assert "which is no image" in image.doubt("nginx", ImageChange("Registry", "add", ".mirror"))
    assert "which has a registry" in image.doubt("r.example/a", ImageChange("Registry", "add", ".mirror"))
