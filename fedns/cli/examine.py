"""One look at everything a configuration names, and one compilation of it that nobody is served from.

Law: the sources and the turn are the server's own, so `check` finds what the server would, and nothing else.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from fedns import config, fleet, tables
from fedns.cli import strangers, whereabouts
from fedns.control import (
    annexes,
    certificates,
    doors,
    doubts,
    keys,
    known,
    passage,
    roster,
    signatures,
    turn,
    vault,
    wallet,
)
from fedns.dns import names, signing
from fedns.errors import Problem
from fedns.gateway import compile, report
from fedns.model import snapshot
from fedns.sources import (
    catalog,
    change,
    documents,
    entries,
    geodata,
    kubernetes,
    watch,
    zonefiles,
)
from fedns.sources import fleet as fleets
from fedns.sources import ingresses as routing

PATIENCE = 15.0
"""Seconds for API servers to tell what they have; all are asked at once."""


class Found(NamedTuple):
    """Everything that is wrong, and what becomes of the annotations of Ingresses."""

    problems: list[Problem]
    annotations: tuple[report.Line, ...] = ()


def found(file: str) -> Found:
    """All problems of the configuration, of what it names, and of what would be served from it."""
    loaded = config.load(file)
    if loaded.config is None:
        return Found(list(loaded.problems))
    read = known.Known(config.world(loaded.config))
    settings = _reachable(loaded.config)
    with tempfile.TemporaryDirectory(prefix="fedns-check-") as folder:
        more = asyncio.run(_look(settings, read, os.path.join(folder, "members")))
        members = (*loaded.config.members, *more)
        strange = asyncio.run(strangers.found(settings.fleet, members, PATIENCE))
        compiled = _compile(loaded.config, read, os.path.join(folder, "tables"), more)
    sources = (problem for each in read.problems.values() for problem in each)
    served = whereabouts.placed(compiled, loaded.config.fleet.manifests)
    everything = (*loaded.problems, *sorted((*sources, *served, *strange, *_shown(loaded.config.dns.tls))))
    return Found(list(dict.fromkeys(everything)), report.lines(read.said.ingresses))


def ingresses(path: str) -> Found:
    """The same of Ingresses alone, in a file or a directory, whatever their class is."""
    try:
        values, troubles = _folder(path) if os.path.isdir(path) else _file(path)
    except OSError as error:
        return Found([Problem(path, f"cannot be read: {error.strerror}")])
    said = routing.said(values)
    classes = tuple({each.klass for each in said.ingresses if each.klass})
    given = compile.Input(said.ingresses, (), said.secrets)
    made = compile.table(given, compile.Settings(classes))
    problems = sorted((*troubles, *whereabouts.placed(made.problems, path)))
    return Found(list(dict.fromkeys(problems)), report.lines(said.ingresses))


Values = Iterable[tuple[documents.ObjectKey, Any]]


def _folder(path: str) -> tuple[Values, Iterable[Problem]]:
    book = catalog.Catalog(path, entries.KINDS)
    for each in book.look().changed:
        book.read(each)
    return book.values(), book.problems()


def _file(path: str) -> tuple[Values, Iterable[Problem]]:
    with open(path, "rb") as file:
        data = file.read()
    try:
        content = documents.read(path, data, entries.KINDS, documents.Content())
    except documents.Broken as broken:
        return (), (broken.problem,)
    return [(one.key, one.value) for one in content.entries.values()], content.problems


def _shown(told: config.Tls) -> tuple[Problem, ...]:
    """What is wrong with the certificate that DNS over TLS would show."""
    return certificates.problems(told.certificate, told.key, time.time()) if told.listen else ()


def _reachable(settings: config.Config) -> config.Config:
    """Without the directories that are not there: those are the configuration's problems already."""
    return msgspec.structs.replace(
        settings,
        members=tuple(one for one in settings.members if fleet.where(one) or os.path.isdir(one.manifests)),
        zones=tuple(path for path in settings.zones if os.path.isdir(path)),
        fleet=settings.fleet
        if fleet.where(settings.fleet) or os.path.isdir(settings.fleet.manifests)
        else fleet.Fleet(),
    )


async def _look(settings: config.Config, read: known.Known, folder: str) -> list[fleet.Member]:
    """Reads every source once; the members that the fleet registers, whose credentials go below `folder`."""
    watcher = watch.Watcher()
    opened = doors.Doors(settings, watcher, learns=False)
    asked = [_ask(opened.member(one), read) for one in settings.members]
    outer = opened.fleet()
    if isinstance(outer, fleets.Fleet):
        asked.append(kubernetes.once(outer, read.put, PATIENCE))
    elif settings.fleet.manifests:
        outer.look(None, read.put)
    await asyncio.gather(*asked)
    home, own = wallet.Wallet(folder), {one.name: one for one in settings.members}
    read.put(change.ProblemsChange("roster", tuple(roster.twice(read.registered, own))))
    found = [one for name, one in sorted(read.registered.items()) if name not in own]
    for one in found:
        home.keep(one)
    members = [home.member(one.told, one.credentials) for one in found]
    await asyncio.gather(*(_ask(opened.member(one), read) for one in members))
    await zonefiles.Zones(settings.zones, watcher).look(read.put)
    if settings.geo.database:
        read.put(change.ProblemsChange("geo", geodata.problems(settings.geo.database)))
    return members


async def _ask(door: doors.Door, read: known.Known) -> None:
    if isinstance(door, kubernetes.Member):
        await kubernetes.once(door, read.put, PATIENCE)
    else:
        await door.look(None, read.put)


def _compile(
    settings: config.Config, read: known.Known, folder: str, more: list[fleet.Member]
) -> list[Problem]:
    """Compiles it all into a table that nobody reads."""
    writer = tables.Writer(folder)
    try:
        server, copies = config.server(settings), settings.transfer
        once = turn.Turn(writer, config.naming(settings), snapshot.Snapshot(), server, copies)
        if settings.gateway.serves:
            once.passage = passage.Passage(lambda: (), settings.gateway.place)
            once.passage.compile(read.said)
        once.annexes = annexes.Annexes(config.annexes(settings))
        once.locate(config.whereabouts(settings, more))
        signed = (signing.Zone(names.wire(zone), 1) for zone in settings.dns.dnssec.zones)
        once.signing = signing.encode(list(signed))
        once.run(read, time.time())
    finally:
        writer.close()
    compiled = [problem for found in once.problems.values() for problem in found]
    return [
        *compiled,
        *doubts.policies(once.snapshot, read.policies),
        *signatures.problems(settings.dns.dnssec, once.zones, read.zones),
        *keys.faults(vault.Vault(os.path.join(settings.state, "keys")), settings.dns.dnssec),
    ]
