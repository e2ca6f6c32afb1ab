"""The real `kube-apiserver`, `etcd` and `kubectl`: where they are, else built once into a cache.

Law: who sets envtest's variables (TEST_ASSET_KUBE_APISERVER, TEST_ASSET_ETCD, TEST_ASSET_KUBECTL, or
KUBEBUILDER_ASSETS) decides; then the cache counts; then they are built from `go.mod` beside this file, by one
process at a time. `Missing` tells why there are none. `python -m tests.envtest.binaries` finds or builds them
and prints where they are.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
PROGRAMS = ("kube-apiserver", "etcd", "kubectl")
ASSETS = {name: f"TEST_ASSET_{name.replace('-', '_').upper()}" for name in PROGRAMS}
BUILD = 3600.0
"""Seconds that a build may take: several minutes on two cores, and the modules come over a network."""
PARALLEL = "2"
"""Packages compiled at once: some need most of a GiB."""


class Missing(Exception):
    """Why there are no binaries."""


class Binaries(NamedTuple):
    apiserver: Path
    etcd: Path
    kubectl: Path


def find(environ: Mapping[str, str] = os.environ) -> Binaries:
    """What there is already. Missing."""
    named, kept = _named(environ), cache(environ)
    found = {name: named.get(name, kept / name) for name in PROGRAMS}
    if "kubectl" not in named and not os.access(found["kubectl"], os.X_OK):
        found["kubectl"] = Path(shutil.which("kubectl") or found["kubectl"])  # any version will do
    absent = [name for name in PROGRAMS if not os.access(found[name], os.X_OK)]
    if absent:
        raise Missing(f"no {' and no '.join(absent)} in {kept}: make envtest")
    return Binaries(*found.values())


def ready(environ: Mapping[str, str] = os.environ) -> Binaries:
    """What there is, else what can be built. Missing."""
    try:
        return find(environ)
    except Missing:
        if any(name in environ for name in (*ASSETS.values(), "KUBEBUILDER_ASSETS")):
            raise  # who names a place means that place
    _build(environ)
    return find(environ)


def cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the pinned version is kept."""
    root = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/tmp"), ".cache")
    return Path(root, "fedns-envtest", pinned("k8s.io/kubernetes"))


def pinned(module: str) -> str:
    """A module's version: `v1.2.3`."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)$", (HERE / "go.mod").read_text(), re.M)
    assert found, module
    return found[1]


def _named(environ: Mapping[str, str]) -> dict[str, Path]:
    """What the variables of envtest name."""
    found = {}
    for name, variable in ASSETS.items():
        path = environ.get(variable)
        if not path and environ.get("KUBEBUILDER_ASSETS"):
            path = os.path.join(environ["KUBEBUILDER_ASSETS"], name)
        if path and not os.access(path, os.X_OK):
            raise Missing(f"{path}, which {variable} or KUBEBUILDER_ASSETS names, is no program")
        if path:
            found[name] = Path(path)
    return found


def _build(environ: Mapping[str, str]) -> None:
    target, go = cache(environ), _go(environ)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.parent / "lock"):
        if all((target / name).exists() for name in PROGRAMS):
            return
        begun = time.monotonic()
        _say(f"building kube-apiserver {target.name}, etcd and kubectl, once: some 10 minutes")
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            for name in PROGRAMS:
                _compile(go, name, Path(scratch, name))
            shutil.rmtree(target, ignore_errors=True)
            os.rename(scratch, target)
            os.mkdir(scratch)  # for the end of the scratch directory
        _say(f"built in {time.monotonic() - begun:.0f} s: {target}")


def _go(environ: Mapping[str, str]) -> str:
    """A `go` that is new enough, without one that it would fetch for itself."""
    found = shutil.which("go", path=environ.get("PATH", os.defpath))
    if found is None:
        raise Missing("no kube-apiserver, and no `go` to build it with")
    told = subprocess.run(
        [found, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, check=False
    )
    wanted = re.search(r"^go (\S+)$", (HERE / "go.mod").read_text(), re.M)
    assert wanted
    if _numbers(told.stdout) < _numbers(wanted[1]):
        raise Missing(f"no kube-apiserver; {found} is {told.stdout.strip()}, it needs go{wanted[1]}")
    return found


def _compile(go: str, name: str, target: Path) -> None:
    version = pinned("k8s.io/kubernetes")
    major, minor, *_ = version.lstrip("v").split(".")
    told = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = ["-s", "-w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in told.items())]
    options = ["-p", PARALLEL, "-trimpath", "-buildvcs=false", "-ldflags", " ".join(flags)]
    try:
        done = subprocess.run(
            [go, "build", *options, "-o", str(target), f"./{name}"],
            cwd=HERE,
            env={**os.environ, "CGO_ENABLED": "0"},
            stderr=subprocess.PIPE,
            text=True,
            timeout=BUILD,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{name} was not built within {BUILD:.0f} s") from None
    if done.returncode:
        raise Missing(f"{name} could not be built: {done.stderr.strip()[-2000:]}")


def _numbers(version: str) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", version)]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time; whoever waits says so."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process builds kube-apiserver; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(what: str) -> None:
    """To the terminal, also from within a test whose output is kept."""
    print(what, file=sys.__stderr__, flush=True)


if __name__ == "__main__":
    try:
        print(*ready(), sep="\n")
    except Missing as reason:
        sys.exit(f"envtest: {reason}")
