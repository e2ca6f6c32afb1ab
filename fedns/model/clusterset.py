"""One service of a cluster set: what its exporting members say, merged.

Law: pure; the zone of the set and whoever writes ServiceImports read the same.
"""

from collections.abc import Iterable, Mapping

from fedns.model.facts import MemberFacts

Imports = tuple[tuple[str, tuple[str, ...]], ...]
"""(member, addresses that it has for the service), by name."""


def imports(key: str, members: Iterable[MemberFacts], past: Imports) -> Imports:
    """Of these members; one that was not heard yet has what it had."""
    known: Mapping[str, tuple[str, ...]] = dict(past)
    told = ((one.name, one.imports.get(key) if one.read_at else known.get(one.name)) for one in members)
    return tuple((name, addresses) for name, addresses in told if addresses)
