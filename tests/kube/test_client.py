"""Requests to a fake API server: what they bring back, and what failures say."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop

from fedns.kube import access, client
from fedns.kube.failure import ApiError, Failure, Unreachable
from fedns.kube.resource import Resource
from tests.fakes import kubecluster
from tests.servers import certificates

SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")


Loop = Callable[[], asyncio.AbstractEventLoop]


def talk(
    where: access.Where, test: Callable[[client.Client], Awaitable[Any]], loop: Loop = asyncio.new_event_loop
) -> Any:
    async def main() -> Any:
        api = client.Client(where, asyncio.Semaphore(client.AT_ONCE))
        try:
            return await test(api)
        finally:
            await api.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main())


def written(path: Path, about: Mapping[str, Any], user: Mapping[str, str]) -> access.Where:
    """A kubeconfig of one cluster."""
    contexts = [{"name": "main", "context": {"cluster": "c", "user": "u"}}]
    clusters, users = [{"name": "c", "cluster": about}], [{"name": "u", "user": user}]
    path.write_text(json.dumps({"clusters": clusters, "users": users, "contexts": contexts}))
    return access.Where(kubeconfig=str(path), context="main")


def sockets() -> int:
    """Those that this process has open."""
    found = 0
    for each in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the directory itself
            found += os.readlink(f"/proc/self/fd/{each}").startswith("socket:")
    return found


async def patient(api: client.Client) -> str:
    """The server's version, as soon as it tells it."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await api.version()
            except Failure:
                await asyncio.sleep(0.1)


def test_bodies_versions_and_what_is_served() -> None:
    with kubecluster.running() as cluster:
        cluster.faults(absent=["discovery.k8s.io/v1"])
        cluster.put(kubecluster.service("a", "192.0.2.1"))

        async def test(api: client.Client) -> None:
            await api.ready(5.0)
            assert await api.version() == "v1.34.1"
            assert not await api.serves(SLICES) and await api.serves(SLICES._replace(version="v1beta1"))
            assert json.loads(await api.get("/api/v1/services"))["items"][0]["metadata"]["name"] == "a"
            with pytest.raises(ApiError) as failure:
                await api.get("/api/v1/namespaces/x/services/none")
            assert (failure.value.status, failure.value.reason) == (404, "NotFound")
            patch = b'{"metadata": {"labels": {"a": "b"}}}'
            path = "/api/v1/namespaces/mynamespace/services/a"
            await api.send("PATCH", path, patch, "application/merge-patch+json")
            assert json.loads(await api.get(path))["metadata"]["labels"] == {"a": "b"}

        talk(access.Where(server=cluster.url), test)


def test_refusals_carry_what_the_server_said() -> None:
    with kubecluster.running() as cluster:
        cluster.faults(refuse=[429, "TooManyRequests", 7], unready=True)

        async def test(api: client.Client) -> None:
            with pytest.raises(ApiError) as failure:
                await api.get("/api/v1/services")
            assert (failure.value.status, failure.value.retry_after) == (429, 7.0)
            with pytest.raises(ApiError, match="500"):
                await api.ready(5.0)

        talk(access.Where(server=cluster.url), test)


def test_a_slow_and_an_absent_server_are_unreachable() -> None:
    with kubecluster.running() as cluster:
        cluster.faults(delay=5.0)

        async def slow(api: client.Client) -> None:
            with pytest.raises(Unreachable, match="no answer within"):
                await api.ready(0.1)

        talk(access.Where(server=cluster.url), slow)

    async def absent(api: client.Client) -> None:
        with pytest.raises(Unreachable):
            await api.get("/version")

    talk(access.Where(server=cluster.url), absent)


def test_a_rotated_token_is_taken_up_after_401(tmp_path: Path) -> None:
    with kubecluster.running() as cluster:
        token = tmp_path / "token"
        token.write_text("old")
        cluster.faults(tokens=["old"])

        async def test(api: client.Client) -> str:
            await api.version()
            await asyncio.to_thread(cluster.faults, tokens=["new"])
            with pytest.raises(ApiError, match="401"):
                await api.version()
            token.write_text("new")
            return await patient(api)

        assert talk(access.Where(server=cluster.url, token_file=str(token)), test) == "v1.34.1"
        assert len(cluster.log()) < 200


def test_an_exec_plugin_is_asked_again_after_401(tmp_path: Path) -> None:
    """Its first token is one that the server no longer knows."""
    version = "client.authentication.k8s.io/v1"
    new, old = (
        json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": {"token": token}})
        for token in ("new", "old")
    )
    plugin, asked = tmp_path / "plugin", tmp_path / "asked"
    plugin.write_text(
        f"#!/bin/sh\nif [ -e {asked} ]; then echo '{new}'; else touch {asked}; echo '{old}'; fi\n"
    )
    plugin.chmod(0o755)
    user = {"exec": {"apiVersion": version, "command": str(plugin)}}
    with kubecluster.running() as cluster:
        cluster.faults(tokens=["new"])
        where = access.Where(
            kubeconfig=str(cluster.kubeconfig(tmp_path / "kubeconfig", user)), context="main"
        )
        assert talk(where, patient) == "v1.34.1"
        assert len(cluster.log()) < 100


def test_tls_with_a_client_certificate_a_ca_and_another_name(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    options = ["--certificate", chain, "--key", key, "--client-ca", chain]
    with kubecluster.running(options=options) as cluster:
        about = {
            "certificate-authority": "chain.pem",
            "tls-server-name": certificates.HOST,
            "server": cluster.url,
        }
        user = {"client-certificate": "chain.pem", "client-key": "key.pem"}

        def config(about: dict[str, str], user: dict[str, str]) -> access.Where:
            return written(tmp_path / "kubeconfig", about, user)

        async def asks(api: client.Client) -> str:
            return await api.version()

        assert talk(config(about, user), asks) == "v1.34.1"
        with pytest.raises(Unreachable):
            talk(config(about, {}), asks)  # no certificate of ours
        with pytest.raises(Unreachable, match="certificate"):
            talk(config({**about, "tls-server-name": "other.example"}, user), asks)
        with pytest.raises(Unreachable, match="certificate"):
            talk(config({"server": cluster.url}, user), asks)  # a CA that nobody knows


def test_what_is_no_api_server_is_said_to_be_none() -> None:
    with kubecluster.running() as cluster:

        async def test(api: client.Client) -> None:
            with pytest.raises(Unreachable, match="not what an API server says"):
                client.decoded(client._version, await api.get("/readyz"))

        talk(access.Where(server=cluster.url), test)


def test_who_cannot_be_reached_is_told_in_words() -> None:
    def told(server: str) -> str:
        async def test(api: client.Client) -> str:
            with pytest.raises(Unreachable) as failure:
                await api.version()
            return str(failure.value)

        return str(talk(access.Where(server=server), test))

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert told(f"https://127.0.0.1:{port}") == f"127.0.0.1:{port}: Connection refused"
    assert told("https://nobody.invalid").startswith("nobody.invalid:443: ")
    with kubecluster.running() as cluster:  # which speaks no TLS
        assert "0x" not in told(cluster.url.replace("http:", "https:"))


def test_a_cluster_that_must_be_one_is_asked_who_it_is_before_anything_else(tmp_path: Path) -> None:
    who, path = f"GET {client.SYSTEM}", "/api/v1/services"
    with kubecluster.running() as cluster:
        wanted, found = ["another"], kubecluster.uid(cluster)
        file = cluster.kubeconfig(tmp_path / "kubeconfig")

        async def test(api: client.Client) -> None:
            api.cluster = lambda: wanted[0]
            for told in ("another cluster", "not known yet"):
                with pytest.raises(Unreachable, match=told):
                    await api.get(path)
                wanted[0] = ""
            wanted[0] = found
            await api.get(path)
            await api.get(path)
            cluster.kubeconfig(file, {"token": "fresh"})
            api.renew()
            await api.get(path)

        begun = len(cluster.log())
        talk(access.Where(kubeconfig=str(file)), test)
        log = [line.rpartition("?")[0] or line for line in cluster.log()[begun:]]
        asked = [line.startswith(who) for line in log]
        assert asked == [True, True, True, False, False, True, False], log


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_closed_client_has_no_connection_left_though_the_server_says_no_farewell(
    tmp_path: Path, loop: Loop
) -> None:
    chain, key = certificates.write(tmp_path)
    with kubecluster.running(options=["--certificate", chain, "--key", key]) as cluster:

        async def test(api: client.Client) -> None:
            before = sockets()
            stream = api.lines("/api/v1/services", {"watch": "1"}, 20.0)
            await anext(stream)
            cluster.process.send_signal(signal.SIGSTOP)
            await stream.aclose()
            with pytest.raises(Unreachable):
                await api.ready(0.2)
            assert sockets() > before
            await api.close()
            assert sockets() == before

        about = {"server": cluster.url, "insecure-skip-tls-verify": True}
        talk(written(tmp_path / "kubeconfig", about, {}), test, loop)
