"""Outside vectors of the federation scheme: Kubernetes Federation v1 and KubeFed v2, as complete record sets.

`compat: v1` reproduces v1 to the letter, its leaks included. By default fedns follows its own rules: the
vectors that differ by design stand in `federation_deviations.json` with the reason, and must differ.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedns.dns import dump, names, node, zones
from fedns.errors import FednsError
from tests.conformance import vectors
from tests.golden import fleet

_DEVIATIONS: dict[str, str] = {
    name: group["reason"]
    for group in json.loads((Path(__file__).parent / "federation_deviations.json").read_text())
    for name in group["vectors"]
}
_ELB = {"a9.us-west-2.elb.amazonaws.com": "198.51.100.1", "a9.us-west-2.elb.amazonaws.test": "10.20.30.3"}
_DELETED = fleet.NOW - 1


def _rows(suite: str) -> list[object]:
    return [pytest.param(each, id=each["id"]) for each in vectors.load(suite)["vectors"]]


def _v1_rows(kind: str) -> list[object]:
    rows = vectors.load("federation_service_dns")["vectors"]
    return [pytest.param(each, id=each["id"]) for each in rows if each.get("kind", "records") == kind]


def _records(built: fleet.Fleet) -> set[str]:
    """All records at the services' names, short zone names apart (no vector knows them)."""
    found = set()
    table = built.table()
    for service in built.snapshot.services.values():
        for level in built.layout.levels:
            owner = names.prefix(service) + level.suffix
            if not level.short and owner in table:
                found.update(_lines(owner, table[owner]))
    return found


def _lines(owner: bytes, value: bytes) -> Iterator[str]:
    for rrset in node.decode(value).rrsets:
        for rdata in rrset.rdatas:
            shown = dump.rendered(rrset.type, rdata)
            yield f"{zones.text(owner)} {rrset.ttl} IN {dump.mnemonic(rrset.type)} {shown}"


def _shard(ips: list[str], hostnames: list[str]) -> dict[str, object]:
    return {"addresses": ips, "hostnames": hostnames, "resolved": [_ELB[name] for name in hostnames]}


def _v1_fleet(vector: dict[str, Any], step: dict[str, Any], compat: str) -> fleet.Fleet:
    deleted = step["op"].startswith("delete")
    shards = {
        member: _shard(targets.get("ips", []), targets.get("hostnames", []))
        for member, targets in step["endpoints"].items()
    }
    service = {"policy": {"ttl": {"min": vector["ttl"], "max": vector["ttl"]}}}
    service |= {"tombstone": _DELETED} if deleted else {"shards": shards}
    members = {
        name: {"region": place["region"], "zones": [place["zone"]]}
        for name, place in vector["clusters"].items()
    }
    settings = {"federation": vector["federation"], "domain": vector["zone"], "compat": compat}
    key = f"{vector['namespace']}/{vector['service']}"
    return fleet.build({"settings": settings, "members": members, "services": {key: service}})


@pytest.mark.parametrize("vector", _v1_rows("records"))
def test_compat_v1_writes_what_v1_wrote(vector: dict[str, Any]) -> None:
    for step in vector["steps"]:
        assert _records(_v1_fleet(vector, step, "v1")) == set(step["expect_records"]), step["op"]


@pytest.mark.parametrize("vector", _v1_rows("records"))
def test_v1_services_by_our_rules(vector: dict[str, Any]) -> None:
    last = vector["steps"][-1]
    _check(vector["id"], _records(_v1_fleet(vector, last, "fedns")), set(last["expect_records"]))


@pytest.mark.parametrize("vector", _v1_rows("config"))
def test_v1_settings(vector: dict[str, Any]) -> None:
    reason = _DEVIATIONS.get(vector["id"])
    if reason is not None:
        pytest.skip(reason)
    settings = names.Settings(
        vector.get("federationName", "ufp"), vector.get("serviceDNSSuffix", "example.com")
    )
    if vector["expectError"]:
        with pytest.raises(FednsError):
            names.layout(settings, ())
    else:
        assert names.layout(settings, ()).levels


@pytest.mark.parametrize("vector", _rows("kubefed_dnsendpoint"))
def test_kubefed_services_by_our_rules(vector: dict[str, Any]) -> None:
    if "Ingress" in vector["id"].split("/")[0]:
        pytest.skip(_DEVIATIONS[vector["id"]])
    expected = {record["rr"] for record in vector["expect"]["records"]}
    _check(vector["id"], _records(_kubefed_fleet(vector["object"])), expected)


def _kubefed_fleet(given: dict[str, Any]) -> fleet.Fleet:
    spec, status, meta = given["Spec"], given["Status"], given.get("ObjectMeta", {})
    ttl = spec.get("RecordTTL", 180)
    members, shards = {}, {}
    for cluster in status.get("DNS", ()):
        ingress = cluster.get("LoadBalancer", {}).get("Ingress", [])
        ips = [target["IP"] for target in ingress if "IP" in target]
        hostnames = [target["Hostname"] for target in ingress if "Hostname" in target]
        members[cluster["Cluster"]] = {"region": cluster["Region"], "zones": cluster["Zones"]}
        # No count of endpoints is known to KubeFed's records: all zones of a cluster are alike.
        shards[cluster["Cluster"]] = _shard(ips, hostnames) | {"readiness": None}
    key = f"{meta.get('Namespace', 'none')}/{meta.get('Name', 'none')}"
    service = {"policy": {"ttl": {"min": ttl, "max": ttl}}, "shards": shards}
    settings = {"federation": spec["DomainRef"], "domain": status["Domain"]}
    return fleet.build({"settings": settings, "members": members, "services": {key: service}})


def _check(name: str, records: set[str], expected: set[str]) -> None:
    reason = _DEVIATIONS.get(name)
    if reason is None:
        assert records == expected
        return
    assert records != expected, f"no longer a deviation: {reason}"
    pytest.skip(reason)
