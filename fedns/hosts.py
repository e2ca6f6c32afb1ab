"""Names that `fedns.yaml` tells about: name servers, and aliases of names that cannot be a CNAME.

Law: only what can be wrong about them by themselves; whether a zone holds them shows when it is compiled.
"""

from collections.abc import Mapping

from fedns import schema

WILDCARD = "*."


def nameservers(told: Mapping[str, tuple[str, ...]], domain: str, reader: schema.Reader) -> None:
    for name, addresses in told.items():
        path: schema.Path = ("nameservers", name)
        host = _host(name, path, reader)
        if host and not addresses and (host == domain or host.endswith("." + domain)):
            reader.bad(path, f"name server {name!r} is inside {domain} and has no address", "add one: glue")


def aliases(told: Mapping[str, str], reader: schema.Reader) -> None:
    """Every name can be one, is told once, and leads somewhere."""
    leads: dict[str, str] = {}
    for name, target in told.items():
        path: schema.Path = ("aliases", name)
        host = _host(name.removeprefix(WILDCARD), path, reader)
        key = name.rstrip(".").lower()
        if host and key in leads:
            reader.bad(path, f"alias {key!r} is written twice")
        leads[key] = target
    for name in told:
        if _rings(name.rstrip(".").lower(), leads):
            reader.bad(("aliases", name), f"alias {name!r} leads back to itself", "name what has addresses")


def _rings(name: str, leads: Mapping[str, str]) -> bool:
    at = leads[name]
    for _ in leads:
        if at == name or at not in leads:
            break
        at = leads[at]
    return at == name


def _host(name: str, path: schema.Path, reader: schema.Reader) -> str:
    """The name as the rest of the configuration writes it; empty where it cannot be one."""
    try:
        return schema.hostname(name, reader)
    except schema.Bad as error:
        reader.bad(path, error.what)
        return ""
