"""The filters and orders of SearchCertificates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from cloudlet.services.acm import describing
from cloudlet.services.acm.certificate_record import Certificate
from cloudlet.services.acm.errors import ValidationError

Found = dict[str, Any]
"""A certificate as SearchCertificates describes it."""
_MAX_NESTING_LEVELS: Final = 8
_OF_METADATA: Final = {
    "CREATED_AT": "CreatedAt",
    "STATUS": "Status",
    "RENEWAL_STATUS": "RenewalStatus",
    "EXPORTED": "Exported",
    "IN_USE": "InUse",
    "TYPE": "Type",
    "REVOKED_AT": "RevokedAt",
    "RENEWAL_ELIGIBILITY": "RenewalEligibility",
    "ISSUED_AT": "IssuedAt",
    "MANAGED_BY": "ManagedBy",
    "EXPORT_OPTION": "ExportOption",
    "VALIDATION_METHOD": "ValidationMethod",
    "IMPORTED_AT": "ImportedAt",
    "ACME_ENDPOINT_ARN": "AcmeEndpointArn",
    "ACME_ACCOUNT_ID": "AcmeAccountId",
    "CERTIFICATE_KEY_PAIR_ORIGIN": "CertificateKeyPairOrigin",
}
_OF_X509: Final = {"NOT_AFTER": "NotAfter", "NOT_BEFORE": "NotBefore", "KEY_ALGORITHM": "KeyAlgorithm"}


def select(certificates: Iterable[Certificate], statement: dict[str, Any] | None) -> list[Certificate]:
    """Return the certificates that a filter statement is true of. Raises ValidationError."""
    if statement is None:
        return list(certificates)
    _check_depth(statement, 1)
    return [each for each in certificates if _is_true(statement, describing.describe_found(each))]


def get_sort_value(order: str) -> Callable[[Certificate], str | float | None]:
    """Return what gets of a certificate the value that an order goes by."""

    def get_value(certificate: Certificate) -> str | float | None:
        found = describing.describe_found(certificate)
        value: str | float | None
        if order == "CERTIFICATE_ARN":
            value = found["CertificateArn"]
        elif order == "COMMON_NAME":
            value = _get_common_name(found)
        elif order in _OF_X509:
            value = found["X509Attributes"].get(_OF_X509[order])
        else:
            value = _get_metadata(found).get(_OF_METADATA[order])
        return value

    return get_value


def _check_depth(statement: dict[str, Any], depth: int) -> None:
    if depth > _MAX_NESTING_LEVELS:
        raise ValidationError(f"A filter statement may be nested {_MAX_NESTING_LEVELS} levels deep at most.")
    inner = [*(statement.get("And") or ()), *(statement.get("Or") or ())]
    for each in [*inner, statement["Not"]] if "Not" in statement else inner:
        _check_depth(each, depth + 1)


def _is_true(statement: dict[str, Any], found: Found) -> bool:
    if "And" in statement:
        return all(_is_true(each, found) for each in statement["And"])
    if "Or" in statement:
        return any(_is_true(each, found) for each in statement["Or"])
    if "Not" in statement:
        return not _is_true(statement["Not"], found)
    return _matches(statement.get("Filter") or {}, found)


def _matches(criterion: dict[str, Any], found: Found) -> bool:
    if "CertificateArn" in criterion:
        return bool(found["CertificateArn"] == criterion["CertificateArn"])
    if "X509AttributeFilter" in criterion:
        return _matches_x509(criterion["X509AttributeFilter"], found)
    wanted: dict[str, Any] = criterion.get("AcmCertificateMetadataFilter") or {}
    return all(_get_metadata(found).get(member) == value for member, value in wanted.items())


def _matches_x509(criterion: dict[str, Any], found: Found) -> bool:
    attributes = found["X509Attributes"]
    if "Subject" in criterion:
        return _matches_text(criterion["Subject"].get("CommonName"), [_get_common_name(found)])
    if "SubjectAlternativeName" in criterion:
        names = [name["DnsName"] for name in attributes["SubjectAlternativeNames"] if "DnsName" in name]
        return _matches_text(criterion["SubjectAlternativeName"].get("DnsName"), names)
    for member, of in (("ExtendedKeyUsage", "ExtendedKeyUsages"), ("KeyUsage", "KeyUsages")):
        if member in criterion:
            return criterion[member] in attributes.get(of, ())
    for member in ("NotAfter", "NotBefore"):
        if member in criterion:
            return _is_within(attributes.get(member), criterion[member])
    return all(attributes.get(member) == value for member, value in criterion.items())


def _matches_text(criterion: dict[str, str] | None, texts: Iterable[str | None]) -> bool:
    if criterion is None:
        return False
    wanted = criterion["Value"].lower()
    known = [text.lower() for text in texts if text is not None]
    return any(wanted in text if criterion["ComparisonOperator"] == "CONTAINS" else wanted == text for text in known)


def _is_within(time: float | None, limits: dict[str, float]) -> bool:
    if time is None:
        return False
    return limits.get("Start", time) <= time <= limits.get("End", time)


def _get_common_name(found: Found) -> str | None:
    subject = found["X509Attributes"].get("Subject") or {}
    name: str | None = subject.get("CommonName")
    return name


def _get_metadata(found: Found) -> dict[str, Any]:
    metadata: dict[str, Any] = found["CertificateMetadata"]["AcmCertificateMetadata"]
    return metadata
