"""The table of what is watched."""

from itertools import product

from fedns.distribute import rights
from fedns.sources import subjects


def test_what_is_watched_is_what_is_asked_for() -> None:
    """`rights` knows the same: nothing is watched that no role allows."""
    for namespaces, exports, clusterset in product(("", "a=b"), (False, True), (False, True)):
        wish = subjects.Wish(namespaces=namespaces, exports=exports, clusterset=clusterset)
        needs = rights.Needs(member=True, namespaces=bool(namespaces), exports=exports, clusterset=clusterset)
        allowed = {(one.group, one.resource) for one in rights.rights(needs) if "watch" in one.verbs}
        watched = [(kind.versions[0].group, kind.versions[0].plural) for kind in subjects.wanted(wish)]
        assert set(watched) == allowed and len(watched) == len(set(watched))


def test_every_version_can_be_read_and_says_what_is_missing_without_it() -> None:
    for kind in subjects.ALL:
        assert kind.missing
        for resource in kind.versions:
            assert subjects.shape(resource)
