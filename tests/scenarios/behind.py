"""fedns behind other people's DNS: a root on NSD, the company's `acme.com` on BIND, unbound as the resolver.

Law: what BIND and fedns are configured with stands in docs/behind.md and is taken from there. Ports and
addresses are the page's, so all of it runs in a network namespace of its own: `unshare -rn python -m`.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.message
import dns.query
import dns.rcode

from tests.conformance import peers
from tests.fakes import resolver
from tests.scenarios import world

PAGE = Path(__file__).resolve().parents[2] / "docs" / "behind.md"
FEDNS, PARENT, ROOT, RESOLVER = ("192.0.2.53", "198.51.100.53"), "192.0.2.10", "198.41.0.4", "127.0.0.1"
DOMAIN = "fed.acme.com"
SERVICE = f"{world.SERVICE}.{DOMAIN}"
EUROPE = f"{world.SERVICE}.europe-west1.{DOMAIN}"
ALL = world.records(world.SERVING)
_ROOT = f"""$TTL 3600
. SOA a.root. nobody. 1 3600 900 604800 300
. NS a.root.
a.root. A {ROOT}
acme.com. NS ns1.acme.com.
ns1.acme.com. A {PARENT}
"""
_ACME = f"""$ORIGIN acme.com.
$TTL 3600
@ SOA ns1 hostmaster 1 3600 900 604800 300
@ NS ns1
ns1 A {PARENT}
"""
# so short that a change is seen while the test runs
_TTL = ("ttl: {min: 180s, max: 180s}", "ttl: {min: 1s, max: 1s}")


def told(language: str) -> list[str]:
    """The page's blocks of that kind."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@contextmanager
def laid(zone: Sequence[str], fedns: str, port: int, named: str = "") -> Iterator[world.Served]:
    """All of it. `zone`: lines for acme.com; `fedns`, `named`: for their configurations."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _addresses()
        above = home / "above"
        above.mkdir()
        nsd = next(each for each in peers.PEERS if each.name == "NSD")
        stack.enter_context(peers.serving(nsd, _path("nsd"), above, {".": _ROOT}, ((ROOT,), 53)))
        served = stack.enter_context(world.serve(_place(home / "ours", fedns, port)))
        for _ in range(world.PORTS):  # every worker: BIND waits long after one that knows nothing yet
            shows(SERVICE, ALL, host=FEDNS[0], port=port)
        stack.enter_context(_running(_bind(home / "bind", "".join((_ACME, *zone)), named)))
        hints = home / "hints"
        hints.write_text(f". 3600 NS a.root.\na.root. 3600 A {ROOT}\n")
        options = ('module-config: "iterator"', "do-ip6: no", f'root-hints: "{hints}"')
        stack.enter_context(resolver.resolving(_path("unbound"), home / "unbound", options, port=53))
        shows(SERVICE, ALL)
        yield served


def ask(name: str, rtype: str = "A", host: str = RESOLVER, port: int = 53) -> dns.message.Message:
    query = dns.message.make_query(name, rtype, use_edns=0)
    return dns.query.udp_with_fallback(query, host, timeout=3, port=port)[0]


def shows(name: str, expected: tuple[str, ...], host: str = RESOLVER, port: int = 53) -> None:
    """Waits until a server, else the resolver, says so."""
    last: tuple[str, ...] = ()

    def says() -> bool:
        nonlocal last
        try:
            last = world.answer(ask(name, host=host, port=port))
        except (OSError, dns.exception.DNSException) as error:
            last = (repr(error),)
        return last == expected

    try:
        world.until(says, name)
    except AssertionError:
        raise AssertionError(f"{name}: {last} is not {expected}") from None


def resolves_whole_federation() -> None:
    """Every level, other types, and names that are not there."""
    for place, address in world.ADDRESSES.items():
        if place != "europe-west1-b":
            shows(f"{world.SERVICE}.{place}.{DOMAIN}", world.records([address]))
    shows(EUROPE, world.records(world.SERVING, SERVICE))
    assert len(ask(f"_http._tcp.{SERVICE}", "SRV").answer) == 1
    missing = ask(SERVICE, "AAAA")
    assert (missing.rcode(), missing.answer) == (dns.rcode.NOERROR, [])
    assert ask(f"no.such.{DOMAIN}").rcode() == dns.rcode.NXDOMAIN


def follows_health(served: world.Served) -> None:
    """Europe comes, and goes again."""
    place, address = "europe-west1-b", world.ADDRESSES["europe-west1-b"]
    served.world.write(place, [address])
    shows(EUROPE, world.records([address]))
    served.world.write(place, [address], ready=False)
    shows(EUROPE, world.records(world.SERVING, SERVICE))


def delegation() -> None:
    with laid(told("zone")[:1], told("yaml")[0], 53) as served:
        resolves_whole_federation()
        follows_health(served)
        referral = ask(SERVICE, host=PARENT)
        assert not referral.answer and len(referral.authority[0]) == len(FEDNS) == len(referral.additional)


def alias() -> None:
    with laid(told("zone"), told("yaml")[0], 53) as served:
        shows("shop.acme.com", world.records(world.SERVING, SERVICE))
        shows("eu.shop.acme.com", world.records(world.SERVING, EUROPE, SERVICE))
        tree = ask("nginx.mynamespace.apps.acme.com")
        assert [rrset.rdtype.name for rrset in tree.answer] == ["DNAME", "CNAME", "A"]
        follows_health(served)


def hidden() -> None:
    with laid(told("hidden"), told("yaml")[1], 5300, told("named")[0]) as served:
        resolves_whole_federation()
        follows_health(served)
        served.process.terminate()
        served.process.wait(world.LONG)
        assert world.answer(ask(SERVICE, host=PARENT)) == ALL
        shows(SERVICE, ALL)


def _addresses() -> None:
    ip = _path("ip")
    subprocess.run([ip, "link", "set", "lo", "up"], check=True)
    for address in (*FEDNS, PARENT, ROOT):
        subprocess.run([ip, "address", "add", address, "dev", "lo"], check=True)


def _place(root: Path, ours: str, port: int) -> world.World:
    root.mkdir()
    place = world.World(root)
    text = re.sub(r"^(domain|nameservers):.*\n", "", place.config.read_text(), flags=re.MULTILINE)
    listen = ", ".join(f'"{each}:{port}"' for each in FEDNS)
    place.put("fedns.yaml", text.replace('"127.0.0.1:0"', listen) + ours)
    place.put("fleet/nginx.yaml", world.POLICY.replace(*_TTL))
    (root / "zones/acme.com.zone").unlink()
    return place


def _bind(home: Path, zone: str, more: str) -> list[str]:
    home.mkdir()
    (home / "acme.com").write_text(zone)
    listen = f"listen-on {{ {PARENT}; }}; listen-on-v6 {{ none; }};"
    text = peers.BIND.format(listen=listen, home=home) + more
    (home / "named.conf").write_text(text + 'zone "acme.com" { type primary; file "acme.com"; };\n')
    return [_path("named"), "-g", "-c", str(home / "named.conf")]


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command, stderr=subprocess.STDOUT, stdout=sys.stderr)
    try:
        yield
    finally:
        process.terminate()
        process.wait(world.LONG)


def _path(program: str) -> str:
    return shutil.which(program) or program


WAYS = {"delegation": delegation, "alias": alias, "hidden": hidden}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
