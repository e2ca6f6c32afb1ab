"""Settings of those who copy our zones: keys, who may transfer, who is notified, the catalog.

Law: nobody may unless told. A key is named wherever it is used, and its secret stands here or in a file of
its own; one that cannot be read leaves its key without use, and is told.
"""

import base64
import binascii
import ipaddress
import os
from typing import Annotated, Literal, NamedTuple

from msgspec import Struct

from fedns import schema
from fedns.dns import names, permit, tsig

_SHORTEST = 16  # octets of a secret; RFC 8945 section 8 asks for as long as the digest
_ALLOW = 'write a prefix (192.0.2.0/24), "key NAME", or both in one text'
_MADE = "take what `tsig-keygen` or `keymgr -t` prints"
_NOTIFY = 'write "192.0.2.1:53" or "192.0.2.1:53 key NAME"'


class Peer(NamedTuple):
    """A prefix or an address with port, and the name of a key; empty ones are not given."""

    network: str
    key: str = ""


class Target(NamedTuple):
    """A secondary that is told of changes."""

    host: str
    port: int
    key: str = ""


def encoded(text: str, reader: schema.Reader) -> bytes:
    """Base64, as `tsig-keygen` and `keymgr` print it."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise schema.Bad("is not base64", _MADE) from None
    if len(found) < _SHORTEST:
        raise schema.Bad(f"is shorter than {_SHORTEST} octets", _MADE)
    return found


def kept(text: str, reader: schema.Reader) -> bytes:
    """The secret in a file, beside the configuration where the path is relative."""
    try:
        with open(os.path.join(reader.base, os.path.expanduser(text)), "rb") as file:
            data = file.read(4096)
    except OSError as error:
        reader.warn(f"{text!r} cannot be read: {error.strerror}", "the key is of no use until then")
        return b""
    return encoded("".join(data.decode("latin-1").split()), reader)


def peer(text: str, reader: schema.Reader) -> Peer:
    first, key = _words(text, _ALLOW)
    try:
        return Peer(str(ipaddress.ip_network(first)) if first else "", key)
    except ValueError as error:
        raise schema.Bad(f"{text!r}: {error}", _ALLOW) from None


def target(text: str, reader: schema.Reader) -> Target:
    first, key = _words(text, _NOTIFY)
    host, _, port = first.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
        if not 0 < int(port) < 65536 or not port.isascii():
            raise ValueError
    except ValueError:
        raise schema.Bad(f"{text!r} is not ADDRESS:PORT", _NOTIFY) from None
    return Target(host, int(port), key)


class Key(Struct, frozen=True):
    """A secret that we share with secondaries (RFC 8945)."""

    name: Annotated[str, schema.hostname]
    algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"] = "hmac-sha256"
    secret: Annotated[bytes | None, encoded] = None
    secret_file: Annotated[bytes | None, kept] = None


class Transfer(Struct, frozen=True):
    """`catalog` is the name of a zone that lists all zones (RFC 9432); empty: there is none."""

    keys: tuple[Key, ...] = ()
    allow: tuple[Annotated[Peer, peer], ...] = ()
    notify: tuple[Annotated[Target, target], ...] = ()
    catalog: Annotated[str, schema.hostname] = ""


def check(rules: Transfer, domain: str, reader: schema.Reader) -> None:
    """What one value cannot say about itself."""
    known: set[str] = set()
    for index, key in enumerate(rules.keys):
        if key.name in known:
            reader.bad(("transfer", "keys", index, "name"), f"key {key.name!r} is written twice")
        known.add(key.name)
        if (key.secret is None) == (key.secret_file is None):
            reader.bad(
                ("transfer", "keys", index), f"key {key.name!r} needs `secret` or `secret_file`", "write one"
            )
    used = {
        "allow": [one.key for one in rules.allow],
        "notify": [one.key for one in rules.notify],
    }
    for field, users in used.items():
        for index, name in enumerate(users):
            if name and name not in known:
                hint = schema.nearest(name, known) if known else "add it to `transfer.keys`"
                reader.bad(("transfer", field, index), f"there is no key {name!r}", hint)
    if rules.catalog == domain:
        reader.bad(("transfer", "catalog"), "the catalog needs a name of its own", "catalog.fedns.invalid")


def secrets(settings: Transfer) -> dict[str, tsig.Key]:
    """The usable keys by name."""
    found = {}
    for key in settings.keys:
        octets = key.secret or key.secret_file
        if octets:
            found[key.name] = tsig.Key(names.wire(key.name), key.algorithm, octets)
    return found


def rules(settings: Transfer) -> bytes:
    """What workers have to know."""
    grants = []
    for one in settings.allow:
        grant = permit.network(one.network) if one.network else permit.Grant()
        grants.append(grant._replace(key=names.wire(one.key) if one.key else b""))
    return permit.encode(list(secrets(settings).values()), grants)


def _words(text: str, hint: str) -> tuple[str, str]:
    """The part before the key, and the key's name."""
    before, mark, key = text.replace("key:", "key ").partition("key ")
    before, key = before.strip(), key.strip().rstrip(".").lower()
    if bool(mark) != bool(key) or " " in before or " " in key or not (before or key):
        raise schema.Bad(f"{text!r} cannot be understood", hint)
    return before, key
