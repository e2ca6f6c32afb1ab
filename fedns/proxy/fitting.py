"""Whether who was chosen can take one more: connections, and endpoints that are still warming up.

Law: only routes that ask for it come here. Who has enough to do is passed over; who warms up is drawn again
with the chance that it lacks, a few times.
"""

import random

from fedns.gateway import balance
from fedns.gateway.balance import Tried
from fedns.gateway.options import Options
from fedns.gateway.route import Endpoint
from fedns.proxy.directory import Service

AGAIN = 3  # draws, until one that is still warming up is taken all the same
NOBODY = Tried(set(), set())


def busy(options: Options, service: Service, endpoint: Endpoint, tried: Tried) -> Endpoint | None:
    """This endpoint, or another one where it has as many requests as it may; None: all have, or the pool."""
    upstream = options.upstream
    if 0 < upstream.connections < service.active:
        return None
    most = upstream.per_endpoint
    if not most or service.busy.get(endpoint.tag, 0) < most:
        return endpoint
    full = {tag for tag, count in service.busy.items() if count >= most}
    return balance.pick(service.balancer, random.random(), Tried(full | tried.hosts, tried.members))


def warm(options: Options, service: Service, endpoint: Endpoint, tried: Tried, now: float) -> Endpoint:
    """This endpoint, or another one that has been there for longer."""
    for _ in range(AGAIN):
        if random.random() < service.warmth(endpoint, options.warmup, now):
            break
        endpoint = balance.pick(service.balancer, random.random(), tried) or endpoint
    return endpoint
