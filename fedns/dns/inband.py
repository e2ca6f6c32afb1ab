"""`dig TXT _explain.<name>`: why this name answers as it does, in few short lines.

Law: the text holds times and not ages, because it is made when the answer is made and read later;
it changes only when the answer or a verdict does. It fits a small datagram: what is left out is counted.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from fedns.dns import names, node, outcome, wire
from fedns.model import snapshot as model

EXPLAIN = b"\x08_explain"
MAX_SHARDS = 6  # lines; a global name of 20 members still fits 1232 octets
MAX_STRING = 255  # RFC 1035 3.3.14

RULES = {
    "serve": "addresses of the shards that can serve",
    "open": "no shard can serve: fail open, the last set known good",
    "closed": "no shard can serve: closed by policy, no data",
    "backup": "no shard can serve: the policy's backup",
    "nothing": "no shard can serve and none is known good: no data",
    "fallback": "no shard can serve here",
}


class Tale:
    """The `_explain` children of one service's levels; what levels share is told once."""

    def __init__(self, service: model.Service, ttl: int) -> None:
        self._shards = {shard.member: shard for shard in service.shards}
        self._ttl = ttl
        self._lines: dict[str, str] = {}
        self._told: dict[tuple[str, tuple[str, ...], str], bytes] = {}

    def child(self, level: names.Level, here: outcome.Outcome, wider: str) -> bytes:
        """The encoded child. `wider` is the kind of level that the name is an alias of, if it is."""
        key = (level.kind, level.members, wider)
        told = self._told.get(key)
        if told is None:
            text = node.RRset(wire.TXT, 0, (rdata(self.lines(level, here, wider)),))
            told = self._told[key] = node.child(EXPLAIN, (text,))
        return told

    def lines(self, level: names.Level, here: outcome.Outcome, wider: str) -> list[str]:
        alias = f": alias of the {wider} name" if wider else ""
        serving = {member for member, _ in here.shares}
        there = [member for member in level.members if member in self._shards]
        there.sort(key=serving.__contains__)
        return [
            f"{level.kind} name: {RULES[here.rule]}{alias}",
            *(self._line(member, member in serving) for member in there[:MAX_SHARDS]),
            *([f"and {len(there) - MAX_SHARDS} more shards"] if len(there) > MAX_SHARDS else ()),
            f"{len(serving)} of {len(there)} shards serve, ttl {self._ttl}",
        ]

    def _line(self, member: str, serves: bool) -> str:
        line = self._lines.get(member)
        if line is None:
            verdict = self._shards[member].verdict
            since = f" since {moment(verdict.since)}" if verdict.since else ""
            line = self._lines[member] = f"{member} {verdict.state}{since}: {verdict.reason}"
        return f"+ {line}" if serves else f"- {line}"


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rdata(lines: Iterable[str]) -> bytes:
    """TXT rdata, one character-string a line."""
    parts = []
    for line in lines:
        raw = line.encode("ascii", "replace")[:MAX_STRING]
        parts.append(bytes((len(raw),)) + raw)
    return b"".join(parts)
