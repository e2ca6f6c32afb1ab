"""An admission webhook with an endpoint: HTTPS on loopback, asked by real API servers, which says what a test
says.

Law: what is not named is let in as it is. Whatever was asked is kept, dry runs too.
"""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.control import depots
from tests.envtest import authority

HOST = "127.0.0.71"
VALIDATING, MUTATING = "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"
RESOURCES = (("", "configmaps"), ("apps", "deployments"))
Object = dict[str, Any]


class Judge:
    """`refused`: the names of objects, and with which words; `changed`: with which JSON patch they are let in
    when they are made or changed."""

    def __init__(self, keys: authority.Authority) -> None:
        self.refused: dict[str, str] = {}
        self.changed: dict[str, list[Object]] = {}
        self.asked: list[str] = []
        self.url = ""
        self._ca = base64.b64encode(keys.ca.read_bytes()).decode()

    def configuration(self, kind: str) -> Object:
        """That it is to be asked."""
        rules = [
            {"apiGroups": [group], "apiVersions": ["v1"], "resources": [plural], "operations": ["*"]}
            for group, plural in RESOURCES
        ]
        hook = {
            "name": "judge.example.org",
            "rules": rules,
            "clientConfig": {"url": f"{self.url}/{kind}", "caBundle": self._ca},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": depots.SPACE}},
        }
        api = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind}
        return {**api, "metadata": {"name": "judge"}, "webhooks": [hook]}

    def review(self, asked: Object, changes: bool) -> Object:
        name, told = asked["name"], {"uid": asked["uid"], "allowed": True}
        self.asked.append(name)
        if name in self.refused:
            told |= {"allowed": False, "status": {"message": self.refused[name], "code": 403}}
        elif changes and name in self.changed and asked["operation"] in ("CREATE", "UPDATE"):
            steps = [each for each in self.changed[name] if not there(asked["object"], each)]
            patch = base64.b64encode(json.dumps(steps).encode()).decode()
            told |= {"patchType": "JSONPatch", "patch": patch}
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": told}


def there(found: Any, step: Object) -> bool:
    """Whether a list has what would be added at its end."""
    way, _, end = step["path"].rpartition("/")
    if end != "-":
        return False
    for each in way.split("/")[1:]:
        found = found[each]
    return step["value"]["name"] in (one["name"] for one in found)


@contextmanager
def opened(folder: Path) -> Iterator[Judge]:
    """One that is asked at its `url`."""
    folder.mkdir(exist_ok=True)
    keys = authority.Authority(folder)
    judge, pair = Judge(keys), keys.server(HOST)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60.0

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
            data = json.dumps(judge.review(asked, MUTATING in self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        judge.url = f"https://{HOST}:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield judge
        finally:
            server.shutdown()
