"""The configuration: what is good is typed and absolute, what is bad is named with its line."""

import os
import pathlib

import pytest

from fedns import config, replicas
from fedns.dns import permit, rate
from fedns.model import policy

GOOD = """\
federation: myfederation
domain: Example.COM.
nameservers: {ns1.example.com: [127.0.0.1]}
state: ./state
zones: [zones/]
fleet: {manifests: fleet/}
members:
  - name: gce-us-central1
    region: us-central1
    zones: [us-central1-a]
    labels: {tier: prod}
    manifests: members/gce-us-central1/
    clients: [10.64.0.0/14]
places: [{prefix: 198.51.100.0/24, region: europe-west1}]
dns: {listen: ["127.0.0.1:5300", "[::1]:5300"], workers: 2, ttl: {min: 5, max: 30s}}
gateway: {listen: ["127.0.0.1:8080"], workers: 2}
admin: {listen: "127.0.0.1:9053"}
health: {interval: 5s, timeout: 500ms, fall: 3, rise: 5, on_all_unhealthy: closed}
tombstone: 1h30m
"""


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    for folder in ("zones", "fleet", "members/gce-us-central1"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "fedns.yaml").write_text(GOOD)
    return tmp_path


def complaints(text: str) -> list[str]:
    return [str(problem) for problem in config.parse(text.encode()).problems]


def test_the_documented_file_is_read_whole(home: pathlib.Path) -> None:
    loaded = config.load(str(home / "fedns.yaml"))
    assert loaded.problems == ()
    assert loaded.config is not None
    assert loaded.config.domain == "example.com"
    assert loaded.config.dns.listen == (("127.0.0.1", 5300), ("::1", 5300))
    assert loaded.config.health.timeout == 0.5
    assert loaded.config.tombstone == 5400
    assert loaded.config.state == str(home / "state")
    assert loaded.config.members[0].manifests == str(home / "members/gce-us-central1")


def test_paths_are_relative_to_the_file_not_to_the_caller(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    loaded = config.load(os.path.relpath(home / "fedns.yaml"))
    assert loaded.config is not None
    assert loaded.config.zones == (str(home / "zones"),)


def test_tls_needs_its_files(home: pathlib.Path) -> None:
    assert (
        "without a certificate"
        in complaints('{federation: f, domain: d, dns: {tls: {listen: ["[::1]:853"]}}}')[0]
    )
    tls = "tls: {listen: ['[::1]:853'], certificate: a.pem, key: b.pem}"
    (home / "fedns.yaml").write_text(GOOD.replace("workers: 2, ttl", f"workers: 2, {tls}, ttl"))
    (home / "a.pem").touch()
    loaded = config.load(str(home / "fedns.yaml"))
    assert loaded.config is not None and loaded.config.dns.tls.certificate == str(home / "a.pem")
    assert [problem.what for problem in loaded.problems] == ["'b.pem' is no file"]


def test_defaults_are_those_of_the_health_law() -> None:
    loaded = config.parse(b"{federation: f, domain: example.com}")
    assert loaded.config is not None
    assert config.probe(loaded.config) == policy.ProbeSpec(interval=5, timeout=2, fall=3, rise=5)
    assert config.defaults(loaded.config) == policy.TrafficPolicy()
    assert str(loaded.config.admin.listen) == config.ADMIN
    assert loaded.config.state == os.path.abspath("state")


def test_what_limits_are_where_the_file_says_nothing_is_said_once() -> None:
    loaded = config.parse(b"{federation: f, domain: example.com}")
    assert loaded.config is not None
    assert config.server(loaded.config).limits == rate.Limits()


def test_the_policy_of_the_file_reaches_every_service(home: pathlib.Path) -> None:
    loaded = config.load(str(home / "fedns.yaml"))
    assert loaded.config is not None
    assert config.defaults(loaded.config).on_all_unhealthy == "closed"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("federation:", "fedaration:", 1, "unknown key 'fedaration' (did you mean 'federation'?)"),
        ("domain: Example.COM.", "domain: -x", 2, "'-x' is not a domain name"),
        ("[127.0.0.1]}\nstate", "[localhost]}\nstate", 3, "'localhost' is not an IP address"),
        ("{ns1.example.com: [127.0.0.1]}", "{ns1.example.com: []}", 3, "has no address (add one: glue)"),
        ("zones: [zones/]", "zones: zones/", 5, "must be a list"),
        ("name: gce-us-central1", "name: null", 8, "must be one value"),
        ("region: us-central1", "region: US", 9, "'US' is not a DNS label"),
        ("    manifests: members/gce-us-central1/\n", "", 8, "has no source"),
        ("    clients:", "    client:", 13, "did you mean 'clients'?"),
        ("10.64.0.0/14", "10.64.0.1/14", 13, "has host bits set"),
        ("workers: 2, ttl", "workers: 0, ttl", 15, "not a number from 1 to 1024"),
        ("{min: 5, max: 30s}", "{min: 50, max: 30s}", 15, "ttl.min 50 is above ttl.max 30"),
        ("max: 30s", "max: 8d", 15, "'8d' is not a TTL"),
        ('"127.0.0.1:9053"', "localhost", 17, "'localhost' is not ADDRESS:PORT"),
        ("on_all_unhealthy: closed", "on_all_unhealthy: close", 18, "did you mean 'closed'?"),
        ("timeout: 500ms", "timeout: 6s", 18, "health.timeout is longer than health.interval"),
        ("interval: 5s", "interval: 5sec", 18, "'5sec' is not a duration"),
        ("tombstone: 1h30m", "tombstone: [1h", 20, "not YAML"),
        ("workers: 2, ttl", "cookies: {secret: [abc]}, ttl", 15, "32 hexadecimal digits"),
        ("workers: 2, ttl", "rate_limit: {answers: -1}, ttl", 15, "replies per second (0 is no limit)"),
        ("workers: 2, ttl", "rate_limit: {slip: 11}, ttl", 15, "'11' is not a number from 0 to 10"),
        ("workers: 2, ttl", "rate_limit: {prefix4: 33}, ttl", 15, "not a prefix length from 1 to 32"),
        ("workers: 2, ttl", "rate_limit: {prefix6: 0}, ttl", 15, "not a prefix length from 1 to 64"),
        ("workers: 2, ttl", "rate_limit: {nxdomains: 5}, ttl", 15, "did you mean 'nxdomain'?"),
        ("tombstone: 1h30m", "state: x", 19, "'state' is written twice"),
    ],
)
def test_each_mistake_is_named_with_its_line(
    home: pathlib.Path, old: str, new: str, line: int, said: str
) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD
    (home / "fedns.yaml").write_text(text)
    loaded = config.load(str(home / "fedns.yaml"))
    assert loaded.config is None
    assert [str(one) for one in loaded.problems if said in str(one)], loaded.problems
    assert f"{home / 'fedns.yaml'}:{line}" in {one.where for one in loaded.problems if said in str(one)}


def test_all_mistakes_are_found_in_one_run() -> None:
    found = complaints("federation: F\ndomain: example.com\ndns: {workers: x}\nhealth: {fall: 0}\n")
    assert [one.split(" ")[0] for one in found] == ["fedns.yaml:1:", "fedns.yaml:3:", "fedns.yaml:4:"]


def test_an_unreachable_directory_is_a_problem_but_the_configuration_stands(home: pathlib.Path) -> None:
    (home / "members/gce-us-central1").rmdir()
    loaded = config.load(str(home / "fedns.yaml"))
    assert loaded.config is not None, "a restart without sources must serve from the persisted tables"
    assert ["does not exist" in one.what for one in loaded.problems] == [True]
    assert loaded.problems[0].where.endswith("fedns.yaml:12")


def test_two_members_of_one_name_are_a_problem() -> None:
    found = complaints(
        "federation: f\ndomain: example.com\nmembers:\n- {name: a, manifests: .}\n- {name: a, manifests: .}\n"
    )
    assert found[0].startswith("fedns.yaml:5: member 'a' is written twice")


@pytest.mark.parametrize(
    "data",
    [b"", b"- a", b"a", b"[" * 5000, b"\xff\xfe\x00", b"a: &a [*a]", b"? {a: b}\n: c",
     b"!!python/object:x {}",
     b"federation: *nothing", b"members: [[[]]]", b"dns: 1\nhealth: []", b"{federation: {}, domain: []}",
     b"tombstone: 1e999", b"dns: {workers: 99999999999999999999999999}",
     b"x" * (config.schema.MAX_BYTES + 1)],
)  # fmt: skip
def test_no_bytes_make_it_raise(data: bytes) -> None:
    loaded = config.parse(data)
    assert loaded.config is None
    assert loaded.problems


def test_a_missing_file_is_a_problem(tmp_path: pathlib.Path) -> None:
    loaded = config.load(str(tmp_path / "fedns.yaml"))
    assert loaded.config is None
    assert "cannot be read" in loaded.problems[0].what


KEYED = (
    GOOD
    + """\
transfer:
  keys: [{name: k1, secret: MDEyMzQ1Njc4OWFiY2RlZg==}]
  allow: [192.0.2.0/24 key k1, key k1]
  notify: ["192.0.2.1:53 key k1"]
  catalog: c.invalid
"""
)


def test_keys_and_who_may_copy(home: pathlib.Path) -> None:
    (home / "fedns.yaml").write_text(KEYED)
    loaded = config.load(str(home / "fedns.yaml"))
    assert loaded.problems == () and loaded.config is not None
    copies = loaded.config.transfer
    assert copies.notify == (("192.0.2.1", 53, "k1"),)
    assert permit.rules({permit.RULES: replicas.rules(copies)}).allow(b"\x01\x02\x03\x04", b"\x02k1\0")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("[192.0.2.0/24 key k1, ", "[192.0.2.1/24, ", "host bits"),
        ("[192.0.2.0/24 key k1, ", "[192.0.2.0/24 key k2, ", "there is no key 'k2'"),
        ("192.0.2.1:53 key", "192.0.2.1 key", "is not ADDRESS:PORT"),
        ("secret: MDEyMzQ1Njc4OWFiY2RlZg==", "secret: MDEyMw==", "shorter than 16"),
        ("secret: MDEyMzQ1Njc4OWFiY2RlZg==", "secret: '!'", "is not base64"),
        (", secret: MDEyMzQ1Njc4OWFiY2RlZg==", "", "needs `secret` or `secret_file`"),
        ("catalog: c.invalid", "catalog: example.com", "a name of its own"),
    ],
)
def test_what_is_wrong_with_copies(old: str, new: str, what: str) -> None:
    assert any(what in each for each in complaints(KEYED.replace(old, new)))


def test_a_secret_in_a_file_that_is_away_is_told(home: pathlib.Path) -> None:
    text = KEYED.replace("secret: MDEyMzQ1Njc4OWFiY2RlZg==", "secret_file: k1.secret")
    (home / "fedns.yaml").write_text(text)
    loaded = config.load(str(home / "fedns.yaml"))
    assert loaded.config is not None and "cannot be read" in str(loaded.problems)
    (home / "k1.secret").write_text("MDEyMzQ1Njc4OWFiY2RlZg==\n")
    assert config.load(str(home / "fedns.yaml")).problems == ()


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ("{enabled: false, write: true}", "clusterset.write without the cluster set"),
        ("{slices: true}", "clusterset.slices without clusterset.write"),
    ],
)
def test_imports_are_written_of_a_cluster_set_that_is_read(told: str, word: str) -> None:
    text = "federation: f\ndomain: example.com\nnameservers: {ns1.example.com: [192.0.2.53]}\n"
    assert word in str(config.parse(f"{text}clusterset: {told}\n".encode()).problems)
    found = config.parse(f"{text}clusterset: {{write: true}}\n".encode()).config
    assert found and found.clusterset.serves and not found.clusterset.slices
