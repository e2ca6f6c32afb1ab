"""What a cluster set says in its members: ServiceExports, ServiceImports, and how a cluster is called in it.

Law: pure. A ServiceExport exports the Service of its own name, a ServiceImport is the set's service as one
cluster has it (KEP 1645); a ClusterProperty tells the cluster's name in the set (KEP 2149).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from fedns.model.facts import Export
from fedns.sources import objects
from fedns.sources.objects import Kind

PROPERTY = "cluster.clusterset.k8s.io"
"""The one ClusterProperty that concerns us."""
VERSIONS = ("v1", "v1beta1", "v1alpha1")
"""Those that we read, the best first."""


class _Born(objects.Meta, gc=False):
    creationTimestamp: datetime | None = None


class _Wanted(Struct, gc=False):
    exportedLabels: dict[str, str] | None = None
    exportedAnnotations: dict[str, str] | None = None


class _Export(Struct, gc=False):
    metadata: _Born
    spec: _Wanted | None = None


class _Addresses(Struct, gc=False):
    ips: list[str] | None = None


class _Import(Struct, gc=False):
    metadata: objects.Meta
    spec: _Addresses | None = None
    ips: list[str] | None = None


class _Value(Struct, gc=False):
    value: str = ""


class _Property(Struct, gc=False):
    metadata: objects.Meta
    spec: _Value


def _export(found: _Export) -> Export:
    objects.key(found.metadata)
    born, wanted = found.metadata.creationTimestamp, found.spec or _Wanted()
    if born is not None and born.tzinfo is None:
        born = born.replace(tzinfo=UTC)
    created = 0.0 if born is None else born.timestamp()
    return Export(created, _pairs(wanted.exportedLabels), _pairs(wanted.exportedAnnotations))


def _pairs(given: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((given or {}).items()))


def _import(found: _Import) -> tuple[str, ...]:
    """Its addresses; none where it has none of its own. Since v1beta1 they may stand outside of `spec`."""
    objects.key(found.metadata)
    given = (found.spec and found.spec.ips) or found.ips or ()
    return tuple(dict.fromkeys(objects.address(text, "$.spec.ips[...]") for text in given))


def _property(found: _Property) -> str | None:
    return found.spec.value if found.metadata.name == PROPERTY else None


def _kinds() -> Iterator[tuple[tuple[str, str], Kind]]:
    for version in VERSIONS:
        yield (f"multicluster.x-k8s.io/{version}", "ServiceExport"), Kind(_Export, _export)
        yield (f"multicluster.x-k8s.io/{version}", "ServiceImport"), Kind(_Import, _import)
        yield (f"about.k8s.io/{version}", "ClusterProperty"), Kind(_Property, _property)


KINDS: Mapping[tuple[str, str], Kind] = dict(_kinds())
