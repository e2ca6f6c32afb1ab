"""What the members that the fleet registers are reached with, kept on disk: `state/members/NAME/`.

Law: nobody but us reads it (0700, 0600). Each file is replaced as a whole, and `member.json` comes last: a
directory without it is no member. So a restart without the fleet's API server knows all members, and who
reads the files (`kube.access`) takes up a new token as it stands there.
"""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping

import msgspec

from fedns import fleet, logs
from fedns.sources.registrations import Credentials, Registered, Registration

TOLD, TOKEN, BUNDLE, PAIR = "member.json", "token", "ca.crt", "client.pem"
"""Files of a member. A certificate and its key share one, so that nobody reads an old one with a new one."""

log = logging.getLogger("fedns.control.wallet")


class Wallet:
    """All of them, below `folder`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def kept(self) -> dict[str, Registered]:
        """The members that are kept, by name; what cannot be read waits for the fleet."""
        try:
            names = sorted(os.listdir(self._folder))
        except OSError:
            return {}
        found = {}
        for name in names:
            try:
                found[name] = self._read(name)
            except FileNotFoundError:
                continue  # it was not finished, or is nothing of ours
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
                log.warning("a kept member is left aside", extra=logs.fields(member=name, error=str(error)))
        return found

    def keep(self, member: Registered) -> bool:
        """Writes what differs; whether anything did that its API server is asked with. OSError."""
        name = member.told.name
        folder = os.path.join(self._folder, name)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.chmod(self._folder, 0o700)
        os.chmod(folder, 0o700)
        differs = [_write(os.path.join(folder, file), text) for file, text in _files(member)]
        told = msgspec.json.encode(msgspec.structs.replace(member.told, ca=""))
        _write(os.path.join(folder, TOLD), told.decode())
        return any(differs)

    def drop(self, name: str) -> None:
        """Forgets a member."""
        shutil.rmtree(os.path.join(self._folder, name), ignore_errors=True)

    def member(self, told: Registration, credentials: Credentials) -> fleet.Member:
        """As `fedns.yaml` would have it."""
        beside = {
            "ca": BUNDLE if told.ca else "",
            "token_file": TOKEN if credentials.token else "",
            "certificate": PAIR if credentials.certificate else "",
        }
        paths = {key: file and os.path.join(self._folder, told.name, file) for key, file in beside.items()}
        return fleet.Member(
            name=told.name,
            region=told.region,
            zones=told.zones,
            labels=told.labels,
            api=fleet.Api(server=told.server, server_name=told.server_name, **paths),
            selector=told.selector,
            clients=told.clients,
        )

    def _read(self, name: str) -> Registered:
        told = _told.decode(self._text(name, TOLD))
        texts = {file: self._text(name, file) for file in self._names(name)}
        certificate, _, key = texts.get(PAIR, "").partition("\0")
        return Registered(
            msgspec.structs.replace(told, ca=texts.get(BUNDLE, "")),
            Credentials(texts.get(TOKEN, ""), certificate, key),
        )

    def _names(self, name: str) -> Iterator[str]:
        present = os.listdir(os.path.join(self._folder, name))
        return (file for file in (TOKEN, BUNDLE, PAIR) if file in present)

    def _text(self, name: str, file: str) -> str:
        with open(os.path.join(self._folder, name, file), encoding="utf-8") as stream:
            return stream.read()


_told = msgspec.json.Decoder(Registration)


def _files(member: Registered) -> Iterator[tuple[str, str]]:
    """Name and content of all that is asked with; empty: there is none such."""
    lock = member.credentials
    yield TOKEN, lock.token
    yield PAIR, f"{lock.certificate}\n{lock.key}" if lock.certificate else ""
    yield BUNDLE, member.told.ca
