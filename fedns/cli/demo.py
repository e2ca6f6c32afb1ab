"""`fedns demo`: a fleet on loopback with backends that can be failed and healed, to watch fedns work."""

import contextlib
import math
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from fedns import config, schema, values
from fedns.cli import codes, demo_backends, demo_fleet, output, serve

app = typer.Typer(help="A fleet on loopback, to try things on.", no_args_is_help=True)

MemberArgument = Annotated[str, typer.Argument(help="A member of the demo fleet, such as gce-europe-west1.")]
DnsOption = Annotated[str, typer.Option("--dns", help="Where the demo's DNS listens.")]
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
  {fedns} demo pod{where}{backend} us-east1-b nslookup {short}    # as a pod there: its own cluster first
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
    dns: DnsOption = "127.0.0.1:5300",
    port: PortOption = 8080,
    seconds: Annotated[float, typer.Option("--for", help="Seconds; else until Ctrl-C.")] = math.inf,
) -> None:
    """Show who answers, through the gateway and by DNS: a line whenever it changes."""
    from fedns.cli import demo_watch  # asks by DNS itself: no other command should wait for that to load

    server = _server(dns)
    output.out.print("[dim]* only one of the two has it[/]")
    with contextlib.suppress(KeyboardInterrupt):
        for at, seen in demo_watch.changes(values.Address("127.0.0.1", port), server, seconds):
            output.out.print(demo_watch.line(at, seen), markup=False)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def pod(
    zone: Annotated[str, typer.Argument(help="Where the pod is: a zone of the demo, such as us-east1-b.")],
    command: Annotated[list[str], typer.Argument(help="What it runs, such as `nslookup NAME`.")],
    dns: DnsOption = "127.0.0.1:5300",
    port: PortOption = 8080,
) -> None:
    """Run a command as a pod of the member in that zone would."""
    from fedns.cli import demo_pod

    server, site = _server(dns), _site(zone, {one.zone: one for one in demo_fleet.SITES}, "zone")
    if shutil.which(command[0]) is None:
        output.complain(f"there is no command {command[0]!r} here (nslookup, dig: Debian's bind9-dnsutils)")
        raise typer.Exit(codes.USAGE)
    if not demo_pod.answers(server):
        output.complain(
            f"no demo answers at {server} (`fedns demo start` starts one; --dns says where it is)"
        )
        raise typer.Exit(codes.UNREACHABLE)
    reason = demo_pod.obstacle()
    if not reason:
        try:
            raise typer.Exit(demo_pod.run(site, server, port, command))
        except OSError as error:
            reason = str(error)
    words = demo_pod.equivalent(site, server, command)
    output.complain(f"no pod can be made here: {reason}; the same question by hand:")
    typer.echo(shlex.join(words))
    raise typer.Exit(subprocess.run(words, check=False).returncode if shutil.which(words[0]) else codes.USAGE)


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
        short=demo_fleet.SHORT,
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
    site = _site(member, {one.member: one for one in demo_fleet.SITES}, "member")
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


def _server(dns: str) -> values.Address:
    try:
        return values.address(dns)
    except schema.Bad as error:
        output.complain(f"{error.what} ({error.hint})")
        raise typer.Exit(codes.USAGE) from None


def _site(name: str, sites: Mapping[str, demo_fleet.Site], kind: str) -> demo_fleet.Site:
    if name in sites:
        return sites[name]
    output.complain(f"the demo has no {kind} {name!r} ({schema.nearest(name, sites)})")
    raise typer.Exit(codes.USAGE)
