from collections.abc import Sequence

import pytest

from fedns.dns import names, zones
from fedns.errors import FednsError
from fedns.model import snapshot

SETTINGS = names.Settings("fed", "example.com")


def member(name: str, region: str = "", zones: Sequence[str] = ()) -> snapshot.Member:
    return snapshot.Member(name, region, tuple(zones), {}, (), "reachable", 0.0, 0.0)


def owners(layout: names.Layout) -> list[str]:
    return [zones.text(level.suffix).removesuffix(".example.com.") for level in layout.levels]


def test_levels_of_one_member_from_wide_to_narrow() -> None:
    layout = names.layout(SETTINGS, [member("m", "eu", ["eu-a", "eu-b"])])
    assert owners(layout) == [
        "fed.svc",
        "fed.svc.eu",
        "fed.svc.eu-a.eu",
        "fed.svc.eu-b.eu",
        "fed.svc.eu-a",
        "fed.svc.eu-b",
    ]
    assert [level.up for level in layout.levels] == [(), (0,), (1, 0), (1, 0), (1, 0), (1, 0)]
    assert {level.members for level in layout.levels} == {("m",)}


def test_members_in_one_place_share_its_names() -> None:
    layout = names.layout(SETTINGS, [member("b", "eu", ["eu-a"]), member("a", "eu", ["eu-a"])])
    assert len(layout.levels) == 4
    assert layout.levels[2].members == ("a", "b")


def test_v1_names_the_first_zone_only_and_no_short_form() -> None:
    settings = names.Settings("fed", "example.com", compat="v1")
    layout = names.layout(settings, [member("m", "eu", ["eu-a", "eu-b"])])
    assert owners(layout) == ["fed.svc", "fed.svc.eu", "fed.svc.eu-a.eu"]


def test_a_region_wins_over_a_short_zone_of_the_same_name() -> None:
    layout = names.layout(SETTINGS, [member("m", "fra1", ["fra1"])])
    assert owners(layout) == ["fed.svc", "fed.svc.fra1", "fed.svc.fra1.fra1"]


def test_a_zone_name_of_two_regions_falls_back_to_global() -> None:
    layout = names.layout(SETTINGS, [member("m", "eu", ["a"]), member("n", "us", ["a"])])
    short = layout.levels[-1]
    assert (short.short, short.region, short.up, short.members) == (True, "", (0,), ("m", "n"))


def test_a_member_without_region_has_short_zone_names_only() -> None:
    assert owners(names.layout(SETTINGS, [member("m", "", ["rack1"])])) == ["fed.svc", "fed.svc.rack1"]


@pytest.mark.parametrize("bad", ["a.b", "-a", "a b", "x" * 64, "straße"])
def test_a_bad_label_costs_its_level_only(bad: str) -> None:
    layout = names.layout(SETTINGS, [member("m", bad, ["eu-a"]), member("n", "eu", [bad])])
    assert owners(layout) == ["fed.svc", "fed.svc.eu", "fed.svc.eu-a"]
    assert [problem.where for problem in layout.problems] == ["member m", "member n"]


def test_places_that_differ_in_case_only_are_a_problem() -> None:
    layout = names.layout(SETTINGS, [member("m", "eu"), member("n", "EU")])
    assert owners(layout) == ["fed.svc", "fed.svc.eu"]
    assert "only in case" in layout.problems[0].what


@pytest.mark.parametrize("federation", ["", "a.b", "x" * 64])
def test_a_federation_must_be_a_label(federation: str) -> None:
    with pytest.raises(FednsError):
        names.layout(names.Settings(federation, "example.com"), ())


def test_wire_folds_case_and_the_final_dot() -> None:
    assert names.wire("Example.COM.") == names.wire("example.com") == b"\x07example\x03com\0"
    assert names.wire(".") == b"\0"


@pytest.mark.parametrize("bad", ["a..b", "x" * 64 + ".com", ".".join(["x" * 60] * 5), ".a"])
def test_wire_refuses_what_is_no_name(bad: str) -> None:
    with pytest.raises(FednsError):
        names.wire(bad)
