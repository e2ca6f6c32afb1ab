"""What ServiceExports and ServiceImports are told, in the words of the Multi-Cluster Services API."""

import re

import pytest

from fedns.distribute import exports
from fedns.distribute.statuses import Live, Verdict, difference
from fedns.model.clusterset import Conflict

REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?\Z")
"""What the API takes for one."""
PORTS = Conflict("PortConflict", "west", "has port 'http' 81/tcp, and east port 'http' 80/tcp")
TYPES = Conflict("TypeConflict", "west", "has type Headless, and east ClusterSetIP")
ALL = (
    exports.missing(),
    exports.invalid("ExternalName"),
    exports.exported((), ("east",)),
    exports.exported((PORTS, TYPES, PORTS), ("east", "west")),
    exports.imported(("east",)),
)


def told(verdict: Verdict) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in verdict.conditions}


def test_an_export_without_a_service_waits_for_it() -> None:
    assert told(exports.missing()) == {"Valid": ("False", "NoService"), "Ready": ("False", "Pending")}


def test_what_cannot_be_exported_is_not_valid() -> None:
    found = told(exports.invalid("ExternalName"))
    assert found == {"Valid": ("False", "InvalidServiceType"), "Ready": ("False", "Failed")}


def test_one_that_counts() -> None:
    found = told(exports.exported((), ("east",)))
    assert found == {
        "Valid": ("True", "Valid"),
        "Ready": ("True", "Exported"),
        "Conflict": ("False", "NoConflicts"),
    }


def test_all_reasons_of_a_conflict_are_told_once_and_who_disagrees() -> None:
    verdict = exports.exported((PORTS, TYPES, PORTS), ("east", "west"))
    assert told(verdict)["Conflict"] == ("True", "PortConflict,TypeConflict")
    message = next(one.message for one in verdict.conditions if one.type == "Conflict")
    assert "west has port 'http' 81/tcp, and east port 'http' 80/tcp" in message


def test_an_import_says_where_it_comes_from() -> None:
    found = exports.imported(("east", "west"))
    assert told(found) == {"Ready": ("True", "Ready")}
    assert found.fields == {"clusters": [{"cluster": "east"}, {"cluster": "west"}]}


@pytest.mark.parametrize("verdict", ALL)
def test_what_is_told_is_what_the_api_takes_and_told_once(verdict: Verdict) -> None:
    assert all(REASON.match(one.reason) for one in verdict.conditions)
    first = difference(Live(1), verdict, "2026-01-01T00:00:00Z")
    assert first is not None and first.moved
    there = Live(
        1,
        conditions=tuple(first.status["conditions"]),
        fields={name: each for name, each in first.status.items() if name != "conditions"},
    )
    assert difference(there, verdict, "2026-01-02T00:00:00Z") is None
