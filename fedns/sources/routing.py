"""Ingresses, their classes and the certificates that they name, read from the fleet's API server.

Law: as in `fleet`. A server has none of a kind that it does not know; one that it refuses is missed visibly,
and what was known of it stays. Of Secrets those with certificates alone are asked for.
"""

from collections.abc import Iterator
from typing import Any

from fedns.errors import Problem
from fedns.kube import client, informer
from fedns.kube.resource import Resource
from fedns.model.ingress import NOTHING, Said
from fedns.sources import entries, ingresses, kubernetes
from fedns.sources.change import IngressChange, Publish

NETWORKING = "networking.k8s.io"
INGRESSES = Resource(NETWORKING, "v1", "ingresses", "Ingress")
CLASSES = Resource(NETWORKING, "v1", "ingressclasses", "IngressClass", False)
SECRETS = Resource("", "v1", "secrets", "Secret")
CERTIFICATES = "type=kubernetes.io/tls"
KINDS = (INGRESSES, CLASSES, SECRETS)
MISSING = {
    INGRESSES: "the gateway has the routes last known",
    CLASSES: "Ingresses of class `fedns`, or of none, are served",
    SECRETS: "hosts have the certificates last known",
}


class Routing:
    """Three feeds, and what they amount to. `known`: what was known before a restart."""

    again: float | None = None

    def __init__(
        self, api: client.Client, ears: informer.Ears, known: Said, pace: informer.Pace | None = None
    ) -> None:
        self.known = known != NOTHING
        self._ears, self._before = ears, known
        self._values: dict[informer.Key, Any] = {}
        self._said: Said | None = None
        heard = informer.Ears(self._hear, ears.admit)
        self._feeds = tuple(informer.Informer(api, _subject(kind), heard, pace) for kind in KINDS)

    @property
    def feeds(self) -> tuple[informer.Informer, ...]:
        return self._feeds

    @property
    def settled(self) -> bool:
        return bool(self._feeds[0].synced_at) and all(feed.settled for feed in self._feeds)

    @property
    def refused(self) -> bool:
        return bool(self._feeds[0].off)

    def look(self, publish: Publish) -> None:
        """Publishes what is said, if it differs."""
        said = ingresses.said(self._values.items())
        if any(not feed.synced_at or feed.troubles for feed in self._feeds):
            said = self._filled(said)
        if said != self._said:
            self._said = said
            publish(IngressChange(said))

    def mute(self, publish: Publish) -> None:
        publish(IngressChange(self._before, whole=False))

    def problems(self, where: str) -> Iterator[Problem]:
        for kind, feed in zip(KINDS, self._feeds, strict=True):
            yield from kubernetes.complaints(feed, MISSING[kind], where)

    def _filled(self, said: Said) -> Said:
        """With what was known of kinds that were never listed, and of objects that cannot be read."""
        listed, classes, secrets = (bool(feed.synced_at) for feed in self._feeds)
        troubled = {f"{key[1]}/{key[2]}" for key in self._feeds[0].troubles}
        before = Said(
            tuple(each for each in self._before.ingresses if not listed or each.key in troubled),
            () if classes else self._before.classes,
            {} if secrets and not self._feeds[2].troubles else self._before.secrets,
        )
        return ingresses.kept(before, said)

    def _hear(self, changes: informer.Changes) -> None:
        kubernetes.follow(self._values, changes)
        self._ears.changed(())


def _subject(resource: Resource) -> informer.Subject:
    decode = kubernetes.decoding(resource.kind, entries.KINDS[(resource.api_version, resource.kind)])
    fields = CERTIFICATES if resource is SECRETS else ""
    name = "certificates" if resource is SECRETS else ""
    return informer.Subject(resource, decode, fields=fields, optional=resource is not SECRETS, name=name)
