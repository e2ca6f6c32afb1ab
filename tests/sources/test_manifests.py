"""A member's directory, on a real file system, watched for real."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from fedns.model import guard
from fedns.model.facts import MemberFacts, ShardFacts
from fedns.sources import cluster, manifests, watch
from fedns.sources.change import MemberChange
from tests.sources.listening import Listener

MEMBER = cluster.Member("m", "r", ("z",))


def service(name: str, address: str = "192.0.2.1") -> dict[str, Any]:
    status = {"loadBalancer": {"ingress": [{"ip": address}]}}
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec, "status": status}


def write(path: Path, *names: str) -> None:
    """Replace the file as a whole, as tools do."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(json.dumps({"kind": "List", "items": [service(name) for name in names]}))
    os.replace(beside, path)


def watched(root: Path, test: Callable[[Listener], Coroutine[Any, Any, None]]) -> Listener:
    """Run `test` beside a running source of `root`."""

    async def main() -> Listener:
        listener, watcher = Listener(), watch.Watcher()
        source = manifests.Directory(MEMBER, str(root), watcher)
        tasks = [asyncio.create_task(each) for each in (source.run(listener), watcher.run())]
        try:
            await listener.until(lambda: listener.all(MemberChange))
            await test(listener)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return listener

    return asyncio.run(main())


def facts(listener: Listener) -> MemberFacts:
    return listener.last(MemberChange).facts


def test_a_change_of_one_file_touches_only_its_services(tmp_path: Path) -> None:
    write(tmp_path / "a.json", "a", "b")
    write(tmp_path / "c.json", "c")

    async def test(listener: Listener) -> None:
        assert listener.heard[0] == MemberChange(facts(listener), None)
        (tmp_path / "new").mkdir()
        write(tmp_path / "new/d.json", "d")
        await listener.until(lambda: "default/d" in facts(listener).shards)
        write(tmp_path / "a.json", "a", "x")
        await listener.until(lambda: "default/x" in facts(listener).shards)
        assert {"default/b", "default/x"} in [change.touched for change in listener.all(MemberChange)]
        (tmp_path / "c.json").unlink()
        await listener.until(lambda: "default/c" not in facts(listener).shards)

    last = facts(watched(tmp_path, test))
    assert sorted(last.shards) == ["default/a", "default/d", "default/x"]
    assert (last.name, last.region, last.zones, last.api) == ("m", "r", ("z",), "reachable")


def test_a_broken_file_is_a_problem_and_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.json", "a")

    async def test(listener: Listener) -> None:
        (tmp_path / "a.json").write_text('{"kind": "List",\n "items": [')
        await listener.until(lambda: listener.problems())
        assert listener.problems()[0].startswith(f"{tmp_path}/a.json:2: ")
        assert list(facts(listener).shards) == ["default/a"]
        write(tmp_path / "a.json", "b")
        await listener.until(lambda: not listener.problems())

    assert list(facts(watched(tmp_path, test)).shards) == ["default/b"]


def test_a_directory_that_is_missing_or_goes_is_an_api_that_cannot_be_reached(tmp_path: Path) -> None:
    root = tmp_path / "member"

    async def test(listener: Listener) -> None:
        assert (facts(listener).api, facts(listener).shards) == ("unreachable", {})
        root.mkdir()
        write(root / "a.json", "a")
        await listener.until(lambda: facts(listener).shards)
        assert facts(listener).api == "reachable"
        os.rename(root, tmp_path / "elsewhere")
        await listener.until(lambda: facts(listener).api == "unreachable")
        assert list(facts(listener).shards) == ["default/a"]
        await listener.until(lambda: listener.problems())
        shutil.move(tmp_path / "elsewhere", root)
        await listener.until(lambda: facts(listener).api == "reachable")

    assert watched(root, test).problems() == []


def test_a_mass_removal_waits_for_a_second_look(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(30)]
    write(tmp_path / "a.json", *names)

    async def test(listener: Listener) -> None:
        began = time.monotonic()
        write(tmp_path / "a.json", "s0", "new")
        await listener.until(lambda: "default/new" in facts(listener).shards)
        assert len(facts(listener).shards) == 31
        await listener.until(lambda: listener.problems())
        await listener.until(lambda: len(facts(listener).shards) == 2)
        assert time.monotonic() - began >= guard.APART
        assert len(listener.last(MemberChange).touched or ()) == 29

    assert watched(tmp_path, test).problems() == []


def test_a_mass_removal_that_is_taken_back_never_happened(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(30)]
    write(tmp_path / "a.json", *names)

    async def test(listener: Listener) -> None:
        write(tmp_path / "a.json")
        await listener.until(lambda: listener.problems())
        write(tmp_path / "a.json", *names, "more")
        await listener.until(lambda: not listener.problems())
        await listener.until(lambda: "default/more" in facts(listener).shards)

    heard = watched(tmp_path, test).all(MemberChange)
    assert all(len(change.facts.shards) >= 30 for change in heard)


def test_the_first_look_after_a_restart_passes_the_guard_too(tmp_path: Path) -> None:
    known = {f"default/s{number}": ShardFacts(("192.0.2.1",)) for number in range(30)}
    listener = Listener()
    source = manifests.Directory(MEMBER, str(tmp_path), watch.Watcher(), known)
    asyncio.run(source.look(None, listener))
    assert len(facts(listener).shards) == 30


def test_what_a_file_broken_at_a_restart_said_stays_until_it_can_be_read(tmp_path: Path) -> None:
    write(tmp_path / "good.json", "told")
    (tmp_path / "bad.json").write_text("{")
    known = {f"default/{name}": ShardFacts(("192.0.2.9",)) for name in ("told", "untold")}
    listener = Listener()
    source = manifests.Directory(MEMBER, str(tmp_path), watch.Watcher(), known)
    asyncio.run(source.look(None, listener))
    assert facts(listener).shards["default/told"].addresses == ("192.0.2.1",)
    assert facts(listener).shards["default/untold"].addresses == ("192.0.2.9",)
    write(tmp_path / "bad.json", "mended")
    asyncio.run(source.look(None, listener))
    assert facts(listener).shards.keys() == {"default/told", "default/mended"}
    assert listener.last(MemberChange).touched == {"default/untold", "default/mended"}


def test_an_object_bad_at_a_restart_stays_as_it_was(tmp_path: Path) -> None:
    bad = {**service("web"), "spec": {"type": "LoadBalancer", "ports": "all of them"}}
    (tmp_path / "a.json").write_text(json.dumps(bad))
    known = {"default/web": ShardFacts(("192.0.2.9",))}
    listener = Listener()
    source = manifests.Directory(MEMBER, str(tmp_path), watch.Watcher(), known)
    asyncio.run(source.look(None, listener))
    assert facts(listener).shards == known and len(listener.problems()) == 1
