"""`dig TXT _explain.<name>`: why this name answers as it does, in few short lines.

Law: the text holds times and not ages, because it is made when the answer is made and read later;
it changes only when the answer or a verdict does. It fits a small datagram: what is left out is counted.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from functools import lru_cache

from fedns.dns import content, names, node, outcome, places, wire
from fedns.model import selection
from fedns.model import snapshot as model

EXPLAIN = content.EXPLAIN
_LEAD = node.lead(EXPLAIN, wire.TXT, 0, 1)
MAX_SHARDS = 6  # lines; a global name of 20 members still fits 1232 octets
MAX_STRING = 255  # RFC 1035 3.3.14
MAX_PLACES = 3

RULES: Mapping[outcome.Rule, str] = {
    "serve": "addresses of the shards that can serve",
    "open": "no shard can serve: fail open, the last set known good",
    "closed": "no shard can serve: closed by policy, no data",
    "backup": "no shard can serve: the policy's backup",
    "nothing": "no shard can serve and none is known good: no data",
    "fallback": "no shard can serve here",
}


class Tale:
    """The `_explain` texts of one service's levels."""

    def __init__(self, service: model.Service, ttl: int) -> None:
        self._shards = {shard.member: shard for shard in service.shards}
        self._ttl, self._local = ttl, selection.local(service.policy)

    def child(self, level: names.Level, here: outcome.Outcome, more: str) -> bytes:
        """The encoded child. `more` is what else the first line tells."""
        told = b"".join(self.strings(level, here, more))
        return _LEAD + len(told).to_bytes(2, "big") + told

    def strings(self, level: names.Level, here: outcome.Outcome, more: str) -> list[bytes]:
        """The lines, as character-strings."""
        there = [member for member in level.members if member in self._shards]
        serving = {member for member, _ in here.shares}
        if serving:
            there.sort(key=serving.__contains__)
        named = self._near(there, serving) if self._local and serving else there
        told = [self._line(member, member in serving) for member in named[:MAX_SHARDS]]
        if len(there) > len(told):
            told.append(string(f"and {len(there) - len(told)} more shards"))
        return [_rule(level.kind, here.rule, more), *told, _count(len(serving), len(there), self._ttl)]

    def _near(self, there: Sequence[str], serving: Set[str]) -> list[str]:
        """Without those that would serve, were they nearer: of a large fleet that is nearly all."""
        shards = self._shards
        return [each for each in there if each in serving or shards[each].verdict.state not in selection.ABLE]

    def surely_untold(self, level: names.Level, member: str) -> bool:
        """Whether a member that serves has no line of its own, whoever else serves: there are enough before
        it, and who does not serve comes first anyway."""
        before = level.members[: bisect_left(level.members, member)]
        return sum(map(self._shards.__contains__, before[: 4 * MAX_SHARDS])) >= MAX_SHARDS

    def _line(self, member: str, serves: bool) -> bytes:
        verdict = self._shards[member].verdict
        return _shard(member, serves, verdict.state, verdict.since, verdict.reason)


@lru_cache(maxsize=4096)  # a fleet's shards are mostly well, for one reason and since one time
def _shard(member: str, serves: bool, state: str, since: float, reason: str) -> bytes:
    when = f" since {moment(since)}" if since else ""
    spared = ", not in this answer" if not serves and state in selection.ABLE else ""
    return string(f"{'+' if serves else '-'} {member} {state}{when}{spared}: {reason}")


@lru_cache(maxsize=64)
def _rule(kind: str, rule: outcome.Rule, more: str) -> bytes:
    return string(f"{kind} name: {RULES[rule]}" + (f": {more}" if more else ""))


@lru_cache(maxsize=1024)
def _count(serving: int, there: int, ttl: int) -> bytes:
    return string(f"{serving} of {there} shards serve, ttl {ttl}")


def whom(known: Sequence[selection.Place], choices: Sequence[int]) -> list[str]:
    """Which clients see each view: `choices` say by place which one it is."""
    there: dict[int, list[selection.Place]] = {}
    for place, choice in zip(known, choices, strict=True):
        there.setdefault(choice, []).append(place)
    return [_nearest(there[each]) for each in sorted(there)]


def _nearest(there: Sequence[selection.Place]) -> str:
    rest = f" and {len(there) - MAX_PLACES} more places" if len(there) > MAX_PLACES else ""
    return f"the nearest to clients {', '.join(map(places.text, there[:MAX_PLACES]))}{rest}"


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def string(line: str) -> bytes:
    """A character-string of TXT rdata."""
    raw = line.encode("ascii", "replace")[:MAX_STRING]
    return bytes((len(raw),)) + raw
