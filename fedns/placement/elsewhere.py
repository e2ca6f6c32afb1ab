"""Services whose workloads go elsewhere: where none goes, a Service is no shard, and nobody calls it sick.

Law: pure. Its copy there says so in an annotation; who makes shards (`sources/cluster.py`) takes it at its
word only while the Service has no endpoints at all, so that somebody else's pods count as ever. A Service
whose workloads the fleet places nowhere says nothing.
"""

from collections.abc import Collection, Iterator, Mapping

from fedns.placement import item, pod, targets

NOTE, VALUE = "fedns.io/workload", "elsewhere"
WHY = "none of its workloads goes there: without endpoints it is no shard"
Index = dict[tuple[str, str, str], list[tuple[item.Item, targets.Spread]]]
Templates = Mapping[item.Ref, item.Item]


def found(
    spreads: Mapping[item.Ref, targets.Spread], templates: Templates, only: Collection[str] | None = None
) -> dict[item.Ref, frozenset[str]]:
    """Services (in `only` these namespaces), and the members to which they go without any workload."""
    here = {what: each for what, each in spreads.items() if only is None or what.namespace in only}
    index: Index = {}
    for what, spread in here.items():
        template = templates.get(what)
        for key, value in pod.labels(template).items() if template else ():
            index.setdefault((what.namespace, key, str(value)), []).append((templates[what], spread))
    rows = ((what, frozenset(_lonely(what, spread, index, templates))) for what, spread in here.items())
    return {what: members for what, members in rows if members}


def marked(template: item.Item) -> item.Item:
    """The same, saying so."""
    made = item.own(template)
    item.put(made, VALUE, "metadata", "annotations", NOTE)
    return made


def _lonely(what: item.Ref, spread: targets.Spread, index: Index, templates: Templates) -> Iterator[str]:
    selector = item.at(templates.get(what), "spec", "selector") if what[:2] == ("", "Service") else None
    if not isinstance(selector, dict) or not selector:
        return
    key, value = next(iter(selector.items()))
    near = index.get((what.namespace, key, str(value)), ())
    mine = [each for found, each in near if selector.items() <= pod.labels(found).items()]
    if any(each.frozen for each in mine) or not any(each.targets for each in mine):
        return
    yield from (name for name in spread.targets if not any(name in each.targets for each in mine))
