"""`fedns routes` against an admin API."""

from typer.testing import CliRunner

from fedns.cli import main
from tests.fakes import views


def test_routes_are_listed_and_filtered() -> None:
    with views.serving(views.Values()) as address:
        whole = CliRunner().invoke(main.app, ["routes", "--admin", address])
        assert whole.exit_code == 0 and "a.test" in whole.output and "b.test" in whole.output
        assert "shop/web:80" in whole.output and "m1" in whole.output
        one = CliRunner().invoke(main.app, ["routes", "b.test", "--admin", address, "-o", "json"])
        assert '"b.test"' in one.output and "a.test" not in one.output


def test_a_url_is_explained() -> None:
    with views.serving(views.Values()) as address:
        asked = ["explain", "http://a.test/", "-H", "X-A: 1", "-H", "X-B: 2", "-X", "PUT"]
        told = CliRunner().invoke(main.app, [*asked, "--from", "192.0.2.1", "--admin", address])
        assert told.exit_code == 0, told.output
        for words in ("PUT http://a.test/", "2. X-A=1", "3. X-B=2", "4. 192.0.2.1", "404"):
            assert words in told.output
        bad = CliRunner().invoke(main.app, ["explain", "http://a.test/", "-H", "what", "--admin", address])
        assert bad.exit_code == 2 and "Name: value" in bad.output
