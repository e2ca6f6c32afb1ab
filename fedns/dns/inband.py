"""`dig TXT _explain.<name>`: why this name answers as it does, in few short lines.

Law: the text holds times and not ages, because it is made when the answer is made and read later;
it changes only when the answer or a verdict does. It fits a small datagram: what is left out is counted.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from fedns.dns import names, outcome
from fedns.model import snapshot as model

MAX_SHARDS = 6  # lines; a global name of 20 members still fits 1232 octets
MAX_STRING = 255  # RFC 1035 3.3.14

_RULES = {
    "serve": "addresses of the shards that can serve",
    "open": "no shard can serve: fail open, the last set known good",
    "closed": "no shard can serve: closed by policy, no data",
    "backup": "no shard can serve: the policy's backup",
    "nothing": "no shard can serve and none is known good: no data",
    "fallback": "no shard can serve here",
}


class Tale:
    """The lines of one service; what its levels share is told once."""

    def __init__(self, service: model.Service, ttl: int) -> None:
        self._service, self._ttl = service, ttl
        self._lines: dict[str, str] = {}

    def lines(self, level: names.Level, here: outcome.Outcome, targets: list[bytes]) -> list[str]:
        rule = _RULES[here.rule]
        if targets:
            rule += f": alias of {names.text(targets[0])}"
        found = [f"{level.kind} name: {rule}"]
        there = [shard for shard in self._service.shards if inside(shard, level)]
        serving = {member for member, _ in here.shares}
        there.sort(key=lambda shard: shard.member in serving)
        found += [self._line(shard, shard.member in serving) for shard in there[:MAX_SHARDS]]
        if len(there) > MAX_SHARDS:
            found.append(f"and {len(there) - MAX_SHARDS} more shards")
        found.append(f"{len(serving)} of {len(there)} shards serve, ttl {self._ttl}")
        return found

    def _line(self, shard: model.Shard, serves: bool) -> str:
        line = self._lines.get(shard.member)
        if line is None:
            verdict = shard.verdict
            since = f" since {moment(verdict.since)}" if verdict.since else ""
            line = self._lines[shard.member] = f"{shard.member} {verdict.state}{since}: {verdict.reason}"
        return f"+ {line}" if serves else f"- {line}"


def inside(shard: model.Shard, level: names.Level) -> bool:
    """Is the shard in the level's place at all?"""
    if level.zone and level.zone not in shard.zones:
        return False
    return not level.region or shard.region == level.region


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rdata(lines: Iterable[str]) -> bytes:
    """TXT rdata, one character-string a line."""
    parts = []
    for line in lines:
        raw = line.encode("ascii", "replace")[:MAX_STRING]
        parts.append(bytes((len(raw),)) + raw)
    return b"".join(parts)
