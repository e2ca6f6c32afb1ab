"""Objects as people name them."""

import pytest

from fedns.placement import item, naming

WEB = item.Ref("apps", "Deployment", "prod", "web")


@pytest.mark.parametrize(
    "name",
    [
        "web",
        "w*",
        "prod/web",
        "deployment/web",
        "Deployments/web",
        "deploy/web",
        "deploy/prod/web",
        "deploy*/prod/w?b",
        "*",
    ],
)
def test_names_that_mean_it(name: str) -> None:
    assert naming.means(name, WEB)


@pytest.mark.parametrize("name", ["we", "dev/web", "service/web", "a/b/c/web", "", "prod/deployment/web"])
def test_names_that_do_not(name: str) -> None:
    assert not naming.means(name, WEB)


@pytest.mark.parametrize(("kind", "word"), [("NetworkPolicy", "networkpolicies"), ("Ingress", "ingresses")])
def test_plurals(kind: str, word: str) -> None:
    assert naming.kind(word, kind)
