"""The members as one `fedns.yaml` has them, and the files with our credentials beside it.

Law: the text stays as it was written but for one entry, and is replaced whole, once it has been found to say
what was meant. Where that cannot be done it stays, and the entry is handed back for people.
"""

import contextlib
import os
import tempfile
from typing import Any

from msgspec import structs

from fedns import config, fleet, schema, values
from fedns.cli import entry
from fedns.distribute import joining, leaving, registration
from fedns.distribute.refusal import Refusal

FOLDER = "credentials"
"""Beside the file: the token and the CA of each member, for nobody but the server."""
KINDS = ("token", "crt", "uid")
"""Of files: a token, the CA, and which cluster it is."""
ENCODING = "utf-8"


class Settings:
    """One file. `told`: what it says."""

    def __init__(self, path: str, told: config.Config) -> None:
        self.where, self._told = path, told
        self._base, self._path = os.path.dirname(os.path.abspath(path)), os.path.realpath(path)
        self.byhand = ""
        """What is left to people: the entry, where it could not be written."""

    async def check(self, wanted: registration.Member) -> None:
        """Refusal, where there is another member of that name, or this cluster has another name."""
        for one in self._told.members:
            uid = self._content(one.name, "uid")
            if one.name != wanted.name and (uid == wanted.identity or one.api.server == wanted.server):
                what = f"this cluster (UID {wanted.identity}) is a member already: {one.name}"
                raise Refusal(self.where, what, f"join it as {one.name}, or fedns unjoin {one.name} first")
        known = self._member(wanted.name)
        if known is not None and known.api.token_file != self._file(wanted.name, "token"):
            hint = f"choose another name, or fedns unjoin {wanted.name} first"
            raise Refusal(self.where, f"member {wanted.name} is there, reached in another way", hint)

    def objects(self, wanted: registration.Member, token: str) -> tuple[dict[str, Any], ...]:
        """What is added."""
        return ({"members": [_entry(wanted)]},)

    async def register(self, wanted: registration.Member, token: str) -> list[joining.Made]:
        """Writes the credentials, then the entry. Refusal."""
        texts = {"token": token, "crt": wanted.ca, "uid": wanted.identity}
        made = [self._keep(wanted.name, kind, text) for kind, text in texts.items() if text]
        known = self._member(wanted.name)
        if known is not None and known.api.server == wanted.server:
            return [*made, joining.Made(f"the entry in {self.where}", False)]
        before = self._text()
        if known is None:
            after, meant = entry.added(before, _entry(wanted)), (*self._told.members, self._meant(wanted))
        else:
            after = entry.changed(before, wanted.name, ("api", "server"), wanted.server)
            meant = self._others(wanted.name, structs.replace(known.api, server=wanted.server))
        if after is None or not self._says(after, meant):
            self.byhand = entry.shown(_entry(wanted))
            return made
        self._replace(after)
        return [*made, joining.Made(f"the entry in {self.where}", True)]

    async def find(self, name: str) -> leaving.Known:
        """What `remove` would remove. Refusal where there is none."""
        if self._member(name) is None:
            told = ", ".join(member.name for member in self._told.members) or "none"
            raise Refusal(self.where, f"no member {name}", f"known: {told}")
        files = [self._file(name, kind) for kind in KINDS if self._content(name, kind)]
        return leaving.Known([f"the entry in {self.where}", *files], self._content(name, "uid"))

    async def remove(self, name: str) -> list[leaving.Left]:
        """Takes the entry out, then the files. Refusal where there is none."""
        found = await self.find(name)
        after = entry.removed(self._text(), name)
        if after is None or not self._says(
            after, tuple(one for one in self._told.members if one.name != name)
        ):
            raise Refusal(
                self.where, f"the entry of {name} cannot be taken out safely", "take it out by hand"
            )
        self._replace(after)
        for path in found.what[1:]:
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
        return [leaving.Left(what) for what in found.what]

    def _member(self, name: str) -> fleet.Member | None:
        return next((one for one in self._told.members if one.name == name), None)

    def _others(self, name: str, api: fleet.Api) -> tuple[fleet.Member, ...]:
        members = self._told.members
        return tuple(structs.replace(one, api=api) if one.name == name else one for one in members)

    def _meant(self, wanted: registration.Member) -> fleet.Member:
        ca = self._file(wanted.name, "crt") if wanted.ca else ""
        return fleet.Member(
            name=wanted.name,
            region=wanted.region,
            zones=wanted.zones,
            api=fleet.Api(
                server=wanted.server,
                ca=ca,
                token_file=self._file(wanted.name, "token"),
                server_name=wanted.server_name,
            ),
            gateway="addresses" if wanted.gateway == "addresses" else "endpoints",
            selector=wanted.selector,
            namespaces=wanted.namespaces,
            exports=wanted.exports,
            aliases=wanted.aliases,
            provider=wanted.provider,
            taints=tuple(values.taint(one, schema.Reader("")) for one in wanted.taints),
        )

    def _says(self, text: str, members: tuple[fleet.Member, ...]) -> bool:
        """Whether the text says what was said, with these members."""
        found = config.parse(text.encode(ENCODING), self.where).config
        return found == structs.replace(self._told, members=members)

    def _text(self) -> str:
        try:
            with open(self._path, encoding=ENCODING, newline="") as file:
                return file.read()
        except (OSError, ValueError) as error:
            raise Refusal(self.where, f"cannot be read: {error}") from None

    def _keep(self, name: str, kind: str, text: str) -> joining.Made:
        path = self._file(name, kind)
        if self._content(name, kind) == text:
            return joining.Made(path, False)
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            self._give(os.path.dirname(path))
            _write(path, text, 0o600)
            self._give(path)
        except OSError as error:
            raise Refusal(path, f"cannot be written: {error.strerror}", "nothing is registered yet") from None
        return joining.Made(path, True)

    def _content(self, name: str, kind: str) -> str:
        with (
            contextlib.suppress(OSError, ValueError),
            open(self._file(name, kind), encoding=ENCODING) as file,
        ):
            return file.read()
        return ""

    def _replace(self, text: str) -> None:
        try:
            found = os.stat(self._path)
            _write(self._path, text, found.st_mode & 0o777)
            if os.geteuid() == 0:
                os.chown(self._path, found.st_uid, found.st_gid)
        except OSError as error:
            raise Refusal(
                self.where, f"cannot be written: {error.strerror}", "nothing in it has changed"
            ) from None

    def _file(self, member: str, kind: str) -> str:
        return os.path.join(self._base, FOLDER, f"{member}.{kind}")

    def _give(self, path: str) -> None:
        """Root gives what it writes to whom the state directory belongs: the server, who has to read it."""
        if os.geteuid() == 0 and os.path.isdir(self._told.state):
            found = os.stat(self._told.state)
            os.chown(path, found.st_uid, found.st_gid)


def _entry(wanted: registration.Member) -> dict[str, Any]:
    api = {
        "server": wanted.server,
        "ca": f"{FOLDER}/{wanted.name}.crt" if wanted.ca else "",
        "server_name": wanted.server_name,
        "token_file": f"{FOLDER}/{wanted.name}.token",
    }
    told = {
        "name": wanted.name,
        "region": wanted.region,
        "zones": list(wanted.zones),
        "api": {key: value for key, value in api.items() if value},
        "gateway": wanted.gateway,
        "selector": wanted.selector,
        "namespaces": wanted.namespaces,
        "exports": wanted.exports,
        "aliases": list(wanted.aliases),
        "provider": wanted.provider,
        "taints": list(wanted.taints),
    }
    return {key: value for key, value in told.items() if value}


def _write(path: str, text: str, mode: int) -> None:
    """Replaces a file whole. OSError."""
    handle, fresh = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".fedns-")
    try:
        with os.fdopen(handle, "w", encoding=ENCODING, newline="") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.remove(fresh)
        raise
