"""The content of X.509 certificates in the API's words.

It imports `cryptography`, which takes memory: import it late.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloudlet.services.acm.certificate_record import Facts

_NAME_PARTS: Final = {
    NameOID.COMMON_NAME: "CommonName",
    NameOID.COUNTRY_NAME: "Country",
    NameOID.DN_QUALIFIER: "DistinguishedNameQualifier",
    NameOID.GENERATION_QUALIFIER: "GenerationQualifier",
    NameOID.GIVEN_NAME: "GivenName",
    NameOID.INITIALS: "Initials",
    NameOID.LOCALITY_NAME: "Locality",
    NameOID.ORGANIZATION_NAME: "Organization",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OrganizationalUnit",
    NameOID.PSEUDONYM: "Pseudonym",
    NameOID.SERIAL_NUMBER: "SerialNumber",
    NameOID.STATE_OR_PROVINCE_NAME: "State",
    NameOID.SURNAME: "Surname",
    NameOID.TITLE: "Title",
}
_CURVES: Final = {"secp256r1": "EC_prime256v1", "secp384r1": "EC_secp384r1", "secp521r1": "EC_secp521r1"}
_RSA_BITS: Final = (1024, 2048, 3072, 4096)
_KEY_USAGES: Final = {
    "digital_signature": "DIGITAL_SIGNATURE",
    "content_commitment": "NON_REPUDIATION",
    "key_encipherment": "KEY_ENCIPHERMENT",
    "data_encipherment": "DATA_ENCIPHERMENT",
    "key_agreement": "KEY_AGREEMENT",
    "key_cert_sign": "CERTIFICATE_SIGNING",
    "crl_sign": "CRL_SIGNING",
}
_EXTENDED_KEY_USAGES: Final = {
    ExtendedKeyUsageOID.SERVER_AUTH: "TLS_WEB_SERVER_AUTHENTICATION",
    ExtendedKeyUsageOID.CLIENT_AUTH: "TLS_WEB_CLIENT_AUTHENTICATION",
    ExtendedKeyUsageOID.CODE_SIGNING: "CODE_SIGNING",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "EMAIL_PROTECTION",
    ExtendedKeyUsageOID.TIME_STAMPING: "TIME_STAMPING",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP_SIGNING",
    x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"): "IPSEC_END_SYSTEM",
    x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"): "IPSEC_TUNNEL",
    x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"): "IPSEC_USER",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "ANY",
}


def read_facts(certificate: x509.Certificate) -> Facts:
    """Return what a certificate says. Raises ValueError for one that is damaged, or has an unknown key."""
    serial = f"{certificate.serial_number:x}"
    serial = serial.zfill(len(serial) + len(serial) % 2)
    algorithm = find_key_algorithm(certificate.public_key())
    if algorithm is None:
        raise ValueError("the key is of an unknown type or size")
    issuer = _read_name(certificate.issuer)
    return Facts(
        ":".join(serial[at : at + 2] for at in range(0, len(serial), 2)),
        certificate.subject.rfc4514_string(),
        _read_name(certificate.subject),
        issuer.get("Organization") or issuer.get("CommonName") or "",
        issuer,
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
        algorithm,
        _get_signature_algorithm(certificate),
        _read_key_usages(certificate),
        _read_extended_key_usages(certificate),
        _read_names(certificate),
    )


def find_key_algorithm(key: PublicKeyTypes) -> str | None:
    """Return the name of a public key's type and size, if the API has one."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA_{key.key_size}" if key.key_size in _RSA_BITS else None
    return _CURVES.get(key.curve.name) if isinstance(key, ec.EllipticCurvePublicKey) else None


def _get_signature_algorithm(certificate: x509.Certificate) -> str:
    """Return the name of the algorithm of a signature, such as SHA256WITHRSA."""
    name: str = certificate.signature_algorithm_oid._name
    digest = certificate.signature_hash_algorithm
    if digest is None:
        return name.upper()
    return f"{digest.name.upper()}WITH{'ECDSA' if 'ecdsa' in name.lower() else 'RSA'}"


def _read_name(name: x509.Name) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for attribute in name:
        value = attribute.value if isinstance(attribute.value, str) else attribute.value.hex()
        if attribute.oid == NameOID.DOMAIN_COMPONENT:
            parts.setdefault("DomainComponents", []).append(value)
        elif attribute.oid in _NAME_PARTS:
            parts.setdefault(_NAME_PARTS[attribute.oid], value)
        else:
            custom = {"ObjectIdentifier": attribute.oid.dotted_string, "Value": value}
            parts.setdefault("CustomAttributes", []).append(custom)
    return parts


def _read_key_usages(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(name for member, name in _KEY_USAGES.items() if getattr(usage, member))


def _read_extended_key_usages(certificate: x509.Certificate) -> tuple[tuple[str, str], ...]:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    return tuple((_EXTENDED_KEY_USAGES.get(usage, "CUSTOM"), usage.dotted_string) for usage in usages)


def _read_names(certificate: x509.Certificate) -> tuple[dict[str, Any], ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(_read_general_name(name) for name in names)


def _read_general_name(name: x509.GeneralName) -> dict[str, Any]:
    if isinstance(name, x509.DNSName):
        return {"DnsName": name.value.lower()}
    if isinstance(name, x509.IPAddress):
        return {"IpAddress": str(name.value)}
    if isinstance(name, x509.RFC822Name):
        return {"Rfc822Name": name.value}
    if isinstance(name, x509.UniformResourceIdentifier):
        return {"UniformResourceIdentifier": name.value}
    if isinstance(name, x509.RegisteredID):
        return {"RegisteredId": name.value.dotted_string}
    if isinstance(name, x509.DirectoryName):
        return {"DirectoryName": _read_name(name.value)}
    other: Any = name
    return {"OtherName": {"ObjectIdentifier": other.type_id.dotted_string, "Value": other.value.hex()}}


def to_datetime(seconds: float) -> datetime:
    """Return a time in seconds since the epoch as certificates take it."""
    return datetime.fromtimestamp(seconds, UTC)
