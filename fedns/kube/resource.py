"""The name of a resource in the API, and its paths.

Law: pure. The core group is the empty one, and lives below `/api`; all others below `/apis`.
"""

from typing import NamedTuple
from urllib.parse import quote


class Resource(NamedTuple):
    """One resource in one version, as `("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")`."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As it stands in an object's `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """Where the group's version is described."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "", part: str = "") -> str:
        """Of all objects, of those in a namespace, of one, or of a `part` (`status`) of one."""
        inside = ("namespaces", namespace) if self.namespaced and namespace else ()
        steps = (*inside, self.plural, *((name,) if name else ()), *((part,) if part else ()))
        return "/".join((self.root, *(quote(step, safe="") for step in steps)))
