"""The same questions to fedns and to name servers of others that serve what it transfers.

Law: a difference in any field is a finding, unless a rule of `explained` says which text decides it.
"""

import argparse
import functools
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tests.conformance import explained, field, probes, questions, replies

MAX_LINKS = 4  # of aliases that lead from zone to zone in the zones of a run


class Finding(NamedTuple):
    """A difference that no rule explains."""

    peer: str
    question: questions.Question
    fields: tuple[str, ...]
    ours: replies.Reply | None
    theirs: replies.Reply | None

    def __str__(self) -> str:
        rows = [f"{self.peer}: {self.question}"]
        for each in self.fields:
            rows.append(f"  {each}: {getattr(self.ours, each, None)!r}")
            rows.append(f"  {' ' * len(each)}  {getattr(self.theirs, each, None)!r}")
        return "\n".join(rows)


class Report(NamedTuple):
    """What a run showed. `explained`: (peer, rule) -> replies; `equal`: peer -> replies without a rule."""

    explained: Counter[tuple[str, str]]
    equal: Counter[str]
    findings: list[Finding]


def run(
    ours: probes.Exchange, peers: Mapping[str, probes.Exchange], asked: Iterable[questions.Question]
) -> Report:
    report = Report(Counter(), Counter(), [])
    ours = functools.lru_cache(maxsize=4)(ours)  # one reply of ours for all peers
    for question in asked:
        for name, exchange in peers.items():
            _judge(report, Pair(name, ours, exchange), question)
    return report


class Pair(NamedTuple):
    """Ours and one peer."""

    peer: str
    ours: probes.Exchange
    theirs: probes.Exchange

    def case(self, question: questions.Question) -> explained.Case:
        ours = _ask(self.ours, question)
        assert ours is not None, f"no reply to {question}"
        return explained.Case(self.peer, question, ours, _ask(self.theirs, question))


def _ask(exchange: probes.Exchange, question: questions.Question) -> replies.Reply | None:
    octets = exchange(question.packet, question.stream)
    return replies.read(octets) if octets is not None else None


def _judge(report: Report, pair: Pair, question: questions.Question) -> None:
    case, rules = pair.case(question), []
    if case.theirs and (case.ours.tc or case.theirs.tc) and explained.TRUNCATED.holds(case):
        rules += [explained.TRUNCATED.id] * (case.ours.tc != case.theirs.tc)
        case = pair.case(question._replace(stream=True))
    whole = _followed(case, pair.theirs)
    if whole != case.theirs:
        rules.append(explained.FOLLOWED.id)
        case = case._replace(theirs=whole)
    found, left = explained.explain(case)
    rules += found
    report.explained.update((case.peer, rule) for rule in rules)
    if left:
        report.findings.append(Finding(case.peer, case.question, left, case.ours, case.theirs))
    elif not rules:
        report.equal[case.peer] += 1


def _followed(case: explained.Case, exchange: probes.Exchange) -> replies.Reply | None:
    """The peer's reply, gone on from where its chain of aliases ends and ours does not."""
    theirs = case.theirs
    for _ in range(MAX_LINKS):
        end = _open_end(theirs) if theirs else None
        if theirs is None or end is None or not _goes_on(case.ours, end):
            return theirs
        more = _ask(exchange, case.question.about(end))
        if more is None:
            return theirs
        rows = {
            "answer": tuple(sorted(theirs.answer + more.answer)),
            "authority": more.authority,
            "additional": more.additional,
        }
        theirs = theirs._replace(rcode=more.rcode, owners=theirs.owners | more.owners, **rows)
    return theirs


def _open_end(reply: replies.Reply) -> bytes | None:
    """The target of an alias that the reply has nothing to say of."""
    owners = {replies.wire_name(row[0]) for row in reply.answer}
    ends = [row[3] for row in reply.answer if row[1] == "CNAME" and row[3] not in owners]
    return ends[0] if ends and reply.rcode == "NOERROR" and not reply.authority else None


def _goes_on(ours: replies.Reply, end: bytes) -> bool:
    """Whether we know more of this name."""
    told = {replies.wire_name(row[0]) for row in ours.answer}
    return end in told or bool(ours.authority)


def table(report: Report, peers: Iterable[str]) -> list[str]:
    """Rows of the table in docs/conformance.md: reason, text, replies of each peer that it explains."""
    columns = list(peers)
    return [
        f"| {rule.why} | {rule.source} | "
        + " | ".join(f"{report.explained[peer, rule.id]:,}" for peer in columns)
        + " |"
        for rule in explained.ALL
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=12_000)
    told = parser.parse_args()
    with field.laid() as here:
        asked = questions.draw(told.seed, told.count, here.names)
        report = run(here.ours, here.peers, asked)
    print("\n".join(table(report, here.peers)))
    print("equal:", dict(report.equal), "unexplained:", len(report.findings))
    for finding in report.findings[:50]:
        print(finding)
    return bool(report.findings)


if __name__ == "__main__":
    sys.exit(main())
