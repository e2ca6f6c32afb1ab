"""What objects name, wherever they name it."""

from fedns.placement import companions
from tests.placement import worlds

POD = """
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: prod}
spec:
  serviceAccountName: robot
  imagePullSecrets: [{name: pull}]
  initContainers: [{name: i, envFrom: [{configMapRef: {name: c1}}]}]
  containers:
  - name: c
    envFrom: [{secretRef: {name: s1}}]
    env:
    - {name: A, valueFrom: {configMapKeyRef: {name: c2, key: k}}}
    - {name: B, valueFrom: {secretKeyRef: {name: s2, key: k}}}
    - {name: C, value: plain}
  volumes:
  - {name: v1, configMap: {name: c3}}
  - {name: v2, secret: {secretName: s3}}
  - {name: v3, projected: {sources: [{configMap: {name: c4}}, {secret: {name: s4}}]}}
  - {name: kube-api-access, projected: {sources: [{configMap: {name: kube-root-ca.crt}}]}}
  - {name: v4, persistentVolumeClaim: {claimName: data}}
  - {name: v5, csi: {driver: d, nodePublishSecretRef: {name: s5}}}
  - {name: v6, emptyDir: {}}
  - {name: v8, cinder: {volumeID: x, secretRef: {name: s6}}}
  - {name: v7, configMap: {name: c3}}
"""
INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: prod}
spec: {tls: [{secretName: cert}, {hosts: [a]}]}
"""


def named(text: str) -> set[str]:
    found = companions.of(worlds.one(text))
    assert len(set(found)) == len(found) and {each.namespace for each in found} <= {"prod"}
    return {f"{each.kind} {each.name}" for each in found}


def test_all_that_pods_name() -> None:
    configs, secrets = ({f"{kind} {letter}{at}" for at in range(1, top)} for kind, letter, top in ROWS)
    others = {"Secret pull", "PersistentVolumeClaim data", "ServiceAccount robot"}
    assert named(POD) == configs | secrets | others


ROWS = (("ConfigMap", "c", 5), ("Secret", "s", 7))


def test_certificates_of_an_ingress() -> None:
    assert named(INGRESS) == {"Secret cert"}


def test_a_service_needs_nothing() -> None:
    assert named(worlds.SERVICE) == set()
