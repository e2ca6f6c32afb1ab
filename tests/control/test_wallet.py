"""What registered members are reached with, on disk."""

import os
from pathlib import Path

import pytest
from msgspec import structs

from fedns import fleet
from fedns.control import wallet
from fedns.sources.registrations import Credentials, Registered, Registration
from fedns.values import Taint

TOLD = Registration("eu", "https://h:1", "eu", ca="PEM", server_name="k", region="r", clients=("10.0.0.0/8",))
TOKEN, PAIR = Credentials("t0k"), Credentials(pair="CERT\nKEY")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "members"


def test_what_is_kept_is_known_after_a_restart(home: Path) -> None:
    made = wallet.Wallet(str(home))
    assert made.kept() == {}
    assert made.keep(Registered(TOLD, TOKEN))
    assert wallet.Wallet(str(home)).kept() == {"eu": Registered(TOLD, TOKEN)}
    made.drop("eu")
    assert wallet.Wallet(str(home)).kept() == {}
    made.drop("eu")


def test_nobody_else_reads_it(home: Path) -> None:
    home.mkdir(mode=0o755)
    wallet.Wallet(str(home)).keep(Registered(TOLD, TOKEN))
    modes = {path.name: path.stat().st_mode & 0o777 for path in (home, *home.rglob("*"))}
    assert modes == {"members": 0o700, "eu": 0o700, "token": 0o600, "ca.crt": 0o600, "member.json": 0o600}


def test_a_member_is_as_the_configuration_would_have_it(home: Path) -> None:
    made = wallet.Wallet(str(home))
    api = fleet.Api("https://h:1", f"{home}/eu/ca.crt", "", f"{home}/eu/token", server_name="k")
    assert made.member(TOLD, TOKEN) == fleet.Member("eu", "r", api=api, clients=("10.0.0.0/8",))
    more = structs.replace(TOLD, aliases=("c1",), provider="p", taints=(Taint("k", "", "NoSchedule"),))
    seen = fleet.seen(made.member(more, TOKEN))
    assert (seen.names, seen.provider, str(seen.taints[0])) == (("eu", "c1"), "p", "k:NoSchedule")
    assert made.member(TOLD, PAIR).api.certificate == f"{home}/eu/client.pem"
    where = fleet.where(made.member(TOLD, PAIR))
    assert where is not None and (where.token_file, where.server_name) == ("", "k")


def test_only_what_it_is_asked_with_makes_a_difference(home: Path) -> None:
    made = wallet.Wallet(str(home))
    made.keep(Registered(TOLD, TOKEN))
    before = (home / "eu" / "token").stat()
    assert not made.keep(Registered(TOLD, TOKEN))
    assert (home / "eu" / "token").stat() == before
    assert made.keep(Registered(TOLD, Credentials("other")))
    assert made.keep(Registered(TOLD, PAIR))
    assert sorted(os.listdir(home / "eu")) == ["ca.crt", "client.pem", "member.json"]
    assert made.kept()["eu"].credentials == PAIR


def test_what_was_not_finished_or_cannot_be_read_is_left_aside(home: Path) -> None:
    made = wallet.Wallet(str(home))
    for name in ("us", "eu"):
        made.keep(Registered(Registration(name, "https://h", name), TOKEN))
    (home / "us" / "member.json").unlink()
    (home / "stray").write_text("")
    assert list(made.kept()) == ["eu"]
    (home / "eu" / "member.json").write_text("{")
    assert made.kept() == {}


def test_where_nothing_can_be_written_nothing_is_kept(home: Path) -> None:
    home.write_text("")
    made = wallet.Wallet(str(home))
    with pytest.raises(OSError):
        made.keep(Registered(TOLD, TOKEN))
    assert made.kept() == {}
