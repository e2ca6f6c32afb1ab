"""The admin API over a real socket, with views that are plain values."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from fedns.servers import admin
from tests.fakes import views

Ask = Callable[..., Awaitable[tuple[int, Any]]]


def served(talk: Callable[[Ask, views.Values], Awaitable[None]], given: views.Values | None = None) -> None:
    """Runs `talk` against a started admin API."""

    async def run() -> None:
        known = given or views.Values()
        server = admin.Admin(known)
        port = await server.start("127.0.0.1", 0)

        async def ask(method: str, path: str, **options: Any) -> tuple[int, Any]:
            url = f"http://127.0.0.1:{port}{path}"
            async with session.request(method, url, **options) as response:
                json = response.content_type == "application/json"
                return response.status, await (response.json() if json else response.text())

        try:
            async with aiohttp.ClientSession() as session:
                await talk(ask, known)
        finally:
            await server.stop()

    asyncio.run(run())


def test_health_and_readiness_are_two_questions() -> None:
    async def talk(ask: Ask, known: views.Values) -> None:
        known.why = "first sync not done"
        assert await ask("GET", "/healthz") == (200, "ok\n")
        assert await ask("GET", "/readyz") == (503, "not ready: first sync not done\n")
        known.why = ""
        assert await ask("GET", "/readyz") == (200, "ok\n")
        assert await ask("GET", "/metrics") == (200, "fedns_ready 1\n")

    served(talk)


def test_lists_are_filtered_and_cut() -> None:
    async def talk(ask: Ask, known: views.Values) -> None:
        status, whole = await ask("GET", "/api/v1/shards")
        assert (status, len(whole["items"]), whole["truncated"]) == (200, 2, False)
        _, one = await ask("GET", "/api/v1/shards?limit=1")
        assert (len(one["items"]), one["truncated"]) == (1, True)
        _, second = await ask("GET", "/api/v1/shards?member=m2&state=healthy")
        assert [item["member"] for item in second["items"]] == ["m2"]
        assert (await ask("GET", "/api/v1/shards?colour=red"))[0] == 400
        assert (await ask("GET", "/api/v1/shards?limit=-1"))[0] == 400
        for path in ("members", "services", "problems", "orders"):
            assert (await ask("GET", f"/api/v1/{path}"))[0] == 200

    served(talk)


def test_explain_passes_the_question_on_and_its_refusal_back() -> None:
    async def talk(ask: Ask, known: views.Values) -> None:
        asked = await ask("GET", "/api/v1/explain?name=a.b&type=aaaa&from=192.0.2.9")
        assert (asked[0], asked[1]["name"], asked[1]["type"]) == (200, "a.b", "AAAA")
        assert asked[1]["rule"] == "asked from 192.0.2.9"
        assert await ask("GET", "/api/v1/explain?name=a&type=what") == (400, {"error": "no such type"})
        assert (await ask("GET", "/api/v1/explain"))[0] == 400
        assert (await ask("GET", "/api/v1/zone?origin=d"))[1] == "$ORIGIN d.\n"
        assert (await ask("GET", "/api/v1/zone?origin=e"))[0] == 404

    served(talk)


def test_orders_are_given_shown_and_taken_back() -> None:
    async def talk(ask: Ask, known: views.Values) -> None:
        order = {"target": "m1", "word": "drain", "seconds": 60, "reason": "upgrade"}
        status, given = await ask("POST", "/api/v1/orders", json=order)
        assert (status, given["until"]) == (201, 160.0)
        assert (await ask("GET", "/api/v1/orders"))[1]["items"] == [given]
        assert (await ask("DELETE", "/api/v1/orders?target=m1"))[0] == 204
        assert (await ask("DELETE", "/api/v1/orders?target=m1"))[0] == 404

    served(talk)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {"target": "m1", "word": "explode"}}, 400),
        ({"json": {"target": "m1"}}, 400),
        ({"json": {"target": "m1", "word": "up", "sekonds": 1}}, 400),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b'{"target": "m1", "word": "down"}'}, 403),
        ({"json": {"target": "m1", "word": "down"}, "headers": {"Host": "evil.example:9053"}}, 403),
        ({"json": {"target": "m" * 100_000, "word": "down"}}, 413),
    ],
)
def test_a_bad_or_foreign_command_is_refused(options: dict[str, Any], status: int) -> None:
    async def talk(ask: Ask, known: views.Values) -> None:
        assert (await ask("POST", "/api/v1/orders", **options))[0] == status
        assert not known.given

    served(talk)


@pytest.mark.parametrize(
    ("method", "path", "refused"),
    [
        ("GET", "/api/v1/shard", (404, {"error": "not found"})),
        ("PUT", "/api/v1/orders", (405, {"error": "method not allowed"})),
        ("GET", "/nothing", (404, "404: Not Found")),
    ],
)
def test_what_no_route_takes_is_refused_in_the_usual_form(
    method: str, path: str, refused: tuple[int, Any]
) -> None:
    async def talk(ask: Ask, known: views.Values) -> None:
        assert await ask(method, path) == refused

    served(talk)


def test_every_route_is_described_and_every_description_is_a_route() -> None:
    async def talk(ask: Ask, known: views.Values) -> None:
        _, description = await ask("GET", "/api/v1/openapi.json")
        described = {(way.upper(), path) for path, ways in description["paths"].items() for way in ways}
        assert described == {(route.method, route.path) for route in admin.ROUTES}
        names = set(description["components"]["schemas"])
        assert {"Status", "Members", "Shards", "Evidence", "NewOrder", "Fault"} <= names
        assert "get" in description["paths"]["/api/v1/orders"]
        assert "post" in description["paths"]["/api/v1/orders"]

    served(talk)


def test_every_field_of_every_answer_is_described() -> None:
    async def talk(ask: Ask, known: views.Values) -> None:
        _, description = await ask("GET", "/api/v1/openapi.json")
        await ask("POST", "/api/v1/orders", json={"target": "m1", "word": "up"})
        schemas = description["components"]["schemas"]
        for route in admin.ROUTES:
            if route.method == "GET" and route.produces not in (None, dict[str, Any]):
                _, answer = await ask(
                    "GET", f"{route.path}?name=a&url=http://a/" if "explain" in route.path else route.path
                )
                told = description["paths"][route.path]["get"]["responses"]["200"]["content"]
                name = told["application/json"]["schema"]["$ref"].rpartition("/")[2]
                assert fields(answer, schemas[name], schemas) == [], route.path

    served(talk)


def fields(value: Any, schema: Any, schemas: Any) -> list[str]:
    """Fields that only one of an answer and its description has."""
    schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if isinstance(value, list) and "items" in schema:
        return [name for item in value for name in fields(item, schema["items"], schemas)]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    known = schema["properties"]
    found = [name for key in value.keys() & known.keys() for name in fields(value[key], known[key], schemas)]
    return [*found, *(value.keys() ^ known.keys())]


def test_an_order_that_cannot_be_kept_is_told_so() -> None:
    class Full(views.Values):
        def remove_order(self, target: str) -> bool:
            raise OSError(28, "No space left on device")

    async def talk(ask: Ask, known: views.Values) -> None:
        refused = {"error": "the order could not be taken back: No space left on device"}
        assert await ask("DELETE", "/api/v1/orders?target=m1") == (500, refused)

    served(talk, Full())
