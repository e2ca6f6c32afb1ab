"""How a backend is spoken to, which is what its connections are told apart by.

Law: of connections with the same key any will do. A WebSocket has one of HTTP/1.1; TLS leads to the name that
the backend is checked for.
"""

from fedns.gateway import normal, variables
from fedns.gateway.head import Head
from fedns.gateway.options import Options
from fedns.gateway.route import Endpoint
from fedns.proxy.outbound import Key

SEALED, SHARED = frozenset(("https", "grpcs")), frozenset(("grpc", "grpcs", "h2c"))
EITHER = frozenset(("http", "auto"))  # as the port says


def key(options: Options, head: Head, websocket: bool, endpoint: Endpoint) -> Key:
    """For this request at this endpoint."""
    made, upstream = Key(endpoint.address, endpoint.port), options.upstream
    if upstream.protocol == "http" and not endpoint.h2c:
        return made
    shared = upstream.protocol in SHARED or (endpoint.h2c and upstream.protocol in EITHER)
    if shared and not websocket:
        made = made._replace(shared=True)
    if upstream.protocol not in SEALED:
        return made
    host = variables.fill(upstream.vhost, head) if upstream.vhost else head.host
    name = (upstream.name or normal.host(host)).decode("latin-1")
    return made._replace(upstream=upstream, name=name if upstream.sni or upstream.verify else "")
