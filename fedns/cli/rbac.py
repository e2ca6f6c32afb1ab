"""`fedns rbac`: the least rights that every cluster has to grant, given what is configured.

Law: nobody is asked, but for policies the fleet; what is printed can be applied as it is. One cluster that is
several things to us (the fleet and a member) grants the rights of all of them to one account.
"""

import os
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from msgspec import structs

from fedns import config, fleet
from fedns.cli import codes, output, request, wish
from fedns.distribute import manifest, rights, warrant

if TYPE_CHECKING:
    from fedns.cli import claim

FLEET = "fleet"

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


class Wish(NamedTuple):
    """What `fedns rbac` is told."""

    file: output.ConfigOption = config.DEFAULT_FILE
    member: Annotated[str, typer.Option("--member", help="Only this one; `fleet`: the fleet's.")] = ""
    policies: Annotated[
        list[str],
        typer.Option(
            "--for-policies",
            help="Beside that, what these take: `fleet`, those that it has; or a directory.",
        ),
    ] = []  # noqa: RUF012 - typer's
    fleet_kubeconfig: request.FleetOption = ""
    fleet_context: request.FleetContextOption = ""
    format: Annotated[Format, typer.Option("-o", "--output", help="yaml or json.")] = Format.yaml


def _rbac(told: Wish) -> None:
    """Print the least rights that the configured clusters have to grant, as objects to apply in each."""
    written = _written(told)
    claimed = _claimed(written, told) if told.policies else None
    settings = claimed.settings if claimed else written
    found = [one for one in clusters(settings) if told.member in ("", *one.names)]
    if not found:
        output.complain(_nothing(settings, told.member, told.file))
        raise typer.Exit(codes.PROBLEMS)
    rows = [(one, *_granted(one, claimed or settings)) for one in found]
    rows = [row for row in rows if row[2]]
    _warn(rows)
    if not rows:
        output.complain(f"{told.member or 'nobody'}: no policy takes more rights than `fedns rbac` prints")
    if told.format is Format.json:
        output.emit({"clusters": [{"cluster": one.names, "objects": made} for one, made, _ in rows]})
        return
    typer.echo("---\n".join(_shown(one, made, given) for one, made, given in rows), nl=False)


rbac = wish.command(Wish, _rbac)


def _written(told: Wish) -> config.Config:
    """The configuration; where there is none here, what is known of one whose fleet is named."""
    if told.fleet_kubeconfig and not os.path.exists(told.file):
        place = os.path.expanduser(told.fleet_kubeconfig), told.fleet_context
        at = fleet.Fleet(kubeconfig=place[0], context=place[1], namespace=fleet.NAMESPACE, distribute=True)
        return config.Config("", "", fleet=at)
    loaded = config.load(told.file)
    if loaded.config is None:
        for problem in loaded.problems:
            output.complain(str(problem))
        raise typer.Exit(codes.PROBLEMS)
    return loaded.config


def _claimed(settings: config.Config, told: Wish) -> "claim.Claim":
    """The policies, and all members."""
    from fedns.cli import claim, register  # HTTP and TLS: nobody else should wait for them to load
    from fedns.kube.failure import Failure

    place = fleet.where(settings.fleet)
    if told.fleet_kubeconfig:
        place = register.at(told.fleet_kubeconfig, told.fleet_context)
    try:
        found = claim.made(settings, told.policies, place)
    except OSError as error:
        output.complain(f"{error.filename}: cannot be read: {error.strerror}")
        raise typer.Exit(codes.PROBLEMS) from None
    except Failure as failure:
        output.complain(f"the fleet cannot be asked: {failure}")
        raise typer.Exit(codes.PROBLEMS) from None
    for problem in found.problems:
        output.complain(str(problem))
    if not found.told.policies:
        where = ", ".join(told.policies)
        output.complain(f"{where}: there is no propagation policy, so nobody has to grant anything")
        raise typer.Exit(codes.PROBLEMS)
    return found


def _granted(
    cluster: Cluster, asked: "claim.Claim | config.Config"
) -> tuple[Objects, tuple[rights.Right, ...]]:
    """The objects to be applied in a cluster, and the rights that they give; for policies only those that are
    not granted anyhow."""
    if isinstance(asked, config.Config):
        return objects(cluster, asked.fleet.namespace), rights.rights(cluster.needs)
    settings, told = asked.settings, asked.told
    namespace, here = settings.fleet.namespace, FLEET in cluster.names
    found: tuple[rights.Right, ...] = warrant.reader(told, settings.fleet.status) if here else ()
    elects = fleet.where(settings.fleet) is None
    for one in settings.members:
        if one.name in cluster.names and not here:  # where the originals are no copies go
            found += warrant.writer(told, fleet.seen(one), elects)
    given = tuple(rights.beyond(found, rights.rights(cluster.needs)))
    account = cluster.account(namespace)
    role = rights.granted(warrant.account(account), given)
    return (rights.namespace(namespace), rights.account(account), *role), given


def _warn(rows: Iterable[tuple[Cluster, Objects, tuple[rights.Right, ...]]]) -> None:
    """Says aloud what is more than it looks."""
    for cluster, _, given in rows:
        if any(one.why == warrant.WARNS for one in given):
            output.complain(
                f"warning: {' and '.join(cluster.names)}: policies copy roles, so {warrant.WARNS}"
            )


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
            distribute=settings.fleet.distribute,
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
