"""gdnsd's own test zones and questions, without its dynamic records: read and answered by us.

What gdnsd allows in a zone file beyond RFC 1035 (strings over 255 octets, and over a line's end) is left out.
"""

import functools
import re
from pathlib import Path
from typing import Any

import pytest

from fedns.dns import node, zones
from fedns.sources import zonefiles
from tests.conformance import vectors, worlds

ZONES = "etc/zones/"
OWN_SYNTAX = ("newline in quoted string", "string too long")
UNTOLD_TTL = {"003complex": "21600"}
"""Default TTL where the group's configuration includes a file that is not among the vectors."""
_DEVIATIONS = vectors.deviations()


def _fits(group: dict[str, Any]) -> bool:
    paths = {path: text for path, text in group["files"].items() if "/zones/" in path}
    return all(path.startswith(ZONES) and "DYN" not in text for path, text in paths.items())


_FILE = vectors.load("gdnsd_tests")
_GROUPS = {group["group"]: group for group in _FILE["groups"] if _fits(group)}


def _cases() -> list[Any]:
    """Questions to the first state of a group that hold without gdnsd's own configuration."""
    return [
        pytest.param(each, id=each["id"])
        for each in _FILE["vectors"]
        if each["group"] in _GROUPS and not each.get("after") and "qname" in each
    ]


def _lay_out(group: dict[str, Any], folder: Path) -> list[Path]:
    """The group's zone files in `folder`, each with its origin and gdnsd's default TTL said in it."""
    said = re.search(r"zones_default_ttl\s*=\s*(\d+)", group["files"].get("etc/config.tmpl", ""))
    default = said[1] if said else UNTOLD_TTL.get(group["group"], "86400")
    found = []
    for path, text in group["files"].items():
        name = path.removeprefix(ZONES)
        if name == path:
            continue
        target = folder / (name if "/" in name else f"{len(found)}.zone")
        target.parent.mkdir(parents=True, exist_ok=True)
        if "/" not in name:
            origin = "." if name == "ROOT_ZONE" else name.replace("@", "/").rstrip(".") + "."
            text = f"$ORIGIN {origin}\n$TTL {default}\n{text}"
            found.append(target)
        target.write_text(text)
    return found


def _read(path: Path, folder: Path) -> zonefiles.Reading:
    """The zone, without the lines that only gdnsd would read."""
    reading = zonefiles.read(str(path), str(folder))
    while reading.facts is None and any(own in reading.problems[0].what for own in OWN_SYNTAX):
        lines = path.read_text().split("\n")
        del lines[int(reading.problems[0].where.rpartition(":")[2]) - 1]
        path.write_text("\n".join(lines))
        reading = zonefiles.read(str(path), str(folder))
    return reading


@functools.cache
def _view(name: str, folder: Path) -> worlds.View:
    heads, tables = [], []
    for path in _lay_out(_GROUPS[name], folder):
        facts = _read(path, folder).facts
        assert facts is not None, path
        rrsets = [(owner, node.RRset(rtype, ttl, rdatas)) for owner, rtype, ttl, rdatas in facts.rrsets]
        compiled = zones.compile(facts.origin, rrsets, len(heads))
        assert compiled.zone is not None, compiled.problems
        heads.append(compiled.zone)
        tables.append((facts.origin, compiled.nodes))
    return {**zones.overlay(tables), node.ZONES: node.encode_zones(heads), node.READY: b"1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gdnsd")


def _expected(vector: vectors.Vector) -> dict[str, Any]:
    expect = dict(vector["expect"])
    expect["rcode"] = (expect.pop("header", None) or {}).get("rcode", "NOERROR")
    expect["additional"] = [line for line in expect.get("additional", ()) if line != "OPT"] or None
    return expect


@pytest.mark.parametrize("vector", _cases())
def test_gdnsd(vector: vectors.Vector, folder: Path) -> None:
    reason = _DEVIATIONS.get(vector["id"])
    view = _view(vector["group"], folder / vector["group"])
    grade = vectors.grade(vectors.ask(view, vector), _expected(vector))
    if reason is not None:
        assert grade not in vectors.PASS, f"no longer a deviation: {reason}"
        pytest.skip(reason)
    assert grade in vectors.PASS, grade
