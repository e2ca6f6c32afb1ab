"""Texts with variables of the request, as ingress-nginx lets annotations have them.

Law: a closed table of variables; there is no way from an annotation to anything else. Parsing is for the
compiler, filling in for the data path.
"""

import re
from collections.abc import Callable

from fedns.gateway.head import Head
from fedns.gateway.options import Text

_VARIABLE = re.compile(r"\$(?:\{([a-z0-9_]+)\}|([a-z][a-z0-9_]*))")
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def escaped(raw: bytes) -> bytes:
    return b"".join([bytes((each,)) if each in _SAFE else b"%%%02X" % each for each in raw])


KNOWN: dict[str, Callable[[Head, bytes], bytes]] = {
    "text": lambda head, text: text,
    "request_uri": lambda head, _: head.target,
    "escaped_request_uri": lambda head, _: escaped(head.target),
    "uri": lambda head, _: head.path,
    "args": lambda head, _: head.query or b"",
    "query_string": lambda head, _: head.query or b"",
    "is_args": lambda head, _: b"?" if head.query else b"",
    "host": lambda head, _: head.host,
    "http_host": lambda head, _: head.get(b"host") or head.host,
    "best_http_host": lambda head, _: head.get(b"host") or head.host,
    "scheme": lambda head, _: b"https" if head.secure else b"http",
    "pass_access_scheme": lambda head, _: b"https" if head.secure else b"http",
    "request_method": lambda head, _: head.method,
    "remote_addr": lambda head, _: head.client.encode(),
    "http_": lambda head, name: head.get(name) or b"",
    "arg_": lambda head, name: head.argument(name) or b"",
    "cookie_": lambda head, name: head.cookie(name) or b"",
}
_FAMILIES = ("http_", "arg_", "cookie_")


def parse(text: str) -> Text:
    """ValueError names a variable that is not known."""
    pieces: list[tuple[str, bytes]] = []
    at = 0
    for found in _VARIABLE.finditer(text):
        if found.start() > at:
            pieces.append(("text", text[at : found.start()].encode()))
        pieces.append(_piece(found[1] or found[2]))
        at = found.end()
    if at < len(text):
        pieces.append(("text", text[at:].encode()))
    return tuple(pieces)


def _piece(name: str) -> tuple[str, bytes]:
    if name in KNOWN and name != "text" and name not in _FAMILIES:
        return name, b""
    for family in _FAMILIES:
        if name.startswith(family) and len(name) > len(family):
            argument = name[len(family) :]
            return family, (argument.replace("_", "-") if family == "http_" else argument).encode()
    raise ValueError(f"${name} is not known; known are: {', '.join(sorted(KNOWN.keys() - {'text'}))}")


def fill(text: Text, head: Head) -> bytes:
    return b"".join([KNOWN[kind](head, argument) for kind, argument in text])
