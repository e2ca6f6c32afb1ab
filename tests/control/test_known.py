"""What is known survives a restart, and a source that cannot speak takes nothing back."""

from fedns.control import known
from fedns.model import assemble, ingress
from fedns.model.facts import Endpoint, MemberFacts, Passive, ShardFacts
from fedns.model.policy import ProbeSpec, TrafficPolicy
from fedns.sources import change

APEX = b"\x04acme\x03com\0"
ACME = change.ZoneFacts(APEX, ((APEX, 2, 60, (b"\x02ns\0",)),), "/z/acme.com.zone")
OTHER = change.ZoneFacts(b"\x05other\0", (), "/z/other.zone")
POLICY = TrafficPolicy("Weighted", weights={"a": 1, "b": 3}, probe=ProbeSpec("http", path="/up"))


def cell() -> known.Known:
    return known.Known(assemble.World())


def restored(*cells: known.Known) -> known.Known:
    """A cell that begins from what the given ones left in the store, in turn."""
    store: dict[bytes, bytes | None] = {}
    for each in cells:
        store.update(each.unsaved)
    after = cell()
    after.restore((key, value) for key, value in store.items() if value is not None)
    return after


def test_policies_and_zones_come_back_as_they_were() -> None:
    before = cell()
    before.put(change.PolicyChange({"shop/web": POLICY, "*": TrafficPolicy()}, None))
    before.put(change.ZonesChange({"acme.com.": ACME, "other.": OTHER}))
    after = restored(before)
    assert after.policies == before.policies
    assert after.zones == {"acme.com.": ACME, "other.": OTHER}


def test_a_source_that_cannot_be_read_keeps_what_was_known() -> None:
    before = cell()
    before.put(change.PolicyChange({"shop/web": POLICY}, None))
    before.put(change.ZonesChange({"acme.com.": ACME}))
    after = restored(before)
    after.put(change.PolicyChange({}, frozenset(), whole=False))
    after.put(change.ZonesChange({"other.": OTHER}, whole=False))
    assert after.policies == {"shop/web": POLICY}
    assert after.zones == {"acme.com.": ACME, "other.": OTHER}
    assert restored(before, after).zones == after.zones


def test_what_a_source_takes_back_does_not_come_back() -> None:
    before = cell()
    before.put(change.PolicyChange({"shop/web": POLICY}, None))
    before.put(change.ZonesChange({"acme.com.": ACME, "other.": OTHER}))
    before.unsaved.clear()
    before.put(change.PolicyChange({}, None))
    before.put(change.ZonesChange({"acme.com.": ACME}))
    assert before.unsaved[known.ZONE + b"other."] is None
    assert known.ZONE + b"acme.com." not in before.unsaved  # it did not change: nothing to write
    assert restored(before).policies == {}


def test_what_another_format_wrote_is_left_aside() -> None:
    after = cell()
    after.restore([(known.POLICIES, b"\x7fwhat"), (known.ZONE + b"acme.com.", known.FORMAT + b"\xc1")])
    assert after.policies == {} and after.zones == {}


def test_a_turn_waits_for_every_source_once() -> None:
    cell = known.Known(assemble.World(), ["fleet", "zones", "orders"])
    cell.put(change.PolicyChange({}, frozenset(), whole=False))
    cell.put(change.OrdersChange(()))
    assert cell.awaited == {"zones"}
    cell.put(change.ZonesChange({}, whole=False))
    assert not cell.awaited


def test_touched_services_are_told_once() -> None:
    cell_ = cell()
    assert cell_.take()[1] is None  # at first, all
    cell_.put(change.PolicyChange({"shop/web": POLICY}, frozenset({"shop/web"})))
    world, touched, _ = cell_.take()
    assert touched == {"shop/web"} and world.policies == {"shop/web": POLICY}
    assert cell_.take()[1] == frozenset()


def test_what_ingresses_say_comes_back_and_outlives_a_source_that_is_mute() -> None:
    tls = {"shop/cert": ingress.Secret("shop", "cert", "kubernetes.io/tls", {"tls.key": b"\0key"})}
    web = ingress.Ingress("shop", "web", rules=(ingress.Rule("a.example"),), annotations={"a/b": "c"})
    said = ingress.Said((web,), (ingress.IngressClass("fedns", "fedns.io/gateway", True),), tls)
    before = cell()
    before.put(change.IngressChange(said))
    after = restored(before)
    assert after.said == said
    after.put(change.IngressChange(ingress.NOTHING, whole=False))
    assert after.said == said and not after.unsaved
    after.put(change.IngressChange(ingress.NOTHING))
    assert restored(before, after).said == ingress.NOTHING


def test_what_gateways_saw_lapses_when_other_endpoints_are_ready() -> None:
    made, target = cell(), ("m", "ns/web")
    seen = Passive(9, 9, 1.0, 2, 2)

    def told(*ready: str) -> set[object]:
        row = tuple(Endpoint(each, (("http", 80),), ready=each in ready) for each in ("a", "b", "c"))
        facts = MemberFacts("m", "", (), {}, {"ns/web": ShardFacts(endpoints=row)})
        made.put(change.MemberChange(facts, frozenset({"ns/web"})))
        return {*made.passive}

    told("a", "b")
    made.put(change.PassiveChange({target: seen}, frozenset({"ns/web"})))
    assert made.passive == {target: seen}
    assert told("a") == {target}  # who is not ready any more says nothing for the others
    assert told("a", "c") == set()
    made.put(change.PassiveChange({target: None}, frozenset({"ns/web"})))
    assert made.passive == {}
