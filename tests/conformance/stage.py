"""A gateway with Services that tell what they were asked, for ingress-nginx's own end-to-end tests.

Law: objects are compiled as a turn would, published to real workers, and asked for over real sockets. One
worker serves HTTP and another one HTTPS, from the same tables.
"""

import re
import socket
import ssl
import threading
import time
from base64 import b64decode
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from fedns.gateway import compile, route, terms
from fedns.gateway.route import Certificate
from fedns.gateway.terms import Terms
from fedns.model.ingress import Ingress, IngressClass, Secret
from tests.proxy import authorities, backends, gateways
from tests.proxy.backends import Backend, Message, Wire
from tests.proxy.gateways import Client, Gateway

CA, OTHERS = authorities.make(), authorities.make("others")
CLIENT = CA.issue("authtls.foo.com")
DEFAULT = CA.issue("default.invalid", "default.invalid")
DEAD = frozenset(("invalid",))
"""Services without endpoints."""
_CREDENTIALS = b"user:password"
awake = threading.Event()
"""Set when what was told to sleep may wake up."""


def tells(backend: Backend, wire: Wire) -> None:
    """What httpbun and ingress-nginx's echo server do, as far as the tests need it."""
    while True:
        got = wire.message()
        backend.messages.append(got)
        target = got.line.split(b" ")[1].decode("latin-1")
        path, _, query = target.partition("?")
        if path.startswith("/status/"):
            wire.reply(b"as asked", path.removeprefix("/status/").encode() + b" As Asked")
        elif path.startswith("/basic-auth/"):
            known = (got.value(b"authorization") or b"").removeprefix(b"Basic ")
            passes = b64decode(known) == _CREDENTIALS
            wire.reply(b"", b"200 OK" if passes else b"401 Unauthorized")
        elif path.startswith("/cookies/set/"):
            pair = "=".join(path.split("/")[3:5]).encode()
            wire.reply(b"OK", fields=b"Set-Cookie: %b\r\n" % pair)
        elif path == "/error":
            wire.reply(b"error", b"503 Service Unavailable")
        else:
            if path.startswith("/sleep/"):
                awake.wait(backends.LONG)
            hsts = b"Strict-Transport-Security: max-age=1\r\n" if "hsts=true" in query else b""
            wire.reply(_told(backend, got, target).encode("latin-1"), fields=hsts)


def _told(backend: Backend, got: Message, target: str) -> str:
    host = (got.value(b"host") or b"").decode()
    fields = re.findall(r"(?m)^([^:\r\n]+): *(.*?)\r$", got.head.decode("latin-1"))
    lines = [f"Hostname: {backend.name}", f"request_uri=http://{host}:80{target}"]
    return "\n".join(lines + [f"{name.lower()}={value}" for name, value in fields])


class Answer(NamedTuple):
    status: int
    head: Message
    body: str

    def field(self, name: str) -> str | None:
        found = self.head.value(name.encode())
        return found.decode("latin-1") if found is not None else None


class Asked(NamedTuple):
    """A request. `before` are octets in front of everything; `mine` is shown where TLS asks for it."""

    head: bytes
    secure: bool = False
    mine: Certificate | None = None
    before: bytes = b""
    name: str = ""


class Stage:
    """Both workers, and the Services behind them."""

    def __init__(self, state: Path, agreed: Terms, stack: ExitStack) -> None:
        self._workers = {
            secure: stack.enter_context(gateways.running(state / str(secure), agreed, secure))
            for secure in (False, True)
        }
        self.services: dict[str, Backend] = {}
        self._stack = stack
        for each in self._workers.values():
            entries = {terms.TERMS: terms.encode(agreed), route.CERTIFICATE: route.encode(DEFAULT)}
            each.writer.publish({"gateway": entries}, time.time())

    def worker(self, secure: bool = False) -> Gateway:
        return self._workers[secure]

    def service(self, name: str) -> Backend:
        if name not in self.services:
            self.services[name] = made = Backend(name, tells)
            self._stack.callback(made.stop)
        return self.services[name]

    def end(self, name: str) -> None:
        """Whoever asks for it later gets another one."""
        self.services.pop(name).stop()

    def serve(
        self,
        ingresses: Sequence[Ingress],
        secrets: Mapping[str, Secret],
        classes: Sequence[IngressClass] = (),
        replicas: int = 1,
        dead: Collection[str] = DEAD,
    ) -> compile.Output:
        """These are all there is from now on."""
        output = compile.table(compile.Input(ingresses, classes, secrets), compile.Settings())
        entries: dict[bytes, bytes | None] = {route.ROUTES: route.encode(output.table)}
        for key, wanted in output.wanted.items():
            name = wanted.service.partition("/")[2]
            entries[route.SERVICE + key] = route.encode(self._pool(name, 0 if name in dead else replicas))
        for name, certificate in output.certificates.items():
            entries[route.CERTIFICATE + name] = route.encode(certificate)
        for each in self._workers.values():
            each.writer.publish({"gateway": entries}, time.time())
        return output

    def _pool(self, name: str, replicas: int) -> route.Pool:
        if not replicas:
            return route.Pool()
        found = [self.service(name if not number else f"{name}-{number}") for number in range(replicas)]
        ends = tuple(gateways.endpoint(each, "c1") for each in found)
        return route.Pool((route.Tier(1.0, (route.Part("c1", 1.0, ends),)),))

    def ask(self, asked: Asked) -> Answer:
        port = self._workers[asked.secure].port
        with socket.create_connection(("127.0.0.1", port), backends.LONG) as plain:
            if asked.before:
                plain.sendall(asked.before)
            with self._sealed(plain, asked) if asked.secure else plain as sock:
                client = Client(sock, bytearray())
                client.send(asked.head)
                found = client.message()
        return Answer(int(found.line.split()[1]), found, found.body.decode("latin-1"))

    @staticmethod
    def _sealed(plain: socket.socket, asked: Asked) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if asked.mine is not None:
            authorities.load(context, asked.mine)
        return context.wrap_socket(plain, server_hostname=asked.name)


@contextmanager
def stages(folder: Path) -> Iterator["Stages"]:
    with ExitStack() as stack:
        yield Stages(folder, stack)


class Stages:
    """A stage for each set of terms, made when it is first needed."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._made: dict[Terms, Stage] = {}

    def get(self, agreed: Terms) -> Stage:
        if agreed not in self._made:
            self._made[agreed] = Stage(self._folder / str(len(self._made)), agreed, self._stack)
        return self._made[agreed]


def secret(name: str) -> Secret:
    """A certificate for a host, with the authority of its clients."""
    made = CA.issue(name, name)
    data = {"tls.crt": made.chain, "tls.key": made.key, "ca.crt": CA.pem}
    return Secret("ns", name, "kubernetes.io/tls", data)
