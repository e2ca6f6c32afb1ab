"""What a default backend is asked instead of an answer that is not to be shown.

Law: the fields that ingress-nginx sends, whatever the client says of them; always a GET (or HEAD) of `/`, and
no body.
"""

from fedns.gateway.head import Head
from fedns.gateway.options import Field
from fedns.gateway.route import Location
from fedns.proxy import onward
from fedns.proxy.request import Request

_OURS = frozenset(
    (
        b"x-code",
        b"x-format",
        b"x-original-uri",
        b"x-namespace",
        b"x-ingress-name",
        b"x-service-name",
        b"x-service-port",
    )
)
_BODY = frozenset((b"content-length", b"content-type", b"transfer-encoding", b"expect", b"connection"))
_WITHOUT = _OURS | _BODY | {b"upgrade", b"content-encoding", b"content-md5"}


def meant(request: Request, head: Head, ident: bytes) -> bytes:
    """A head for no backend at all."""
    return b"\r\n".join((b"", b"host: " + head.host, *request.lines, b"x-request-id: " + ident, b"", b""))


def wire(status: int, request: Request, head: Head, location: Location | None, told: bytes) -> bytes:
    """The head to send. `told`: the one for the backend that was first meant."""
    line = (b"HEAD" if request.method == b"HEAD" else b"GET") + b" / HTTP/1.1"
    return onward.altered(told, line, _WITHOUT, _why(status, request, head, location))


def deputy(request: Request, head: Head, location: Location | None, told: bytes) -> bytes:
    """The same request for who serves while the pool that was meant has nobody, and why."""
    return onward.altered(told, told.partition(b"\r\n")[0], _OURS, _why(503, request, head, location))


def _why(status: int, request: Request, head: Head, location: Location | None) -> list[Field]:
    rule, pool = (location.rule, location.pool) if location is not None else (b"", b"")
    namespace, _, name = rule.partition(b" ")[0].partition(b"/")
    service, port = (*pool.split(b"/"), b"", b"", b"")[1:3]
    return [
        (b"x-code", b"%d" % status),
        (b"x-format", head.get(b"accept") or b""),
        (b"x-original-uri", request.target),
        (b"x-namespace", namespace),
        (b"x-ingress-name", name),
        (b"x-service-name", service),
        (b"x-service-port", port),
    ]
