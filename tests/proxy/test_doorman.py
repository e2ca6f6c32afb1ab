"""TLS to clients and to backends, and PROXY headers, over real sockets."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedns.gateway import options, route
from fedns.gateway.options import Tls, Upstream
from fedns.gateway.route import Certificate
from fedns.gateway.terms import Terms
from fedns.proxy import hello
from fedns.servers import tally
from tests.proxy import authorities, backends, gateways, streams
from tests.proxy.gateways import Client, Gateway
from tests.servers import running

CA, OTHER = authorities.make(), authorities.make("Other")
SHOP, WILD, DEFAULT = (
    CA.issue(name, name) for name in ("shop.example.com", "*.example.net", "default.invalid")
)
CLIENT, STRANGER = CA.issue("alice"), OTHER.issue("mallory")
CERTIFICATES = {
    b"ns/shop": SHOP,
    b"ns/wild": WILD,
    b"": DEFAULT,
    b"ns/clients": Certificate(authorities=CA.pem),
}
ASKED = {
    b"shop.example.com": Tls(b"ns/shop"),
    b"*.example.net": Tls(b"ns/wild"),
    b"old.example.com": Tls(b"ns/shop", most="1.2"),
    b"new.example.com": Tls(b"ns/shop", least="1.3"),
    b"private.example.com": Tls(
        b"ns/shop", clients=b"ns/clients", verify="on", subject=b"CN=(alice|bob)$", forward=True
    ),
    b"maybe.example.com": Tls(b"ns/shop", clients=b"ns/clients", verify="optional"),
}


def _routes() -> route.Table:
    anything = route.Location(b"ns/all */", b"/", gateways.POOL)
    return route.Table(default=anything, tls=ASKED)


def _certify(gateway: Gateway, certificates: dict[bytes, Certificate]) -> None:
    entries = {route.CERTIFICATE + name: route.encode(each) for name, each in certificates.items()}
    gateway.writer.publish({"gateway": entries}, time.time())


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("doorman")
    with gateways.running(state, Terms(head_time=1.0), secure=True) as made:
        _certify(made, CERTIFICATES)
        made.publish(_routes())
        yield made


@contextmanager
def _client(
    gateway: Gateway, name: str | None, mine: Certificate | None = None, most: ssl.TLSVersion | None = None
) -> Iterator[Client]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=CA.pem.decode())
    if most is not None:
        context.maximum_version = most
    if mine is not None:
        authorities.load(context, mine)
    with (
        socket.create_connection(("127.0.0.1", gateway.port), backends.LONG) as plain,
        context.wrap_socket(plain, server_hostname=name) as sock,
    ):
        yield Client(sock, bytearray())


def _common(client: Client) -> str:
    assert isinstance(client.sock, ssl.SSLSocket)
    told = client.sock.getpeercert() or {}
    return str(dict(pair for group in told["subject"] for pair in group)["commonName"])


def _silent(client: Client) -> bool:
    """Whether the connection is ended without a word."""
    try:
        return client.rest() == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("shop.example.com", "shop.example.com"),
        ("SHOP.example.com", "shop.example.com"),
        ("a.example.net", "*.example.net"),
        ("a.b.example.net", "default.invalid"),
        ("nobody.example.org", "default.invalid"),
        (None, "default.invalid"),
    ],
)
def test_the_name_asked_for_chooses_the_certificate(gateway: Gateway, name: str | None, shown: str) -> None:
    with backends.running("one") as (one,), _client(gateway, name) as client:
        gateway.publish(_routes(), shop=gateways.pool([one]))
        assert _common(client) == shown
        for _ in range(2):
            assert client.get().body == b"one"
        got = one.messages[0]
        assert got.value(b"x-forwarded-proto") == b"https"
        assert got.value(b"x-forwarded-port") == str(gateway.port).encode()


def test_http_2_is_agreed_on_in_the_handshake(gateway: Gateway) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=CA.pem.decode())
    context.set_alpn_protocols(["h2", "http/1.1"])
    with backends.running("one") as (one,), streams.client(gateway.port, context) as client:
        gateway.publish(_routes(), shop=gateways.pool([one]))
        number = client.ask()
        asked = client.ask([*streams.POST, (b"content-length", b"3")], b"abc")
        assert client.answer(number).body == client.answer(asked).body == b"one"
        assert {each.value(b"x-forwarded-proto") for each in one.messages} == {b"https"}


def test_versions_are_those_of_the_host(gateway: Gateway) -> None:
    with _client(gateway, "old.example.com") as client:
        assert isinstance(client.sock, ssl.SSLSocket) and client.sock.version() == "TLSv1.2"
    with _client(gateway, "shop.example.com") as client:
        assert isinstance(client.sock, ssl.SSLSocket) and client.sock.version() == "TLSv1.3"


def test_a_certificate_is_taken_up_and_whoever_is_connected_goes_on(gateway: Gateway) -> None:
    with backends.running("one") as (one,), _client(gateway, "shop.example.com") as client:
        gateway.publish(_routes(), shop=gateways.pool([one]))
        for fresh in (CA.issue("fresh", "shop.example.com"), SHOP):
            _certify(gateway, {b"ns/shop": fresh})
            with _client(gateway, "shop.example.com") as other:
                assert _common(other) == ("fresh" if fresh is not SHOP else "shop.example.com")
            assert client.get().body == b"one"


def test_a_certificate_that_is_none_leaves_the_default_one(gateway: Gateway) -> None:
    _certify(gateway, {b"ns/shop": Certificate(b"nonsense", b"nonsense")})
    with _client(gateway, "shop.example.com") as client:
        assert _common(client) == "default.invalid"
    _certify(gateway, {b"ns/shop": SHOP})


def test_certificates_of_clients(gateway: Gateway) -> None:
    asked = b"GET / HTTP/1.1\r\nHost: private.example.com\r\nSsl-Client-Verify: SUCCESS\r\n\r\n"
    with backends.running("one") as (one,):
        gateway.publish(_routes(), shop=gateways.pool([one]))
        with _client(gateway, "private.example.com", CLIENT) as client:
            client.send(asked)
            assert client.message().body == b"one"
            got = one.messages[-1]
            assert got.values(b"ssl-client-verify") == [b"SUCCESS"]
            assert got.value(b"ssl-client-subject-dn") == b"CN=alice"
            assert (got.value(b"ssl-client-cert") or b"").startswith(b"-----BEGIN%20CERTIFICATE-----%0A")
        with _client(gateway, "private.example.com") as client:
            client.send(asked)
            assert client.message().line == b"HTTP/1.1 400 Bad Request"
        with _client(gateway, "private.example.com", CA.issue("eve")) as client:
            client.send(asked)
            assert client.message().line == b"HTTP/1.1 403 Forbidden"
        refused = pytest.raises((ssl.SSLError, ConnectionError, EOFError))
        with refused, _client(gateway, "private.example.com", STRANGER) as client:
            client.send(asked)
            client.message()
        with _client(gateway, "maybe.example.com") as client:
            client.send(asked.replace(b"private", b"maybe"))
            assert client.message().body == b"one"
            assert one.messages[-1].values(b"ssl-client-verify") == [b"NONE"]
        assert len(one.messages) == 2


def test_authorities_of_clients_that_are_replaced_count_no_more(tmp_path: Path) -> None:
    asked = b"GET / HTTP/1.1\r\nHost: private.example.com\r\n\r\n"
    others = OTHER.issue("bob")
    with gateways.running(tmp_path, secure=True) as made, backends.running("one") as (one,):
        _certify(made, CERTIFICATES)
        made.publish(_routes(), shop=gateways.pool([one]))
        for authority, good, bad in ((CA, CLIENT, others), (OTHER, others, CLIENT)):
            _certify(made, {b"ns/clients": Certificate(authorities=authority.pem)})
            with _client(made, "private.example.com", good) as client:
                client.send(asked)
                assert client.message().body == b"one"
            refused = pytest.raises((ssl.SSLError, ConnectionError, EOFError))
            with refused, _client(made, "private.example.com", bad) as client:
                client.send(asked)
                client.message()


def test_a_handshake_for_one_host_opens_no_other(gateway: Gateway) -> None:
    with backends.running("one") as (one,):
        gateway.publish(_routes(), shop=gateways.pool([one]))
        for name in ("shop.example.com", "maybe.example.com"):
            with _client(gateway, name, CLIENT) as client:
                client.send(b"GET / HTTP/1.1\r\nHost: private.example.com\r\n\r\n")
                assert client.message().line == b"HTTP/1.1 421 Misdirected Request"
        assert not one.messages


def test_who_says_nothing_or_nonsense_is_shown_out(gateway: Gateway) -> None:
    before = gateway.counted("tls_failed")
    for said in (b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"):
        with gateway.client() as client:
            client.send(said)
            assert _silent(client)
    running.until(lambda: gateway.counted("tls_failed") == before + 3, "they are counted")


def test_without_any_certificate_the_name_is_not_recognized(tmp_path: Path) -> None:
    with gateways.running(tmp_path, secure=True) as bare:
        bare.publish(_routes())
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized"), _client(bare, "shop.example.com"):
            pass


@pytest.mark.parametrize("secure", [False, True])
def test_proxy_headers_tell_who_the_client_is(tmp_path: Path, secure: bool) -> None:
    served = gateways.running(tmp_path, Terms(proxied=True), secure, gateways.ALONE)
    with served as made, backends.running("one") as (one,):
        _certify(made, CERTIFICATES)
        made.publish(_routes(), shop=gateways.pool([one]))
        plain = socket.create_connection((made.address, made.port), backends.LONG)
        plain.sendall(b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n")
        with _unchecked().wrap_socket(plain) if secure else plain as sock:
            assert Client(sock, bytearray()).get().body == b"one"
        assert one.messages[0].value(b"x-forwarded-for") == b"192.0.2.7"
        with made.client() as bare:
            bare.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert _silent(bare)
        running.until(lambda: made.counted("tls_failed" if secure else "proxy_failed") == 1, "it is counted")


_TCP4 = socket.inet_aton("192.0.2.7") + socket.inet_aton("10.0.0.1") + b"\x30\x39\x01\xbb"
_TLVS = b"\x05\0\x04once" + b"\x04\0\x80" + bytes(128)


def _binary(command: int, family: int, rest: bytes) -> bytes:
    return hello.SIGNATURE + bytes((command, family)) + len(rest).to_bytes(2, "big") + rest


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("proxied")
    with gateways.running(state, Terms(proxied=True)) as made:
        yield made


@pytest.mark.parametrize("pace", [1, 1 << 20])
@pytest.mark.parametrize(
    ("header", "client", "scheme"),
    [
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n", b"192.0.2.7", b"https"),
        (b"PROXY TCP6 2001:db8::7 ::1 12345 8080\r\n", b"2001:db8::7", b"http"),
        (b"PROXY UNKNOWN\r\n", b"127.0.0.1", b"http"),
        (_binary(0x21, 0x11, _TCP4 + _TLVS), b"192.0.2.7", b"https"),
        (_binary(0x20, 0x11, _TCP4), b"127.0.0.1", b"http"),
        (_binary(0x20, 0, b""), b"127.0.0.1", b"http"),
    ],
)
def test_proxy_headers_in_all_forms_and_pieces(
    proxied: Gateway, pace: int, header: bytes, client: bytes, scheme: bytes
) -> None:
    with backends.running("one") as (one,), proxied.client() as sock:
        proxied.publish(gateways.table(), shop=gateways.pool([one]))
        sock.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw = header + b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"
        for at in range(0, len(raw), pace):
            sock.send(raw[at : at + pace])
        assert sock.message().body == b"one"
        assert sock.get().body == b"one"
        for got in one.messages:
            assert got.values(b"x-forwarded-for") == got.values(b"x-real-ip") == [client]
            assert got.values(b"x-forwarded-proto") == [scheme]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 " + b"1" * 200,
        b"PROXY TCP4 192.0.2.7 10.0.0.1 1",
        _binary(0x21, 0x11, _TCP4)[:20],
        _binary(0x21, 0x11, bytes(65_535)),
    ],
)
def test_who_does_not_say_who_is_behind_him_is_shown_out(tmp_path: Path, said: bytes) -> None:
    terms = Terms(proxied=True, head_time=0.5)
    with gateways.running(tmp_path, terms, address=gateways.ALONE) as made:
        with made.client() as client:
            client.send(said)
            assert _silent(client)
        running.until(lambda: made.counted("proxy_failed") == 1, "it is counted")


def test_nobody_speaks_an_older_version_than_a_host_wants(gateway: Gateway) -> None:
    refused = pytest.raises((ssl.SSLError, ConnectionError))
    with refused, _client(gateway, "new.example.com", most=ssl.TLSVersion.TLSv1_2):
        pass
    with _client(gateway, "new.example.com") as client:
        assert isinstance(client.sock, ssl.SSLSocket) and client.sock.version() == "TLSv1.3"


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _behind_tls(shown: Certificate, ask: bool) -> backends.Play:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authorities.load(context, shown)
    if ask:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=CA.pem.decode())

    def play(backend: backends.Backend, wire: backends.Wire) -> None:
        with context.wrap_socket(wire.sock, server_side=True) as sock:
            backends.echo(backend, backends.Wire(sock, bytearray()))

    return play


_CHECKED = Upstream("https", name=b"back.example.com", verify=True, secret=b"ns/back")
_UNCHECKABLE = Upstream("https", name=b"back.example.com", verify=True, secret=b"ns/none")


@pytest.mark.parametrize(
    ("upstream", "shown", "status"),
    [
        (Upstream("https"), OTHER.issue("any", "any"), 200),
        (_CHECKED, CA.issue("back", "back.example.com"), 200),
        (_CHECKED, CA.issue("back", "else.example.com"), 502),
        (_CHECKED, OTHER.issue("back", "back.example.com"), 502),
        (_CHECKED, CA.issue("back", "back.example.com", days=-1), 502),
        (_UNCHECKABLE, CA.issue("back", "back.example.com"), 502),
    ],
)
def test_backends_over_tls(tmp_path: Path, upstream: Upstream, shown: Certificate, status: int) -> None:
    play = _behind_tls(shown, upstream.verify)
    with (
        gateways.running(tmp_path) as made,
        backends.running(("one", play)) as (one,),
        made.client() as client,
    ):
        _certify(made, {b"ns/back": CA.issue("gateway")})
        made.publish(gateways.table(options.Options(upstream=upstream)), shop=gateways.pool([one]))
        for _ in range(2):
            assert int(client.get().line.split()[1]) == status
        refused = sum(row[tally.REFUSED] for row in tally.seen(made.counters).values())
        assert (len(one.raw), refused) == (1, 0) if status == 200 else refused >= 1


def test_backends_over_tls_are_told_which_name_is_meant(tmp_path: Path) -> None:
    named: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authorities.load(context, CA.issue("back", "back.example.com"))
    context.sni_callback = lambda _, name, __: named.append(name)

    def play(backend: backends.Backend, wire: backends.Wire) -> None:
        with context.wrap_socket(wire.sock, server_side=True) as sock:
            backends.echo(backend, backends.Wire(sock, bytearray()))

    with gateways.running(tmp_path) as made, backends.running(("one", play)) as (one,):
        for asked in (
            Upstream("https"),
            Upstream("https", sni=True),
            Upstream("https", name=b"back", sni=True),
        ):
            made.publish(gateways.table(options.Options(upstream=asked)), shop=gateways.pool([one]))
            with made.client() as client:
                assert client.get().body == b"one"
    assert named == [None, "shop.example.com", "back"]
