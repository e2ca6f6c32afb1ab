"""Why a name of a cluster set is answered as it is, in words: what `explain` and problems say of it.

Law: which export counts is `model.clusterset`'s word; nothing is decided here.
"""

from collections.abc import Iterator

from fedns.dns import annex
from fedns.errors import Problem
from fedns.model import clusterset, selection
from fedns.model import snapshot as model

NOT_NAMED = "only exported services are names of a cluster set, and endpoints of headless ones"
MISSING = "make a ServiceExport of its name in a member that has the Service"


def problems(service: model.Service) -> tuple[Problem, ...]:
    """Members that disagree about a service, and exports that cannot be."""
    merged = clusterset.merge(service)
    where = f"ServiceExport {service.namespace}/{service.name} of member "
    first = f"{merged.exporters[0].member} exported it first, and counts" if merged.exporters else ""
    what, hint = "its Service is of type ExternalName, which cannot be exported", "remove one of the two"
    return (
        *(Problem(where + each.member, each.detail, first) for each in merged.conflicts),
        *(Problem(where + member, what, hint) for member in merged.refused),
    )


def story(key: str, service: model.Service | None, place: selection.Place) -> annex.Story:
    """Of a service's name and of those below it, to a client at a place."""
    merged = clusterset.NOTHING if service is None else clusterset.merge(service)
    if service is None or not merged.exporters:
        why = "its Service is of type ExternalName" if merged.refused else MISSING
        return annex.Story(f"no member exports a service {key}", (why,), service)
    kind = "headless" if merged.headless else "one address"
    rule = f"a service of the cluster set ({kind}), exported by {_exporters(merged)}"
    told = _endpoints(merged) if merged.headless else _addresses(service, merged, place)
    return annex.Story(rule, (*told, *(f"{each.member} {each.detail}" for each in merged.conflicts)), service)


def _exporters(merged: clusterset.Merged) -> str:
    first, *others = (shard.member for shard in merged.exporters)
    return f"{first} (the oldest export) and {', '.join(others)}" if others else first


def _endpoints(merged: clusterset.Merged) -> Iterator[str]:
    for shard in merged.shards:
        told = (shard.facts.inside.backends if shard.facts.inside else None) or ()
        ready = sum(each.ready for each in told)
        yield f"{shard.member}: {ready} ready of {len(told)} endpoints; it is {shard.verdict.state}"


def _addresses(service: model.Service, merged: clusterset.Merged, place: selection.Place) -> Iterator[str]:
    imports = dict(service.imports)
    if place.member in imports:
        yield f"the clusterset IP that member {place.member} has: {', '.join(imports[place.member])}"
    elif len(set(imports.values())) == 1:
        yield f"the clusterset IP, the same in {', '.join(imports)}: {', '.join(service.imports[0][1])}"
    else:
        several = "members have different ones" if imports else "no ServiceImport has one"
        yield f"no clusterset IP ({several}): addresses that members publish are told"
        if not any(map(selection.candidate, merged.shards)):
            yield "no member publishes one: those inside an exporting member get its own cluster IP"
        for shard in merged.shards:
            told = ", ".join(shard.addresses) or "no address"
            yield f"{shard.member}: {told}; it is {shard.verdict.state}: {shard.verdict.reason}"
