"""One form of targets and hosts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.gateway import normal


@pytest.mark.parametrize(
    ("raw", "path", "sent"),
    [
        ("/", "/", "/"),
        ("/a/b?x=/../y&z=%2f", "/a/b", "/a/b?x=/../y&z=%2f"),
        ("/a?", "/a", "/a?"),
        ("/%61%2d%7E", "/a-~", "/a-~"),
        ("/a%2fb", "/a%2Fb", "/a%2Fb"),
        ("/a/./b", "/a/b", "/a/b"),
        ("/a/.", "/a/", "/a/"),
        ("/a/..", "/", "/"),
        ("/a/b/../", "/a/", "/a/"),
        ("/a//../b", "/b", "/b"),
        ("//a", "/a", "//a"),
        ("/a/...", "/a/...", "/a/..."),
        ("/a..b/.c", "/a..b/.c", "/a..b/.c"),
        ("/.well-known//x", "/.well-known/x", "/.well-known//x"),
        ("/a{b}|c", "/a%7Bb%7D%7Cc", "/a%7Bb%7D%7Cc"),
        ("http://h", "/", "/"),
        ("https://h:1/a?b", "/a", "/a?b"),
        ("http://h?b", "/", "/?b"),
    ],
)
def test_forms(raw: str, path: str, sent: str) -> None:
    found = normal.target(raw.encode())
    assert (found.path.decode(), found.sent.decode()) == (path, sent)


@pytest.mark.parametrize(
    "raw",
    [
        *(
            "",
            "a",
            "h:80",
            "ftp://h/",
            "/a b",
            "/a\tb",
            "/a\r\nb",
            "/\x7f",
            "/ü",
            "/%",
            "/%4",
            "/%zz",
            "/%00",
        ),
        *("/..", "/a/../..", "/%2e%2e/a", "/a\\..\\b", "/a#b", "/a?b#c", "/a?b c", "/a?\x00", "*a", "*?a"),
        *("/a/..%2fb", "/a/..%5cb", "/a%2f..%2fb", "/x/%2e%2e%2f"),
    ],
)
def test_what_could_mean_two_things_is_rejected(raw: str) -> None:
    with pytest.raises(normal.Rejected) as rejected:
        normal.target(raw.encode("latin-1"))
    assert rejected.value.status == 400


octets = st.lists(
    st.sampled_from([b"/", b".", b"..", b"%2e", b"%2F", b"%41", b"a", b"//", b"~", b"%25"]), max_size=12
)


@given(octets)
def test_what_is_sent_means_what_was_matched(parts: list[bytes]) -> None:
    """Once more through the mill nothing changes, and no dot segment is left, seen or hidden."""
    raw = b"/" + b"".join(parts)
    try:
        found = normal.target(raw)
    except normal.Rejected:
        return
    again = normal.target(found.sent)
    assert (again.path, again.sent) == (found.path, found.sent)
    assert b"//" not in found.path
    for segments in (found.path.split(b"/"), found.path.replace(b"%2F", b"/").split(b"/")):
        assert not {b".", b".."} & set(segments[1:]) or (b"." in segments and b"%2F" in found.path)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Shop.Example.COM", "shop.example.com"),
        ("h:8080", "h"),
        ("h.", "h"),
        ("h.:80", "h"),
        ("h:", "h"),
        ("10.0.0.1:80", "10.0.0.1"),
        ("[2001:DB8::1]:80", "[2001:db8::1]"),
        ("[::1]", "[::1]"),
        ("a_b-c.d", "a_b-c.d"),
    ],
)
def test_hosts(raw: str, name: str) -> None:
    assert normal.host(raw.encode()) == name.encode()


@pytest.mark.parametrize(
    "raw",
    [
        "",
        ".",
        "a b",
        "a@b",
        "a:b",
        "a:99999999",
        "a..b",
        "-a",
        "a-",
        "[::1",
        "[::1]x",
        "[zz]",
        "a/b",
        "ü",
        "x" * 300,
        "a,b",
        "*.a",
    ],
)
def test_what_is_no_host(raw: str) -> None:
    with pytest.raises(normal.Rejected):
        normal.host(raw.encode())
