"""The demo's guide names what differs from the defaults, and mistakes are explained."""

from typer.testing import CliRunner

from fedns import values
from fedns.cli import codes, demo, demo_fleet, main


def test_the_guide_of_a_demo_at_the_defaults_needs_no_options() -> None:
    text = demo.guide("demo", demo_fleet.Ports())
    assert "dig @127.0.0.1 -p 5300 nginx.mynamespace.myfederation.svc.example.com" in text
    assert "--admin" not in text
    assert "--port" not in text


def test_the_guide_of_a_demo_elsewhere_says_where() -> None:
    ports = demo_fleet.Ports(values.Address("127.0.0.1", 53), values.Address("127.0.0.1", 9), 80)
    text = demo.guide("demo", ports)
    assert "status --watch --admin 127.0.0.1:9" in text
    assert "demo fail gce-europe-west1 --port 80" in text


def test_a_member_that_is_none_is_named_with_the_likeliest() -> None:
    result = CliRunner().invoke(main.app, ["demo", "fail", "gce-europe-west"])
    assert result.exit_code == codes.USAGE
    assert "did you mean 'gce-europe-west1'?" in result.stderr


def test_a_demo_that_does_not_run_is_exit_code_3() -> None:
    result = CliRunner().invoke(main.app, ["demo", "heal", "gce-europe-west1", "--port", "1"])
    assert result.exit_code == codes.UNREACHABLE


def test_an_address_that_is_none_is_wrong_usage() -> None:
    result = CliRunner().invoke(main.app, ["demo", "start", "--dns", "localhost"])
    assert result.exit_code == codes.USAGE
    assert "'localhost' is not ADDRESS:PORT" in result.stderr
