"""A CA for a test run, so that API servers and their clients know each other."""

import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEAR = datetime.timedelta(days=365)
HOUR = datetime.timedelta(hours=1)


class Pair(NamedTuple):
    """PEM files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """A CA whose files are in `folder`; `ca` is its own certificate."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = _named("fedns tests")
        made = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), True)
        self.ca = _write(folder, "ca", made.sign(self._key, hashes.SHA256()), self._key).certificate

    def server(self, address: str) -> Pair:
        """For who listens at `address`."""
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        return self._issue(address, _named(address), names, ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, user: str, group: str = "") -> Pair:
        """For a user as API servers know them: CN is the user, O the group."""
        names = x509.SubjectAlternativeName([x509.DNSName("client.invalid")])
        return self._issue(user, _named(user, group), names, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issue(
        self, label: str, name: x509.Name, names: x509.SubjectAlternativeName, usage: x509.ObjectIdentifier
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(name, key).add_extension(names, False)
        made = made.add_extension(x509.ExtendedKeyUsage([usage]), False)
        return _write(self._folder, label, made.sign(self._key, hashes.SHA256()), key)

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        serial = x509.random_serial_number()
        made = x509.CertificateBuilder(self._name, name, key.public_key(), serial)
        return made.not_valid_before(now - HOUR).not_valid_after(now + YEAR)


def _named(user: str, group: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, group), *parts] if group else parts)


def _write(folder: Path, label: str, made: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    pair = Pair(folder / f"{label}.crt", folder / f"{label}.key")
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pair.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return pair
