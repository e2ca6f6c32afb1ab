"""The gateway's own vectors: rules and requests, and what becomes of targets."""

from typing import Any

import pytest

from fedns.gateway import normal
from tests.conformance import vectors
from tests.gateway import ingresses

_FILE = vectors.load("fedns-vectors")
NORMALISED = {
    "/a/../b": ("/b", "/b"),
    "/a//b": ("/a/b", "/a//b"),
    "/a%2Fb": ("/a%2Fb", "/a%2Fb"),
    "/a/%2e%2e/b": ("/b", "/b"),
    "/a;x=1/b": ("/a;x=1/b", "/a;x=1/b"),
    "/a\\b": 400,
    "/%00": 400,
    "/a#b": 400,
}
"""What is matched and what is sent, in the words of the vectors; the absolute form has its own test."""


@pytest.mark.parametrize("case", _FILE["ingress"], ids=lambda case: case["name"])
def test_rules(case: dict[str, Any]) -> None:
    output = ingresses.built(*ingresses.ruled(case))
    for each in case["cases"]:
        method = "OPTIONS" if each["path"] == "*" else "GET"
        asked = ingresses.request(each["host"], each["path"], method=method)
        assert ingresses.service(output, asked) == each["want"], each


def test_every_normalisation_is_pinned() -> None:
    assert {raw for raw, _ in _FILE["normalisation"]} == {*NORMALISED, "http://other/a"}


@pytest.mark.parametrize(("raw", "want"), NORMALISED.items())
def test_normalisation(raw: str, want: tuple[str, str] | int) -> None:
    if isinstance(want, int):
        with pytest.raises(normal.Rejected) as rejected:
            normal.target(raw.encode())
        assert rejected.value.status == want
        return
    found = normal.target(raw.encode())
    assert (found.path.decode(), found.sent.decode()) == want


def test_an_absolute_target_replaces_the_host_and_agrees_with_it() -> None:
    assert ingresses.request("other", "http://other/a").host == b"other"
    assert ingresses.request("OTHER:80", "http://other/a").path == b"/a"
    for host, target in (("h", "http://other/a"), ("other:80", "http://other:8080/a")):
        with pytest.raises(normal.Rejected):
            ingresses.request(host, target)
