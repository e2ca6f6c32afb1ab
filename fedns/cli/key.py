"""`fedns key`: the keys of signed zones, as they lie in the state directory.

Law: it needs no running server. What is asked for is written beside the keys, and the server, now or when it
next runs, does it in its own time: nothing that a cache may need is taken away here.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from fedns import config
from fedns.cli import codes, output
from fedns.errors import StateError

app = typer.Typer(help="Keys of signed zones (DNSSEC).", no_args_is_help=True)
ZoneArgument = Annotated[str, typer.Argument(help="A signed zone; default: the only one there is.")]


class Role(StrEnum):
    csk = "csk"
    ksk = "ksk"
    zsk = "zsk"


class Algorithm(StrEnum):
    ecdsap256sha256 = "ecdsap256sha256"
    ed25519 = "ed25519"


@contextmanager
def _excuses() -> Iterator[None]:
    try:
        yield
    except StateError as error:
        output.complain(str(error))
        raise typer.Exit(codes.PROBLEMS) from None


@app.callback()
def key() -> None:
    """Keys of signed zones (DNSSEC)."""


@app.command(name="list")
def show(
    zone: ZoneArgument = "",
    file: output.ConfigOption = config.DEFAULT_FILE,
    format: output.FormatOption = output.Format.text,
) -> None:
    """Show every key, its state, and what happens next and when."""
    from fedns.cli import keychain  # cryptography: no other command should wait for it to load

    with _excuses():
        found = keychain.opened(file).chains(zone)
    if format is output.Format.json:
        output.emit({"at": time.time(), "zones": [each.told() for each in found]})
        return
    for each in found:
        output.out.print(each.shown(time.time()))
    if not found:
        output.out.print("no zone is signed: name some in `dns.dnssec.zones`")


@app.command()
def ds(
    zone: ZoneArgument = "",
    dnskey: Annotated[bool, typer.Option("--dnskey", help="As DNSKEY records.")] = False,
    file: output.ConfigOption = config.DEFAULT_FILE,
    format: output.FormatOption = output.Format.text,
) -> None:
    """Print what the parent zone (the registrar) is to hold; also good as a resolver's trust anchor."""
    from fedns.cli import keychain

    with _excuses():
        chains = keychain.opened(file)
        found = chains.chain(chains.one(zone))
    lines = [found.dnskey(each) if dnskey else found.ds(each) for each in found.parental]
    if format is output.Format.json:
        output.emit({"zone": found.name, "records": lines})
    for line in lines if format is output.Format.text else ():
        typer.echo(line)
    if not lines:
        output.complain(
            f"{found.name} has no keys yet: start the server, or `fedns key generate {found.name}`"
        )
        raise typer.Exit(codes.PROBLEMS)


@app.command()
def generate(
    zone: ZoneArgument = "",
    out: Annotated[str, typer.Option(help="Write one key into this file, for `dns.dnssec.files`.")] = "",
    role: Annotated[Role, typer.Option(help="What the key in the file is for.")] = Role.csk,
    algorithm: Annotated[Algorithm, typer.Option(help="Of the key in the file.")] = Algorithm.ecdsap256sha256,
    file: output.ConfigOption = config.DEFAULT_FILE,
) -> None:
    """Make the first keys of a zone ahead of the server, or with --out a key in a file of its own."""
    from fedns.cli import keychain

    with _excuses():
        if out:
            made = keychain.write(out, role.value, algorithm.value)
            output.out.print(f"{out}: {role} {made.tag}, readable by you alone")
            return
        chains = keychain.opened(file)
        name = chains.one(zone)
        output.out.print(keychain.make(chains, name).shown(time.time()))


@app.command()
def roll(
    zone: ZoneArgument = "",
    role: Annotated[
        Role | None, typer.Option(help="Which key; default: csk, or zsk where they are two.")
    ] = None,
    file: output.ConfigOption = config.DEFAULT_FILE,
) -> None:
    """Replace a key now, as fast as caches allow: routinely, or because it may have leaked."""
    from fedns.cli import keychain

    with _excuses():
        chains = keychain.opened(file)
        name = chains.one(zone)
        wanted = role.value if role else chains.chain(name).usual
        _told(keychain.ask(chains, name, f"roll {wanted}"))


@app.command()
def seen(
    zone: ZoneArgument = "",
    gone: Annotated[bool, typer.Option("--gone", help="The parent has no DS any more.")] = False,
    file: output.ConfigOption = config.DEFAULT_FILE,
) -> None:
    """Tell that all servers of the parent zone have the new DS (or, with --gone, none): the roll goes on."""
    from fedns.cli import keychain

    with _excuses():
        chains = keychain.opened(file)
        _told(keychain.ask(chains, chains.one(zone), "gone" if gone else "seen"))


def _told(lines: list[str]) -> None:
    for line in lines:
        output.out.print(line, markup=False)
