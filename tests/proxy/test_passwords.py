"""Hashes that htpasswd and its like make, and what is done with them."""

import asyncio
import base64

import bcrypt
import pytest
from passlib import hash as made

from fedns.gateway.options import Basic
from fedns.proxy import passwords
from fedns.proxy.passwords import Busy, Passwords

HARD = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).replace(b"$2b$", b"$2y$")
HASHES = {
    "bcrypt": HARD,
    "apr1": b"$apr1$cNZDxy7S$5tkIlZ8skg66dezFXgdeh/",
    "crypt": b"cxJZYrv3W844w",
    "md5": made.md5_crypt.hash("secret").encode(),
    "sha256": made.sha256_crypt.using(rounds=1000).hash("secret").encode(),
    "sha512": made.sha512_crypt.using(rounds=1000).hash("secret").encode(),
    "SHA": b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "SSHA": made.ldap_salted_sha1.hash("secret").encode(),
    "PLAIN": b"{PLAIN}secret",
}


def _header(name: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{name}:{password}".encode())


@pytest.mark.parametrize("kind", HASHES)
def test_a_hash_is_of_its_password_alone(kind: str) -> None:
    assert passwords.matches(HASHES[kind], b"secret")
    for other in (b"", b"Secret", b"secre", b"secret1", b"\xff\0", b"x" * 100):
        if kind != "crypt" or not other.startswith(b"secret1" * 2):
            assert passwords.matches(HASHES[kind], other) is False


@pytest.mark.parametrize("hashed", [b"", b"secret", b"$2y$05$x", b"$6$", b"$apr1$", b"{MD5}x", b"\xff"])
def test_a_hash_that_cannot_be_read_is_nobodys(hashed: bytes) -> None:
    assert not passwords.matches(hashed, b"secret")


def test_long_passwords_are_cut_as_bcrypt_always_did() -> None:
    hashed = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4))
    assert passwords.matches(hashed, b"x" * 100) and not passwords.matches(hashed, b"x" * 71)


@pytest.mark.parametrize(
    "header", [b"", b"Basic", b"Basic !", b"Bearer am86c2VjcmV0", b"Basic am8=", b"Basic \xff\xfe"]
)
def test_what_is_no_name_with_a_password(header: bytes) -> None:
    assert passwords.read(header) is None


def test_names_are_known_or_not() -> None:
    async def asked() -> None:
        basic, checked = Basic(b"", ((b"jo", HARD), (b"al", HASHES["SHA"]))), Passwords()
        for _ in range(2):
            assert await checked.right(basic, _header("jo", "secret"))
            assert await checked.right(basic, _header("al", "secret"))
            assert not await checked.right(basic, _header("jo", "other"))
            assert not await checked.right(basic, _header("bo", "secret"))
        changed = Basic(b"", ((b"jo", HASHES["SHA"].replace(b"5", b"6")), (b"al", HARD)))
        assert not await checked.right(changed, _header("jo", "secret")), "another hash, another password"
        checked.close()

    asyncio.run(asked())


def test_so_many_wait_and_those_who_are_known_need_not() -> None:
    async def asked() -> None:
        slow = bcrypt.hashpw(b"secret", bcrypt.gensalt(8))
        basic, checked = Basic(b"", ((b"jo", slow),)), Passwords()
        assert await checked.right(basic, _header("jo", "secret"))
        wrong = [
            asyncio.ensure_future(checked.right(basic, _header("jo", f"{number}")))
            for number in range(passwords.WAITING)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await checked.right(basic, _header("jo", "one more"))
        assert await checked.right(basic, _header("jo", "secret"))
        assert not any(await asyncio.gather(*wrong))
        checked.close()

    asyncio.run(asked())


def test_a_realm_is_quoted() -> None:
    assert passwords.challenge(b'a "b" \\') == b'Basic realm="a \\"b\\" \\\\"'
