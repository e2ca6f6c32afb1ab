"""Routes as they are listed."""

from typing import Any

from fedns.control import roadmap
from fedns.gateway import route
from fedns.gateway.route import Pool, Tier
from fedns.model.ingress import Backend
from fedns.servers import itinerary
from tests.gateway import ingresses
from tests.gateway.ingresses import ingress, one, path
from tests.gateway.test_balance import part

OUTPUT = ingresses.built(
    ingress(
        "web",
        one("shop.example.com", path("/", "web"), path("/cart", "cart"), path("/x", "web", "Exact")),
        one("*.example.com", path("/", "web")),
        default=Backend("rest", "80"),
    ),
    ingress(
        "new",
        one("shop.example.com", path("/cart", "new")),
        annotations={"canary": "true", "canary-by-header": "x-new", "canary-weight": "5"},
        created=1.0,
    ),
    ingress("any", one("", path("/a", "web", "ImplementationSpecific")), created=2.0),
    ingress(
        "posts",
        one("api.example.com", path("/v[12]/", "web", "ImplementationSpecific")),
        annotations={"use-regex": "true", "higress.io/match-method": "POST"},
        created=3.0,
    ),
)
POOLS = {
    b"shop/web/80": Pool((Tier(1.0, (part("a", 1.0, 2),)), Tier(0.0, (part("b", 1.0, 1),)))),
    b"shop/new/80": Pool((Tier(1.0, (part("b", 1.0, 1),)),)),
}


def listed(**wanted: Any) -> list[itinerary.Route]:
    return list(roadmap.routes(roadmap.Map(OUTPUT.table, POOLS, OUTPUT.wanted), wanted))


def test_every_path_of_every_host_in_the_order_it_is_looked_for() -> None:
    found = [(each.host, each.kind, each.path, each.service) for each in listed()]
    assert found == [
        ("api.example.com", "Regex", "/v[12]/", "shop/web"),
        ("shop.example.com", "Exact", "/x", "shop/web"),
        ("shop.example.com", "Prefix", "/cart", "shop/cart"),
        ("shop.example.com", "Prefix", "/", "shop/web"),
        ("shop.example.com", "Default", "", "shop/rest"),
        ("*.example.com", "Prefix", "/", "shop/web"),
        ("*.example.com", "Default", "", "shop/rest"),
        ("*", "Start", "/a", "shop/web"),
        ("*", "Default", "", "shop/rest"),
    ]


def test_who_serves_and_which_canaries_there_are() -> None:
    (cart,) = listed(host="shop.example.com", service="shop/cart")
    assert cart.serving == [] and cart.ingress == "shop/web" and cart.secret is None
    (canary,) = cart.canaries
    assert (canary.service, canary.serving) == ("shop/new", ["b"])
    assert canary.when == "header x-new: always, or weight 5 of 100"
    (root,) = [each for each in listed(host="shop.example.com") if each.path == "/"]
    assert (root.serving, root.endpoints, root.port) == (["a"], 3, "80")


def test_filters() -> None:
    assert {each.ingress for each in listed(ingress="shop/any")} == {"shop/any"}
    assert all("a" in each.serving for each in listed(member="a")) and listed(member="a")
    assert listed(host="nobody.example.com") == []
    (post,) = listed(host="api.example.com")
    assert post.matching == "method POST" and post.kind == "Regex"


def test_no_tables_yet() -> None:
    assert list(roadmap.routes(roadmap.Map(route.Table(), {}, {}), {})) == []
