"""Names of the configuration: what cannot be one is refused with its line."""

import pytest

from fedns import config

HEAD = "federation: f\ndomain: example.com\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aliases: {example.com: web.default.f.svc.example.com, '*.a.example.com': B.example.NET.}", []),
        ("aliases: {'bad..name': x.org}", ["'bad..name' is not a domain name"]),
        ("aliases: {example.com: 'no name'}", ["'no name' is not a domain name"]),
        ("aliases: {a.org: b.org, A.org.: c.org}", ["alias 'a.org' is written twice"]),
        ("aliases: {a.org: b.org, b.org: a.org, c.org: a.org}", ["alias 'a.org' leads back to itself"]),
        ("nameservers: {ns1.example.com: []}", ["name server 'ns1.example.com' is inside"]),
    ],
)
def test_names(text: str, said: list[str]) -> None:
    loaded = config.parse((HEAD + text).encode())
    assert (loaded.config is None) == bool(said)
    told = [f"{each.where} {each.what}" for each in loaded.problems]
    assert [any(part in each for each in told) for part in said] == [True] * len(said), told
    assert all(":3 " in each for each in told)
