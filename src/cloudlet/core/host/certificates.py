"""Names of certificates, and certificates that sign themselves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def covers(names: Iterable[str], host: str) -> bool:
    """Whether a certificate with these names counts for a host.

    RFC 6125: `*` stands for one label.
    """
    known = {name.lower() for name in names}
    name = host.lower()
    return name in known or f"*.{name.partition('.')[2]}" in known


def make_self_signed(name: str, begin: float, end: float) -> tuple[RSAPrivateKey, bytes]:
    """Return a new RSA key of 2048 bits and its certificate, in PEM. Takes a while.

    `name` is the common name; it is valid from `begin` until `end`, in seconds since the epoch.
    """
    # Imported late: it takes 8 MiB, and few need certificates.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key = generate_private_key(65537, 2048)
    names = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(names)
        .issuer_name(names)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(begin, UTC))
        .not_valid_after(datetime.fromtimestamp(end, UTC))
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(Encoding.PEM)
