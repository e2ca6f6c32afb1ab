"""One look at everything a configuration names, and one compilation of it that nobody is served from.

Law: the sources and the turn are the server's own, so `check` finds what the server would, and nothing else.
"""

import asyncio
import os
import tempfile
import time

import msgspec

from fedns import config, fleet, tables
from fedns.control import certificates, doubts, keys, known, signatures, turn, vault
from fedns.dns import names, signing
from fedns.errors import Problem
from fedns.kube import client
from fedns.model import snapshot
from fedns.sources import (
    change,
    cluster,
    geodata,
    identity,
    kubernetes,
    manifests,
    policies,
    watch,
    zonefiles,
)
from fedns.sources import fleet as fleets

PATIENCE = 15.0
"""Seconds for API servers to tell what they have; all are asked at once."""


def problems(file: str) -> list[Problem]:
    """All problems of the configuration, of what it names, and of what would be served from it."""
    loaded = config.load(file)
    if loaded.config is None:
        return list(loaded.problems)
    read = known.Known(config.world(loaded.config))
    asyncio.run(_look(_reachable(loaded.config), read))
    with tempfile.TemporaryDirectory(prefix="fedns-check-") as folder:
        compiled = _compile(loaded.config, read, folder)
    sources = (problem for found in read.problems.values() for problem in found)
    return list(
        dict.fromkeys((*loaded.problems, *sorted((*sources, *compiled, *_shown(loaded.config.dns.tls)))))
    )


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


async def _look(settings: config.Config, read: known.Known) -> None:
    """Reads every source once."""
    watcher = watch.Watcher()
    gate = asyncio.Semaphore(client.AT_ONCE)
    register = identity.Register(os.path.join(settings.state, "identities"), learns=False)
    asked = []
    for one in settings.members:
        about = cluster.Member(one.name, one.region, one.zones, one.labels)
        if where := fleet.where(one):
            source = kubernetes.Source(client.Client(where, gate), register, one.selector)
            asked.append(kubernetes.once(kubernetes.Member(about, source), read.put, PATIENCE))
        else:
            await manifests.Directory(about, one.manifests, watcher).look(None, read.put)
    rules, defaults, probe = settings.fleet.manifests, config.defaults(settings), config.probe(settings)
    if where := fleet.where(settings.fleet):
        source = kubernetes.Source(client.Client(where, gate), register)
        asked.append(
            kubernetes.once(fleets.Fleet(source, policies.kinds(defaults, probe)), read.put, PATIENCE)
        )
    elif rules:
        policies.Fleet(rules, watcher, defaults, probe).look(None, read.put)
    await asyncio.gather(*asked)
    await zonefiles.Zones(settings.zones, watcher).look(read.put)
    if settings.geo.database:
        read.put(change.ProblemsChange("geo", geodata.problems(settings.geo.database)))


def _compile(settings: config.Config, read: known.Known, folder: str) -> list[Problem]:
    """Compiles it all into a table that nobody reads."""
    writer = tables.Writer(os.path.join(folder, "tables"))
    try:
        server, copies = config.server(settings), settings.transfer
        once = turn.Turn(writer, config.naming(settings), snapshot.Snapshot(), server, copies)
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
