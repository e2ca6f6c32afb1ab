"""Affinity cookies: what is set, what is understood, where it leads (with ingress-nginx's own cases)."""

import pytest

from fedns.gateway import affinity, balance, decide
from fedns.gateway.options import Affinity
from fedns.gateway.route import Pool, Tier
from tests.gateway import ingresses
from tests.gateway.ingresses import ingress, one, path, request
from tests.gateway.test_balance import part

POOL = Pool((Tier(1.0, (part("a", 0.5, 3), part("b", 0.5, 3))), Tier(0.0, (part("c", 1.0, 2),))))
READY = balance.prepare(POOL)
NAMED = {"affinity": "cookie", "session-cookie-name": "SERVERID"}


def options(**asked: str) -> Affinity:
    keys = {key.replace("_", "-"): text for key, text in asked.items()}
    output = ingresses.built(ingress("i", one("h", path("/foo", "s")), annotations={**NAMED, **keys}))
    assert not output.problems
    made = decide.decide(output.table, request("h", "/foo"))
    assert made.options is not None and made.options.affinity is not None
    return made.options.affinity


def said(asked: Affinity, *headers: tuple[str, str], secure: bool = False) -> str:
    head = request("h", "/foo", *headers)
    head.secure = secure
    return affinity.cookie(asked, (b"k", b"t"), b"/foo", head, 1_000_000_000.0).decode()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "SERVERID=k.t; Path=/foo; HttpOnly"),
        ({"session_cookie_path": "/x"}, "SERVERID=k.t; Path=/x; HttpOnly"),
        (
            {"session_cookie_expires": "172800", "session_cookie_max_age": "259200"},
            "SERVERID=k.t; Path=/foo; HttpOnly; Expires=Tue, 11 Sep 2001 01:46:40 GMT; Max-Age=259200",
        ),
        ({"session_cookie_domain": "foo.bar"}, "SERVERID=k.t; Path=/foo; HttpOnly; Domain=foo.bar"),
        ({"session_cookie_secure": "true"}, "SERVERID=k.t; Path=/foo; HttpOnly; Secure"),
        ({"session_cookie_samesite": "lax"}, "SERVERID=k.t; Path=/foo; HttpOnly; SameSite=Lax"),
    ],
)
def test_what_is_set(asked: dict[str, str], expected: str) -> None:
    assert said(options(**asked)) == expected


def test_secure_follows_the_request_and_may_be_asked_for_without_it() -> None:
    assert said(options(), secure=True).endswith("; Secure")
    assert said(options(session_cookie_secure="false"), secure=True).endswith("; Secure")
    assert said(options(session_cookie_secure="true")).endswith("; Secure")


def test_old_agents_are_not_told_none() -> None:
    asked = options(session_cookie_samesite="None", session_cookie_conditional_samesite_none="true")
    assert said(asked).endswith("SameSite=None")
    assert "SameSite" not in said(asked, ("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 12_1)"))


@pytest.mark.parametrize("value", ["", "abc", "abc.", ".abc", "a b.c", "x" * 99 + ".t", "a.b.c", "a|b"])
def test_what_is_no_cookie_of_ours(value: str) -> None:
    assert affinity.bound(Affinity(b"c"), request("h", "/", ("Cookie", f"c={value}"))) == (b"", b"")


def test_dates() -> None:
    assert affinity.date(0.0) == b"Thu, 01 Jan 1970 00:00:00 GMT"
    assert affinity.date(1_709_251_199.0) == b"Thu, 29 Feb 2024 23:59:59 GMT"
    assert affinity.date(4_102_444_800.0) == b"Fri, 01 Jan 2100 00:00:00 GMT"


def follow(mode: str, cookie: str, draw: float, pool: Pool = POOL) -> tuple[str, bytes]:
    """(endpoint's tag, value of the cookie that is set then; empty: none)."""
    output = ingresses.built(
        ingress("i", one("h", path("/foo", "s")), annotations={**NAMED, "affinity-mode": mode})
    )
    made = decide.decide(output.table, request("h", "/foo", ("Cookie", cookie)), draw)
    assert made.options is not None and made.options.affinity is not None and made.want is not None
    chosen = balance.choose(balance.prepare(pool), made.want, draw)
    assert chosen is not None
    bound = affinity.bound(made.options.affinity, request("h", "/foo", ("Cookie", cookie)))[0]
    key = affinity.renewed(made.options.affinity, bound, chosen, made.want.session)
    return chosen.tag.decode(), key + b"." + made.tag if key else b""


@pytest.mark.parametrize("mode", ["balanced", "persistent"])
def test_a_client_comes_back_to_its_endpoint(mode: str) -> None:
    for number in range(20):
        tag, value = follow(mode, "", number / 20)
        assert value
        for later in (0.1, 0.6, 0.99):
            assert follow(mode, f"x=1; SERVERID={value.decode()}", later) == (tag, b"")


def test_who_is_gone_is_replaced_and_the_cookie_with_it() -> None:
    less = Pool((Tier(1.0, (part("a", 1.0, 1),)),))
    _, value = follow("persistent", "", 0.9)
    tag, renewed = follow("persistent", f"SERVERID={value.decode()}", 0.9, less)
    assert tag == "a0" and renewed.startswith(b"a0.")


def test_a_secondary_does_not_keep_clients_when_the_primary_is_back() -> None:
    secondary = Pool((Tier(1.0, (part("c", 1.0, 2),)),))
    tag, value = follow("persistent", "", 0.1, secondary)
    assert tag[0] == "c"
    assert follow("persistent", f"SERVERID={value.decode()}", 0.1)[0][0] in "ab"
