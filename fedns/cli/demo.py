"""`fedns demo`: a fleet on loopback with backends that can be failed and healed, to watch fedns work."""

import contextlib
import math
import os
import shlex
import sys
from typing import Annotated

import typer

from fedns import config, schema, values
from fedns.cli import codes, demo_backends, demo_fleet, output, serve

app = typer.Typer(help="A fleet on loopback, to try things on.", no_args_is_help=True)

MemberArgument = Annotated[str, typer.Argument(help="A member of the demo fleet, such as gce-europe-west1.")]
PortOption = Annotated[int, typer.Option("--port", help="Port of the demo's backends.")]

TRY = """\
The demo fleet runs: 4 members, DNS on {dns}, HTTP on {gateway}, admin API on http://{admin}
Its files are in {directory} and are watched: edit one and see.

Try, in another terminal:

  dig @{dns.host} -p {dns.port} {name}.{domain} +short
  dig @{dns.host} -p {dns.port} {name}.europe-west1.{domain}
  dig @{dns.host} -p {dns.port} {name}.europe-west1-b.{domain} AAAA
  dig @{dns.host} -p {dns.port} _http._tcp.{name}.europe-west1.{domain} SRV
  dig @{dns.host} -p {dns.port} eu.nginx.acme.com
  curl -H 'Host: {host}' http://{gateway}/    # the cluster that answers, by turns
  {fedns} explain http://{host}:{gateway.port}/{option}
  {fedns} routes{option}
  {fedns} status --watch{option}
  {fedns} explain {name}.europe-west1.{domain}{option}
  {fedns} demo watch{where}{backend}    # who answers, by the gateway and by DNS, whenever it changes
  {fedns} demo fail gce-europe-west1{backend}    # the gateway passes it over at once, DNS within 3 seconds
  {fedns} demo heal gce-europe-west1{backend}
  {fedns} drain gce-us-east1 --for 30m{option}
  {fedns} undrain gce-us-east1{option}
  {fedns} zone dump{option}

Ctrl-C stops everything.
"""


@app.command()
def start(
    directory: Annotated[str, typer.Option("--dir", help="Where the demo's files go.")] = "demo",
    dns: Annotated[str, typer.Option("--dns", help="Where DNS listens.")] = "127.0.0.1:5300",
    admin: Annotated[str, typer.Option("--admin", help="Where the admin API listens.")] = config.ADMIN,
    port: PortOption = 8080,
) -> None:
    """Write the demo fleet, start its backends and the server; runs until Ctrl-C."""
    try:
        ports = demo_fleet.Ports(values.address(dns), values.address(admin), port)
    except schema.Bad as error:
        output.complain(f"{error.what} ({error.hint})")
        raise typer.Exit(codes.USAGE) from None
    try:
        file = demo_fleet.write(directory, ports)
        backends = demo_backends.spawn(port)
    except OSError as error:
        output.complain(f"the demo cannot start: {error}")
        raise typer.Exit(codes.PROBLEMS) from None
    try:
        typer.echo(guide(directory, ports))
        code = serve.run(file)
    finally:
        demo_backends.stop(backends)
    raise typer.Exit(code)


@app.command()
def fail(
    member: MemberArgument, port: PortOption = 8080, format: output.FormatOption = output.Format.text
) -> None:
    """Make a member's backend answer 503."""
    _tell(member, port, "fail", format)


@app.command()
def heal(
    member: MemberArgument, port: PortOption = 8080, format: output.FormatOption = output.Format.text
) -> None:
    """Make a member's backend answer again."""
    _tell(member, port, "heal", format)


@app.command()
def watch(
    dns: Annotated[str, typer.Option("--dns", help="Where the demo's DNS listens.")] = "127.0.0.1:5300",
    port: PortOption = 8080,
    seconds: Annotated[float, typer.Option("--for", help="Seconds; else until Ctrl-C.")] = math.inf,
) -> None:
    """Show who answers, through the gateway and by DNS: a line whenever it changes."""
    from fedns.cli import demo_watch  # asks by DNS itself: no other command should wait for that to load

    try:
        server = values.address(dns)
    except schema.Bad as error:
        output.complain(f"{error.what} ({error.hint})")
        raise typer.Exit(codes.USAGE) from None
    output.out.print("[dim]* only one of the two has it[/]")
    with contextlib.suppress(KeyboardInterrupt):
        for at, seen in demo_watch.changes(values.Address("127.0.0.1", port), server, seconds):
            output.out.print(demo_watch.line(at, seen), markup=False)


def guide(directory: str, ports: demo_fleet.Ports) -> str:
    """What to try, with the options that a demo elsewhere than at the defaults needs."""
    usual = demo_fleet.Ports()
    name = f"{demo_fleet.SERVICE}.{demo_fleet.NAMESPACE}.{demo_fleet.FEDERATION}.svc"
    return TRY.format(
        dns=ports.dns,
        admin=ports.admin,
        gateway=ports.gateway,
        host=demo_fleet.HOST,
        directory=os.path.join(directory, ""),
        name=name,
        domain=demo_fleet.DOMAIN,
        fedns=program(),
        option="" if ports.admin == usual.admin else f" --admin {ports.admin}",
        where="" if ports.dns == usual.dns else f" --dns {ports.dns}",
        backend="" if ports.backend == usual.backend else f" --port {ports.backend}",
    )


def program() -> str:
    """How this program is called from the working directory: as it was, so that a copied line works."""
    called = sys.argv[0]
    if os.path.basename(called) != "fedns":
        return f"{shlex.quote(sys.executable)} -m fedns.cli.main"
    found = os.path.abspath(called)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if folder and os.path.abspath(os.path.join(folder, "fedns")) == found:
            return "fedns"
    near = os.path.relpath(found)
    return shlex.quote(found if near.startswith("..") else near)


def _tell(member: str, port: int, word: str, format: output.Format) -> None:
    try:
        site = demo_fleet.site(member)
    except KeyError:
        hint = schema.nearest(member, [one.member for one in demo_fleet.SITES])
        output.complain(f"the demo has no member {member!r} ({hint})")
        raise typer.Exit(codes.USAGE) from None
    try:
        demo_backends.tell(site.address, port, word)
    except OSError as error:
        output.complain(f"no demo backend answers at {site.address}:{port}: {error}")
        raise typer.Exit(codes.UNREACHABLE) from None
    if format is output.Format.json:
        output.emit({"member": member, "address": site.address, "port": port, "failing": word == "fail"})
        return
    state = "answers 503 now" if word == "fail" else "answers again"
    output.out.print(f"{member} ({site.address}:{port}) {state}")
