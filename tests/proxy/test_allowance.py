"""Rates and numbers at once that several workers share: processes, one file."""

import subprocess
import sys
from pathlib import Path

import pytest

from fedns.proxy import allowance
from fedns.proxy.allowance import Allowance, Rate

_SPEND = """
import sys
from fedns.proxy.allowance import Allowance, Rate
made = Allowance(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
rate = Rate(b"name", 0.001, 1000.0)
print(sum(made.spend([rate]) for _ in range(int(sys.argv[2]))))
"""
_ENTER = """
import sys
from fedns.proxy.allowance import Allowance
made = Allowance(sys.argv[1])
print([made.enter(b"name", 10) > 0 for _ in range(4)].count(True), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "gateway.limits")


def _begun(script: str, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *words], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_what_two_spend_is_the_sum_of_both(path: str) -> None:
    workers = [_begun(_SPEND, path, "900") for _ in range(2)]
    for each in workers:
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
    spent = [int(each.communicate("go\n")[0]) for each in workers]
    assert 1000 <= sum(spent) <= 1010, spent  # a lock that is not had at once is not waited for


def test_places_of_who_died_are_free_again(path: str) -> None:
    made = Allowance(path)
    assert made.enter(b"name", 10) > 0
    others = [_begun(_ENTER, path) for _ in range(2)]
    for each in others:
        assert each.stdout is not None and each.stdout.readline() == "4\n"
    at = made.enter(b"name", 10)
    assert at > 0 and made.enter(b"name", 10) == -1
    for each in others:
        each.kill()
        each.communicate()
    assert made.enter(b"name", 10) == -1, "until somebody begins"
    heir = Allowance(path)
    assert heir.enter(b"name", 3) == at and made.enter(b"name", 3) == -1
    made.leave(at)
    assert made.enter(b"name", 3) == at


def test_a_bucket_gives_what_it_holds_and_then_what_drips_in(path: str) -> None:
    made, other = Allowance(path), Allowance(path)
    slow, quick = Rate(b"slow", 0.001, 5.0), Rate(b"quick", 1e6, 1.0)
    assert [each.spend([slow]) for each in (made, other) * 4] == [True] * 5 + [False] * 3
    assert made.spend([quick]) and not made.spend([quick, slow])
    assert all(made.spend([Rate(b"%d" % number, 0.001, 1.0)]) for number in range(1000))


def test_the_file_is_bounded_and_names_beyond_it_are_let_through(path: str) -> None:
    made = Allowance(path)
    taken = [made.enter(b"%d" % number, 1) for number in range(allowance.ROWS * 2)]
    assert taken.count(0) > allowance.ROWS / 2 and -1 not in taken
    assert len(set(taken) - {0}) == len(taken) - taken.count(0)
    for at in taken:
        made.leave(at)
    assert made.enter(b"again", 1) > 0
    assert all(made.spend([Rate(b"%d" % number, 0.001, 1.0)]) for number in range(1000))
    assert Path(path).stat().st_size == allowance.WORDS * 8


def test_without_a_file_a_worker_counts_for_itself(tmp_path: Path) -> None:
    made = Allowance(str(tmp_path / "nowhere" / "limits"))
    assert made.spend([Rate(b"a", 0.001, 1.0)]) and not made.spend([Rate(b"a", 0.001, 1.0)])
    assert made.enter(b"a", 1) > 0 and made.enter(b"a", 1) == -1
