import pytest

from fedns import config

LEAST = b"federation: f\ndomain: example.com\n"


def apexes(text: bytes) -> list[bytes]:
    loaded = config.parse(LEAST + text)
    assert loaded.config is not None, loaded.problems
    return [kind.apex for kind in config.annexes(loaded.config) if kind.apex.endswith(b"\x04arpa\0")]


def test_prefixes_are_zones() -> None:
    assert apexes(b"reverse: {prefixes: [192.0.2.0/23]}\n") == [
        b"\x012\x010\x03192\x07in-addr\x04arpa\0",
        b"\x013\x010\x03192\x07in-addr\x04arpa\0",
    ]
    inside = b'reverse: {prefixes: ["2001:db8::/32"], inside: [10.0.0.0/8]}\n'
    assert len(apexes(inside)) == 2
    assert len(apexes(inside + b"inside: {enabled: false}\n")) == 1, "names of no zone"
    assert apexes(b"") == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            b"reverse: {prefixes: [192.0.2.128/25]}",
            "192.0.2.128/25 is narrower than a zone: /24 is the narrowest",
        ),
        (b"reverse: {prefixes: [192.0.2.0/24], inside: [192.0.2.0/23]}", "are those of 192.0.2.0/24 too"),
        (b"reverse: {inside: [9.0.0.0/9, 11.0.0.0/9, 12.0.0.0/9]}", "are 384 zones: more than 256"),
        (b"reverse: {prefixes: [192.0.2.1/24]}", "192.0.2.1/24"),
    ],
)
def test_what_is_no_zone_is_a_problem(text: bytes, what: str) -> None:
    (problem,) = config.parse(LEAST + text).problems
    assert what in problem.what and problem.where.endswith(":3")
