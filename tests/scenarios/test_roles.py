"""Parts of fedns that share one state directory: one control, several that answer."""

import re
import subprocess
from pathlib import Path

from tests.bench import serving
from tests.scenarios import world


def test_one_control_and_two_that_answer(tmp_path: Path) -> None:
    place = world.World(tmp_path)
    with (
        world.serve(place, "--role", "dns") as first,
        world.serve(place, "--role", "dns") as second,
    ):
        for one in (first, second):
            one.shows(world.GLOBAL, ("SERVFAIL",), "nobody has told it anything")
        with world.serve(place, "--role", "control") as control:
            first.shows(world.GLOBAL, world.records(world.SERVING))
            second.shows(world.GLOBAL, world.records(world.SERVING))
            second_control = [*world.FEDNS, "serve", "--role", "control", "--config", str(place.config)]
            refused = subprocess.run(second_control, cwd=serving.ROOT, capture_output=True, text=True)
            assert refused.returncode == 1 and "another fedns serves" in refused.stderr
            rows = re.findall(r'fedns_dns_worker_generation{worker="(.*)"}', control.api("/metrics"))
            assert sorted(rows) == ["dns-0", "dns-1", "dns-1-0", "dns-1-1"]
            control.replaced("control", control.kill("control"))
            world.until(control.up, "control again")
            place.write("us-central1-a", ["198.51.100.7"])
            second.shows(world.place("us-central1-a"), world.records(["198.51.100.7"]), "what control says")
        assert first.answer(world.GLOBAL) == second.answer(world.GLOBAL) != ("SERVFAIL",)


def test_tables_that_an_answering_part_found_damaged_are_rebuilt_by_control(tmp_path: Path) -> None:
    place = world.World(tmp_path)
    with world.serve(place, "--role", "dns") as answering, world.serve(place, "--role", "control"):
        answering.shows(world.GLOBAL, world.records(world.SERVING))
        data = tmp_path / "state" / "tables" / "data.mdb"
        with data.open("r+b") as file:  # garbage where the first tree begins, and not one octet less
            file.seek(2 * 4096)
            file.write(b"\x5a" * (data.stat().st_size - 2 * 4096))
        answering.answer(world.GLOBAL)
        world.until(lambda: list((tmp_path / "state").glob("tables.corrupt-*")), "set aside")
        answering.shows(world.GLOBAL, world.records(world.SERVING), "from the new tables")
