"""`fedns key` on a state directory, without any server."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedns import keyring
from fedns.cli import codes, main
from fedns.control import keys, vault

CONFIG = """federation: f
domain: example.com
nameservers: {ns1.example.com: [127.0.0.1]}
dns: {dnssec: {zones: [example.com], max_ttl: 1h}}
"""
NOW = 1_800_000_000.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fedns.yaml").write_text(CONFIG)
    return tmp_path


def said(*words: str, code: int = codes.OK) -> str:
    done = CliRunner().invoke(main.app, ["key", *words])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def served(*moments: float) -> None:
    """What a server would do at these moments."""
    told = keyring.Settings(zones=("example.com",), max_ttl=3600)
    keeper = keys.Keeper(vault.Vault("state/keys"), told, None)
    for now in moments:
        keeper.due(now)
        keeper.entry(now)
        keeper.published(now)


def test_keys_are_made_once_and_shown(home: Path) -> None:
    assert "no keys yet" in said("list")
    assert "no keys yet" in said("ds", code=codes.PROBLEMS)
    made = said("generate")
    assert "ECDSAP256SHA256 created" in made
    assert said("generate") == made and len(list((home / "state/keys").glob("*.pem"))) == 1


def test_what_the_parent_is_to_hold_is_printed_alone(home: Path) -> None:
    said("generate", "Example.COM.")
    (told,) = json.loads(CliRunner().invoke(main.app, ["key", "list", "-o", "json"]).stdout)["zones"]
    (key,) = told["keys"]
    assert said("ds") == key["ds"] and key["ds"].startswith(f"example.com. 86400 IN DS {key['tag']} 13 2 ")
    assert said("ds", "--dnskey") == key["dnskey"] and "IN DNSKEY 257 3 13 " in key["dnskey"]
    assert told["next"] == [] and told["signed"] and not told["given"]


def test_a_roll_is_asked_for_and_told_step_by_step(home: Path) -> None:
    said("generate")
    served(NOW, NOW + 2 * 86400)
    assert "give its DS to the parent zone, then `fedns key seen example.com`" in said("list")
    assert "asked for: seen" in said("seen")
    served(NOW + 3 * 86400)
    assert "no key waits" in said("seen", code=codes.PROBLEMS)
    assert "asked for: roll csk" in said("roll")
    served(NOW + 4 * 86400)
    assert "is ready: its DS may go to the parent zone" in said("list")
    assert "under way" in said("roll", code=codes.PROBLEMS)
    assert "no ZSK" in said("roll", "--role", "zsk", code=codes.PROBLEMS)


def test_a_key_file_is_made_for_others_and_never_overwritten(home: Path) -> None:
    assert "ksk" in said("generate", "--out", "k.pem", "--role", "ksk", "--algorithm", "ed25519")
    assert os.stat(home / "k.pem").st_mode & 0o777 == 0o600
    assert "never overwritten" in said("generate", "--out", "k.pem", code=codes.PROBLEMS)
    key, _ = vault.load("k.pem", "ksk")
    assert key.algorithm == 15
    said("generate", "--out", "z.pem", "--role", "zsk", "--algorithm", "ed25519")
    files = "[{file: k.pem, role: ksk}, {file: z.pem, role: zsk}]"
    (home / "fedns.yaml").write_text(CONFIG.replace("max_ttl: 1h", f"files: {files}"))
    assert f" IN DS {key.tag} 15 2 " in said("ds")
    assert "given by the configuration" in said("list")
    assert "given by the configuration" in said("roll", "--role", "zsk", code=codes.PROBLEMS)


def test_a_zone_that_is_not_signed_is_refused_with_those_that_are(home: Path) -> None:
    assert "signed: example.com" in said("list", "acme.com", code=codes.PROBLEMS)
    (home / "fedns.yaml").write_text(CONFIG.replace("[example.com]", "[]"))
    assert "no zone is signed" in said("list")
    (home / "fedns.yaml").write_text("federation: 1_")
    assert "fedns.yaml" in said("list", code=codes.PROBLEMS)
