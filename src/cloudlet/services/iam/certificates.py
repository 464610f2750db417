"""Certificates and keys that callers upload, in PEM: whether they are what they should be."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from cloudlet.core import AwsError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_CERTIFICATE: Final = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

malformed: Final = partial(AwsError, "MalformedCertificate")
"""The error about what is no certificate, or none that counts."""


def parse_certificate(pem: str) -> Certificate:
    """Return the one certificate of a text. Raises AwsError."""
    certificates = _parse_all(pem)
    if len(certificates) != 1:
        raise malformed("Unable to parse certificate. Please ensure the certificate is in PEM format.")
    return certificates[0]


def check_pair(body: str, private_key: str, chain: str | None, now: float) -> float:
    """Check a certificate, its key and its chain; return when it expires. Takes some milliseconds. Raises AwsError."""
    certificate = parse_certificate(body)
    _check_key(certificate, private_key)
    begin, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    if not begin <= now <= end:
        raise malformed("The certificate is not in its validity period.")
    if chain is not None:
        _check_chain(certificate, chain)
    return end


def compute_fingerprint(certificate: Certificate) -> str:
    """Return the SHA-256 hash of a certificate."""
    from cryptography.hazmat.primitives.hashes import SHA256

    return certificate.fingerprint(SHA256()).hex()


def _parse_all(pem: str) -> list[Certificate]:
    """Return the certificates of a text. Raises AwsError where one is damaged."""
    from cryptography import x509

    try:
        return [x509.load_pem_x509_certificate(each.encode()) for each in _CERTIFICATE.findall(pem)]
    except ValueError:
        raise malformed("Unable to parse certificate. Please ensure the certificate is in PEM format.") from None


def _check_key(certificate: Certificate, private_key: str) -> None:
    """Raise AwsError for what is not the private key of a certificate."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        key = load_pem_private_key(private_key.encode(), None)
    except TypeError:
        raise malformed("The private key is encrypted. Please provide it without a passphrase.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise malformed("Private key was in an unrecognized format.") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise AwsError("KeyPairMismatch", "The public key certificate and the private key do not match.")


def _check_chain(certificate: Certificate, chain: str) -> None:
    """Raise AwsError for a chain in which a certificate has not issued the one before."""
    from cryptography.exceptions import InvalidSignature

    issuers = _parse_all(chain)
    if not issuers:
        raise malformed("Unable to parse certificate chain. Please ensure the chain is in PEM format.")
    issued = certificate
    for index, issuer in enumerate(issuers):
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            raise malformed(
                "Unable to validate certificate chain. The certificate chain must start with the immediate signing "
                "certificate, followed by any intermediaries in order. The index within the chain of the invalid "
                f"certificate is: {index}"
            ) from None
        issued = issuer
