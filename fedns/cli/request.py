"""What `fedns join` and `fedns unjoin` are told: their options.

Law: no room here knows what is done with them, so that who does it may stand on this.
"""

import os
from enum import StrEnum
from typing import Annotated, NamedTuple

import typer

from fedns import config
from fedns.cli import output

NAMESPACE = "fedns"
"""In members, for what is ours there."""
KUBECONFIG = os.path.join("~", ".kube", "config")
NameArgument = Annotated[
    str, typer.Argument(help="The member's name: in answers, in `status`, in `explain`.")
]
ContextOption = Annotated[str, typer.Option("--context", help="Its context; default: the current one.")]
NamespaceOption = Annotated[str, typer.Option("--namespace", help="In the member, for what is ours there.")]
FleetOption = Annotated[
    str,
    typer.Option(
        "--fleet-kubeconfig", help="The fleet's API server, where you do not reach it as fedns does."
    ),
]
FleetContextOption = Annotated[str, typer.Option("--fleet-context", help="Its context.")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")]


class Format(StrEnum):
    text = "text"
    yaml = "yaml"
    json = "json"


class Gateway(StrEnum):
    endpoints = "endpoints"
    addresses = "addresses"


FormatOption = Annotated[Format, typer.Option("-o", "--output", help="text for people, json for programs.")]


class Join(NamedTuple):
    """What `fedns join` is told."""

    name: NameArgument
    kubeconfig: Annotated[
        str, typer.Option("--kubeconfig", envvar="KUBECONFIG", help="Yours, with rights to give rights.")
    ] = KUBECONFIG
    context: ContextOption = ""
    file: output.ConfigOption = config.DEFAULT_FILE
    namespace: NamespaceOption = NAMESPACE
    region: Annotated[str, typer.Option(help="Default: what the labels of its nodes say.")] = ""
    zones: Annotated[str, typer.Option(help="As a,b; default: what the labels of its nodes say.")] = ""
    gateway: Annotated[
        Gateway,
        typer.Option(help="Where gateways go: to its pods, or as across networks to what Services publish."),
    ] = Gateway.endpoints
    selector: Annotated[str, typer.Option(help="Federate only services with these labels.")] = ""
    in_namespaces: Annotated[str, typer.Option(help="Only those in namespaces with these labels.")] = ""
    exports: Annotated[bool, typer.Option("--exports", help="Only those with a ServiceExport.")] = False
    aliases: Annotated[
        str, typer.Option(help="Other names by which policies may choose it, as a,b: an id.")
    ] = ""
    provider: Annotated[str, typer.Option(help="Whose cluster it is, for policies.")] = ""
    taints: Annotated[
        str,
        typer.Option(help="As key=value:NoSchedule,key:NoExecute: policies that do not tolerate stay away."),
    ] = ""
    server: Annotated[
        str, typer.Option(help="Its URL for fedns, where it is not that of the kubeconfig.")
    ] = ""
    duration: Annotated[
        str, typer.Option(help="A token that ends after 30d, and you renew; default: one that stays.")
    ] = ""
    rotate: Annotated[bool, typer.Option("--rotate", help="A new token; the old one is revoked.")] = False
    wait: Annotated[
        str, typer.Option(help="For the member to make the token, and for its rights to hold.")
    ] = "20s"
    fleet_kubeconfig: FleetOption = ""
    fleet_context: FleetContextOption = ""
    dry_run: DryOption = False
    format: FormatOption = Format.text


class Unjoin(NamedTuple):
    """What `fedns unjoin` is told."""

    name: NameArgument
    kubeconfig: Annotated[
        str, typer.Option("--kubeconfig", help="Yours of the member, to remove what is ours there too.")
    ] = ""
    context: ContextOption = ""
    file: output.ConfigOption = config.DEFAULT_FILE
    namespace: NamespaceOption = NAMESPACE
    fleet_kubeconfig: FleetOption = ""
    fleet_context: FleetContextOption = ""
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
    dry_run: DryOption = False
    format: FormatOption = Format.text
