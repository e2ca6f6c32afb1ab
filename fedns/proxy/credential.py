"""Certificates of clients: whether a host gets the one it asks for, and what its backends are told.

Law: a host that asks for certificates is served only over connections that were opened under its own name;
another name's handshake has proven nothing to it (RFC 9110 section 15.5.20).
"""

import ssl
from base64 import b64encode
from urllib.parse import quote

from fedns.gateway import route, variables
from fedns.gateway.head import Head
from fedns.gateway.normal import Rejected
from fedns.gateway.options import Tls
from fedns.proxy import seals

_FIRST, _LAST = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"


class Elsewhere(Exception):
    """Who has no certificate is sent to a page that says so."""

    def __init__(self, url: bytes) -> None:
        super().__init__(url)
        self.url = url


def lines(asked: Tls, opened: Tls | None, shown: ssl.SSLObject | None, head: Head) -> bytes:
    """Lines for the backend of a host that asks for certificates. Rejected, or Elsewhere, for who may not in.
    `opened`: what was asked of the connection."""
    if opened is None or shown is None or opened != asked:
        raise Rejected(421, "the connection was opened for another host")
    subject, issuer, der = seals.subject(shown)
    if not der:
        return _without(asked, head)
    if asked.subject and route.pattern(asked.subject).search(subject.encode()) is None:
        raise Rejected(403, "the client's certificate names somebody else")
    told = [b"ssl-client-verify: SUCCESS", b"ssl-client-subject-dn: " + _plain(subject)]
    told.append(b"ssl-client-issuer-dn: " + _plain(issuer))
    if asked.forward:
        told.append(b"ssl-client-cert: " + _pem(der))
    return b"\r\n".join(told)


def _without(asked: Tls, head: Head) -> bytes:
    if asked.verify == "on":
        if asked.page:
            raise Elsewhere(variables.fill(asked.page, head))
        raise Rejected(400, "no required certificate was sent")
    return b"ssl-client-verify: NONE"


def _plain(name: str) -> bytes:
    """Without what would end a line."""
    return "".join(each if each.isprintable() else "?" for each in name).encode()


def _pem(der: bytes) -> bytes:
    """As nginx has it: PEM, escaped as in a URL."""
    text = b64encode(der).decode()
    rows = "".join(text[at : at + 64] + "\n" for at in range(0, len(text), 64))
    return quote(_FIRST + rows + _LAST, safe="").encode()
