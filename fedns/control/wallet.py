"""What the members that the fleet registers are reached with, kept on disk: `state/members/NAME/`.

Law: nobody but us reads it (0700, 0600). Each file is replaced as a whole, and `member.json` comes last: a
directory without it is no member. So a restart without the fleet's API server knows all members, and who
reads the files (`kube.access`) takes up a new token as it stands there.
"""

import contextlib
import logging
import os
import shutil

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
        lock = member.credentials
        asked = ((TOKEN, lock.token), (PAIR, lock.pair), (BUNDLE, member.told.ca))
        differs = [_write(os.path.join(folder, file), text) for file, text in asked]
        told = msgspec.json.encode(msgspec.structs.replace(member.told, ca=""))
        _write(os.path.join(folder, TOLD), told.decode())
        return any(differs)

    def drop(self, name: str) -> None:
        """Forgets a member."""
        shutil.rmtree(os.path.join(self._folder, name), ignore_errors=True)

    def member(self, told: Registration, credentials: Credentials) -> fleet.Member:
        """As `fedns.yaml` would have it."""
        given = ((BUNDLE, told.ca), (TOKEN, credentials.token), (PAIR, credentials.pair))
        home = os.path.join(self._folder, told.name)
        ca, token, pair = (os.path.join(home, file) if text else "" for file, text in given)
        return fleet.Member(
            name=told.name,
            region=told.region,
            zones=told.zones,
            labels=told.labels,
            api=fleet.Api(told.server, ca, "", token, server_name=told.server_name, certificate=pair),
            selector=told.selector,
            namespaces=told.namespaces,
            exports=told.exports,
            clients=told.clients,
            aliases=told.aliases,
            provider=told.provider,
            taints=told.taints,
            gateway=told.gateway,
        )

    def _read(self, name: str) -> Registered:
        told = _told.decode(self._text(name, TOLD))
        present = set(os.listdir(os.path.join(self._folder, name)))
        token, pair, ca = (
            self._text(name, file) if file in present else "" for file in (TOKEN, PAIR, BUNDLE)
        )
        return Registered(msgspec.structs.replace(told, ca=ca), Credentials(token, pair))

    def _text(self, name: str, file: str) -> str:
        with open(os.path.join(self._folder, name, file), encoding="utf-8") as stream:
            return stream.read()


_told = msgspec.json.Decoder(Registration)


def _write(path: str, text: str) -> bool:
    """Whether the file differed; without a text there is to be none."""
    if not text:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        return False
    with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as file:
        if file.read() == text:
            return False
    fresh = f"{path}.new"
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        os.fchmod(handle, 0o600)
        file.write(text)
        file.flush()
        os.fsync(handle)
    os.replace(fresh, path)
    return True
