"""`serve` says what is wrong and leaves, or tells the supervisor what to run."""

from pathlib import Path

from typer.testing import CliRunner

from fedns import config
from fedns.cli import codes, demo_fleet, main, serve
from fedns.servers import supervisor


def test_a_configuration_with_mistakes_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "fedns.yaml").write_text("federation: f\ndomian: d\n")
    result = CliRunner().invoke(main.app, ["serve", "-c", str(tmp_path / "fedns.yaml")])
    assert result.exit_code == codes.PROBLEMS
    assert "fedns.yaml:2: unknown key 'domian' (did you mean 'domain'?)" in result.stderr


def test_the_plan_is_what_the_configuration_says(tmp_path: Path) -> None:
    loaded = config.load(demo_fleet.write(str(tmp_path), demo_fleet.Ports()))
    assert loaded.config is not None
    plan = serve.plan(loaded.config, ("control",))
    assert plan.listen == (("127.0.0.1", 5300),)
    assert (plan.workers, plan.state, plan.control) == (2, str(tmp_path / "state"), ("control",))


def test_dns_over_tls_is_part_of_the_plan(tmp_path: Path) -> None:
    file = Path(demo_fleet.write(str(tmp_path), demo_fleet.Ports()))
    tls = "tls: {listen: ['127.0.0.1:853'], certificate: a.pem, key: /b.pem}"
    file.write_text(file.read_text().replace("dns: {", "dns: {" + tls + ", "))
    loaded = config.load(str(file))
    assert loaded.config is not None
    told = supervisor.Tls((("127.0.0.1", 853),), f"{tmp_path}/a.pem", "/b.pem")
    assert serve.plan(loaded.config, ()).tls == told


def test_a_role_runs_its_part_only(tmp_path: Path) -> None:
    loaded = config.load(demo_fleet.write(str(tmp_path), demo_fleet.Ports()))
    assert loaded.config is not None
    alone = serve.plan(loaded.config, ("control",), serve.Role.control)
    workers = serve.plan(loaded.config, ("control",), serve.Role.dns)
    assert (alone.listen, alone.control) == ((), ("control",))
    assert (workers.listen, workers.control) == ((("127.0.0.1", 5300),), ())
