"""Policies of the fleet that cannot be carried out whatever its objects are: they name members that are not
there, or wait for override policies that are not.

Law: nothing but policies is asked for, so it costs one look, and no right in any member. A server that
distributes says the same of them.
"""

import asyncio
from collections.abc import Iterable

from fedns import fleet
from fedns.distribute import holdings
from fedns.errors import Problem
from fedns.kube import client
from fedns.kube.failure import Failure
from fedns.placement import choice, targets
from fedns.sources import overrides, templates


async def found(told: fleet.Fleet, members: Iterable[fleet.Member], patience: float) -> list[Problem]:
    """What is wrong with policies. `members`: all that there are; `patience`: seconds for an API server."""
    read = await _read(told, patience)
    seen = [fleet.seen(each) for each in members]
    names = {name for each in seen for name in each.names}
    written = sorted(read.policies, key=lambda each: each.title)
    wrong = [
        *targets.Rules(choice.awaited(written, read.overrides), seen).errors,
        *(problem for each in read.overrides for problem in targets.unknown(each, names)),
    ]
    return [*templates.located(wrong, read.places)]


async def _read(told: fleet.Fleet, patience: float) -> templates.Read:
    """An API server that does not answer, or refuses, is told of by who reads the rest of it."""
    where = fleet.where(told)
    if where is None:
        return templates.read(told.manifests) if told.manifests else templates.Read()
    if not told.distribute:
        return templates.Read()
    api = client.Client(where, asyncio.Semaphore(client.AT_ONCE))
    try:
        async with asyncio.timeout(patience):
            return templates.told((await holdings.held(api, overrides.KINDS)).items)
    except (TimeoutError, Failure):
        return templates.Read()
    finally:
        await api.close()
