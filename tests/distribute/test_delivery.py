"""One step for one copy, where what is there is not what the watch has shown."""

import asyncio
from typing import Any

from fedns.distribute import delivery, joining
from fedns.kube import access
from fedns.kube.resource import Resource
from fedns.placement import assignment, marks
from tests.control import depots
from tests.fakes import kubecluster

MAPS = Resource("", "v1", "configmaps", "ConfigMap")


def test_what_is_being_removed_is_left_alone_though_no_watch_has_shown_that_yet() -> None:
    """Its object went from the fleet and came again; the removal is under way, and waits for a finalizer."""
    held, again = depots.config_map("m", at="1"), depots.config_map("m", at="2")
    held["metadata"] |= {"labels": {marks.LABEL: "true"}, "finalizers": ["example.org/hold"]}
    step = delivery.Delivery(MAPS, depots.SPACE, "m", assignment.Copy(again, b"x", "p"))

    async def main(url: str) -> Any:
        async with joining.talking(access.Where(server=url)) as api:
            return await step.run(api)

    with kubecluster.running() as one:
        one.put(kubecluster.namespace(depots.SPACE), held)
        one.request("DELETE", depots.maps("m"))
        left = asyncio.run(main(one.url))
        assert left["metadata"]["deletionTimestamp"] and left["data"] == {"at": "1"}
        assert not [line for line in one.log() if line.startswith("PATCH")]
