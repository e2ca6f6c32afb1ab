"""What people write into a running server's files: good changes are taken up, bad ones are problems."""

import signal
from pathlib import Path

from tests.scenarios import load, world

PLACE = world.place("us-central1-a")
MANIFEST = "members/gce-us-central1-a/nginx.yaml"
ZONE = "zones/acme.com.zone"
FRESH = "198.51.100.7"


def test_a_sound_configuration_is_taken_up_without_a_lost_query(tmp_path: Path) -> None:
    place = world.World(tmp_path)
    with world.settled(place) as served, load.asking(served.port, [world.GLOBAL, "www.acme.com"]) as asking:
        workers = [served.child(f"dns worker {index}") for index in range(2)]
        place.write("asia-east1-c", [FRESH], name="shop")
        place.put("more/b.test.zone", world.ZONE)
        place.configure("tombstone: 7s\n")
        place.put("fedns.yaml", place.config.read_text().replace("[zones/]", "[zones/, more/]"))
        served.shows("www.b.test", ("A 192.0.2.80",), "the zone of the new directory")
        asking.stop()
        print(asking)
        assert asking.missing == []
        assert {(seen.rcode, len(seen.addresses)) for seen in asking.seen} == {(0, 4), (0, 1)}
        assert workers == [served.child(f"dns worker {index}") for index in range(2)]


def test_a_broken_configuration_stays_out_and_is_a_problem(tmp_path: Path) -> None:
    place = world.World(tmp_path)
    with world.settled(place) as served:
        sound, control = place.config.read_text(), served.child("control")
        place.put("fedns.yaml", sound.replace("domain:", "domian:"))
        world.until(lambda: "fedns.yaml:2: unknown key 'domian'" in served.problems(), "the problem")
        place.put("fedns.yaml", sound.replace("region: asia-east1", "region: [1"))
        served.process.send_signal(signal.SIGHUP)
        world.until(lambda: "fedns.yaml:11" in served.problems(), "the other problem")
        assert served.answer(world.GLOBAL) == world.records(world.SERVING)
        assert served.child("control") == control
        place.put("fedns.yaml", sound)
        world.until(lambda: served.up() and not served.problems(), "no problem is left")
        assert served.answer(world.GLOBAL) == world.records(world.SERVING)


def test_control_killed_while_the_configuration_is_broken_returns_with_the_last_good(tmp_path: Path) -> None:
    place = world.World(tmp_path)
    with world.settled(place) as served:
        sound = place.config.read_text()
        place.put("fedns.yaml", sound.replace("domain:", "domian:"))
        served.replaced("control", served.kill("control"))
        place.write("us-central1-a", [FRESH])
        served.shows(PLACE, world.records([FRESH]), "a change that the new control saw")
        assert "unknown key 'domian'" in served.problems()
        place.put("fedns.yaml", sound.replace("./state", "./other"))
        world.until(lambda: f"{tmp_path}/other now, and {tmp_path}/state in use" in served.problems(), "told")
        place.write("us-central1-a", ["198.51.100.8"])
        served.shows(PLACE, world.records(["198.51.100.8"]), "published where the workers read")


def test_broken_manifests_keep_the_last_good_and_say_where(tmp_path: Path) -> None:
    place = world.World(tmp_path)
    with world.settled(place) as served:
        before = served.answer(PLACE)
        whole = (tmp_path / MANIFEST).read_text()
        for broken, told in (
            (whole[: whole.index("104.197") + 3], "5: no YAML: found unexpected end"),  # half written
            (whole.replace("spec: {", "spec: {{"), "5: no YAML: did not find"),
            (whole.replace('"ip": "104', '"ip": "bad104'), "1: Service mynamespace/nginx: `bad104"),
        ):
            place.put(MANIFEST, broken)
            world.until(lambda told=told: f"{tmp_path}/{MANIFEST}:{told}" in served.problems(), told)
            assert served.answer(PLACE) == before
        _told(served, f"{MANIFEST}:1")
        place.write("us-central1-a", [FRESH])
        served.shows(PLACE, world.records([FRESH]), "the repaired manifest")
        world.until(lambda: not served.problems(), "no problem is left")


def test_a_broken_zone_file_keeps_the_last_good_and_says_where(tmp_path: Path) -> None:
    place = world.World(tmp_path)
    with world.settled(place) as served:
        place.put(ZONE, world.ZONE.replace("A 192.0.2.80", "A 192.0.2.800"))
        where = f"{tmp_path}/{ZONE}:5"
        world.until(lambda: where in served.problems(), f"{where}, not {served.problems()}")
        served.shows("www.acme.com", ("A 192.0.2.80",))
        _told(served, f"{ZONE}:5")
        place.put(ZONE, world.ZONE.replace("192.0.2.80", "192.0.2.81"))
        served.shows("www.acme.com", ("A 192.0.2.81",), "the repaired zone")
        world.until(lambda: not served.problems(), "no problem is left")


def _told(served: world.Served, where: str) -> None:
    """`fedns status` and the metrics have the problem too."""
    shown = served.fedns("status")
    assert where in shown.stdout
    source = "zones" if where.startswith("zones") else "member:gce-us-central1-a"
    assert f'fedns_problems{{source="{source}"}} 1.0' in served.api("/metrics")
