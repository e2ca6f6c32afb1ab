"""Odd Ingresses: whatever annotations, hosts and paths say, compiling ends, and so do decisions."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fedns.gateway import compile, decide, normal, registry
from fedns.gateway.explain import explain
from fedns.model.ingress import Backend, Ingress, Kind, Path, Rule, Secret, Tls
from tests.gateway import ingresses

KEYS = [f"{row.families[0]}/{row.key.replace('*', 'x')}" for row in registry.ROWS]
WORDS = st.sampled_from(
    [
        "true",
        "false",
        "0",
        "1",
        "-1",
        "99999999999",
        "10",
        "50%",
        "/",
        "/$1",
        "/$2$9",
        "http://a/",
        "https://$host/x",
        "$",
        "$(",
        "${",
        "on",
        "off",
        "a=1",
        "a:b",
        "a/b",
        "a,b;c",
        "x:strict",
        "10.0.0.0/8",
        "::/0",
        "10.0.0.0/99",
        "(",
        "[",
        "(?i)",
        ".*",
        "*",
        "*.a.b",
        "ns/name",
        "name:80",
        "basic",
        "digest",
        "cookie",
        "error",
        "http_503",
        "60%",
        "a.b.svc:80",
        "a.b.svc.cluster.local:80",
        "\x00",
        "ü",
        "1.1",
        "CN=(",
        "200",
        "any",
        "5m",
    ]
)
TEXTS = st.one_of(
    WORDS,
    st.text(max_size=12),
    st.lists(WORDS, max_size=4).map(" ".join),
    st.lists(WORDS, max_size=3).map("\n".join),
)
ANNOTATIONS = st.dictionaries(st.sampled_from(KEYS), TEXTS, max_size=6)
KINDS: st.SearchStrategy[Kind] = st.sampled_from(("Exact", "Prefix", "ImplementationSpecific"))
PATHS = st.builds(
    Path,
    st.one_of(
        st.text(max_size=8), st.sampled_from(["/", "/a", "/a(.*)", "//a", "/%41", "/a/../b", "/(?=a)"])
    ),
    KINDS,
    st.builds(Backend, st.sampled_from(["s", "t"]), st.sampled_from(["80", "", "http"])),
)
HOSTS = st.one_of(st.text(max_size=6), st.sampled_from(["h", "*.h", "", "a.h", "[::1]", "h:80"]))
RULES = st.lists(st.builds(Rule, HOSTS, st.lists(PATHS, max_size=3).map(tuple)), max_size=3).map(tuple)
INGRESSES = st.builds(
    Ingress,
    st.just("shop"),
    st.text("abc", min_size=1, max_size=2),
    st.floats(0, 9),
    st.just(""),
    ANNOTATIONS,
    RULES,
    st.none() | st.just(Backend("d", "80")),
    st.lists(
        st.builds(Tls, st.lists(HOSTS, max_size=2).map(tuple), st.sampled_from(["", "cert", "lost"])),
        max_size=1,
    ).map(tuple),
)
SECRETS = {"shop/name": Secret("shop", "name", "Opaque", {"auth": b"\xff:\xff\n:", "ca.crt": b""})}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(INGRESSES, max_size=4),
    st.sampled_from(["h", "a.h", "x"]),
    st.sampled_from(["/", "/a", "/ab?x=1"]),
)
def test_nothing_breaks(given_ingresses: list[Ingress], host: str, target: str) -> None:
    output = compile.table(compile.Input(given_ingresses, secrets=SECRETS), compile.Settings())
    asked = ingresses.request(host, target, ("Cookie", "a=b; INGRESSCOOKIE=x.y"), ("X", "always"))
    asked.client = "10.0.0.1"
    try:
        made = decide.decide(output.table, asked, 0.5)
    except normal.Rejected:
        return
    assert made.status or made.pool in output.wanted or not made.pool
    assert b"\r" not in b"".join(b"".join(each) for each in made.fields)
    assert explain(output.table, asked, lambda key: None, 0.5).steps
