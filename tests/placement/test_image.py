"""Names of images: what they are made of, and what is none."""

import pytest

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
    ],
)
def test_parts(text: str, parts: tuple[str, ...]) -> None:
    found = image.parsed(text)
    assert (found.registry, found.repository, found.tag, found.digest) == parts and str(found) == text


@pytest.mark.parametrize("text", ["", "a:", "r.example/", "Upper/a", f"@{DIGEST}"])
def test_no_image(text: str) -> None:
    with pytest.raises(image.Unusable):
        image.parsed(text)
