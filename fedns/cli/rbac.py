"""`fedns rbac`: the least rights that every cluster has to grant, given what is configured.

Law: nobody is asked; what is printed can be applied as it is. One cluster that is several things to us (the
fleet and a member) grants the rights of all of them to one account.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import typer
from msgspec import structs

from fedns import config, fleet
from fedns.cli import codes, output
from fedns.distribute import manifest, rights, warrant
from fedns.placement import matching
from fedns.sources import propagation, templates

FLEET = "fleet"
GROUPS = propagation.GROUPS

Objects = tuple[dict[str, Any], ...]


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
    policies: Annotated[
        list[str],
        typer.Option("--for-policies", help="Instead, what it takes to distribute by the policies in here."),
    ] = [],  # noqa: B006 - typer's
    format: Annotated[Format, typer.Option("-o", "--output", help="yaml or json.")] = Format.yaml,
) -> None:
    """Print the least rights that the configured clusters have to grant, as objects to apply in each."""
    loaded = config.load(file)
    if loaded.config is None:
        for problem in loaded.problems:
            output.complain(str(problem))
        raise typer.Exit(codes.PROBLEMS)
    found = [one for one in clusters(loaded.config) if member in ("", *one.names)]
    if not found:
        output.complain(_nothing(loaded.config, member, file))
        raise typer.Exit(codes.PROBLEMS)
    asked = _asked(loaded.config, policies) if policies else None
    rows = [(one, *_granted(one, loaded.config, asked)) for one in found]
    rows = [row for row in rows if row[2]]
    if format is Format.json:
        output.emit({"clusters": [{"cluster": one.names, "objects": made} for one, made, _ in rows]})
        return
    typer.echo("---\n".join(_shown(one, made, given) for one, made, given in rows), nl=False)


def _asked(settings: config.Config, paths: Iterable[str]) -> warrant.Told:
    """The policies in files and directories."""
    try:
        read = [templates.read(path) for path in paths]
    except OSError as error:
        output.complain(f"{error.filename}: cannot be read: {error.strerror}")
        raise typer.Exit(codes.PROBLEMS) from None
    for problem in (each for one in read for each in one.problems):
        output.complain(str(problem))
    found = [each for one in read for each in one.policies]
    if not found:
        output.complain(
            f"{', '.join(paths)}: there is no propagation policy, so nobody has to grant anything"
        )
        raise typer.Exit(codes.PROBLEMS)
    return warrant.told(found, [each for one in read for each in one.items])


def _granted(
    cluster: Cluster, settings: config.Config, asked: warrant.Told | None
) -> tuple[Objects, tuple[rights.Right, ...]]:
    """The objects to be applied in a cluster, and the rights that they give."""
    namespace = settings.fleet.namespace
    if asked is None:
        return objects(cluster, namespace), rights.rights(cluster.needs)
    given: tuple[rights.Right, ...] = warrant.reader(asked, GROUPS) if FLEET in cluster.names else ()
    elects = fleet.where(settings.fleet) is None
    for one in settings.members:
        if one.name in cluster.names:
            who = matching.Member(one.name, labels=one.labels, region=one.region, zones=one.zones)
            given += warrant.writer(asked, who, elects)
    given = tuple(dict.fromkeys(given))
    account = cluster.account(namespace)
    role = rights.granted(warrant.account(account), given)
    return (rights.namespace(namespace), rights.account(account), *role), given


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


def _shown(cluster: Cluster, made: Objects, given: Iterable[rights.Right]) -> str:
    names = " and ".join(("the fleet" if name == FLEET else f"member {name}") for name in cluster.names)
    text = manifest.text(made, [(rights.rule(one), one.why) for one in given])
    return f"# To be applied in the cluster of {names}: {cluster.at}\n{text}"


def _nothing(settings: config.Config, member: str, file: str) -> str:
    if not member:
        return f"{file}: neither the fleet nor a member is an API server, so nobody has to grant anything"
    if member in (FLEET, *(one.name for one in settings.members)):
        return f"{member}: is no API server, so nobody has to grant anything"
    known: Iterator[str] = (name for one in clusters(settings) for name in one.names)
    return f"{member}: no such member in {file} (known: {', '.join(known)})"
