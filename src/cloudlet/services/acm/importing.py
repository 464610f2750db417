"""The checks of certificates that are imported (user guide, "Prerequisites for importing ACM certificates").

Imports `cryptography`, which takes memory: import it late.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from cloudlet.services.acm.certificate_record import Certificate, Facts
from cloudlet.services.acm.errors import ValidationError
from cloudlet.services.acm.x509_reading import find_key_algorithm, read_facts

_MAX_KEY_BYTES: Final = 5120
_MAX_CHAIN_CERTIFICATES: Final = 100
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_ENCRYPTED: Final = (b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")
_NOT_PEM: Final = (
    "The certificate body/chain provided is not in a valid PEM format. Please ensure the certificate is in PEM format."
)


class ImportedCertificate(NamedTuple):
    """A certificate that may be imported."""

    body: str
    chain: str
    key: bytes
    """PKCS #8, in PEM, not encrypted."""
    facts: Facts


def check(body: bytes, key: bytes, chain: bytes | None, now: float) -> ImportedCertificate:
    """Return a certificate with its key and chain, in PEM, as they are kept. Raises ValidationError."""
    certificates = _parse_certificates(body)
    if len(certificates) != 1:
        raise ValidationError(
            "The certificate field contains more than one certificate. You can specify only one certificate in this "
            "field."
        )
    (certificate,) = certificates
    private = _load_key(key)
    algorithm = find_key_algorithm(private.public_key())
    if algorithm is None:
        raise ValidationError("The private key is not supported.")
    if _encode_public(private.public_key()) != _encode_public(certificate.public_key()):
        raise ValidationError("The private key does not match the public key of the certificate.")
    if certificate.version is not x509.Version.v3:
        raise ValidationError("The certificate is not an X.509 version 3 certificate.")
    try:
        facts = read_facts(certificate)
    except ValueError as error:
        raise ValidationError(f"{_NOT_PEM} ({error})") from error
    if not facts.issuer_parts:
        raise ValidationError("The Issuer field of the certificate must not be empty.")
    if now < facts.not_before:
        raise ValidationError("The certificate is not valid yet.")
    if now >= facts.not_after:
        raise ValidationError("The certificate has expired.")
    signers = [] if chain is None else _parse_certificates(chain)
    _check_chain([certificate, *signers])
    pem = PrivateFormat.PKCS8
    return ImportedCertificate(
        certificate.public_bytes(Encoding.PEM).decode(),
        b"".join(each.public_bytes(Encoding.PEM) for each in signers).decode(),
        private.private_bytes(Encoding.PEM, pem, NoEncryption()),
        facts,
    )


def check_again(before: Certificate, facts: Facts) -> None:
    """Raise ValidationError where a certificate may not replace one that was imported.

    User guide, "Reimport a certificate".
    """
    known = before.facts
    if known is None or not before.is_imported:
        raise ValidationError(f"The certificate {before.arn} was not imported.")
    if known.key_algorithm != facts.key_algorithm:
        raise ValidationError("The key type and size of the certificate cannot be changed.")
    domains = set(get_domains(known))
    if domains and not domains & set(get_domains(facts)):
        raise ValidationError("The certificate must have at least one of the domain names that it had.")
    for name, old, new in (
        ("KeyUsage", set(known.key_usages), set(facts.key_usages)),
        ("ExtendedKeyUsage", _get_kept_usages(known), set(facts.extended_key_usages)),
    ):
        if not old <= new or (new and not old and not (name == "ExtendedKeyUsage" and known.extended_key_usages)):
            raise ValidationError(f"The {name} extension of the certificate cannot be added, nor lose values.")


def _get_kept_usages(known: Facts) -> set[tuple[str, str]]:
    """Return the usages that a certificate is to keep; client authentication may go (user guide)."""
    return {usage for usage in known.extended_key_usages if usage[0] != "TLS_WEB_CLIENT_AUTHENTICATION"}


def get_domains(facts: Facts) -> tuple[str, ...]:
    """Return the domain names of an imported certificate, that of its subject first."""
    common = facts.common_name.lower()
    is_domain = bool(re.fullmatch(r"(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z0-9]", common))
    return tuple(dict.fromkeys([*([common] if is_domain else []), *facts.domains]))


def _parse_certificates(pem: bytes) -> list[x509.Certificate]:
    blocks = _CERTIFICATE.findall(pem)
    if not blocks or len(blocks) > _MAX_CHAIN_CERTIFICATES:
        raise ValidationError(_NOT_PEM)
    try:
        return [x509.load_pem_x509_certificate(block) for block in blocks]
    except ValueError as error:
        raise ValidationError(_NOT_PEM) from error


def _load_key(pem: bytes) -> Any:
    """Return a private key of any type. Raises ValidationError."""
    if len(pem) > _MAX_KEY_BYTES:
        raise ValidationError(f"The private key must be no larger than {_MAX_KEY_BYTES} bytes.")
    if any(mark in pem for mark in _ENCRYPTED):
        raise ValidationError("Your private key should not be encrypted.")
    try:
        return load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValidationError("The private key is not supported.") from error


def _encode_public(public: Any) -> bytes:
    encoded: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _check_chain(certificates: Sequence[x509.Certificate]) -> None:
    """Raise ValidationError unless each certificate is signed by the next one."""
    for certificate, signer in pairwise(certificates):
        try:
            certificate.verify_directly_issued_by(signer)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise ValidationError("Could not validate the certificate with the certificate chain.") from error
