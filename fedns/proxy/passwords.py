"""Names and passwords (RFC 7617), checked by what htpasswd made of them.

Law: hashes that take long are worked out in threads, few at a time, and only so many wait: the loop never
does. What was right once is remembered by a hash with a key of this worker's own, never itself. Names that
nobody has take as long as others.
"""

import asyncio
import base64
import binascii
import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from hmac import compare_digest

from fedns.gateway.options import Basic

THREADS, WAITING = 2, 64
KNOWN = 8192
"""Of those that were right, remembered."""
LISTS = 64
"""Of users, by name."""
_BCRYPT, _LONGEST = b"$2", 72
_PLAIN = b"{PLAIN}"
_SCHEMES = (
    "bcrypt",
    "apr_md5_crypt",
    "md5_crypt",
    "sha256_crypt",
    "sha512_crypt",
    "ldap_salted_sha1",
    "ldap_sha1",
    "des_crypt",
)


class Busy(Exception):
    """Too many wait to be checked."""


class Passwords:
    """One worker's."""

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._known: dict[bytes, None] = {}
        self._users: dict[int, tuple[Basic, dict[bytes, bytes]]] = {}
        self._asking: dict[bytes, asyncio.Future[bool]] = {}
        self._threads: ThreadPoolExecutor | None = None

    async def right(self, basic: Basic, authorization: bytes) -> bool:
        """Whether the value of Authorization names a user, and the right password. Busy."""
        given = read(authorization)
        if given is None:
            return False
        name, password = given
        users = self._of(basic)
        hashed = users.get(name)
        row = b"\0".join((b"%d" % len(name), name, hashed or b"", password))
        key = blake2b(row, key=self._secret, digest_size=16).digest()
        if key in self._known:
            return True
        task = self._asking.get(key)
        if task is None:
            if len(self._asking) >= WAITING:
                raise Busy
            loop = asyncio.get_running_loop()
            wanted = hashed if hashed is not None else basic.users[0][1]
            task = loop.run_in_executor(self._pool(), matches, wanted, password)
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        found = await asyncio.shield(task) and hashed is not None
        if found:
            self._remember(key)
        return found

    def _of(self, basic: Basic) -> dict[bytes, bytes]:
        found = self._users.get(id(basic))
        if found is None:
            if len(self._users) >= LISTS:  # those of routes that are no more
                self._users.clear()
            found = self._users[id(basic)] = basic, dict(basic.users)
        return found[1]

    def _remember(self, key: bytes) -> None:
        while len(self._known) >= KNOWN:
            del self._known[next(iter(self._known))]
        self._known[key] = None

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "passwords")
        return self._threads

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


def read(authorization: bytes) -> tuple[bytes, bytes] | None:
    """(name, password); None where it is no Basic."""
    scheme, _, rest = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None


def matches(hashed: bytes, password: bytes) -> bool:
    """Whether the hash is this password's. One that cannot be read is nobody's."""
    from passlib.context import CryptContext  # takes a while to load: only who asks for it pays

    if hashed.startswith(_PLAIN):
        return compare_digest(hashed[len(_PLAIN) :], password)
    if hashed.startswith(_BCRYPT):
        password = password[:_LONGEST]  # as everybody who makes them
    try:
        return bool(CryptContext(_SCHEMES).verify(password, hashed.decode("ascii")))
    except (ValueError, TypeError):
        return False


def challenge(realm: bytes) -> bytes:
    """The value of WWW-Authenticate."""
    return b'Basic realm="' + realm.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
