"""Two replicas without a state directory in common, as `deploy/kustomize/shared-keys` has them: a client may
ask either at any time."""

import subprocess
from pathlib import Path

import dns.dnssec
import dns.edns
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rrset
import yaml

from tests.bench import serving
from tests.scenarios import world

EXAMPLE = serving.ROOT / "deploy" / "kustomize" / "shared-keys" / "fedns.yaml"
APEX = dns.name.from_text("example.com")
CLIENT = b"12345678"


def replica(root: Path, key: Path) -> world.World:
    """A world whose `dns:` is the example's, with the key where it is on this machine."""
    root.mkdir()
    place = world.World(root)
    told = yaml.safe_load(place.config.read_text())
    shared = yaml.safe_load(EXAMPLE.read_text())["dns"]
    shared["dnssec"]["files"][0]["file"] = str(key)
    shared["cookies"]["required"] = True
    told["dns"] = {**shared, "listen": told["dns"]["listen"]}
    place.put("fedns.yaml", yaml.safe_dump(told))
    return place


def ask(served: world.Served, name: str, rtype: str, cookie: bytes) -> dns.message.Message:
    option = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, cookie)
    query = dns.message.make_query(name, rtype, use_edns=0, want_dnssec=True, options=[option])
    return dns.query.udp(query, "127.0.0.1", timeout=2.0, port=served.port)


def handed(reply: dns.message.Message) -> bytes:
    """The client's part and the server's, as a client sends them from then on."""
    (option,) = (one for one in reply.options if one.otype == dns.edns.OptionType.COOKIE)
    return bytes(option.to_wire() or b"")


def validates(reply: dns.message.Message, keys: dns.rrset.RRset) -> None:
    """Fails unless the answer is signed with one of these keys."""
    data, signatures = reply.answer
    dns.dnssec.validate(data, signatures, {APEX: keys})


def test_a_client_may_go_from_one_to_the_other(tmp_path: Path) -> None:
    key = tmp_path / "example.com.pem"
    made = subprocess.run([*world.FEDNS, "key", "generate", "--out", str(key)], timeout=world.LONG)
    assert made.returncode == 0
    with (
        world.settled(replica(tmp_path / "a", key)) as one,
        world.settled(replica(tmp_path / "b", key)) as other,
    ):
        first = ask(one, "example.com", "DNSKEY", CLIENT)
        assert first.rcode() == dns.rcode.BADCOOKIE
        given = handed(first)
        replies = [ask(served, "example.com", "DNSKEY", given) for served in (one, other)]
        keys, others = (reply.answer[0] for reply in replies)
        assert keys == others and len(keys) == 1
        for reply in replies:
            validates(reply, keys)
        assert not one.problems() and not other.problems()
        for served in (one, other):
            validates(ask(served, world.GLOBAL, "A", given), keys)
        strange = CLIENT + bytes(len(given) - len(CLIENT))
        assert ask(other, "example.com", "DNSKEY", strange).rcode() == dns.rcode.BADCOOKIE
