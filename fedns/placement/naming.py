"""How people name an object: `[KIND/][NAMESPACE/]NAME`, where `*` and `?` stand for others.

Law: pure. A kind counts in any case, in the plural, and by the short name that kubectl knows.
"""

import fnmatch

from fedns.placement import item

SHORT = {
    "cj": "cronjob",
    "cm": "configmap",
    "crd": "customresourcedefinition",
    "deploy": "deployment",
    "ds": "daemonset",
    "ep": "endpoints",
    "hpa": "horizontalpodautoscaler",
    "ing": "ingress",
    "netpol": "networkpolicy",
    "ns": "namespace",
    "pc": "priorityclass",
    "pdb": "poddisruptionbudget",
    "po": "pod",
    "pv": "persistentvolume",
    "pvc": "persistentvolumeclaim",
    "quota": "resourcequota",
    "rs": "replicaset",
    "sa": "serviceaccount",
    "sc": "storageclass",
    "sts": "statefulset",
    "svc": "service",
}


def means(name: str, what: item.Ref) -> bool:
    """Whether a name means an object."""
    *before, last = name.split("/")
    if len(before) > 2 or not fnmatch.fnmatchcase(what.name, last):
        return False
    if len(before) == 2:
        return kind(before[0], what.kind) and fnmatch.fnmatchcase(what.namespace, before[1])
    return all(fnmatch.fnmatchcase(what.namespace, each) or kind(each, what.kind) for each in before)


def kind(told: str, known: str) -> bool:
    """Whether a word means a kind."""
    wanted, plain = SHORT.get(told.lower(), told.lower()), known.lower()
    plural = f"{plain[:-1]}ies" if plain.endswith("y") else plain + ("es" if plain.endswith("s") else "s")
    return fnmatch.fnmatchcase(plain, wanted) or wanted == plural
