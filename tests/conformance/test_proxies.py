"""The same malformed requests to the gateway, Envoy, HAProxy and nginx: where we alone let one through, a row
of `laxness` says why.

FEDNS_REQUESTS says how many mutations are asked beside the corpora, FEDNS_SEED which.
"""

import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance import desync, laxness, proxies, vectors
from tests.fuzz import fuzz_requests, mutations
from tests.proxy import backends, gateways

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
COUNT, SEED = int(os.environ.get("FEDNS_REQUESTS", "300")), int(os.environ.get("FEDNS_SEED", "1"))
_HEADERS = "smuggling_header_mutations"


class Field:
    """All requests, what the gateway made of them, and the backend that all proxies have."""

    def __init__(self, gateway: gateways.Gateway, backend: backends.Backend) -> None:
        chance = random.Random(SEED)
        mutated = [mutations.mutate(chance, fuzz_requests.SEEDS) for _ in range(COUNT)]
        headers = [case["header"].encode("latin-1") for case in vectors.load(_HEADERS)["vectors"]]
        framed = [raw for header in headers for raw in desync.mixed(header)]
        self.requests = list(dict.fromkeys((*fuzz_requests.seeds(), *framed, *mutated)))
        self.backend = backend
        self.ours = [_let_through(each) for each in proxies.ask(gateway.port, self.requests)]


def _let_through(statuses: list[int]) -> int:
    return statuses.count(200)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    vectors.load(_HEADERS)  # or skips
    state: Path = tmp_path_factory.mktemp("proxies")
    with backends.running(("ok", desync.once)) as (backend,), gateways.running(state) as gateway:
        gateway.publish(desync.table(), shop=gateways.pool([backend]))
        with gateway.client() as client:  # once it is up
            assert client.get().body == b"ok"
        yield Field(gateway, backend)


@pytest.mark.parametrize("peer", proxies.PEERS)
def test_where_we_are_laxer_there_is_a_reason(
    peer: str, field: Field, tool: Callable[[str], str], tmp_path: Path
) -> None:
    program = proxies.program(peer) or tool(peer)
    with proxies.serving(peer, program, tmp_path, field.backend.port) as port:
        theirs = [_let_through(each) for each in proxies.ask(port, field.requests)]
        rows = list(zip(field.requests, field.ours, theirs, strict=True))
        laxer = [raw for raw, ours, other in rows if ours > other]
        why = Counter(row.why for raw in laxer if (row := laxness.explained(peer, raw)))
        doubted = [raw for raw in laxer if laxness.explained(peer, raw) is None]
        again = proxies.ask(port, doubted, proxies.LONG)  # it may only have been slow
    ours = dict(zip(field.requests, field.ours, strict=True))
    found = [
        (raw, other) for raw, other in zip(doubted, again, strict=True) if ours[raw] > _let_through(other)
    ]
    stricter = sum(ours < other for _, ours, other in rows)
    print(f"{peer}: of {len(rows)}, stricter {stricter}, laxer {len(laxer)}: {dict(why)}")
    assert not found, found[:10]


def test_the_page_lists_every_reason() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| (RFC [^|]+) \| ((?:Envoy|HAProxy|nginx)[^|]*) \|$", PAGE.read_text(), re.M
    )
    names = {"envoy": "Envoy", "haproxy": "HAProxy", "nginx": "nginx"}
    told = [(row.why, row.source, ", ".join(names[peer] for peer in row.peers)) for row in laxness.ROWS]
    assert rows == told
