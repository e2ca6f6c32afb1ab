"""Where a cluster's API server is and who we are to it: kubeconfig and context, in-cluster, or written out.

Law: `Keeper.get` always gives what holds now: files that changed are read again (a look a minute), what an
exec plugin gave is asked for anew at 80 % of its life, and on 401. All of it happens in threads. Every
failure is one `NoAccess` that names the file and the context. The `kubernetes` library reads kubeconfigs; it
takes most of a second to load, so only who has one pays for it.
"""

import asyncio
import contextlib
import functools
import logging
import os
import shutil
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from fedns import logs, stamps
from fedns.kube.failure import NoAccess

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where every pod finds its own token and the CA of its cluster."""
LOOK = 60.0
"""Seconds between two looks at the files; kubelet renews a pod's token long before it ends."""
LIFE = 0.8
"""Share of its life after which a credential is renewed."""
PATIENCE = 60.0
"""Seconds for an exec plugin: some of them ask a login server on the other side of the world."""
RETRY = 10.0
"""Seconds between two tries to renew what ends soon."""
TOLD = 500
"""Characters of a plugin's last words that are told."""
AGAIN = 2.0
"""Seconds between two renewals because of 401: a revoked user must not start a plugin per request."""
AGENT = "fedns"
"""How requests call us."""

log = logging.getLogger("fedns.kube.access")


class Where(Struct, frozen=True):
    """One cluster: a kubeconfig (empty context: its current one); or `server` with its CA file, and who we
    are to it: a token, a file of one, or the file of a certificate and that of its key (empty: the same);
    or the cluster in which this process is a pod. `server_name`: what its certificate names, if not the
    URL's host."""

    kubeconfig: str = ""
    context: str = ""
    server: str = ""
    ca: str = ""
    token: str = ""
    token_file: str = ""
    in_cluster: bool = False
    server_name: str = ""
    certificate: str = ""
    key: str = ""

    def __str__(self) -> str:
        if self.kubeconfig:
            return f"{self.kubeconfig}, context {self.context}" if self.context else self.kubeconfig
        return self.server or "in-cluster"


class Access(NamedTuple):
    """What a request needs. `until`: Unix seconds from which on it is to be renewed (0: never); `files`:
    those it was read from, and their stamps."""

    server: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None
    server_name: str | None
    proxy: str | None
    until: float
    files: Mapping[str, tuple[int, ...]]


class Keeper:
    """The access of one cluster."""

    def __init__(self, where: Where, clock: Callable[[], float] = time.time) -> None:
        self.where, self._clock = where, clock
        self._access: Access | None = None
        self._reading: asyncio.Future[Access] | None = None
        self._looked = self._renewed = 0.0

    async def get(self) -> Access:
        """What holds now; while it cannot be renewed, what was good before: the server will say whether it
        still is. NoAccess where there never was any."""
        found = self._access
        if found is not None and not self._due(found, self._clock()):
            return found
        try:
            return await self._renewal()
        except NoAccess as failure:
            if found is None:
                raise
            log.warning("what was good before is used", extra=logs.fields(error=str(failure)))
            return found

    async def renewed(self, refused: Access) -> Access:
        """What holds after the server refused `refused` (401); the same if there is nothing newer. What is
        being read is waited for: whoever asked with the old one meanwhile was refused for nothing."""
        if self._access is not None and self._access is not refused:
            return self._access
        if not self._busy and self._clock() - self._renewed < AGAIN:
            return refused
        return await self._renewal()

    def look(self) -> None:
        """Somebody knows that the files differ: the next `get` sees for itself."""
        self._looked = 0.0

    @property
    def _busy(self) -> bool:
        return self._reading is not None and not self._reading.done()

    def _due(self, found: Access, now: float) -> bool:
        if found.until and now >= found.until and now - self._renewed >= RETRY:
            return True
        if now - self._looked < LOOK:
            return False
        self._looked = now
        return any(stamps.of(path) != stamp for path, stamp in found.files.items())

    async def _renewal(self) -> Access:
        """One reading at a time, however many wait for it and however few go on waiting: a plugin that hangs
        is not started a second time."""
        if self._reading is None or not self._busy:
            self._looked = self._renewed = self._clock()
            self._reading = _aside(self.where)
        try:
            async with asyncio.timeout(PATIENCE):
                self._access = await asyncio.shield(self._reading)
        except TimeoutError:
            raise NoAccess(f"{self.where}: no credentials within {PATIENCE:.0f} s") from None
        return self._access


def _aside(where: Where) -> "asyncio.Future[Access]":
    """`read` in a thread of its own, which nobody waits for at the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Access] = loop.create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())  # who asked may have left

    def tell(found: Access | None, failure: NoAccess | None) -> None:
        if found is not None:
            future.set_result(found)
        else:
            future.set_exception(failure or NoAccess(str(where)))

    def work() -> None:
        found, failure = None, None
        try:
            found = read(where)
        except NoAccess as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know
            loop.call_soon_threadsafe(tell, found, failure)

    threading.Thread(target=work, name="access", daemon=True).start()
    return future


def read(where: Where) -> Access:
    """Reads all there is, now. NoAccess."""
    try:
        if where.kubeconfig:
            return _kubeconfig(where)
        return _written(in_cluster(os.environ) if where.in_cluster else where)
    except NoAccess:
        raise
    except Exception as error:  # a kubeconfig is read by foreign code, which raises whatever it stumbles upon
        told = _told(error)
        raise NoAccess(told if told.startswith(str(where)) else f"{where}: {told}") from error


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def in_cluster(environ: Mapping[str, str], account: str = ACCOUNT) -> Where:
    """The cluster whose pod this is, written out."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise NoAccess("in-cluster: KUBERNETES_SERVICE_HOST is not set, so this is no pod of a cluster")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Where(server=server, ca=f"{account}/ca.crt", token_file=f"{account}/token")


def _written(where: Where) -> Access:
    token = where.token
    if where.token_file:
        with open(where.token_file, encoding="ascii") as file:
            token = file.read().strip()
        if not token:
            raise NoAccess(f"{where}: {where.token_file} is empty")
    if where.ca:
        open(where.ca, "rb").close()  # whose error would not name the file, later
    read_from = (where.token_file, where.ca, where.certificate, where.key)
    files = {path: stamps.of(path) for path in read_from if path}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    tls = _tls(where.server, where.ca, where.certificate, where.key, True)
    return Access(where.server.rstrip("/"), headers, tls, where.server_name or None, None, 0.0, files)


class _Found:
    """What the library's loader sets on a client configuration."""

    def __init__(self) -> None:
        self.api_key: dict[str, str] = {}
        self.host = self.ssl_ca_cert = self.cert_file = self.key_file = ""
        self.tls_server_name: str | None = None
        self.proxy: str | None = None
        self.verify_ssl = True


def _kubeconfig(where: Where) -> Access:
    path = where.kubeconfig
    with _files:  # so that who comes second finds what the first one parsed
        whole = _merged(path, stamps.of(path))
    with _scratch() as folder:
        from kubernetes.config import kube_config

        loader = kube_config.KubeConfigLoader(
            whole, where.context or None, config_base_path=None, temp_file_path=folder
        )
        found, user = _Found(), _user(whole, loader.current_context["context"].get("user"))
        # Two threads that need one key would share its file before it is written; plugins take their time.
        with contextlib.nullcontext() if "exec" in user else _files, _overheard() as said:
            loader.load_and_set(found)
        token = found.api_key.get("BearerToken", "")
        if "exec" in user and not token and not found.cert_file:
            command = user["exec"].get("command", "")
            told = ": ".join(("gave no token and no certificate", *said))
            raise NoAccess(f"{where}: the exec plugin {command!r} {told}")
        if not found.host:
            raise NoAccess(f"{where}: its cluster has no `server`")
        tls = _tls(found.host, found.ssl_ca_cert, found.cert_file, found.key_file, found.verify_ssl)
        read_from = [found.ssl_ca_cert, found.cert_file, found.key_file, _beside(path, user.get("tokenFile"))]
        files = {each: stamps.of(each) for each in (path, *read_from) if each and not each.startswith(folder)}
    headers = {"Authorization": token} if token else {}
    until = _until(getattr(loader, "expiry", None)) if "exec" in user else 0.0
    return Access(found.host, headers, tls, found.tls_server_name, found.proxy, until, files)


@contextlib.contextmanager
def _overheard() -> Iterator[list[str]]:
    """What is logged in this thread meanwhile: the library does not tell why a plugin failed, but logs it."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == threading.get_ident() and record.levelno >= logging.ERROR:
                said.append(" ".join(record.getMessage().split())[:TOLD])

    ear = Ear()
    logging.getLogger().addHandler(ear)
    try:
        yield said
    finally:
        logging.getLogger().removeHandler(ear)


@functools.lru_cache(maxsize=8)
def _merged(path: str, stamp: tuple[int, ...]) -> Any:
    """A kubeconfig, parsed once for all the members whose contexts stand in it."""
    from kubernetes.config import kube_config

    with open(path, "rb"):  # the library takes a missing file for an empty one
        return kube_config.KubeConfigMerger(path).config


def _user(whole: Any, name: str | None) -> Mapping[str, Any]:
    node = whole["users"].get_with_name(name, safe=True) if name and whole.safe_get("users") else None
    user = node["user"].value if node is not None and node.safe_get("user") else {}
    return user if isinstance(user, dict) else {}


def _beside(path: str, written: str | None) -> str:
    return os.path.join(os.path.dirname(os.path.abspath(path)), written) if written else ""


def _until(expiry: Any) -> float:
    """When to renew what ends at `expiry` (a datetime)."""
    if expiry is None:
        return 0.0
    now = time.time()
    return now + max(LIFE * (float(expiry.timestamp()) - now), AGAIN)


def _tls(server: str, ca: str, certificate: str, key: str, verify: bool) -> ssl.SSLContext | None:
    if not server.startswith("https:"):
        return None
    context = ssl.create_default_context(cafile=ca or None)
    # CAs that kubeadm and others made lack extensions that Python 3.13 began to insist on.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context


_files = threading.Lock()
_lock = threading.Lock()
_reading: dict[str, int] = {}


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    """A directory for the keys that a kubeconfig holds inline: the library wants them as files, and remembers
    which. It is gone, and forgotten, as soon as nobody reads."""
    from kubernetes.config import kube_config

    with _lock:
        if not _reading:
            _reading[tempfile.mkdtemp(prefix="fedns-")] = 0
        (folder,) = _reading
        _reading[folder] += 1
    try:
        yield folder
    finally:
        with _lock:
            _reading[folder] -= 1
            if not _reading[folder]:
                del _reading[folder]
                kube_config._cleanup_temp_files()
                shutil.rmtree(folder, ignore_errors=True)
