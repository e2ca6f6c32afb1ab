"""Random questions to fedns, Knot, NSD and BIND over one set of zones: no difference without its reason.

FEDNS_QUESTIONS says how many (`make conformance` asks 12,000), FEDNS_SEED which.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import differential, explained, field, questions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
COUNT, SEED = int(os.environ.get("FEDNS_QUESTIONS", "1500")), int(os.environ.get("FEDNS_SEED", "1"))


@pytest.mark.timeout(900)
def test_no_difference_is_unexplained(tool: Callable[[str], str]) -> None:
    with field.laid(tool) as here:
        assert len(here.peers) == 3
        report = differential.run(here.ours, here.peers, questions.draw(SEED, COUNT, here.names))
    print("\n".join(differential.table(report, here.peers)))
    assert not report.findings, "\n".join(map(str, report.findings[:20]))
    assert all(report.equal[peer] for peer in here.peers)


def test_the_questions_are_the_same_for_a_seed_and_of_every_kind() -> None:
    names = [b"\x03www\x04acme\x03com\0", b"\x04acme\x03com\0"]
    drawn = list(questions.draw(5, 3000, names))
    assert drawn == list(questions.draw(5, 3000, names)) != list(questions.draw(6, 3000, names))
    assert set(questions.COMMON) | set(questions.META) <= {each.type for each in drawn}
    assert {each.opcode for each in drawn} == set(range(16))
    assert {each.klass for each in drawn} > {0, 1, 2, 3, 4, 254, 255}
    assert {each.stream for each in drawn} == {False, True}
    versions = {each.edns[0] if each.edns else None for each in drawn}
    assert {None, 0} < versions and len(versions) > 50
    assert set(names) < {each.name.lower() for each in drawn}
    assert any(not each.name.lower().endswith(names[1]) for each in drawn)


def test_the_page_lists_every_reason_and_the_text_that_decides_it() -> None:
    rows = re.findall(r"^\| ([^|]+) \| (RFC [^|]+) \| [\d,]+ \| [\d,]+ \| [\d,]+ \|$", PAGE.read_text(), re.M)
    assert rows == [(rule.why, rule.source) for rule in explained.ALL]
