"""Every command against a real admin API that serves fixed values: what is printed, and the exit code."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fedns.cli import codes, farewell, main
from fedns.servers import api
from tests.fakes import views


@pytest.fixture
def values() -> views.Values:
    return views.Values()


@pytest.fixture
def admin(values: views.Values) -> Iterator[str]:
    with views.serving(values) as address:
        yield address


def run(*words: str) -> Result:
    return CliRunner().invoke(main.app, list(words))


def said(*words: str) -> Any:
    """What a command prints with `-o json`."""
    result = run(*words, "-o", "json")
    assert result.exit_code == codes.OK, result.output
    return json.loads(result.stdout)


ASKING = (
    ["status"],
    ["explain", "web.shop.f.svc.d"],
    ["drain", "m1"],
    ["undrain", "m1"],
    ["force", "m1", "up"],
    ["zone", "dump"],
)


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_no_server_is_exit_code_3(words: list[str]) -> None:
    result = run(*words, "--admin", "127.0.0.1:1")
    assert result.exit_code == codes.UNREACHABLE
    assert "no fedns answers at http://127.0.0.1:1" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_every_command_speaks_json(words: list[str], admin: str) -> None:
    if words[0] == "undrain":
        run("drain", "m1", "--admin", admin)
    assert isinstance(said(*words, "--admin", admin), dict)


def test_a_watch_in_json_is_one_value_a_look(admin: str) -> None:
    assert said("status", "--watch", "--admin", admin)["status"]["version"] == "0"


@pytest.mark.parametrize(("words", "offered"), [("fedns dr", "drain"), ("fedns zone du", "dump")])
def test_the_shell_completes_commands(words: str, offered: str) -> None:
    asked = {"_FEDNS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = CliRunner().invoke(main.app, [], prog_name="fedns", env=asked)
    assert result.stdout.split() == [offered]


@pytest.mark.parametrize(
    "words", [["status", "--wotch"], ["force", "m1", "sideways"], ["drain"], ["nothing"]]
)
def test_wrong_usage_is_exit_code_2(words: list[str]) -> None:
    assert run(*words).exit_code == codes.USAGE


def test_help_names_the_exit_codes_and_version_the_version() -> None:
    assert "3 no server" in " ".join(run("--help").output.split())


def test_status_shows_members_and_shards(admin: str) -> None:
    result = run("status", "--admin", admin)
    assert result.exit_code == codes.OK
    for part in ("ready", "generation 7", "m1", "shop/web", "healthy", "2/2", "192.0.2.1", "a.zone:3"):
        assert part in result.stdout
    view = said("status", "--admin", admin)
    assert view["status"]["table"]["generation"] == 7
    assert [one["member"] for one in view["shards"]] == ["m1", "m2"]


def test_status_of_a_server_that_cannot_answer_is_exit_code_1(admin: str, values: views.Values) -> None:
    values.why = "first sync not done"
    result = run("status", "--admin", admin)
    assert result.exit_code == codes.PROBLEMS
    assert "NOT READY: first sync not done" in result.stdout


def test_an_order_is_given_and_taken_back(admin: str, values: views.Values) -> None:
    result = run("drain", "m1", "--for", "30m", "--reason", "upgrade", "--admin", admin)
    assert result.stdout == "m1: drain for 30m\n"
    assert values.given["m1"].reason == "upgrade"
    assert said("force", "m1/shop/web", "down", "--admin", admin)["until"] is None
    assert run("undrain", "m1", "--admin", admin).exit_code == codes.OK
    again = run("undrain", "m1", "--admin", admin)
    assert (again.exit_code, again.stderr) == (codes.PROBLEMS, "no order for 'm1'\n")


def test_a_drain_waits_until_nobody_comes_any_more(admin: str, values: views.Values) -> None:
    values.farewells = [api.Farewell(seconds, [], 0, []) for seconds in (0.2, 0.1, 0.0)]
    result = run("drain", "m1", "--wait", "--admin", admin)
    assert (result.exit_code, result.stdout.splitlines()) == (
        codes.OK,
        [
            "m1: drain until taken back",
            "m1: caches may send clients there for 200ms more",
            f"m1: {farewell.SAFE}",
        ],
    )
    assert said("drain", "m1", "--wait", "--admin", admin)["farewell"]["seconds"] == 0
    assert farewell.SAFE in run("status", "--admin", admin).stdout


def test_a_drain_that_would_wait_for_ever_names_what_stays(admin: str, values: views.Values) -> None:
    values.farewells = [api.Farewell(None, ["shop/a", "shop/b"], 12, [])]
    result = run("drain", "m1", "--wait", "--admin", admin)
    assert result.exit_code == codes.PROBLEMS
    assert "nobody else can serve shop/a, shop/b and 10 more" in " ".join(result.stderr.split())
    assert values.given["m1"].word == "drain"


def test_a_period_that_is_none_is_wrong_usage() -> None:
    result = run("drain", "m1", "--for", "soon")
    assert result.exit_code == codes.USAGE
    assert "'soon' is not a duration" in result.stderr


def test_zone_dump_is_the_master_file(admin: str) -> None:
    assert run("zone", "dump", "--admin", admin).stdout == "$ORIGIN d.\n"
    assert run("zone", "dump", "e", "--admin", admin).exit_code == codes.PROBLEMS
    assert said("zone", "dump", "d", "--admin", admin) == {"origin": "d", "zone": "$ORIGIN d.\n"}


def test_the_admin_address_comes_from_the_environment_and_the_configuration(
    admin: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDNS_ADMIN", f"http://{admin}/")
    assert run("status").exit_code == codes.OK
    monkeypatch.delenv("FEDNS_ADMIN")
    (tmp_path / "fedns.yaml").write_text(f'federation: f\ndomain: d.example\nadmin: {{listen: "{admin}"}}\n')
    monkeypatch.chdir(tmp_path)
    assert run("status").exit_code == codes.OK
