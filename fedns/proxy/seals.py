"""TLS both ways: what is shown to clients by the name they ask for, and how backends are spoken to.

Law: everything comes from the tables and is made when it is first needed; equal content is the same context
still, so that sessions are resumed across generations. A certificate that cannot be used leaves its hosts
with the default one.
"""

import contextlib
import logging
import os
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from fedns import logs
from fedns.gateway import route
from fedns.gateway.options import Tls, Upstream
from fedns.gateway.route import Certificate
from fedns.proxy.directory import Directory

MADE = 8192  # contexts that are kept
_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_LEAST = ssl.TLSVersion.TLSv1_2
_ALPN = ["http/1.1"]
_SHARED = ["h2"]
_BOTH = ["h2", "http/1.1"]

_log = logging.getLogger("fedns.gateway")


class Seal(NamedTuple):
    """What one name is shown, and what its host asks of clients."""

    context: ssl.SSLContext
    asked: Tls


class Seals:
    """One worker's."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._age = -1
        self._named: dict[str, Seal | None] = {}
        self._backends: dict[Upstream, ssl.SSLContext | None] = {}
        self._made: dict[tuple[Tls, Certificate, Certificate | None], ssl.SSLContext | None] = {}
        self._toward: dict[tuple[Upstream, Certificate | None], ssl.SSLContext | None] = {}

    def _follow(self) -> None:
        if self._age == self._directory.age:
            return
        self._age = self._directory.age
        self._named.clear()
        self._backends.clear()
        if len(self._made) + len(self._toward) > MADE:
            self._made.clear()
            self._toward.clear()

    def toward_client(self, name: str) -> Seal | None:
        """For a client that asks for this name (empty: for none); None where there is nothing to show."""
        self._directory.look()
        self._follow()
        if name not in self._named:
            if len(self._named) > MADE:  # names that nobody has
                self._named.clear()
            self._named[name] = self._seal(name)
        return self._named[name]

    def _seal(self, name: str) -> Seal | None:
        asked = self.asked(name.encode())
        for wanted in dict.fromkeys((asked.certificate, b"")):
            certificate = self._directory.certificate(wanted)
            context = self._context(asked, certificate) if certificate else None
            if context is not None:
                return Seal(context, asked)
        return None

    def asked(self, name: bytes) -> Tls:
        """How a host is to be spoken to."""
        return route.sealed(self._directory.table, name)

    def _context(self, asked: Tls, certificate: Certificate) -> ssl.SSLContext | None:
        wants = asked.clients and asked.verify in ("on", "optional")
        clients = self._directory.certificate(asked.clients) if wants else None
        key = (asked, certificate, clients)
        if key not in self._made:
            try:
                self._made[key] = _server(*key)
            except (OSError, ValueError) as error:
                name = asked.certificate.decode() or "the default certificate"
                _log.error("a certificate cannot be used", extra=logs.fields(name=name, error=str(error)))
                self._made[key] = None
        return self._made[key]

    def toward_backend(self, upstream: Upstream) -> ssl.SSLContext | None:
        """None where it cannot be: the authorities to check by are not there."""
        self._follow()
        if upstream not in self._backends:
            secret = self._directory.certificate(upstream.secret) if upstream.secret else None
            key = (upstream, secret)
            if key not in self._toward:
                self._toward[key] = _tried(upstream, secret)
            self._backends[upstream] = self._toward[key]
        return self._backends[upstream]


def _server(asked: Tls, certificate: Certificate, clients: Certificate | None) -> ssl.SSLContext:
    """`clients`: whose word on clients counts, where one is asked for."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    made.num_tickets = 1  # who comes back needs no more, and each has to be sealed
    made.minimum_version = _VERSIONS.get(asked.least, _LEAST)
    if asked.most:
        made.maximum_version = _VERSIONS[asked.most]
    if asked.ciphers:
        made.set_ciphers(asked.ciphers)
    made.set_alpn_protocols(_ALPN if asked.most in ("1.0", "1.1") else _BOTH)
    _load(made, certificate)
    if asked.clients and asked.verify in ("on", "optional"):
        if clients is None or not clients.authorities:
            raise ValueError(f"{asked.clients.decode()} has no authorities for clients")
        made.load_verify_locations(cadata=clients.authorities.decode("ascii"))
        made.verify_mode = ssl.CERT_OPTIONAL  # who has none is told so in HTTP
    return made


def _tried(upstream: Upstream, secret: Certificate | None) -> ssl.SSLContext | None:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = upstream.verify
    made.verify_mode = ssl.CERT_REQUIRED if upstream.verify else ssl.CERT_NONE
    made.set_alpn_protocols(_SHARED if upstream.protocol == "grpcs" else _ALPN)
    try:
        if upstream.verify:
            _trust(made, upstream, secret)
        if secret is not None and secret.chain and secret.key:
            _load(made, secret)
    except (OSError, ValueError) as error:
        name = upstream.secret.decode()
        _log.error("TLS to backends cannot be set up", extra=logs.fields(secret=name, error=str(error)))
        return None
    return made


def _trust(context: ssl.SSLContext, upstream: Upstream, secret: Certificate | None) -> None:
    """Authorities of the Secret; the system's where none is named."""
    if not upstream.secret:
        context.load_default_certs()
    elif secret is None or not secret.authorities:
        raise ValueError("there are no authorities to check by")
    else:
        context.load_verify_locations(cadata=secret.authorities.decode("ascii"))


def _load(context: ssl.SSLContext, certificate: Certificate) -> None:
    """OSError (which SSLError is) where they cannot be used."""
    with _file(certificate.chain) as chain, _file(certificate.key) as key:
        context.load_cert_chain(chain, key, password=lambda: "")


@contextlib.contextmanager
def _file(data: bytes) -> Iterator[str]:
    """A path to these octets, which are nowhere but in memory."""
    fd = os.memfd_create("fedns", os.MFD_CLOEXEC)
    try:
        os.write(fd, data)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def subject(shown: ssl.SSLObject) -> tuple[str, str, bytes]:
    """Names of subject and issuer of a client's certificate (RFC 4514), and itself in DER; empty: none."""
    der = shown.getpeercert(True)
    if not der:
        return "", "", b""
    told = shown.getpeercert() or {}
    return _written(told.get("subject", ())), _written(told.get("issuer", ())), der


_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "emailAddress": "emailAddress",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
}


def _written(name: object) -> str:
    rows = [pair for group in name for pair in group]  # type: ignore[attr-defined]
    return ",".join(f"{_SHORT.get(kind, kind)}={_escaped(value)}" for kind, value in reversed(rows))


def _escaped(value: str) -> str:
    return "".join("\\" + each if each in ',+"\\<>;=' else each for each in value)
