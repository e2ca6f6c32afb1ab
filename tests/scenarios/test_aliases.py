"""Apexes with the addresses of a federated service: what clients, operators and copies of the zone see."""

from pathlib import Path

from tests.scenarios import world

GONE = "us-central1-f"


def test_an_apex_follows_health_and_keeps_its_other_records(tmp_path: Path) -> None:
    place = world.World(tmp_path)
    place.put("zones/acme.com.zone", world.ZONE + "@ MX 10 www\n@ TXT here\n")
    place.configure(f"aliases: {{acme.com: {world.GLOBAL}, example.com: {world.GLOBAL}, x.org: acme.com}}\n")
    left = world.SERVING - {world.ADDRESSES[GONE]}
    with world.settled(place) as served:
        for apex in ("acme.com", "example.com"):
            served.shows(apex, world.records(world.SERVING))
        assert served.answer("acme.com", "MX") == ("MX 10 www.acme.com.",)
        assert served.answer("example.com", "NS") == ("NS ns1.example.com.",)
        assert served.answer("acme.com", "AAAA") == ("NOERROR",)
        assert served.ask("acme.com").answer[0].ttl == 180
        assert "alias x.org: is in no zone that is served" in served.problems()

        assert served.fedns("drain", f"gce-{GONE}").returncode == 0
        for name in (world.GLOBAL, "acme.com", "example.com"):
            served.shows(name, world.records(left), "without the drained member")
        dumped = served.fedns("zone", "dump", "acme.com").stdout.splitlines()
        assert {
            line.split("\t")[-1] for line in dumped if "\tA\t" in line and line[:9] == "acme.com."
        } == left
        told = served.fedns("explain", "acme.com").stdout
        assert f"acme.com. has the addresses of {world.GLOBAL}." in told and f"gce-{GONE}" in told
