"""What is cut from templates: more than Karmada cuts."""

from fedns.placement import template
from tests.placement import worlds

SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: s
  namespace: prod
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}", NOTE: "true"}
spec:
  clusterIP: 10.0.0.1
  clusterIPs: [10.0.0.1]
  healthCheckNodePort: 30001
  ports: [{port: 80, nodePort: 30080}]
"""


def test_ports_of_nodes_are_each_clusters_own() -> None:
    found = template.pruned(worlds.one(SERVICE))
    assert found["spec"] == {"ports": [{"port": 80}]}
    assert found["metadata"]["annotations"] == {"NOTE": "true"}


def test_ports_of_nodes_may_be_kept() -> None:
    found = template.pruned(worlds.one(SERVICE.replace("NOTE", template.KEEP_PORTS)))
    assert found["spec"] == {"healthCheckNodePort": 30001, "ports": [{"port": 80, "nodePort": 30080}]}


def test_headless_stays_headless() -> None:
    text = SERVICE.replace("10.0.0.1", "None")
    assert template.pruned(worlds.one(text))["spec"]["clusterIP"] == "None"


CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: c, namespace: prod, annotations: {pv.kubernetes.io/bind-completed: "yes", NOTE: "yes"}}
spec: {volumeName: pv-1, storageClassName: fast}
"""


def test_a_claim_that_its_cluster_bound_is_bound_in_each_cluster_anew() -> None:
    found = template.pruned(worlds.one(CLAIM.replace("NOTE", template.BOUND)))
    assert found["spec"] == {"storageClassName": "fast"} and not found["metadata"]["annotations"]


def test_a_claim_of_a_volume_that_somebody_chose_keeps_it() -> None:
    found = template.pruned(worlds.one(CLAIM))
    assert found["spec"] == {"volumeName": "pv-1", "storageClassName": "fast"}
    assert found["metadata"]["annotations"] == {"NOTE": "yes"}


def test_a_job_with_a_selector_of_its_own_keeps_it() -> None:
    text = """
apiVersion: batch/v1
kind: Job
metadata: {name: j, namespace: prod}
spec:
  manualSelector: true
  selector: {matchLabels: {controller-uid: u}}
  template: {metadata: {labels: {controller-uid: u}}}
"""
    found = template.pruned(worlds.one(text))
    assert found["spec"]["selector"]["matchLabels"] == {"controller-uid": "u"}


def test_rules_that_are_gathered_are_each_clusters_own() -> None:
    """A fleet without controllers has none, one with them has its own."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}}
    gathers = {"clusterRoleSelectors": [{"matchLabels": {"team": "a"}}]}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    for told in (None, rules):
        assert template.pruned({**role, "rules": told, "aggregationRule": gathers}) == {
            **role,
            "aggregationRule": gathers,
        }
    assert template.pruned({**role, "rules": rules})["rules"] == rules


def test_the_generation_of_a_daemon_set_is_each_clusters_own() -> None:
    text = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: d, annotations: {deprecated.daemonset.template.generation: "3", NOTE: "yes"}}
"""
    assert template.pruned(worlds.one(text))["metadata"]["annotations"] == {"NOTE": "yes"}


def test_the_template_itself_is_not_changed() -> None:
    found = worlds.one(SERVICE)
    template.pruned(found)
    assert found == worlds.one(SERVICE)
