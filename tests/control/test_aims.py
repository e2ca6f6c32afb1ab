"""Probe targets and hostnames follow the snapshot, service by service."""

from fedns.control import aims
from fedns.model.facts import Port, ShardFacts
from fedns.model.policy import ProbeSpec, TrafficPolicy
from fedns.model.snapshot import Service, Shard, Snapshot, Verdict

PROBED = TrafficPolicy(probe=ProbeSpec("http"))
HTTP, DNS = Port("http", "tcp", 8080), Port("dns", "udp", 53)


def shard(member: str, *addresses: str, hostnames: tuple[str, ...] = ()) -> Shard:
    return Shard(member, "eu", (), ShardFacts(addresses, hostnames), addresses, Verdict())


def service(policy: TrafficPolicy, *shards: Shard, ports: tuple[Port, ...] = (DNS, HTTP)) -> Service:
    return Service("shop", "web", policy, shards, ports)


def after(touched: frozenset[str] | None, **services: Service) -> Snapshot:
    return Snapshot(services={f"shop/{name}": each for name, each in services.items()}, touched=touched)


def test_each_shard_is_probed_at_its_first_address_and_first_tcp_port() -> None:
    aim = aims.Aims()
    web = service(PROBED, shard("a", "192.0.2.1", "192.0.2.2"), shard("b"))
    assert aim.follow(after(None, web=web)) == (True, False)
    (key,) = aim.targets
    found = aim.targets[key]
    assert key == ("a", "shop/web") and (found.address, found.port) == ("192.0.2.1", 8080)
    assert aim.follow(after(None, web=web)) == (False, False), "nothing differs"


def test_a_port_of_the_policy_wins_and_without_any_there_is_no_probe() -> None:
    aim = aims.Aims()
    named = TrafficPolicy(probe=ProbeSpec("tcp", port=9))
    services = {
        "web": service(named, shard("a", "192.0.2.1")),
        "udp": service(PROBED, shard("a", "192.0.2.1"), ports=(DNS,)),
        "quiet": service(TrafficPolicy(), shard("a", "192.0.2.1")),
    }
    aim.follow(after(None, **services))
    assert {key: target.port for key, target in aim.targets.items()} == {("a", "shop/web"): 9}


def test_targets_stop_when_the_service_the_shard_or_the_probe_goes() -> None:
    aim = aims.Aims()
    both = service(PROBED, shard("a", "192.0.2.1"), shard("b", "192.0.2.2"))
    aim.follow(after(None, web=both, api=both))
    one = service(PROBED, shard("a", "192.0.2.1"))
    assert aim.follow(after(frozenset({"shop/web"}), web=one, api=both)) == (True, False)
    assert ("b", "shop/web") not in aim.targets and ("b", "shop/api") in aim.targets
    assert aim.follow(after(frozenset({"shop/web"}), api=both)) == (True, False)
    assert {key for _, key in aim.targets} == {"shop/api"}
    unprobed = service(TrafficPolicy(), shard("a", "192.0.2.1"))
    assert aim.follow(after(None, api=unprobed)) == (True, False)
    assert aim.targets == {}


def test_hostnames_are_resolved_as_long_as_one_shard_names_them() -> None:
    aim = aims.Aims()
    named = service(TrafficPolicy(), shard("a", hostnames=("lb.example",)))
    assert aim.follow(after(None, web=named, api=named)) == (False, True)
    assert aim.hostnames == {"lb.example"}
    assert aim.follow(after(frozenset({"shop/web"}), api=named)) == (False, False)
    assert aim.follow(after(frozenset({"shop/api"}))) == (False, True)
    assert aim.hostnames == frozenset()
