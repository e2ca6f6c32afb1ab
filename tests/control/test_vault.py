"""Keys on disk: theirs alone, whole, and never made anew over what cannot be read."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fedns.control import vault
from fedns.dns import rollover, signing
from fedns.errors import StateError

WANT = rollover.Want("csk", signing.P256, 1)


def test_what_is_written_is_read_and_is_its_owners_alone(tmp_path: Path) -> None:
    home = vault.Vault(str(tmp_path / "keys"))
    assert home.zones() == [] and home.read("example.com") == rollover.Zone() and home.stamp() == 0
    key = home.add("example.com", WANT, frozenset())
    zone = rollover.Zone((key,), ("roll csk",), 60, 1.5, 2.5)
    home.write("example.com", zone)
    assert home.zones() == ["example.com"] and home.read("example.com") == zone
    assert home.secret("example.com", key)[:2] == (key.tag, signing.P256)
    assert os.stat(home.directory).st_mode & 0o777 == 0o700
    assert {os.stat(path).st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_each_change_shows(tmp_path: Path) -> None:
    home = vault.Vault(str(tmp_path / "keys"))
    stamps = [home.stamp()]
    for ttl in (1, 2):
        with home.lock():
            home.write("example.com", rollover.Zone(ttl=ttl))
        os.utime(home.directory, ns=(ttl, ttl))  # a clock so coarse that two writes share its tick
        stamps.append(home.stamp())
    assert len(set(stamps)) == 3


def test_only_one_may_change_keys(tmp_path: Path) -> None:
    home = vault.Vault(str(tmp_path / "keys"))
    with home.lock(), pytest.raises(vault.Busy), home.lock():
        pass
    with home.lock():
        pass


def test_what_cannot_be_read_is_told_with_its_file(tmp_path: Path) -> None:
    home = vault.Vault(str(tmp_path))
    (tmp_path / "a.example.json").write_text('{"keys": [{"tag": "x"}]}')
    with pytest.raises(StateError, match=r"a\.example\.json"):
        home.read("a.example")
    key = home.add("b.example", WANT, frozenset())
    other = home.add("b.example", WANT, frozenset())
    os.replace(home.file("b.example", other), home.file("b.example", key))
    with pytest.raises(StateError, match="another key"):
        home.secret("b.example", key)
    os.remove(home.file("b.example", key))
    with pytest.raises(StateError, match="No such file"):
        home.secret("b.example", key)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pem"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"a\.pem: no private key"):
        vault.load(str(path), "csk")


def test_a_key_of_another_curve_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pem"
    key = ec.generate_private_key(ec.SECP384R1())
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(StateError, match="P-256 or Ed25519"):
        vault.load(str(path), "csk")
