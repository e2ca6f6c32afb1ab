"""Outside vectors over static zones: RFC examples, CoreDNS file plugin, PowerDNS regression, Ferret."""

import functools

import pytest

from tests.conformance import vectors, worlds

_DEVIATIONS = vectors.deviations()


@functools.cache
def _group(suite: str, name: str) -> worlds.View:
    group = next(each for each in vectors.load(suite)["groups"] if each["test"] == name)
    return worlds.view({zone["origin"]: zone["text"] for zone in group["zones"]})


@functools.cache
def _pdns() -> worlds.View:
    return worlds.view(vectors.load("pdns_regression")["zones"])


def _rows(suite: str) -> list[object]:
    rows = [each for each in vectors.load(suite)["vectors"] if vectors.binding(each)]
    return [pytest.param(each, id=each["id"]) for each in rows]


def _check(view: worlds.View, vector: vectors.Vector) -> None:
    grade = vectors.grade(vectors.ask(view, vector), vector["expect"])
    reason = _DEVIATIONS.get(vector["id"])
    if reason is not None:
        assert grade not in vectors.PASS, f"no longer a deviation: {reason}"
        pytest.skip(reason)
    assert grade in vectors.PASS, grade


@pytest.mark.parametrize("vector", _rows("rfc_examples"))
def test_rfc_examples(vector: vectors.Vector) -> None:
    _check(_group("rfc_examples", vector["group"]), vector)


@pytest.mark.parametrize("vector", _rows("coredns_file"))
def test_coredns_file(vector: vectors.Vector) -> None:
    _check(_group("coredns_file", vector["group"]), vector)


@pytest.mark.parametrize("vector", _rows("pdns_regression"))
def test_pdns_regression(vector: vectors.Vector) -> None:
    if vector["qname"].lower().endswith("example.com."):
        pytest.skip("the text of the zone example.com is not among the vectors")
    _check(_pdns(), vector)


@pytest.mark.parametrize("tag", sorted({each["tag"] for each in vectors.load("ferret_sample")["vectors"]}))
def test_ferret_sample(tag: str) -> None:
    """rcode, AA and answer equal those of one group of servers."""
    failed = []
    for vector in vectors.load("ferret_sample")["vectors"]:
        if vector["tag"] != tag or vector["id"] in _DEVIATIONS:
            continue
        reply = vectors.ask(worlds.view({vector["origin"]: vector["zone"]}), vector)
        if not any(vectors.grade(reply, expect) in vectors.PASS for expect in vector["expect"]):
            failed.append(vector["id"])
    assert failed == []
