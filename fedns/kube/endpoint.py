"""How a kubeconfig says that a cluster is reached: what somebody else, with other credentials, has to know.

Law: the user of the context is not looked at. What is wrong is one `NoAccess` that names the file.
"""

import base64
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from fedns.kube.failure import NoAccess


class Endpoint(NamedTuple):
    """`ca`: PEM, empty: that of the system; `name`: in its certificate, where it is not the host's;
    `unverified`: the kubeconfig does not care who answers; `proxy`: the way there leads through one."""

    server: str
    ca: str = ""
    name: str = ""
    unverified: bool = False
    proxy: str = ""
    context: str = ""


def read(path: str, context: str = "") -> Endpoint:
    """Of a context; empty: the current one. NoAccess."""
    try:
        with open(path, encoding="utf-8") as file:
            whole = yaml.safe_load(file)
        chosen = context or _text(whole, "current-context")
        if not chosen:
            raise NoAccess(f"{path}: no current context; name one with --context")
        cluster = _named(
            whole, "clusters", "cluster", _text(_named(whole, "contexts", "context", chosen), "cluster")
        )
        return _endpoint(cluster, os.path.dirname(os.path.abspath(path)))._replace(context=chosen)
    except OSError as error:
        raise NoAccess(f"{error.filename or path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise NoAccess(f"{path}: is no kubeconfig: {' '.join(str(error).split())[:200]}") from None
    except KeyError as error:
        raise NoAccess(f"{path}: {error.args[0]}") from None


def contexts(path: str) -> tuple[str, ...]:
    """The names of all contexts; none where the file cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return tuple(str(one["name"]) for one in yaml.safe_load(file)["contexts"])
    except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


def _endpoint(cluster: Mapping[str, Any], folder: str) -> Endpoint:
    ca = ""
    if data := _text(cluster, "certificate-authority-data"):
        ca = base64.b64decode(data, validate=True).decode()
    elif file := _text(cluster, "certificate-authority"):
        with open(os.path.join(folder, file), encoding="utf-8") as stream:
            ca = stream.read()
    server = _text(cluster, "server").rstrip("/")
    if not server:
        raise KeyError("its cluster has no `server`")
    unverified = bool(cluster.get("insecure-skip-tls-verify"))
    return Endpoint(server, ca, _text(cluster, "tls-server-name"), unverified, _text(cluster, "proxy-url"))


def _named(whole: Mapping[str, Any], many: str, one: str, name: str) -> Mapping[str, Any]:
    known = [str(each.get("name")) for each in whole.get(many) or ()]
    for each in whole.get(many) or ():
        if each.get("name") == name:
            found: Mapping[str, Any] = each[one]
            return found
    raise KeyError(f"no {one} {name!r} (known: {', '.join(known) or 'none'})")


def _text(of: Mapping[str, Any], key: str) -> str:
    return str(of.get(key) or "")
