"""`check` finds what is wrong in every file that the configuration names."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedns.cli import codes, demo_fleet, main

BAD_ZONE = "$TTL 300\n@ IN SOA ns. me. 1 2 3 4 5\n@ IN NS ns\nx IN A 300.1.1.1\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    demo_fleet.write(str(tmp_path), demo_fleet.Ports())
    return tmp_path


def check(fleet: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main.app, ["check", "--config", str(fleet / "fedns.yaml"), *words])
    return result.exit_code, result.stdout


def test_the_demo_has_no_problems(fleet: Path) -> None:
    code, text = check(fleet)
    assert (code, text) == (codes.OK, f"{fleet}/fedns.yaml: no problems\n")


def test_every_kind_of_file_is_looked_at(fleet: Path) -> None:
    with (fleet / "fedns.yaml").open("a") as settings:
        settings.write("places: [{prefix: 198.51.100.0/24, region: europe-west1}]\n")
    (fleet / "members/gce-us-east1/broken.yaml").write_text("kind: Service\nmetadata: [\n")
    (fleet / "fleet/policies.yaml").write_text(
        (fleet / "fleet/policies.yaml").read_text().replace("ActiveActive", "ActivActive")
    )
    (fleet / "zones/bad.org.zone").write_text(BAD_ZONE)
    code, text = check(fleet)
    assert code == codes.PROBLEMS
    for file in ("members/gce-us-east1/broken.yaml:", "fleet/policies.yaml:", "zones/bad.org.zone:4"):
        assert f"{fleet}/{file}" in text
    assert {line.partition(": ")[0].rpartition(":")[2].isdigit() for line in text.splitlines()} == {True}


def test_a_missing_member_is_named_once(fleet: Path) -> None:
    (fleet / "members/gce-us-east1/nginx.yaml").unlink()
    (fleet / "members/gce-us-east1").rmdir()
    code, text = check(fleet, "-o", "json")
    assert code == codes.PROBLEMS
    (problem,) = json.loads(text)["problems"]
    assert problem["what"] == "directory 'members/gce-us-east1/' does not exist"


def test_a_configuration_that_cannot_be_read_is_all_that_is_told(tmp_path: Path) -> None:
    code, text = check(tmp_path)
    assert code == codes.PROBLEMS
    assert "cannot be read" in text
