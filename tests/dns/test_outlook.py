"""What comes next, in words: every state that ends has a sentence, and what waits for people comes first."""

from typing import get_args

import pytest

from fedns.dns import outlook, rollover

ENDING = [state for state in get_args(rollover.State) if state not in ("created", "active", "ready")]
RULES = rollover.Settings()


def key(role: rollover.Role, state: rollover.State, until: float = 0.0, tag: int = 7) -> rollover.Key:
    return rollover.Key(tag, 13, role, "", state, 100.0, until)


@pytest.mark.parametrize("role", ["csk", "ksk", "zsk"])
@pytest.mark.parametrize("state", ENDING)
def test_every_state_that_ends_says_how(role: rollover.Role, state: rollover.State) -> None:
    (step,) = outlook.steps(rollover.Zone((key(role, state, 200.0),)), RULES, "example.com")
    assert step.at == 200.0 and step.what.startswith(f"{role.upper()} 7 ")


def test_what_somebody_must_do_comes_first_and_says_how() -> None:
    zone = rollover.Zone((key("zsk", "active"), key("ksk", "ready", tag=8)))
    first, second = outlook.steps(zone, RULES, "example.com")
    assert first.at == 0 and "`fedns key seen example.com`" in first.what
    assert second.at == 100.0 + RULES.zsk_lifetime


def test_a_zone_that_leaves_says_what_the_parent_must_do() -> None:
    left = RULES._replace(signed=False)
    (step,) = outlook.steps(rollover.Zone((key("csk", "active"),)), left, "example.com")
    assert "--gone" in step.what
    (step,) = outlook.steps(rollover.Zone((key("csk", "active"),), gone=300.0), left, "example.com")
    assert step.at == 300.0 and "without signatures" in step.what
