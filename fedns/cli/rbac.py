"""`fedns rbac`: the least rights that every cluster has to grant, given what is configured.

Law: nobody is asked; what is printed can be applied as it is. One cluster that is several things to us (the
fleet and a member) grants the rights of all of them to one account.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import typer
from msgspec import structs

from fedns import config, fleet
from fedns.cli import codes, output
from fedns.distribute import manifest, rights

FLEET = "fleet"


class Format(StrEnum):
    yaml = "yaml"
    json = "json"


class Cluster(NamedTuple):
    """`names`: what it is called, `fleet` and members; `at`: where it is."""

    names: tuple[str, ...]
    at: str
    needs: rights.Needs

    def account(self, namespace: str) -> rights.Account:
        """In the fleet's cluster the account that fedns runs as, elsewhere one that only reads."""
        return rights.ours(namespace) if self.needs.fleet else rights.reader(namespace)


def rbac(
    file: output.ConfigOption = config.DEFAULT_FILE,
    member: Annotated[str, typer.Option("--member", help="Only this one; `fleet`: the fleet's.")] = "",
    format: Annotated[Format, typer.Option("-o", "--output", help="yaml or json.")] = Format.yaml,
) -> None:
    """Print the least rights that the configured clusters have to grant, as objects to apply in each."""
    loaded = config.load(file)
    if loaded.config is None:
        for problem in loaded.problems:
            output.complain(str(problem))
        raise typer.Exit(codes.PROBLEMS)
    namespace = loaded.config.fleet.namespace
    found = [one for one in clusters(loaded.config) if member in ("", *one.names)]
    if not found:
        output.complain(_nothing(loaded.config, member, file))
        raise typer.Exit(codes.PROBLEMS)
    if format is Format.json:
        told = [{"cluster": one.names, "objects": objects(one, namespace)} for one in found]
        output.emit({"clusters": told})
        return
    typer.echo("---\n".join(_shown(one, namespace) for one in found), nl=False)


def clusters(settings: config.Config) -> list[Cluster]:
    """Those that are API servers, the fleet's first."""
    found: dict[Any, Cluster] = {}
    place = fleet.where(settings.fleet)
    if place is not None:
        needs = rights.Needs(
            fleet=True,
            status=settings.fleet.status,
            gateway=settings.gateway.serves,
            imports=settings.clusterset.write,
        )
        found[place] = Cluster((FLEET,), str(place), needs)
    for member in settings.members:
        at = fleet.where(member)
        if at is None:
            continue
        known = found.get(at, Cluster((), str(at), rights.Needs()))
        needs = structs.replace(
            joined(settings, known.needs),
            exports=known.needs.exports or member.exports,
            namespaces=known.needs.namespaces or bool(member.namespaces),
        )
        found[at] = Cluster((*known.names, member.name), str(at), needs)
    return list(found.values())


def joined(settings: config.Config, before: rights.Needs) -> rights.Needs:
    """What a cluster is to us beside what it was, when it is a member of this configuration."""
    told = settings.clusterset
    return structs.replace(
        before,
        member=True,
        clusterset=told.serves,
        imports=told.write,
        slices=told.slices,
        elects=told.write and fleet.where(settings.fleet) is None,
    )


def objects(cluster: Cluster, namespace: str) -> tuple[dict[str, Any], ...]:
    """All that is to be applied in a cluster."""
    account = cluster.account(namespace)
    given = rights.rights(cluster.needs)
    return (rights.namespace(namespace), rights.account(account), *rights.granted(account, given))


def _shown(cluster: Cluster, namespace: str) -> str:
    given = rights.rights(cluster.needs)
    names = " and ".join(("the fleet" if name == FLEET else f"member {name}") for name in cluster.names)
    text = manifest.text(objects(cluster, namespace), [(rights.rule(one), one.why) for one in given])
    return f"# To be applied in the cluster of {names}: {cluster.at}\n{text}"


def _nothing(settings: config.Config, member: str, file: str) -> str:
    if not member:
        return f"{file}: neither the fleet nor a member is an API server, so nobody has to grant anything"
    if member in (FLEET, *(one.name for one in settings.members)):
        return f"{member}: is no API server, so nobody has to grant anything"
    known: Iterator[str] = (name for one in clusters(settings) for name in one.names)
    return f"{member}: no such member in {file} (known: {', '.join(known)})"
