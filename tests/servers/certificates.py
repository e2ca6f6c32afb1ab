"""Certificates for tests, made on the spot: nothing expires in the repository."""

import datetime
import os
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "dns.example.com"


def write(folder: Path, days: float = 90.0, serial: int = 0x11) -> tuple[str, str]:
    """A self-signed certificate for so many days, and its key: paths of the PEM files, replaced whole."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), serial)
        .not_valid_before(end - datetime.timedelta(days=365))
        .not_valid_after(end)
        .add_extension(names, False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, *form)
    return (
        put(folder / "chain.pem", made.public_bytes(serialization.Encoding.PEM)),
        put(folder / "key.pem", secret),
    )


def put(path: Path, data: bytes) -> str:
    """Replaces a file whole."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(data)
    os.replace(fresh, path)
    return str(path)
