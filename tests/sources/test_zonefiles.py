"""Static zones from real files: directives, problems with file:line, last good versions."""

import asyncio
import os
from pathlib import Path

import dns.name
import dns.rdatatype
import pytest

from fedns.sources import watch, zonefiles
from fedns.sources.change import ZoneFacts, ZonesChange
from tests.sources.listening import Listener

TOP = "$TTL 60\n@ SOA ns1 root 1 2 3 4 5\n@ NS ns1\nns1 A 127.0.0.1\n"


def records(zone: ZoneFacts) -> set[str]:
    return {
        f"{dns.name.from_wire(owner, 0)[0]} {ttl} {dns.rdatatype.RdataType(kind).name} {len(rdatas)}"
        for owner, kind, ttl, rdatas in zone.rrsets
    }


def read(root: Path, name: str = "acme.com.zone") -> zonefiles.Reading:
    return zonefiles.read(str(root / name), str(root))


def test_directives_and_names(tmp_path: Path) -> None:
    (tmp_path / "acme.com.zone").write_text(
        TOP + "$GENERATE 1-3 h$ A 10.0.0.$\n$INCLUDE sub/more.inc sub\nWWW 5 A 1.2.3.4\n A 1.2.3.5\n"
        '$ORIGIN deep\nx TXT ( "a"\n "b" )\n'
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/more.inc").write_text("$ORIGIN own\na A 1.1.1.1\n$INCLUDE other.inc\n")
    (tmp_path / "sub/other.inc").write_text("b AAAA ::1\n")
    reading = read(tmp_path)
    assert reading.problems == () and reading.facts
    assert reading.facts.origin == b"\x04acme\x03com\x00"
    hosts = {f"h{number}.acme.com. 60 A 1" for number in (1, 2, 3)}
    assert records(reading.facts) == hosts | {
        "acme.com. 60 SOA 1",
        "acme.com. 60 NS 1",
        "ns1.acme.com. 60 A 1",
        "a.own.sub.acme.com. 60 A 1",
        "b.own.sub.acme.com. 60 AAAA 1",
        "www.acme.com. 5 A 2",
        "x.deep.acme.com. 60 TXT 1",
    }


def test_the_origin_is_the_owner_of_the_soa(tmp_path: Path) -> None:
    (tmp_path / "any.zone").write_text("$ORIGIN com.\n" + TOP.replace("@", "acme", 1).replace("@", "acme"))
    reading = read(tmp_path, "any.zone")
    assert reading.facts and reading.facts.origin == b"\x04acme\x03com\x00"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (TOP + "\na A hello\nb A 1.2.3.4\n", ":6", ""),
        (TOP + "a A\n", ":5", "`a A`"),
        (TOP + "www\tIN A 1.2.3.400\n", ":5", "Text input is malformed: `www IN A 1.2.3.400`"),
        (TOP + "a BOGUS 1\x1b[2J\n", ":5", "`a BOGUS 1?[2J`"),
        (TOP + 'a TXT "open\n', ":5", ""),
        (TOP + "a CNAME b\na A 1.2.3.4\n", ":6", ""),
        ("a A 1.2.3.4\n", ":1", "SOA"),
        ("", ":1", "SOA"),
        (TOP + "$INCLUDE ../secret\n", ":5", "only files of the zones directory"),
        (TOP + "$INCLUDE /etc/passwd\n", ":5", "only files of the zones directory"),
        (TOP + "$INCLUDE none.inc\n", ":5", "No such file"),
        (TOP + "$INCLUDE acme.com.zone\n", ":5", "deep"),
        (TOP + "$GENERATE 0-4000000000 a$ A 1.2.3.4\n", ":5", "generates more"),
        (TOP + "$UNICODE 2008\n", ":5", ""),
        (TOP + "\x00\n", "", ""),
    ],
)
def test_a_broken_zone_says_where(tmp_path: Path, text: str, where: str, what: str) -> None:
    (tmp_path / "acme.com.zone").write_text(text)
    reading = read(tmp_path)
    (problem,) = reading.problems
    assert reading.facts is None
    assert problem.where.startswith(f"{tmp_path}/acme.com.zone{where}")
    assert what in problem.what


def test_trouble_in_an_included_file_is_told_there_and_links_do_not_lead_out(tmp_path: Path) -> None:
    zones = tmp_path / "zones"
    zones.mkdir()
    (zones / "acme.com.zone").write_text(TOP + "$INCLUDE more.inc\nz A 1.2.3.4\n")
    (zones / "more.inc").write_text("a A 1.2.3.4\nb A x\n")
    assert [one.where for one in read(zones).problems] == [f"{zones}/more.inc:2"]
    (tmp_path / "out.inc").write_text("a A 1.2.3.4\n")
    (zones / "more.inc").unlink()
    (zones / "more.inc").symlink_to(tmp_path / "out.inc")
    assert [one.where for one in read(zones).problems] == [f"{zones}/acme.com.zone:5"]


def test_zones_are_read_again_when_they_or_what_they_include_change(tmp_path: Path) -> None:
    zone, more = tmp_path / "acme.com.zone", tmp_path / "more.inc"
    zone.write_text(TOP + "$INCLUDE more.inc\n")
    more.write_text("a A 1.2.3.4\n")

    async def main() -> None:
        listener, watcher = Listener(), watch.Watcher()
        source = zonefiles.Zones([str(tmp_path)], watcher)
        tasks = [asyncio.create_task(each) for each in (source.run(listener), watcher.run())]
        await listener.until(lambda: listener.all(ZonesChange))
        good = listener.last(ZonesChange).zones["acme.com."]
        more.write_text("a A broken\n")
        await listener.until(lambda: listener.problems())
        assert listener.last(ZonesChange).zones == {"acme.com.": good}
        more.write_text("b A 1.2.3.4\n")
        await listener.until(lambda: not listener.problems())
        assert "b.acme.com. 60 A 1" in records(listener.last(ZonesChange).zones["acme.com."])
        (tmp_path / "b.zone").write_text(TOP.replace("@", "acme.com."))
        await listener.until(lambda: listener.problems())
        assert listener.problems()[0].startswith(f"{tmp_path}/b.zone:1: the zone acme.com. is in ")
        os.rename(tmp_path, f"{tmp_path}.away")
        await listener.until(lambda: "cannot be read" in "".join(listener.problems()))
        assert "acme.com." in listener.last(ZonesChange).zones
        os.rename(f"{tmp_path}.away", tmp_path)
        await listener.until(lambda: "cannot be read" not in "".join(listener.problems()))
        zone.unlink()
        await listener.until(lambda: listener.last(ZonesChange).zones["acme.com."].path.endswith("b.zone"))
        for task in tasks:
            task.cancel()

    asyncio.run(main())


def test_no_zones_at_all_is_said(tmp_path: Path) -> None:
    listener = Listener()
    asyncio.run(zonefiles.Zones([], watch.Watcher()).look(listener))
    assert listener.last(ZonesChange).zones == {}


def test_a_zone_broken_at_a_restart_keeps_its_last_good_version(tmp_path: Path) -> None:
    path = tmp_path / "acme.com.zone"
    path.write_text(TOP)
    known = read(tmp_path).facts
    assert known
    path.write_text("nonsense")
    listener = Listener()
    asyncio.run(zonefiles.Zones([str(tmp_path)], watch.Watcher(), [known]).look(listener))
    assert listener.last(ZonesChange).zones == {"acme.com.": known}
    assert "last good version stays" in listener.problems()[0]


def test_a_directory_that_was_never_readable_takes_nothing_back(tmp_path: Path) -> None:
    (tmp_path / "acme.com.zone").write_text(TOP)
    listener = Listener()
    source = zonefiles.Zones([str(tmp_path), str(tmp_path / "none")], watch.Watcher())
    asyncio.run(source.look(listener))
    told = listener.last(ZonesChange)
    assert told.zones.keys() == {"acme.com."} and not told.whole
    (tmp_path / "none").mkdir()
    asyncio.run(source.look(listener))
    assert listener.last(ZonesChange).whole
