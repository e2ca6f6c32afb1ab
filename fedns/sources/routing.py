"""Ingresses, their classes and the certificates that they name, read from the fleet's API server.

Law: as in `fleet`. A server has none of a kind that it does not know; one that it refuses is missed visibly,
and what was known of it stays. Of Secrets those with certificates are asked for; others (of type Opaque) only
while an Ingress names one, and of them only those named are kept.
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
NOTHING_YET, OTHERS = f"metadata.name={informer.NOBODY}", "type=Opaque"
MISSING = (
    "the gateway has the routes last known",
    "Ingresses of class `fedns`, or of none, are served",
    "hosts have the certificates last known",
    "guards that need them shut their paths",
)


class Routing:
    """Four feeds, and what they amount to. `known`: what was known before a restart."""

    again: float | None = None

    def __init__(
        self, api: client.Client, ears: informer.Ears, known: Said, pace: informer.Pace | None = None
    ) -> None:
        self.known = known != NOTHING
        self._ears, self._before = ears, known
        self._values: dict[informer.Key, Any] = {}
        self._said: Said | None = None
        self._wanted: frozenset[str] = frozenset()
        self._owed = -1
        """How often the others had been listed when they were last asked for."""
        heard = informer.Ears(self._hear, ears.admit)
        subjects = (*map(_subject, (INGRESSES, CLASSES)), *self._secrets())
        self._feeds = tuple(informer.Informer(api, subject, heard, pace) for subject in subjects)

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
        self._want(ingresses.named_beside(said.ingresses))
        if self._owing or any(not feed.synced_at or feed.troubles for feed in self._feeds):
            said = self._filled(said)
        if said != self._said:
            self._said = said
            publish(IngressChange(said))

    def mute(self, publish: Publish) -> None:
        publish(IngressChange(self._before, whole=False))

    def problems(self, where: str) -> Iterator[Problem]:
        for missing, feed in zip(MISSING, self._feeds, strict=True):
            yield from kubernetes.complaints(feed, missing, where)

    @property
    def _owing(self) -> bool:
        """Whether the others were not read since they were asked for."""
        return self._feeds[3].lists <= self._owed

    def _want(self, names: frozenset[str]) -> None:
        """Asks for Secrets that are no certificates, as soon as one is named that was not before."""
        more, self._wanted = names - self._wanted, names
        others = self._feeds[3]
        fields = OTHERS if names else NOTHING_YET
        if more or others.subject.fields != fields:
            others.subject = others.subject._replace(fields=fields)
            self._owed = others.lists
            others.relist()

    def _filled(self, said: Said) -> Said:
        """With what was known of kinds that were never listed, and of objects that cannot be read."""
        listed, classes, *secrets = (bool(feed.synced_at) for feed in self._feeds)
        troubled = {f"{key[1]}/{key[2]}" for key in self._feeds[0].troubles}
        before = Said(
            tuple(each for each in self._before.ingresses if not listed or each.key in troubled),
            () if classes else self._before.classes,
            {} if all(secrets) and not (self._owing or self._feeds[2].troubles) else self._before.secrets,
        )
        return ingresses.kept(before, said)

    def _hear(self, changes: informer.Changes) -> None:
        kubernetes.follow(self._values, changes)
        self._ears.changed(())

    def _secrets(self) -> Iterator[informer.Subject]:
        plain = _subject(SECRETS)._replace(optional=False)

        def decode(data: informer.Data) -> informer.Item:
            found = plain.decode(data)
            named = f"{found.key[1]}/{found.key[2]}" in self._wanted
            return found if named else informer.Item(found.key, None, "", found.version)

        yield plain._replace(fields=CERTIFICATES, name="certificates")
        yield plain._replace(fields=NOTHING_YET, name="credentials", decode=decode)


def _subject(resource: Resource) -> informer.Subject:
    decode = kubernetes.decoding(resource.kind, entries.KINDS[(resource.api_version, resource.kind)])
    return informer.Subject(resource, decode, optional=True)
