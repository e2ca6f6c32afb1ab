"""`check` finds what is wrong in every file that the configuration names."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedns.cli import codes, demo_fleet, main

BAD_ZONE = "$TTL 300\n@ IN SOA ns. me. 1 2 3 4 5\n@ IN NS ns\nx IN A 300.1.1.1\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    demo_fleet.write(str(tmp_path), demo_fleet.Ports())
    return tmp_path


def check(fleet: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main.app, ["check", "--config", str(fleet / "fedns.yaml"), *words])
    return result.exit_code, result.stdout


def test_the_demo_has_no_problems(fleet: Path) -> None:
    code, text = check(fleet)
    assert (code, text.splitlines()[-1]) == (codes.OK, f"{fleet}/fedns.yaml: no problems")


def test_every_kind_of_file_is_looked_at(fleet: Path) -> None:
    with (fleet / "fedns.yaml").open("a") as settings:
        settings.write("places: [{prefix: 198.51.100.0/24, region: europe-west1}]\n")
    (fleet / "members/gce-us-east1/broken.yaml").write_text("kind: Service\nmetadata: [\n")
    (fleet / "fleet/policies.yaml").write_text(
        (fleet / "fleet/policies.yaml").read_text().replace("strategy: Nearest", "strategy: Narest")
    )
    (fleet / "zones/bad.org.zone").write_text(BAD_ZONE)
    code, text = check(fleet)
    assert code == codes.PROBLEMS
    for file in ("members/gce-us-east1/broken.yaml:", "fleet/policies.yaml:", "zones/bad.org.zone:4"):
        assert f"{fleet}/{file}" in text
    problems = text.partition("Annotations of Ingresses")[0].splitlines()
    assert {line.partition(": ")[0].rpartition(":")[2].isdigit() for line in problems} == {True}


def test_a_missing_member_is_named_once(fleet: Path) -> None:
    (fleet / "members/gce-us-east1/nginx.yaml").unlink()
    (fleet / "members/gce-us-east1").rmdir()
    code, text = check(fleet, "-o", "json")
    assert code == codes.PROBLEMS
    (problem,) = json.loads(text)["problems"]
    assert problem["what"] == "directory 'members/gce-us-east1/' does not exist"


def test_a_configuration_that_cannot_be_read_is_all_that_is_told(tmp_path: Path) -> None:
    code, text = check(tmp_path)
    assert code == codes.PROBLEMS
    assert "cannot be read" in text


INGRESSES = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: mynamespace
  annotations:
    nginx.ingress.kubernetes.io/server-snippet: return 404;
    nginx.ingress.kubernetes.io/proxy-read-timeout: "never"
    nginx.ingress.kubernetes.io/limit-rps: "5"
    nginx.ingress.kubernetes.io/enable-cors: "true"
    fedns.io/clusters: gce-us-east1;gce-mars
    mse.ingress.kubernetes.io/what: "1"
    cert-manager.io/issuer: letsencrypt
spec:
  ingressClassName: CLASS
  rules:
  - host: a.example.com
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: nginx, port: {number: 8080}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: canary, namespace: mynamespace, annotations: {nginx.ingress.kubernetes.io/canary: "true"}}
spec:
  ingressClassName: CLASS
  rules:
  - host: a.example.com
    http:
      paths:
      - {path: /other, pathType: Prefix, backend: {service: {name: nginx, port: {number: 8080}}}}
"""


def test_ingresses_are_compiled_and_their_annotations_told(fleet: Path) -> None:
    (fleet / "fleet/more.yaml").write_text(INGRESSES.replace("CLASS", "fedns"))
    code, text = check(fleet, "-o", "json")
    assert code == codes.PROBLEMS
    told = json.loads(text)
    found = {(one["where"].rpartition("/")[2], one["what"].partition(": ")[2]) for one in told["problems"]}
    for where, what in (
        ("more.yaml:7", "annotation nginx.ingress.kubernetes.io/server-snippet is ignored"),
        (
            "more.yaml:8",
            "annotation nginx.ingress.kubernetes.io/proxy-read-timeout is not read: 'never' is not",
        ),
        ("more.yaml:1", "cluster gce-mars can never be reached: no member has that name"),
        ("more.yaml:12", "annotation mse.ingress.kubernetes.io/what is not known: ignored"),
        (
            "more.yaml:22",
            "canary for path '/other' of host a.example.com gets no traffic: there is no such rule",
        ),
    ):
        assert any(at == where and text.startswith(what) for at, text in found), found
    lines = {one["annotation"].rpartition("/")[2]: one["status"] for one in told["annotations"]}
    wanted = {"what": "unknown", "server-snippet": "ignored", "limit-rps": "different"}
    assert {**lines, **wanted, "enable-cors": "supported"} == lines and "issuer" not in lines


def test_ingresses_alone_need_no_configuration_and_any_class_will_do(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(INGRESSES.replace("CLASS", "nginx"))
    for path in (file, tmp_path):
        result = CliRunner().invoke(main.app, ["check", "--ingresses", str(path)])
        assert result.exit_code == codes.PROBLEMS
        assert "one.yaml:22: Ingress mynamespace/canary: canary for path" in result.stdout
        assert "ignored    nginx.ingress.kubernetes.io/server-snippet" in result.stdout
        assert "is not known, so" not in result.stdout
    file.write_text("a: [")
    assert "one.yaml:2: no YAML" in CliRunner().invoke(main.app, ["check", "--ingresses", str(file)]).stdout
    gone = CliRunner().invoke(main.app, ["check", "--ingresses", str(tmp_path / "gone.yaml")])
    assert gone.exit_code == codes.PROBLEMS and "cannot be read" in gone.stdout


def test_policies_that_distribute_are_looked_at_too(fleet: Path) -> None:
    head = "apiVersion: policy.karmada.io/v1alpha1\nkind: PropagationPolicy\nmetadata: {name: web}\n"
    (fleet / "fleet/propagation.yaml").write_text(head + "spec: {resourceSelector: []}\n")
    code, text = check(fleet)
    assert code == codes.PROBLEMS
    assert f"{fleet}/fleet/propagation.yaml:1" in text and "did you mean 'resourceSelectors'?" in text


STRANGE = """\
apiVersion: policy.karmada.io/v1alpha1
kind: {0}
metadata: {{name: web, namespace: shop}}
spec:
  resourceSelectors: [{{apiVersion: v1, kind: Service}}]
  {1}: {2}
"""


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("PropagationPolicy", "placement", "{clusterAffinity: {clusterNames: [gce-us-esat1]}}"),
        (
            "OverridePolicy",
            "overrideRules",
            "[{targetCluster: {clusterNames: [gce-us-esat1]}, "
            "overriders: {plaintext: [{path: /a, operator: remove}]}}]",
        ),
    ],
)
def test_a_member_that_a_policy_misspells(fleet: Path, kind: str, field: str, value: str) -> None:
    (fleet / "fleet/strange.yaml").write_text(STRANGE.format(kind, field, value))
    code, text = check(fleet)
    assert code == codes.PROBLEMS
    told = f"{kind} shop/web: there is no member gce-us-esat1 (did you mean gce-us-east1?)"
    assert f"{fleet}/fleet/strange.yaml:1: {told}" in text
    (fleet / "fleet/strange.yaml").write_text(STRANGE.format(kind, field, value.replace("esat", "east")))
    assert check(fleet)[0] == codes.OK


EXPORTED = """\
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec: {{clusterIP: {0}, ports: [{{name: http, port: 80}}]}}
---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceExport
metadata: {{name: web, namespace: shop, creationTimestamp: {1}-01-01T00:00:00Z}}
"""


def test_exports_that_disagree(fleet: Path) -> None:
    with (fleet / "fedns.yaml").open("a") as settings:
        settings.write("clusterset: {enabled: true}\n")
    (fleet / "members/gce-us-east1/web.yaml").write_text(EXPORTED.format("10.96.0.9", 2024))
    (fleet / "members/gce-europe-west1/web.yaml").write_text(EXPORTED.format("None", 2025))
    code, text = check(fleet)
    assert code == codes.PROBLEMS
    told = (
        "ServiceExport shop/web of member gce-europe-west1: has type Headless, and gce-us-east1 ClusterSetIP"
    )
    assert told in text and "gce-us-east1 exported it first" in text
