"""What `explain` tells about one question, as values: the API describes them, commands print them.

Law: values only, and nothing of the model, so that who speaks of them need not load what makes them.
"""

from msgspec import Struct


class Fact(Struct, frozen=True):
    """One piece of evidence. `age`: seconds since it was last confirmed; None: never."""

    kind: str
    says: str
    detail: str
    age: float | None


class Candidate(Struct, frozen=True):
    """One shard of the service as this name sees it. `why` says why it is in or out; `addresses` include
    what its `hostnames` resolve to; `objects` are those of an API server that its facts came from."""

    member: str
    region: str
    zones: tuple[str, ...]
    addresses: tuple[str, ...]
    hostnames: tuple[str, ...]
    serves: bool
    share: float
    why: str
    state: str
    reason: str
    age: float | None
    held_for: float
    pending: str
    flaps: int
    evidence: tuple[Fact, ...]
    objects: tuple[str, ...] = ()


class Reply(Struct, frozen=True):
    """What goes out, as read back from its octets (`wire`, hexadecimal). `subnet`: the clients that it holds
    for (RFC 7871), where one asks."""

    rcode: str
    flags: str
    answer: tuple[str, ...]
    authority: tuple[str, ...]
    additional: tuple[str, ...]
    errors: tuple[str, ...]
    wire: str
    subnet: str = ""


class Explanation(Struct, frozen=True):
    """One question explained, `steps` in order. `kind` is what the name is: federated, static, inside (a
    cluster or a set of them), between (an empty non-terminal), missing or foreign; `via` are the names that
    an alias leads through."""

    name: str
    type: str
    kind: str
    rule: str
    generation: int
    reply: Reply
    steps: tuple[str, ...]
    service: str = ""
    level: str = ""
    strategy: str = ""
    via: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    selection: tuple[tuple[str, float], ...] = ()
    ttl: int | None = None
    ttl_why: str = ""
