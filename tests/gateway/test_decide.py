"""Decisions held to the plain words of the Ingress API: a reference that is slow and obvious."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fedns.gateway import decide, route
from fedns.model.ingress import Kind
from tests.gateway import ingresses
from tests.gateway.ingresses import ingress, one, path, request

segments = st.lists(st.sampled_from(["a", "b", "ab", "A"]), max_size=3)
paths = st.builds(
    lambda parts, slash: "/" + "/".join(parts) + ("/" if slash and parts else ""), segments, st.booleans()
)
kinds: st.SearchStrategy[Kind] = st.sampled_from(("Exact", "Prefix", "ImplementationSpecific"))
hosts = st.sampled_from(["h", "x.h", "*.h", ""])
rules = st.lists(st.tuples(hosts, paths, kinds), min_size=1, max_size=8)


def _takes(rule: str, kind: Kind, asked: str) -> int:
    """How well a rule takes a path, as ingress-nginx's locations would; 0: not at all."""
    if kind == "Exact":
        return 1000 if asked == rule else 0
    if kind == "ImplementationSpecific":
        return len(rule) * 2 if asked.startswith(rule) else 0
    bare = rule.rstrip("/")
    if asked == bare:
        return 900
    return len(bare + "/") * 2 + 1 if asked.startswith(bare + "/") else 0


def _expected(given_rules: list[tuple[str, str, Kind]], host: str, asked: str) -> set[int]:
    """Numbers of rules that may take it: the best; of equal ones the first, or who wrote the longer text."""
    for name in (host, "*." + host.partition(".")[2], ""):
        mine = [(at, text, kind) for at, (rule, text, kind) in enumerate(given_rules) if rule == name]
        if not mine:
            continue
        best = max(_takes(text, kind, asked) for _, text, kind in mine)
        if not best:
            return set()
        top = [(at, text) for at, text, kind in mine if _takes(text, kind, asked) == best]
        longest = max(len(text) for _, text in top)
        return {next(at for at, text in top if len(text) == longest)}
    return set()


@settings(max_examples=400)
@given(rules, st.sampled_from(["h", "x.h", "y.h", "z.y.h", "other"]), paths)
def test_the_rule_that_takes_a_request(
    given_rules: list[tuple[str, str, Kind]], host: str, asked: str
) -> None:
    made = [
        ingress(f"i{at:02}", one(rule, path(text, f"s{at}", kind)), created=float(at))
        for at, (rule, text, kind) in enumerate(given_rules)
    ]
    output = ingresses.built(*made)
    found = ingresses.service(output, request(host, asked))
    expected = _expected(given_rules, host, asked)
    assert found == (f"s{expected.pop()}" if expected else 404)


@given(rules, st.sampled_from(["h", "x.h"]), paths, st.floats(0, 1, exclude_max=True))
def test_telling_changes_nothing(
    given_rules: list[tuple[str, str, Kind]], host: str, asked: str, draw: float
) -> None:
    made = [
        ingress(
            f"i{at}",
            one(rule, path(text, "s", kind)),
            annotations={"proxy-read-timeout": "9"} if at % 2 else {},
        )
        for at, (rule, text, kind) in enumerate(given_rules)
    ]
    output, steps = ingresses.built(*made), list[str]()
    silent = decide.decide(output.table, request(host, asked), draw)
    assert decide.decide(output.table, request(host, asked), draw, steps=steps) == silent
    assert steps


@given(st.binary(max_size=40))
def test_no_path_breaks_a_decision(raw: bytes) -> None:
    host = route.Host({b"/a": route.Location(b"r", b"/a", b"p")}, {b"": route.Location(b"r", b"/", b"p")}, 0)
    table = route.Table({b"h": host})
    head = request("h", "/")
    head.path = raw
    assert decide.decide(table, head).status in (0, 404)
