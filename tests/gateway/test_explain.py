"""Requests told step by step."""

from fedns.gateway import explain, options, route
from fedns.gateway.route import Pool, Tier
from tests.gateway import ingresses
from tests.gateway.test_balance import part

POOLS = {
    b"shop/web/80": Pool(
        (Tier(1.0, (part("a", 0.5, 2), part("b", 0.5, 2))), Tier(0.0, (part("c", 1.0, 1),)))
    ),
    b"shop/canary/80": Pool((Tier(1.0, (part("b", 1.0, 1),)),)),
}
TABLE = ingresses.built(
    ingresses.ingress(
        "web",
        ingresses.one("shop.example.com", ingresses.path("/cart(/|$)(.*)", "web", "ImplementationSpecific")),
        annotations={"rewrite-target": "/$2", "proxy-read-timeout": "7", "upstream-hash-by": "$request_uri"},
    ),
    ingresses.ingress(
        "canary",
        ingresses.one(
            "shop.example.com", ingresses.path("/cart(/|$)(.*)", "canary", "ImplementationSpecific")
        ),
        annotations={"canary": "true", "canary-by-header": "x-canary"},
        created=1.0,
    ),
    ingresses.ingress(
        "moved",
        ingresses.one("old.example.com", ingresses.path("/", "web")),
        annotations={"permanent-redirect": "https://new.example.com"},
    ),
).table


def told(host: str, target: str, *headers: tuple[str, str]) -> explain.Explanation:
    return explain.explain(TABLE, ingresses.request(host, target, *headers), POOLS.get, 0.25)


def test_a_request_to_a_pool() -> None:
    made = told("shop.example.com", "/cart/items?id=1")
    assert (made.status, made.pool, made.target, made.canary) == (0, "shop/web/80", "/items?id=1", "")
    assert made.rule == "shop/web shop.example.com/cart(/|$)(.*)"
    assert len(made.tries) == 2 and made.member in ("a", "b")
    text = "\n".join(made.steps)
    for words in (
        "GET /cart/items?id=1 of host shop.example.com",
        "host shop.example.com: its own rules",
        "the first pattern that matches is /cart",
        "the target is rewritten to /items?id=1",
        'option timeouts: {"read":7.0}',
        "tier 1, 100% of requests: a 50% (2 endpoints), b 50% (2 endpoints)",
        "tier 2, in reserve: c 100% (1 endpoint)",
        "if it cannot be reached",
    ):
        assert words in text, text


def test_when_it_is_tried_again() -> None:
    assert "up to 3 tries in all, after an error, silence" in told("shop.example.com", "/cart").retry
    asked = ingresses.request("shop.example.com", "/cart", method="POST")
    made = explain.explain(TABLE, asked, POOLS.get, 0.25)
    assert "a POST that a backend may have taken is not sent again" in made.steps[-1]
    once = options.Options(retry=options.Retry(tries=1))
    assert explain.plan(once, b"GET") == "it is tried once"
    never = options.Options(retry=options.Retry(error=False, timeout=False))
    assert explain.plan(never, b"GET") == "it is tried once"
    more = options.Options(retry=options.Retry(0, 9.0, statuses=(503,), unsafe=True, leave="off"))
    words = "as many tries as there are endpoints in all within 9 s, after an error, silence, a 503; "
    assert explain.plan(more, b"POST") == words + "endpoints of the same member may be tried next"


def test_a_canary_by_word() -> None:
    made = told("shop.example.com", "/cart", ("X-Canary", "always"))
    assert (made.pool, made.member) == ("shop/canary/80", "b")
    assert "header x-canary says yes" in "\n".join(made.steps)


def test_answers_from_here() -> None:
    made = told("old.example.com", "/x")
    assert made.status == 301 and made.fields == (("Location", "https://new.example.com"),)
    assert told("nobody.example.com", "/").status == 404


def test_nobody_serves() -> None:
    asked = ingresses.request("shop.example.com", "/cart")
    made = explain.explain(TABLE, asked, {b"shop/web/80": route.Pool()}.get, 0.5)
    assert made.status == 503 and made.steps[-1] == "nobody can serve: 503"
