"""Kubeconfigs, token files, exec plugins, pods: what comes of them, and what is said where nothing does."""

import asyncio
import base64
import datetime
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from fedns.kube import access
from fedns.kube.failure import NoAccess
from tests.servers import certificates

PEM = Path(__file__).resolve().parents[1] / "sources" / "self_signed.pem"


def kubeconfig(path: Path, user: dict[str, Any], cluster: dict[str, Any] | None = None) -> access.Where:
    about = {"server": "http://127.0.0.1:1/", **(cluster or {})}
    config = {
        "clusters": [{"name": "c", "cluster": about}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "main",
    }
    path.write_text(json.dumps(config))
    return access.Where(kubeconfig=str(path), context="main")


def plugin(path: Path, status: dict[str, Any] | None) -> dict[str, Any]:
    """An exec plugin that counts its calls and gives `status`, or fails."""
    version = "client.authentication.k8s.io/v1"
    told = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
    body = f"echo x >> {path}.calls; " + (f"printf '%s' '{told}'" if status else "echo no login >&2; exit 1")
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": version, "command": str(path)}}


def calls(path: Path) -> int:
    return len(Path(f"{path}.calls").read_text().splitlines())


def test_a_token_and_the_server_of_a_context(tmp_path: Path) -> None:
    found = access.read(kubeconfig(tmp_path / "k", {"token": "abc"}))
    assert (found.server, found.headers, found.tls) == (
        "http://127.0.0.1:1",
        {"Authorization": "Bearer abc"},
        None,
    )


def test_a_token_file_is_beside_the_kubeconfig_and_read_again_when_it_differs(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    where = kubeconfig(tmp_path / "k", {"tokenFile": "token"})
    found = access.read(where)
    assert found.headers["Authorization"] == "Bearer first"
    assert set(found.files) == {where.kubeconfig, str(tmp_path / "token")}


def test_inline_keys_leave_no_file_behind(tmp_path: Path) -> None:
    before = set(os.listdir(tempfile.gettempdir()))
    data = base64.b64encode(PEM.read_bytes()).decode()
    user = {"client-certificate-data": data, "client-key-data": data}
    where = kubeconfig(tmp_path / "k", user, {"server": "https://h:1", "certificate-authority-data": data})
    for _ in range(2):
        found = access.read(where)
        assert found.tls is not None and found.tls.check_hostname
        assert set(found.files) == {where.kubeconfig}
    left = set(os.listdir(tempfile.gettempdir())) - before
    assert not {name for name in left if name.startswith("fedns-")}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "No such file or directory"),
        ("", "k"),
        ("[1, 2", "k"),
        ("clusters: 3\ncontexts: []\n", "k"),
        ("{clusters: [], users: [], contexts: [{name: other, context: {}}]}", "main"),
    ],
)
def test_a_kubeconfig_that_says_nothing_is_one_failure_that_names_it(
    tmp_path: Path, text: str | None, told: str
) -> None:
    path = tmp_path / "k"
    if text is not None:
        path.write_text(text)
    with pytest.raises(NoAccess) as failure:
        access.read(access.Where(kubeconfig=str(path), context="main"))
    assert str(path) in str(failure.value) and told in str(failure.value)
    assert "\n" not in str(failure.value)


def test_an_exec_plugin_is_asked_once_and_again_before_its_token_ends(tmp_path: Path) -> None:
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    user = plugin(tmp_path / "p", {"token": "t", "expirationTimestamp": until.strftime("%Y-%m-%dT%H:%M:%SZ")})
    where = kubeconfig(tmp_path / "k", user)

    async def main() -> access.Access:
        keeper = access.Keeper(where)
        await asyncio.gather(*(keeper.get() for _ in range(5)))
        return await keeper.get()

    found = asyncio.run(main())
    assert found.headers["Authorization"] == "Bearer t" and calls(tmp_path / "p") == 1
    assert 0.75 * 3600 < found.until - datetime.datetime.now().timestamp() <= 0.81 * 3600


def test_an_exec_plugin_that_fails_is_named(tmp_path: Path) -> None:
    where = kubeconfig(tmp_path / "k", plugin(tmp_path / "p", None))
    with pytest.raises(NoAccess, match="gave no token and no certificate"):
        access.read(where)


def test_the_last_words_of_a_plugin_that_fails_are_told(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("#!/bin/sh\necho 'the session  has ended:\nlog in again' >&2\nexit 3\n")
    (tmp_path / "p").chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(tmp_path / "p")}}
    with pytest.raises(NoAccess, match=r"process returned 3\. the session has ended: log in again"):
        access.read(kubeconfig(tmp_path / "k", user))


def test_a_plugin_that_hangs_is_not_started_again(tmp_path: Path) -> None:
    (tmp_path / "p").write_text(f"#!/bin/sh\necho x >> {tmp_path}/p.calls; exec sleep 10\n")
    (tmp_path / "p").chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(tmp_path / "p")}}
    where = kubeconfig(tmp_path / "k", user)

    async def main() -> None:
        keeper = access.Keeper(where)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(keeper.get(), 1.0)

    asyncio.run(main())
    assert calls(tmp_path / "p") == 1


def test_what_was_refused_is_renewed_once_and_not_for_every_request(tmp_path: Path) -> None:
    where = kubeconfig(tmp_path / "k", plugin(tmp_path / "p", {"token": "t"}))

    async def main() -> None:
        keeper = access.Keeper(where)
        first = await keeper.get()
        assert await keeper.renewed(first) is first  # it is not older than a moment
        assert calls(tmp_path / "p") == 1

    asyncio.run(main())


def test_files_that_changed_are_read_again_at_the_next_look(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    where, now = kubeconfig(tmp_path / "k", {"tokenFile": "token"}), [1000.0]

    async def main() -> None:
        keeper = access.Keeper(where, lambda: now[0])
        first = await keeper.get()
        await asyncio.to_thread((tmp_path / "token").write_text, "second")
        assert await keeper.get() is first
        now[0] += access.LOOK
        assert (await keeper.get()).headers["Authorization"] == "Bearer second"
        os.remove(tmp_path / "token")
        now[0] += access.LOOK
        second = await keeper.get()
        assert second.headers["Authorization"] == "Bearer second"
        now[0] += access.AGAIN
        with pytest.raises(NoAccess):
            await keeper.renewed(second)

    asyncio.run(main())


def test_what_ends_is_renewed_at_four_fifths_of_its_life(tmp_path: Path) -> None:
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    user = plugin(tmp_path / "p", {"token": "t", "expirationTimestamp": until.strftime("%Y-%m-%dT%H:%M:%SZ")})
    where, now = kubeconfig(tmp_path / "k", user), [datetime.datetime.now().timestamp()]

    async def main() -> None:
        keeper = access.Keeper(where, lambda: now[0])
        for later, asked in ((0, 1), (2400, 1), (2900, 2)):
            begun, now[0] = now[0], now[0] + later
            await keeper.get()
            now[0] = begun
            assert calls(tmp_path / "p") == asked

    asyncio.run(main())


def test_a_server_written_out(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    where = access.Where(server="https://h:6443/", ca=str(PEM), token_file=str(tmp_path / "token"))
    found = access.read(where)
    assert found.server == "https://h:6443" and found.tls is not None
    assert found.headers == {"Authorization": "Bearer abc"}
    assert set(found.files) == {str(tmp_path / "token"), str(PEM)}
    with pytest.raises(NoAccess, match="missing: No such file"):
        access.read(access.Where(server="https://h", ca=str(tmp_path / "missing")))


def test_a_pod_finds_its_own_cluster() -> None:
    where = access.in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}, "/sa")
    assert where == access.Where(server="https://[fd00::1]:443", ca="/sa/ca.crt", token_file="/sa/token")
    with pytest.raises(NoAccess, match="no pod"):
        access.in_cluster({})


def test_a_client_certificate_and_its_key_may_share_a_file(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path)
    pair = tmp_path / "client.pem"
    pair.write_bytes(Path(chain).read_bytes() + b"\n" + Path(key).read_bytes())
    apart = access.Where(server="https://h", ca=chain, certificate=chain, key=key, server_name="k")
    found = access.read(apart)
    assert found.server_name == "k" and set(found.files) == {chain, key}
    assert access.read(access.Where(server="https://h", certificate=str(pair))).headers == {}
    with pytest.raises(NoAccess):
        access.read(access.Where(server="https://h", certificate=chain))


def test_files_that_are_known_to_differ_are_read_before_the_next_request(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")

    async def main() -> None:
        keeper = access.Keeper(access.Where(server="http://h", token_file=str(token)))
        assert (await keeper.get()).headers["Authorization"] == "Bearer first"
        certificates.put(token, b"second")
        assert (await keeper.get()).headers["Authorization"] == "Bearer first"
        keeper.look()
        assert (await keeper.get()).headers["Authorization"] == "Bearer second"

    asyncio.run(main())


def test_who_was_refused_while_the_new_token_is_read_gets_the_new_one(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")

    async def main() -> None:
        keeper = access.Keeper(access.Where(server="http://h", token_file=str(token)))
        first = await keeper.get()
        certificates.put(token, b"second")
        keeper.look()
        reading = asyncio.ensure_future(keeper.get())
        await asyncio.sleep(0)
        assert await keeper.get() is first and not reading.done()
        assert (await keeper.renewed(first)).headers["Authorization"] == "Bearer second"
        await reading

    asyncio.run(main())
