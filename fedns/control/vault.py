"""Keys on disk: for each zone `NAME.json` (which keys, in which states) and a PKCS#8 PEM file for each key.

Law: files are whole or absent, and their owner's alone. Nothing here deletes or overwrites a private key:
what cannot be read is a `StateError`, never a reason to begin anew. Whoever changes a zone holds the lock.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from fedns.dns import keyset, rollover, signing
from fedns.errors import StateError

_SUFFIX = ".json"
_OWNER = 0o600
_FOLDER = 0o700
_zones = msgspec.json.Decoder(rollover.Zone)


class Busy(StateError):
    """Somebody else changes keys right now."""


class Vault:
    """The directory of keys; it comes to be with the first key."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def zones(self) -> list[str]:
        """Names of the zones that have keys here, or had."""
        try:
            found = os.listdir(self.directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StateError(f"{self.directory}: {error.strerror}") from error
        return sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX))

    def read(self, zone: str) -> rollover.Zone:
        """The zone's keys; none where none were made yet."""
        path = self.path(zone)
        try:
            with open(path, "rb") as file:
                return _zones.decode(file.read())
        except FileNotFoundError:
            return rollover.Zone()
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise StateError(f"{path}: {error}") from error

    def write(self, zone: str, keys: rollover.Zone) -> None:
        keep(self.path(zone), msgspec.json.format(msgspec.json.encode(keys)) + b"\n")

    def add(self, zone: str, want: rollover.Want, taken: frozenset[int]) -> rollover.Key:
        """Makes a key whose tag is not taken, and keeps it."""
        os.makedirs(self.directory, _FOLDER, exist_ok=True)
        while True:
            text = generate(want.algorithm)
            key, _ = parse(text, want.role, want.group)
            path = self.file(zone, key)
            if key.tag not in taken and not os.path.exists(path):
                keep(path, text)
                return key

    def secret(self, zone: str, key: rollover.Key) -> signing.Secret:
        path = self.file(zone, key)
        found, secret = load(path, key.role)
        if (found.tag, found.public) != (key.tag, key.public):
            raise StateError(f"{path}: holds another key than {key.tag}")
        return secret

    def path(self, zone: str) -> str:
        """The file that tells of the zone's keys."""
        return os.path.join(self.directory, zone + _SUFFIX)

    def file(self, zone: str, key: rollover.Key) -> str:
        """The private key's file."""
        return os.path.join(self.directory, f"{zone}+{key.algorithm:03}+{key.tag:05}.pem")

    def stamp(self) -> int:
        """Differs after every change; 0 while there is no directory."""
        try:
            return os.stat(self.directory).st_mtime_ns
        except OSError:
            return 0

    @contextlib.contextmanager
    def lock(self, wait: bool = False) -> Iterator[None]:
        """Keeps others from changing keys. `Busy` where somebody else does, and one would have to wait."""
        try:
            os.makedirs(self.directory, _FOLDER, exist_ok=True)
            fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise StateError(f"{self.directory}: {error.strerror}") from error
        try:
            _flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB, self.directory)
            yield
        finally:
            os.close(fd)


def _flock(fd: int, how: int, directory: str) -> None:
    try:
        fcntl.flock(fd, how)
    except OSError as error:
        raise Busy(f"{directory}: keys are being changed: {error.strerror}") from error


def generate(algorithm: int) -> bytes:
    """A new private key as PKCS#8 PEM."""
    made: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if algorithm == signing.ED25519:
        made = ed25519.Ed25519PrivateKey.generate()
    else:
        made = ec.generate_private_key(ec.SECP256R1())
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load(path: str, role: rollover.Role) -> tuple[rollover.Key, signing.Secret]:
    """The key in a PEM file, its public half and its private one."""
    try:
        with open(path, "rb") as file:
            return parse(file.read(), role)
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StateError(f"{path}: no private key that can be used: {error}") from error


def parse(pem: bytes, role: rollover.Role, group: int = 1) -> tuple[rollover.Key, signing.Secret]:
    """The key in a PEM text: its public half, and its private one. ValueError where there is none of use."""
    key = serialization.load_pem_private_key(pem, None)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        algorithm, public = signing.ED25519, key.public_key().public_bytes_raw()
    elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        numbers = key.public_key().public_numbers()
        algorithm, public = signing.P256, numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    else:
        raise ValueError("it must be of curve P-256 or Ed25519")
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    tag = keyset.tag(keyset.record(role, algorithm, public))
    told = rollover.Key(tag, algorithm, role, public.hex(), group=group)
    return told, signing.Secret(tag, algorithm, der.hex())


def keep(path: str, data: bytes) -> None:
    """Whole or not at all, synced, and for nobody else to read."""
    fresh = path + ".new"
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER)
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.replace(fresh, path)
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror}") from error
