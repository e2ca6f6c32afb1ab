"""ingress-nginx's own end-to-end tests, over real connections to real workers.

What is not run, or is answered otherwise, has its reason in `nginx` or `lost`.
"""

import threading
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from msgspec import structs

from fedns.gateway.terms import Terms
from fedns.model.ingress import Ingress, IngressClass, Secret
from tests.conformance import lost, stage, vectors
from tests.gateway import ingresses, nginx
from tests.servers import running

_TESTS = vectors.load("ingress_nginx_e2e")["tests"]
_OWN = vectors.load("fedns-vectors")
_HTPASSWD = b"foo:$apr1$OFG3Xybp$ckL0FHDAkoXYIlH9.cysT0\nuname:{PLAIN}pwd\n"
_CROWDED = ("annotations/limitconnections.go", 38)
_SPLIT = "TestMainlineCanaryDistribution"


def _asks(test: dict[str, Any]) -> list[dict[str, Any]]:
    known = lost.LOST.get(nginx.key(test), lost.Lost())
    return [*test["requests"], *known.more]


def _why_not(test: dict[str, Any]) -> str:
    """Why a test is not run; empty: it is."""
    file, key = nginx.file(test), nginx.key(test)
    said = nginx.NOT_OURS.get(file) or lost.UNRUN.get(key)
    if key not in lost.LOST:
        said = said or nginx.DEVIATIONS.get(key)
    if said:
        return str(said)
    return "" if _asks(test) or _SPLIT in test.get("other", ()) else lost.UNASKED.get(file, "")


_RUN = [each for each in _TESTS if not _why_not(each)]


def test_every_reason_is_one_for_something() -> None:
    keys = {nginx.key(each) for each in _TESTS}
    assert keys >= lost.LOST.keys() | lost.UNRUN.keys() | nginx.DEVIATIONS.keys()
    assert not lost.LOST.keys() & lost.UNRUN.keys()
    assert {nginx.file(each) for each in _TESTS if not _asks(each)} >= lost.UNASKED.keys()
    assert [nginx.key(each) for each in _RUN if not _asks(each)] == [("annotations/canary.go", 1031)]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stage.Stages]:
    with stage.stages(tmp_path_factory.mktemp("ingress")) as made:
        yield made


class Play:
    """One test: its objects, and who asks."""

    def __init__(self, test: dict[str, Any], place: stage.Stage) -> None:
        self._test, self._place = test, place
        self._lost = lost.LOST.get(nginx.key(test), lost.Lost())
        self._known = {"AUTH": f"127.0.0.1:{place.service('auth').port}", "HTTPBunIP": ""}
        self._known["HTTPBunIP"] = self._known["AUTH"]
        self._cookie = ""

    def objects(self, at: int) -> list[Ingress]:
        """As they are before request `at`; where a test changes an object, its last state counts."""
        changes = [asked for since, asked in self._lost.then.items() if since <= at]
        rows = [*self._test["ingresses"], *self._lost.beside]
        found = {}
        for number, row in enumerate(rows):
            asked = dict(row["annotations"] or {})
            if not number:
                asked = changes[-1] if changes else asked | self._lost.annotations
            each = nginx.ingress(row | {"annotations": asked}, number, **self._known)
            found[each.name] = self._classed(each, at)
        return list(found.values())

    def _classed(self, each: Ingress, at: int) -> Ingress:
        bare = 0 <= self._lost.bare <= at
        return structs.replace(each, klass="" if bare else self._lost.classes.get(each.name, each.klass))

    def serve(self, at: int, replicas: int = 1) -> None:
        given = self.objects(at)
        secrets = {f"ns/{row.secret}": stage.secret(row.secret) for each in given for row in each.tls}
        secrets["ns/credentials"] = Secret("ns", "credentials", "Opaque", {"auth": _HTPASSWD})
        demanded = self._lost.demanded
        classes = [IngressClass("others", "example.com/other", default=demanded)]
        ours = ("nginx", *self._lost.ours)
        classes += [IngressClass(name, "fedns.io/gateway", name == "nginx" and not demanded) for name in ours]
        self._place.serve(given, secrets, classes, replicas)

    def ask(self, at: int, asked: dict[str, Any]) -> stage.Answer:
        headers = {name: nginx.text(value, **self._known) for name, value in asked.get("headers", {}).items()}
        cookies = {name: self._crumb(value) for name, value in asked.get("cookies", {}).items()}
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        if "basic_auth" in asked:
            pair = ":".join(asked["basic_auth"]).encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        headers.setdefault("Host", "nobody.example.com")
        target = asked["path"] + (f"?{urlencode(asked['query'])}" if asked.get("query") else "")
        lines = [f"{asked['method']} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items()), "", ""]
        secure = "HTTPS" in str(asked.get("url", ""))
        mine = stage.CLIENT if at in self._lost.shown else None
        head = "\r\n".join(lines).encode("latin-1")
        found = self._place.ask(stage.Asked(head, secure, mine, self._lost.before, headers["Host"]))
        self._cookie = (found.field("set-cookie") or "").partition("=")[2].partition(";")[0] or self._cookie
        return found

    def _crumb(self, value: str) -> str:
        return self._cookie if value.startswith("$affinityCookie") else value

    def run(self) -> None:
        self.serve(0)
        for at, each in enumerate(_asks(self._test)):
            if at in self._lost.then or at == self._lost.bare:
                self.serve(at)
            if at == self._lost.gone:
                self._place.end("auth")
            found = self.ask(at, each["request"])
            assert found.status == each["expect"].get("status", found.status), (each, found)
            for check in each["expect"].get("checks", ()):
                assert self._holds(check, found), (check, found)
        if _SPLIT in self._test.get("other", ()):
            self.split()

    def split(self) -> None:
        """Half of it goes to the canary: fewer than 10 of 80 are less likely than one in a billion."""
        first = self._test["ingresses"][0]
        asked = {"headers": {"Host": first["host"]}, "method": "GET", "path": first["path"]}
        bodies = [self.ask(0, asked).body for _ in range(80)]
        assert 10 <= sum("httpbun-canary" in each for each in bodies) <= 70

    def _holds(self, check: list[Any], found: stage.Answer) -> bool:
        where, how, *values = check
        if where == "headers":
            told = found.field(values[0])
            return told is not None if how == "ContainsKey" else [told] == values[1]
        wanted = nginx.text(values[0], **self._known)
        if "time.Now" in wanted or wanted in lost.OWN_PAGES:  # a date is another one
            wanted = wanted.partition("=")[0] if "time.Now" in wanted else ""
        wanted = wanted.replace("port=1080", f"port={self._place.worker().port}")
        told = found.body if where == "body" else found.field(where.removeprefix("header:")) or ""
        return {"Contains": wanted in told, "NotContains": wanted not in told, "Equal": wanted == told}[how]


@pytest.mark.parametrize(
    "test",
    [each for each in _RUN if nginx.key(each) != _CROWDED],
    ids=lambda test: f"{nginx.file(test)}:{test['line']}",
)
def test_over_connections(stages: stage.Stages, test: dict[str, Any]) -> None:
    known = lost.LOST.get(nginx.key(test), lost.Lost())
    Play(test, stages.get(known.terms)).run()


def test_persistent_affinity_outlives_newcomers(stages: stage.Stages) -> None:
    test = next(each for each in _TESTS if nginx.file(each) == "annotations/affinitymode.go")
    play, asked = Play(test, stages.get(Terms())), test["requests"][0]["request"]
    play.serve(0)
    first = play.ask(0, asked)
    cookie = (first.field("set-cookie") or "").partition(";")[0]
    for replicas in range(1, 11):
        play.serve(0, replicas)
        found = play.ask(0, asked | {"headers": asked["headers"] | {"Cookie": cookie}})
        assert found.body.splitlines()[0] == first.body.splitlines()[0]


def test_one_too_many_at_once(stages: stage.Stages) -> None:
    """Two connections to a backend that takes its time; what is asked meanwhile is refused."""
    test = next(each for each in _TESTS if nginx.key(each) == _CROWDED)
    place = stages.get(Terms())
    play, asked = Play(test, place), test["requests"][0]["request"]
    play.serve(0)
    backend = place.service("slow-echo")
    found: list[int] = []
    held = [threading.Thread(target=lambda: found.append(play.ask(0, asked).status)) for _ in range(2)]
    for number, each in enumerate(held):
        each.start()
        running.until(lambda wanted=number: len(backend.messages) > wanted, "it came")  # type: ignore[misc]
    assert [play.ask(0, asked).status for _ in range(3)] == [503] * 3
    stage.awake.set()
    for each in held:
        each.join(running.LONG)
    assert found == [200, 200] and play.ask(0, asked).status == 200


@pytest.mark.parametrize("case", _OWN["ingress"], ids=lambda case: case["name"])
def test_rules_over_connections(stages: stage.Stages, case: dict[str, Any]) -> None:
    place = stages.get(Terms())
    place.serve(ingresses.ruled(case), {})
    for each in case["cases"]:
        method = "OPTIONS" if each["path"] == "*" else "GET"
        head = f"{method} {each['path']} HTTP/1.1\r\nHost: {each['host']}\r\n\r\n"
        found = place.ask(stage.Asked(head.encode()))
        served = (
            found.body.splitlines()[0].removeprefix("Hostname: ") if found.status == 200 else found.status
        )
        assert served == each["want"], each


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/a/../b", "/b"),
        ("/a//b", "/a//b"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a/%2e%2e/b", "/b"),
        ("/a;x=1/b", "/a;x=1/b"),
        ("/a\\b", ""),
        ("/%00", ""),
        ("/a#b", ""),
        ("http://other/a", ""),
        ("http://h/a", "/a"),
    ],
)
def test_targets_over_connections(stages: stage.Stages, target: str, sent: str) -> None:
    """What the vectors of normalisation make of a target, as a backend gets it; empty: nobody does."""
    place = stages.get(Terms())
    place.serve([ingresses.ingress("all", ingresses.one("", ingresses.path("/", "all")))], {})
    found = place.ask(stage.Asked(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode()))
    assert found.status == (200 if sent else 400)
    assert not sent or f"request_uri=http://h:80{sent}\n" in found.body


WISHES = {"sticky main beats header": "canary"}
"""Where fedns has its own answer: explicit words of the request come before habit."""
_CANARIES = [(group, case) for group in _OWN["canary"] for case in group["cases"]]


@pytest.mark.parametrize(("group", "case"), _CANARIES, ids=lambda each: each.get("name", ""))
def test_canaries_over_connections(stages: stage.Stages, group: dict[str, Any], case: dict[str, Any]) -> None:
    """In fedns's own mode; the others differ in decisions only, which have their tests."""
    place, host = stages.get(Terms()), group["canary"].get("host", "h")
    dead = {case["state"].split()[0]} if "state" in case else set()
    output = place.serve(ingresses.canaried(group, "fedns"), {}, dead=dead)
    location = output.table.hosts[b"h"].prefix[b""]
    tags = {"<bound to main>": location.tag}
    if location.canaries:
        tags["<bound to canary>"] = location.canaries[0].tag
    lines = [f"GET / HTTP/1.1\r\nHost: {host}", *(f"{n}: {v}" for n, v in case.get("headers", {}).items())]
    for name, value in case.get("cookies", {}).items():
        lines.append(f"Cookie: {name}=" + (f"abc.{tags[value].decode()}" if value in tags else value))
    asked = stage.Asked("\r\n".join((*lines, "", "")).encode())
    want = WISHES.get(group["name"], case.get("fedns", case["want"]))
    answers = [place.ask(asked) for _ in range(200 if "%" in str(want) else 10)]
    found = [each.body.split()[1] if each.status == 200 else str(each.status) for each in answers]
    if "%" in str(want):  # five deviations of chance
        assert abs(found.count("canary") - 2 * int(want.strip("~").partition("%")[0])) < 40
    else:
        assert set(found) == {str(want).split()[0]}
