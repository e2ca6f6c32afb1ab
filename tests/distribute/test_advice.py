"""What to do, by what API servers and fedns say of a copy: the words are as they have been seen."""

import pytest

from fedns.distribute import advice

SAID = {
    '403 Forbidden: configmaps "m1" is forbidden: exceeded quota: q, requested: cm=1': "quota there",
    '409 Conflict: Deployment web: Apply failed with 1 conflict: conflict with "helm"': "Overwrite",
    '409 Conflict: Apply failed with 2 conflicts: conflicts with "me": .data.a': "Overwrite",
    '403 Forbidden: admission webhook "no.example.org" denied the request: not here': "own rules",
    '500 InternalError: Internal error occurred: failed calling webhook "no"': "webhook does not answer",
    '403 Forbidden: widgets is forbidden: User "u" cannot list resource "widgets" in API group "x"': "rbac",
    "401 Unauthorized: Unauthorized": "--rotate",
    "422 Invalid: spec.clusterIPs[0]: Invalid value: may not change once set": "made anew",
    "127.0.0.62:52691: Connection refused": "away",
    "no answer within 10 s": "away",
    "there is no namespace x here": "make it there",
    "404 NotFound: there is no kind Widget of example.org/v1": "define it",
    "more than half of the copies here would go: waits for a word": "--yes-really",
    "it is being removed, which waits for example.org/hold": "finalizer",
    'OverridePolicy shop/o: replace /data/zz "1": there is no /data/zz': "correct that policy",
    "PropagationPolicy shop/p names a member that is not known": "correct its name",
    "Lease fedns/fedns-copies there cannot be had: 401 Unauthorized: Unauthorized": "--rotate",
    "Lease fedns/fedns-copies there cannot be had: no answer in time": "away",
    'Lease x/fedns-copies there cannot be had: 404 NotFound: namespaces "x" not found': "namespace",
    "fedns-1_ab12 holds Lease fedns/fedns-copies there": "that replica",
    "": "",
    "418 Teapot: short and stout": "",
}


@pytest.mark.parametrize(("words", "told"), SAID.items())
def test_what_to_do(words: str, told: str) -> None:
    found = advice.of(words)
    assert told in found and bool(told) == bool(found)
