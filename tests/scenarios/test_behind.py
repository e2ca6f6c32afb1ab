"""docs/behind.md, tried: BIND as the parent, unbound as the resolver, fedns in three places behind them."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.scenarios import behind, world


@pytest.mark.parametrize("way", behind.WAYS)
def test_the_page_works_as_written(way: str, tool: Callable[[str], str]) -> None:
    for program in ("nsd", "named", "unbound", "ip"):
        tool(program)
    alone = [tool("unshare"), "-rn"]
    tried = subprocess.run([*alone, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no namespaces here: {tried.stderr.strip()}")
    command = [*alone, sys.executable, "-m", "tests.scenarios.behind", way]
    done = subprocess.run(
        command,
        cwd=behind.PAGE.parents[1],
        capture_output=True,
        text=True,
        timeout=5 * world.LONG,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
