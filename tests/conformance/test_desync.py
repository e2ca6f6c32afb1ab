"""Corpora of malformed and ambiguous requests: each is refused, or goes on as one clear message."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import desync, vectors
from tests.proxy import backends, gateways

VALID_ALL_THE_SAME = {
    "test_bad_chunked#1": "a template: as it stands, five octets are announced and five come",
    "test_invalid_header_spacing#0": "a template: `%` may stand in a name",
    "test_headers_old_websocket_key1#0": "an old WebSocket's key means nothing here",
}


class Stage:
    """A gateway and its backend."""

    def __init__(self, gateway: gateways.Gateway, backend: backends.Backend) -> None:
        self._gateway, self._backend = gateway, backend

    def play(self, raw: bytes) -> desync.Seen:
        return desync.play(self._gateway, self._backend, raw)

    def probe(self, raw: bytes) -> tuple[int | None, str]:
        return desync.probe(self._gateway, raw)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    state: Path = tmp_path_factory.mktemp("desync")
    with backends.running(("ok", desync.once)) as (backend,), gateways.running(state) as gateway:
        gateway.publish(desync.table(), shop=gateways.pool([backend]))
        with gateway.client() as client:  # once it is up
            assert client.get().body == b"ok"
        yield Stage(gateway, backend)


def _raw(case: dict[str, Any]) -> bytes:
    if "request_rle" in case:
        return b"".join(text.encode("latin-1") * times for text, times in case["request_rle"])
    return str(case["request"]).encode("latin-1")


def _refused(seen: desync.Seen) -> bool:
    return not seen.messages and (seen.statuses[-1:] >= [400] or (seen.closed and not seen.statuses))


def _cases(name: str) -> list[dict[str, Any]]:
    found = vectors.load(name)
    return list(found.get("vectors") or found["tests"])


@pytest.mark.parametrize("case", _cases("desync_requests"), ids=lambda case: case["id"])
def test_desync(stage: Stage, case: dict[str, Any]) -> None:
    seen = stage.play(_raw(case))
    verdict = case["verdict"]
    if verdict == "R":
        assert _refused(seen), seen
    elif verdict != "D":
        assert seen.messages == int(verdict[1:]) == seen.statuses.count(200), seen
    else:
        assert seen.messages <= 1 and seen.statuses.count(200) == seen.messages, seen


@pytest.mark.parametrize("case", _cases("llhttp_requests"), ids=lambda case: case["id"])
def test_llhttp(stage: Stage, case: dict[str, Any]) -> None:
    seen, expect = stage.play(_raw(case)), case["expect"]
    strict = case["mode"] in ("request", "request-finish")
    if strict or not expect["valid"]:
        assert seen.messages <= expect["messages_complete"], seen
    if strict and not expect["valid"] and not expect["messages_complete"]:
        assert _refused(seen), seen
    if not strict:
        assert seen.messages <= 1, seen


@pytest.mark.parametrize("case", _cases("aiohttp_requests"), ids=lambda case: case["id"])
def test_aiohttp(stage: Stage, case: dict[str, Any]) -> None:
    seen = stage.play(_raw(case))
    assert seen.messages <= 1, seen
    if (
        not case["expect"]["valid"]
        and "after_close" not in case["id"]
        and case["id"] not in VALID_ALL_THE_SAME
    ):
        assert not seen.messages, seen


@pytest.mark.parametrize("case", _cases("http_garden_payloads"), ids=lambda case: case["id"])
def test_garden(stage: Stage, case: dict[str, Any]) -> None:
    seen = stage.play(_raw(case))
    assert seen.messages == seen.statuses.count(200), seen


def test_mutations_of_framing_fields(stage: Stage) -> None:
    """Each beside the other framing field: never are there two messages, nor one that says two things."""
    wrong = []
    for case in _cases("smuggling_header_mutations"):
        header = case["header"].encode("latin-1")
        for raw in desync.mixed(header):
            try:
                seen = stage.play(raw)
            except desync.Ambiguous as found:
                wrong.append((case["id"], raw, found))
                continue
            if seen.messages > 1 or (not seen.messages and seen.statuses[:1] < [400] and seen.statuses):
                wrong.append((case["id"], raw, seen))
    assert not wrong, (len(wrong), wrong[:10])


@pytest.mark.parametrize("case", _cases("http11_probe"), ids=lambda case: case["id"])
def test_probe(stage: Stage, case: dict[str, Any]) -> None:
    expect = case["expect"]
    if "request" not in case and "request_rle" not in case:
        pytest.skip("the vector does not have its octets")
    status, state = stage.probe(_raw(case))
    if "status" in expect:
        least, most = expect["status"]
        shut = expect.get("allow_close") and status is None and state == "ClosedByServer"
        assert shut or (status is not None and least <= status <= most), (status, state)
    elif "rules" in expect:
        names = {"sc": status, "st": state}
        verdict = next(verdict for rule, verdict in expect["rules"] if eval(rule, {}, names))
        assert verdict in ("Pass", "Warn"), (status, state, verdict)
