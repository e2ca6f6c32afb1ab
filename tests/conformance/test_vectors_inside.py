"""Outside vectors of names inside a cluster: kube-dns' and CoreDNS' federation, the Kubernetes DNS
specification, and CoreDNS' kubernetes plugin as far as it is about services.

What differs by design stands in `inside_deviations.json` with its reason, and must differ. Not asked are PTR,
which are in zones of their own, CoreDNS' multicluster and k8s_external rows (other zones), and its Corefiles.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import pytest

from fedns import config
from fedns.dns import atlas, inside, respond, wire
from tests.conformance import vectors
from tests.dns.test_places import From
from tests.golden import fleet

_DEVIATIONS: dict[str, str] = {
    name: group["reason"]
    for group in json.loads((Path(__file__).parent / "inside_deviations.json").read_text())
    for name in group["vectors"]
}
_POD = "10.1.0.1"
_HOME = {"region": "here", "zones": ["here-a"]}
_PUBLISHED = ["192.0.2.1"]
_ELSEWHERE = ("TestMultiClusterServeDNS", "TestExternal", "TestReverse")
"""CoreDNS' other plugins, and addresses; each has tests of its own."""


def _rows(suite: str, *left: str) -> list[object]:
    rows = [
        each for each in vectors.load(suite)["vectors"] if not re.search("|".join(left) or "^$", each["id"])
    ]
    return [pytest.param(each, id=f"{each['id']} {each.get('qtype', '')}") for each in rows]


def _ask(
    services: Mapping[str, Any], vector: Mapping[str, Any], settings: Mapping[str, str], **more: Any
) -> dns.message.Message:
    """The answer of a fleet to a pod of its member `home`."""
    world = {
        "settings": settings,
        "members": {"home": more.pop("home", _HOME), "away": {"region": "far", "zones": ["far-a"]}},
        "services": {
            key: {"policy": {"ttl": {"min": 5, "max": 5}}, **each} for key, each in services.items()
        },
        "where": atlas.Settings(clients={"home": ("10.1.0.0/16",)}),
    }
    table = fleet.build(world).table(inside.Kind(inside.Settings(**more)))
    packet = dns.message.make_query(vector["qname"], vector["qtype"], use_edns=0).to_wire()
    raw = respond.respond(table, packet, wire.STREAM, From(_POD))
    assert raw is not None
    return dns.message.from_wire(raw)


def _check(vector: Mapping[str, Any], passes: bool) -> None:
    assert passes != (vector["id"] in _DEVIATIONS), _DEVIATIONS.get(vector["id"], "it is to be as they say")


def _shard(inner: Mapping[str, Any], ready: int, **more: Any) -> dict[str, Any]:
    counted = [{"zone": "", "ready": ready, "serving": ready, "terminating": 0, "total": ready}]
    return {"addresses": _PUBLISHED, "inside": inner, "readiness": counted, **more}


# kube-dns


def _asked(vector: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The service that the name is about, and the federation of the name, or the first."""
    name, space, federation, *_ = vector["qname"].split(".")
    known: dict[str, str] = vector["federations"]
    federation = federation if federation in known else next(iter(known))
    return f"{space}/{name}", {"federation": federation, "domain": known[federation].rstrip(".")}


@pytest.mark.parametrize("vector", _rows("kubedns_federation", "TestFederationService#", "Flag#"))
def test_kube_dns(vector: dict[str, Any]) -> None:
    key, settings = _asked(vector)
    place = vector.get("node")
    home = {"region": place["region"], "zones": [place["zone"]]} if place else _HOME
    there = {"endpoints added": 1, "headless service created, no endpoints": 0, "endpoints deleted": 0}
    shards: dict[str, Any] = {"away": {"addresses": _PUBLISHED}}
    if vector["local_service"] in there:
        ready = there[vector["local_service"]]
        backends = [{"address": "10.1.0.7"}] * ready
        shards["home"] = _shard({"headless": True, "backends": backends}, ready)
    declared = {} if vector["expect"]["rcode"] == "NXDOMAIN" else {key: {"shards": shards}}
    reply = _ask(declared, vector, settings, home=home)
    assert dns.rcode.to_text(reply.rcode()) == vector["expect"]["rcode"]
    if "cname" in vector["expect"]:
        assert [str(one) for one in reply.answer[0]] == [vector["expect"]["cname"]]
        assert reply.answer[-1].rdtype == 1, "and on to addresses"


@pytest.mark.parametrize("vector", _rows("kubedns_federation", "^[Tt]est(?!FederationService#)"))
def test_kube_dns_of_cluster_ips(vector: dict[str, Any]) -> None:
    wanted = vector["case"]["expectedIPs"]
    shards = {"home": _shard({"cluster_ips": wanted}, 1)}
    found = []
    for rtype in ("A", "AAAA"):
        asked = {"qname": "s.n.fed.svc.cluster.local.", "qtype": rtype}
        reply = _ask({"n/s": {"shards": shards}}, asked, {"federation": "fed", "domain": "example.com"})
        assert [str(one) for one in reply.answer[0]] == ["s.n.svc.cluster.local."]
        found += [str(one) for each in reply.answer[1:] for one in each]
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize("vector", _rows("kubedns_federation", "^[Tt]est(?!Parse)"))
def test_kube_dns_settings(vector: dict[str, Any]) -> None:
    """Each `name=domain` is the federation and the domain of an instance."""
    fields = ["federation", "domain"]
    told = [dict(zip(fields, each.split("="), strict=False)) for each in vector["input"].split(",")]
    loaded = [config.parse(json.dumps(each).encode()) for each in told]
    refused = any(each.config is None for each in loaded)
    _check(vector, refused == vector["expect"]["error"])
    for each in loaded if not refused else ():
        assert each.config and vector["expect"]["federations"][each.config.federation] == each.config.domain


# CoreDNS' federation plugin


def _settings(vector: Mapping[str, Any]) -> dict[str, str]:
    ((federation, domain),) = vector["federations"].items()
    return {"federation": federation, "domain": domain.rstrip(".")}


@pytest.mark.parametrize("vector", _rows("coredns_federation", "TestIsName", "TestSetup"))
def test_coredns_federation(vector: dict[str, Any]) -> None:
    place = vector["node"]
    home = {"region": place["region"], "zones": [each for each in (place["zone"],) if each]}
    key = "/".join(reversed(vector["qname"].split(".")[:2]))
    local = {"testns/svc1": {"home": _shard({"cluster_ips": ["10.0.0.1"]}, 1)}}.get(key, {})
    shards = {"away": {"addresses": _PUBLISHED}, **local}
    reply = _ask({key: {"shards": shards}}, vector, _settings(vector), home=home, style="rewrite")
    first = dns.message.make_response(dns.message.make_query(vector["qname"], vector["qtype"]))
    first.answer = reply.answer[:1]  # the chain goes on, as with an upstream there
    _check(vector, "error" not in vector["expect"] and vectors.grade(first, vector["expect"]) in vectors.PASS)


@pytest.mark.parametrize("vector", _rows("coredns_federation", "TestFed", "TestSetup"))
def test_coredns_names(vector: dict[str, Any]) -> None:
    """Which names are a federation's: those that get the local service's address without its name."""
    local = {"mynamespace/nginx": {"shards": {"home": _shard({"cluster_ips": ["10.0.0.1"]}, 1)}}}
    told = {"federation": vector["federation"], "domain": "federal.example"}
    reply = _ask(local, {**vector, "qtype": "A"}, told, style="rewrite", domain=vector["zone"].rstrip("."))
    assert bool(reply.answer) == (vector["expect"]["local_qname"] is not None)


# The Kubernetes DNS specification


def _specified(vector: Mapping[str, Any]) -> dict[str, Any]:
    """The one service that an example is about."""
    rows = [line.split() for line in vector["expect"]["answer"]]
    addresses = [row[4] for row in rows if row[3] in ("A", "AAAA")]
    name = vector["qname"].removesuffix(".svc.cluster.local.").split(".")[-2:]
    ports = [["https", "tcp", 443]]
    if "foo" in name:
        inner: dict[str, Any] = {"external_name": rows[0][4].rstrip(".")}
    elif "headless" in name:
        hosts = [row[7].split(".")[0] for row in rows if row[3] == "SRV"]
        hosts = hosts or [row[0].split(".")[0] for row in rows]
        addresses = addresses or [f"10.3.0.{number}" for number in range(len(hosts))]
        backends = [
            {"address": each, "hostname": host if host != "headless" else "", "ports": [["https", 443]]}
            for each, host in zip(addresses, hosts, strict=True)
        ]
        inner = {"headless": True, "backends": backends}
    else:
        inner = {"cluster_ips": addresses or ["10.3.0.1"]}
    return {"/".join(reversed(name)): {"shards": {"home": _shard(inner, 1)}, "ports": ports}}


@pytest.mark.parametrize("vector", _rows("k8s_dns_spec"))
def test_the_specification(vector: dict[str, Any]) -> None:
    if vector["qtype"] == "PTR":
        pytest.skip("names of addresses are in zones of their own")
    services = _specified(vector) if ".svc." in vector["qname"] else {}
    reply = _ask(services, vector, {"federation": "fed", "domain": "example.org"})
    want = dict(
        vector["expect"],
        answer=[re.sub(r" \d+ ", " 303 ", each, count=1) for each in vector["expect"]["answer"]],
    )
    _check(vector, vectors.grade(reply, want) in vectors.PASS)
    if vector["id"] in ("spec-3", "spec-10"):
        found = sorted((rdata.port, str(rdata.target)) for rdata in reply.answer[0])
        assert found == sorted((int(row.split()[6]), row.split()[7]) for row in vector["expect"]["answer"])


# CoreDNS' kubernetes plugin


def _world(name: str) -> dict[str, Any]:
    groups = vectors.load("coredns_kubernetes")["groups"]
    return next(each["world"] for each in groups if each["test"] == name)  # type: ignore[no-any-return]


def _services(world: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    told = [one for rows in world.get("svcIndex", {}).values() for one in rows] or world.get(
        "ServiceList", []
    )
    rows = [one for each in world.get("epsIndex", {}).values() for one in each] or world.get(
        "EndpointsList", []
    )
    for each in told:
        index = [each["Name"], each["Namespace"]]
        subsets = [part for row in rows if _of(row) == index for part in row["Subsets"]]
        yield f"{each['Namespace']}/{each['Name']}", _service(each, subsets)


def _of(row: Mapping[str, Any]) -> list[str]:
    told: list[str] = (
        row["Index"]["args"] if isinstance(row.get("Index"), dict) else [row["Name"], row["Namespace"]]
    )
    return told


def _service(told: Mapping[str, Any], subsets: list[Mapping[str, Any]]) -> dict[str, Any]:
    ports = [[one["Name"], one["Protocol"], one["Port"]] for one in told.get("Ports", ())]
    ready = [(each, part) for part in subsets for each in part["Addresses"] or ()]
    if told.get("Type") == "ExternalName":
        return {
            "shards": {"home": _shard({"external_name": told["ExternalName"].rstrip(".")}, 0)},
            "ports": ports,
        }
    if told["ClusterIPs"] != ["None"]:
        return {"shards": {"home": _shard({"cluster_ips": told["ClusterIPs"]}, len(ready))}, "ports": ports}
    named = {one["Name"]: one for part in subsets for one in part["Ports"] or () if one.get("Name")}
    ports = [[one["Name"], one["Protocol"], one["Port"]] for one in named.values()]
    backends = [
        {
            "address": each["IP"],
            "hostname": each.get("Hostname", ""),
            "ports": [[one["Name"], one["Port"]] for one in part["Ports"] or () if one.get("Name")],
        }
        for each, part in ready
    ]
    return {"shards": {"home": _shard({"headless": True, "backends": backends}, len(ready))}, "ports": ports}


@pytest.mark.parametrize("vector", _rows("coredns_kubernetes", *_ELSEWHERE))
def test_coredns_kubernetes(vector: dict[str, Any]) -> None:
    services = dict(_services(_world(vector["group"])))
    reply = _ask(services, vector, {"federation": "fed", "domain": "example.org"})
    _check(vector, vectors.grade(reply, vector["expect"]) in vectors.PASS)
