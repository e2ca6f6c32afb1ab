"""Which programs are taken: those that are named, then those in the cache."""

from pathlib import Path

import pytest

from tests.envtest import binaries


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_who_names_programs_decides(tmp_path: Path) -> None:
    for name in binaries.PROGRAMS:
        program(tmp_path / "assets" / name)
        program(binaries.cache({"XDG_CACHE_HOME": str(tmp_path)}) / name)
    own = program(tmp_path / "own")
    cached = {"XDG_CACHE_HOME": str(tmp_path)}
    found = binaries.find({**cached, "TEST_ASSET_ETCD": str(own)})
    assert (found.etcd, found.apiserver.parent) == (own, binaries.cache(cached))
    found = binaries.find({**cached, "KUBEBUILDER_ASSETS": str(tmp_path / "assets")})
    assert {path.parent for path in found} == {tmp_path / "assets"}


def test_what_is_named_and_absent_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(binaries.Missing, match="nowhere/etcd"):
        binaries.ready({"TEST_ASSET_ETCD": str(tmp_path / "nowhere" / "etcd")})


def test_without_go_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(binaries.Missing, match="no `go`"):
        binaries.ready({"XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path)})


def test_versions_are_the_pinned_ones() -> None:
    assert binaries.pinned("k8s.io/kubernetes") == binaries.cache({"HOME": "/h"}).name
