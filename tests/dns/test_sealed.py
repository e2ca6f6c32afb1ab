"""Kept signed answers: the same as composed ones, until the table changes."""

import dns.message
import dns.rdatatype
import pytest

from fedns.dns import answers, client, node, resolve, respond, signing, wire
from tests.conformance import probes, worlds
from tests.fakes import signed

_TEXT = (
    "$ORIGIN example.com.\n$TTL 300\n@ SOA ns1 hostmaster {} 2 3 4 60\n@ NS ns1\nns1 A 192.0.2.1\n"
    "www A {}\nwww A 192.0.2.8\nwww A 192.0.2.9\n"
)
_KEYS = signed.zone("example.com.")
_DO = probes.opt(flags=0x8000)
_WWW = "www.example.com."


def _view(serial: int = 1, address: str = "192.0.2.7") -> worlds.View:
    return worlds.view({"example.com.": _TEXT.format(serial, address)})


def _asker(now: int = signed.NOW) -> client.Client:
    host = client.Host(client.Server())
    host.renew(client.Server(), now, signing.encode([_KEYS]))
    return client.Client(host)


def _made(asker: client.Client) -> int:
    return sum(signer.made for signer in asker.host.signers.values())


def _ask(
    view: worlds.View, asker: client.Client, rtype: int = wire.A, ident: int = 0, size: int = 1232
) -> bytes:
    query = ident.to_bytes(2, "big") + probes.query(_WWW, rtype, probes.opt(size, flags=0x8000))[2:]
    reply = respond.respond(view, query, 4096, asker)
    assert reply is not None
    return reply


def _shape(reply: bytes) -> tuple[object, ...]:
    read = dns.message.from_wire(reply)
    return read.flags, read.ednsflags, read.rcode(), read.answer, read.authority, read.additional


@pytest.mark.parametrize("rtype", [wire.A, wire.AAAA])
def test_a_kept_answer_is_the_composed_one(rtype: int) -> None:
    view, asker = _view(), _asker()
    first, second = (_ask(view, asker, rtype) for _ in range(2))
    composed = resolve.resolve(view, b"\0\0" + probes.query(_WWW, rtype, _DO)[2:], 4096, asker)
    assert first == second and composed is not None and _shape(first) == _shape(composed)


def test_a_signature_is_made_once_for_all_orders() -> None:
    view, asker = _view(), _asker()
    replies = [dns.message.from_wire(_ask(view, asker, ident=number)) for number in range(6)]
    firsts = [reply.answer[0][0].to_text() for reply in replies]
    assert sorted(set(firsts)) == ["192.0.2.7", "192.0.2.8", "192.0.2.9"] and _made(asker) == 1
    for reply in replies:
        dns.dnssec.validate(reply.answer[0], reply.answer[1], signed.keys(_KEYS), now=signed.NOW)


def test_another_entry_is_another_answer() -> None:
    asker = _asker()
    _ask(_view(), asker)
    reply = dns.message.from_wire(_ask(_view(address="192.0.2.99"), asker))
    assert "192.0.2.99" in {rdata.to_text() for rdata in reply.answer[0]}
    dns.dnssec.validate(reply.answer[0], reply.answer[1], signed.keys(_KEYS), now=signed.NOW)


def test_a_denial_follows_the_serial() -> None:
    asker = _asker()
    serials = [
        dns.message.from_wire(_ask(_view(serial), asker, wire.AAAA)).authority[0][0].serial
        for serial in (1, 1, 2)
    ]
    assert serials == [1, 1, 2]


def test_a_kept_answer_ends_before_its_signatures_do() -> None:
    view, asker = _view(), _asker()
    _ask(view, asker)
    asker.host.renew(client.Server(), signed.NOW + _KEYS.validity * 6 // 10, signing.encode([_KEYS]))
    _ask(view, asker)
    assert _made(asker) == 2


def test_other_keys_mean_other_answers() -> None:
    view, asker = _view(), _asker()
    _ask(view, asker)
    other = signed.zone("example.com.")
    asker.host.renew(client.Server(), signed.NOW, signing.encode([other]))
    reply = dns.message.from_wire(_ask(view, asker))
    dns.dnssec.validate(reply.answer[0], reply.answer[1], signed.keys(other), now=signed.NOW)


def test_key_sets_signed_anew_leave_the_answers() -> None:
    view, asker = _view(), _asker()
    first = _ask(view, asker)
    later = _KEYS._replace(rrsets=_KEYS.rrsets[:1])
    asker.host.renew(client.Server(), signed.NOW + 1, signing.encode([later]))
    assert _ask(view, asker) == first and _made(asker) == 1
    assert asker.host.signers[_KEYS.apex].zone == later


def test_what_does_not_fit_is_truncated() -> None:
    text = _TEXT.format(1, "192.0.2.7") + "".join(f"www A 192.0.2.{each}\n" for each in range(20, 60))
    view, asker = worlds.view({"example.com.": text}), _asker()
    for _ in range(2):
        assert dns.message.from_wire(_ask(view, asker, size=512)).flags & wire.TC
        assert not dns.message.from_wire(_ask(view, asker, size=4096)).flags & wire.TC


def test_shares_are_signed_each() -> None:
    key = b"\x03www\x07example\x03com\0"
    turns = [(1, [b"\xc0\0\2\1"]), (1, [b"\xc0\0\2\2"])]
    slot = answers.weighted(key, (), wire.A, 30, turns)
    both = node.RRset(wire.A, 30, (b"\xc0\0\2\1", b"\xc0\0\2\2"))
    view = _view() | {key: node.encode(node.Node(0, 0, (both,), {wire.A: slot}))}
    asker = _asker()
    for number in range(4):
        reply = dns.message.from_wire(_ask(view, asker, ident=number))
        assert len(reply.answer[0]) == 1
        dns.dnssec.validate(reply.answer[0], reply.answer[1], signed.keys(_KEYS), now=signed.NOW)
    assert _made(asker) == 2


def _of(owner: str, asker: client.Client, do: bool = True) -> dns.message.Message:
    tail = probes.opt(flags=0x8000 if do else 0)
    reply = respond.respond(_view(), probes.query(owner, wire.A, tail), 1232, asker)
    assert reply is not None
    return dns.message.from_wire(reply)


def test_a_missing_name_is_denied_as_the_slow_path_does() -> None:
    asker = _asker()
    query = probes.query("No.www.example.com.", wire.A, _DO)
    quick, slow = (way(_view(), query, 1232, asker) for way in (respond.respond, resolve.resolve))
    assert quick is not None and slow is not None
    read, wanted = dns.message.from_wire(quick), dns.message.from_wire(slow)
    assert read.flags == wanted.flags and read.rcode() == wanted.rcode() and not read.answer
    plain = [each for each in read.authority if each.rdtype != dns.rdatatype.RRSIG]
    assert plain == [each for each in wanted.authority if each.rdtype != dns.rdatatype.RRSIG]
    for rrset in plain:
        over = next(each for each in read.authority if each.covers == rrset.rdtype)
        dns.dnssec.validate(rrset, over, signed.keys(_KEYS), now=signed.NOW)


def test_a_missing_name_leaves_nothing_behind() -> None:
    asker = _asker()
    for number in range(50):
        _of(f"x{number}.example.com.", asker)
    assert _made(asker) == 51 and len(asker.host.ready) == 0


def test_a_zone_beside_the_signed_one_is_answered_as_ever() -> None:
    host = client.Host(client.Server())
    host.renew(client.Server(), signed.NOW, signing.encode([signed.zone("other.example.")]))
    for owner in (_WWW, "no.example.com.", "no.www.example.com."):
        assert _of(owner, client.Client(host)) == _of(owner, client.NOBODY)
