"""What every test may ask for: outside tools, and outside vectors.

Law: a test that lacks its tool or its vectors is skipped with the reason, never passed in silence;
where the gate says they must be there (FEDNS_REQUIRE_TOOLS=1, FEDNS_REQUIRE_VECTORS=1) it fails.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.envtest import binaries, clusters

hypothesis.settings.register_profile("untimed", deadline=None)  # what a machine is busy with is no failure
hypothesis.settings.load_profile("untimed")

os.environ.pop("COLUMNS", None)  # jobs are told a width, and commands would fold what they print

ROOT = Path(__file__).resolve().parent.parent
VECTORS = Path(os.environ.get("FEDNS_VECTORS", ROOT.parent / "shared" / "vectors"))

# What `make helm` built comes first; Debian keeps the servers out of an ordinary user's PATH.
# systemd-resolved is taken out of its package, since installing it changes how the machine resolves names.
_OURS = [str(ROOT / ".peers"), str(ROOT / ".peers" / "resolved" / "lib" / "systemd")]
_PLACES = [*_OURS, os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/lib/systemd"]
os.environ["PATH"] = os.pathsep.join(_PLACES)


def _missing(what: str, switch: str) -> None:
    if os.environ.get(switch) == "1":
        pytest.fail(f"{what} (and {switch}=1 says it must be there)", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """`tool("kdig")` -> its path; skips where it is not installed, or fails where it must be."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            _missing(f"{name} is not installed", "FEDNS_REQUIRE_TOOLS")
        return path or ""

    return find


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds API servers before the first test, where one is among the chosen: no test's time is enough."""
    wanted = any({"farm", "_farm"} & set(getattr(item, "fixturenames", ())) for item in session.items)
    if wanted and not session.config.option.collectonly:
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled(), contextlib.suppress(binaries.Missing):
            binaries.ready()


@pytest.fixture(scope="session")
def _farm() -> Iterator[clusters.Farm]:
    try:
        programs = binaries.find()
    except binaries.Missing as reason:
        _missing(str(reason), "FEDNS_REQUIRE_TOOLS")
        raise
    with clusters.running(programs) as farm:
        yield farm


@pytest.fixture
def farm(_farm: clusters.Farm) -> clusters.Farm:
    """Three real API servers, up and empty."""
    for cluster in _farm.clusters:
        cluster.again()
        cluster.clear()
    return _farm


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """`vectors("rfc_examples.json")` -> its parsed content; skips where the vectors are not beside us."""

    def load(name: str) -> Any:
        path = VECTORS / name
        if not path.is_file():
            _missing(f"no vectors at {path}", "FEDNS_REQUIRE_VECTORS")
        return json.loads(path.read_text())

    return load
