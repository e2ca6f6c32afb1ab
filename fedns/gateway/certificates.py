"""Secrets -> certificates that the data path can use, and the ways hosts are spoken to over TLS.

Law: a Secret that is missing or broken costs its hosts their own certificate (they get the default one) and
their redirect to https, and is a problem; a guard that needs it shuts its paths.
"""

from collections.abc import Iterable, Mapping

from fedns.gateway import guards, options, route
from fedns.gateway.wishes import Refused, Wishes
from fedns.model.ingress import Secret

_VERSIONS = {"TLSv1.0": "1.0", "TLSv1.1": "1.1", "TLSv1.2": "1.2", "TLSv1.3": "1.3"}


def wrong(secret: Secret | None) -> str:
    """Why a Secret is no certificate; empty: it is one."""
    if secret is None:
        return "is not there"
    for key, mark in (("tls.crt", b"CERTIFICATE"), ("tls.key", b"PRIVATE KEY")):
        if b"-----BEGIN " not in secret.data.get(key, b"") or mark not in secret.data[key]:
            return f"has no PEM in key {key}"
    return ""


def entry(secret: Secret) -> route.Certificate:
    data = secret.data
    return route.Certificate(data.get("tls.crt", b""), data.get("tls.key", b""), data.get("ca.crt", b""))


def host(wishes: Wishes, secret: str) -> options.Tls:
    """How one host is spoken to. `secret` is `namespace/name`, empty for the default certificate."""
    asked = wishes.asked
    ciphers = asked.get("ssl-ciphers") or asked.get("ssl-cipher") or b""
    tls = options.Tls(
        certificate=secret.encode(),
        least=_VERSIONS.get(asked.get("tls-min-protocol-version", ""), ""),
        most=_VERSIONS.get(asked.get("tls-max-protocol-version", ""), ""),
        ciphers=ciphers.decode().replace(",", ":"),
    )
    try:
        return guards.clients(wishes, tls)
    except Refused:
        return tls


def covers(tls: Mapping[str, options.Tls], name: str) -> bool:
    """Whether a host, or the wildcard over its first label, has TLS."""
    return name in tls or "*." + name.partition(".")[2] in tls


def used(tls: Iterable[options.Tls], asked: Iterable[options.Options]) -> set[str]:
    """Names of all Secrets that hosts and options lead to."""
    found = {name for each in tls for name in (each.certificate, each.clients)}
    found |= {each.upstream.secret for each in asked}
    return {name.decode() for name in found if name}
