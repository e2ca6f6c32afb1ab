"""Paths that a backend may read in another way than we matched them: whatever it reads, it is the rule's.

Law: a guarded rule is `/admin`, all else is open. Random paths are made of every trick; each that comes
through to the open rule is read as servers do that decode, drop parameters, turn backslashes, merge and
resolve, in their several orders: none of them may see `/admin`.
"""

import itertools
import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedns.gateway import decide, normal
from tests.gateway import ingresses
from tests.gateway.ingresses import ingress, one, path, request, service

GUARDED = {"nginx.ingress.kubernetes.io/denylist-source-range": "0.0.0.0/0"}
PIECES = (
    *(
        "/",
        "//",
        ".",
        "..",
        "/./",
        "/../",
        "%2e",
        "%2E%2e",
        "%2f",
        "%2F",
        "%5c",
        "\\",
        ";",
        ";x=1",
        "%3b",
        "%3Bx",
    ),
    *(
        "admin",
        "%61dmin",
        "adm%69n",
        "admin;x",
        "a",
        "public",
        "x",
        "%00",
        "%20",
        "%252f",
        "%c0%af",
        "?",
        "*",
    ),
)
OUTPUT = ingresses.built(
    ingress("open", one("h", path("/", "open"), path("/public", "open"))),
    ingress("guarded", one("h", path("/admin", "guarded")), annotations=GUARDED),
)


def _parameters(raw: bytes) -> bytes:
    return re.sub(rb";[^/]*", b"", raw)


def _backslashes(raw: bytes) -> bytes:
    return raw.replace(b"\\", b"/")


def _merged(raw: bytes) -> bytes:
    return re.sub(rb"/+", b"/", raw)


def _resolved(raw: bytes) -> bytes:
    kept: list[bytes] = []
    for segment in raw.split(b"/")[1:]:
        if segment == b"..":
            kept = kept[:-1]
        elif segment != b".":
            kept.append(segment)
    return b"/" + b"/".join(kept)


STEPS: tuple[Callable[[bytes], bytes], ...] = (
    unquote_to_bytes,
    _parameters,
    _backslashes,
    _merged,
    _resolved,
)
READERS = [steps for count in range(1, 6) for steps in itertools.permutations(STEPS, count)]


def _open_to(target: str) -> bytes:
    """What goes to the open rule's backend for this target; empty: nothing does."""
    try:
        made = decide.decide(OUTPUT.table, request("h", target))
    except normal.Rejected:
        return b""
    return made.target if not made.status and made.pool.startswith(b"shop/open/") else b""


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_no_reader_sees_what_is_guarded(text: str) -> None:
    sent = _open_to("/" + text)
    if not sent:
        return
    plain = sent.partition(b"?")[0]
    for steps in READERS:
        read = plain
        for step in steps:
            read = step(read)
        first = _merged(read).split(b"/")[1] if b"/" in read else b""
        assert first != b"admin", (text, sent, read, [step.__name__ for step in steps])


@pytest.mark.parametrize(
    "target",
    [
        *("/admin%2Fx", "/admin%2f", "/%2Fadmin", "/%5cadmin", "/x%2F..%2Fadmin", "/public/..%2Fadmin"),
        *("/public%2F../admin", "/public/..;/admin", "/public/..;x=1/admin", "/public/%2e%2e;/admin"),
        *("/public/.;/../admin", "/public/..%3B/admin", "/public/..%5cadmin", "/public\\..\\admin"),
        *("/admin;x", "/admin;x/y", "/admin%3Bx", "/;/admin", "/;x/admin", "/public/..%00/admin"),
        *("/x%2F..;/admin", "/../admin", "/./../admin", "/public/../../admin", "/admin#x", "/ad\tmin"),
    ],
)
def test_what_might_be_the_guarded_rules_does_not_come_through(target: str) -> None:
    assert not _open_to(target)


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/a%2Fb", b"/a%2Fb"),
        ("/a;v=1/b", b"/a;v=1/b"),
        ("/public/x%2fy;jsessionid=1", b"/public/x%2Fy;jsessionid=1"),
        ("/public/../x", b"/x"),
        ("/public/%2E%2e/x", b"/x"),
        ("/x//y", b"/x//y"),
        ("/administrator", b"/administrator"),
        ("/x/admin", b"/x/admin"),
        ("/%252e%252e/admin", b"/%252e%252e/admin"),
    ],
)
def test_what_can_only_be_the_open_rules_goes_there(target: str, sent: bytes) -> None:
    assert _open_to(target) == sent


def test_a_rule_for_an_escaped_slash_is_itself() -> None:
    output = ingresses.built(ingress("own", one("h", path("/a%2Fb", "own", "Exact"), path("/x", "x"))))
    assert service(output, request("h", "/a%2fb")) == "own"
