"""Certificate authorities for tests, made on the spot: nothing expires in the repository."""

import datetime
import ssl
import tempfile
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fedns.gateway.route import Certificate


class Authority(NamedTuple):
    """Signs certificates; `pem` is what they are checked by."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    pem: bytes

    def issue(self, common: str, *hosts: str, days: float = 30.0) -> Certificate:
        """A chain and its key, for these names of hosts and so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(common), self.name, key, days)
        if hosts:
            names = x509.SubjectAlternativeName([x509.DNSName(each) for each in hosts])
            builder = builder.add_extension(names, False)
        made = builder.sign(self.key, hashes.SHA256())
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        secret = key.private_bytes(serialization.Encoding.PEM, *form)
        return Certificate(made.public_bytes(serialization.Encoding.PEM), secret, self.pem)


def make(common: str = "Tests") -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named(common)
    constraints = x509.BasicConstraints(True, None)
    made = _builder(name, name, key).add_extension(constraints, True).sign(key, hashes.SHA256())
    return Authority(name, key, made.public_bytes(serialization.Encoding.PEM))


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: float = 30.0
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def load(context: ssl.SSLContext, shown: Certificate) -> None:
    """Shows a certificate."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (("chain", shown.chain), ("key", shown.key)):
            (Path(folder) / name).write_bytes(data)
        context.load_cert_chain(f"{folder}/chain", f"{folder}/key")
