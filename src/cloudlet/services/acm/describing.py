"""Certificates as the API describes them."""

from __future__ import annotations

from typing import Any

from cloudlet.services.acm import states, validation
from cloudlet.services.acm.certificate_record import Certificate
from cloudlet.services.acm.events import get_key_pair_origin

_MAX_SUMMARY_NAMES = 100


def describe(known: Certificate) -> dict[str, Any]:
    """Return a certificate as CertificateDetail."""
    facts = known.facts
    detail: dict[str, Any] = {
        "CertificateArn": known.arn,
        "DomainName": known.domain or None,
        "SubjectAlternativeNames": list(known.domains) or None,
        "CreatedAt": known.created,
        "IssuedAt": known.issued,
        "ImportedAt": known.imported,
        "Status": known.status,
        "RevokedAt": known.revoked,
        "RevocationReason": known.revocation_reason or None,
        "KeyAlgorithm": known.key_algorithm,
        "InUseBy": list(known.used_by),
        "FailureReason": known.failure_reason or None,
        "Type": known.type,
        "RenewalEligibility": describe_eligibility(known),
        "Options": describe_options(known),
        "CertificateKeyPairOrigin": get_key_pair_origin(known),
    }
    if facts is not None:
        detail |= {
            "Serial": facts.serial,
            "Subject": facts.subject,
            "Issuer": facts.issuer,
            "NotBefore": facts.not_before,
            "NotAfter": facts.not_after,
            "SignatureAlgorithm": facts.signature_algorithm,
            "KeyUsages": [{"Name": name} for name in facts.key_usages],
            "ExtendedKeyUsages": [{"Name": name, "OID": oid} for name, oid in facts.extended_key_usages],
        }
    if not known.is_imported:
        detail["DomainValidationOptions"] = validation.describe_domains(known)
        if known.renewal is not None:
            detail["RenewalSummary"] = {
                "RenewalStatus": known.renewal.status,
                "DomainValidationOptions": validation.describe_domains(known),
                "UpdatedAt": known.renewal.updated,
            }
    return detail


def describe_options(known: Certificate) -> dict[str, str]:
    """Return the options of a certificate as CertificateOptions."""
    options = {"CertificateTransparencyLoggingPreference": "ENABLED" if known.logs_transparency else "DISABLED"}
    if known.is_imported:
        return {"CertificateTransparencyLoggingPreference": "DISABLED"}
    return {**options, "Export": describe_export(known), "ValidationMethod": validation.METHOD}


def describe_export(known: Certificate) -> str:
    return "ENABLED" if known.is_exportable else "DISABLED"


def describe_eligibility(known: Certificate) -> str:
    return "ELIGIBLE" if known.is_eligible else "INELIGIBLE"


def summarize(known: Certificate) -> dict[str, Any]:
    """Return a certificate as CertificateSummary."""
    facts = known.facts
    summary: dict[str, Any] = {
        "CertificateArn": known.arn,
        "DomainName": known.domain or None,
        "SubjectAlternativeNameSummaries": list(known.domains[:_MAX_SUMMARY_NAMES]) or None,
        "HasAdditionalSubjectAlternativeNames": len(known.domains) > _MAX_SUMMARY_NAMES,
        "Status": known.status,
        "Type": known.type,
        "KeyAlgorithm": known.key_algorithm,
        "KeyUsages": [],
        "ExtendedKeyUsages": [],
        "InUse": bool(known.used_by),
        "RenewalEligibility": describe_eligibility(known),
        "CreatedAt": known.created,
        "IssuedAt": known.issued,
        "ImportedAt": known.imported,
        "RevokedAt": known.revoked,
        "CertificateKeyPairOrigin": get_key_pair_origin(known),
    }
    if not known.is_imported:
        summary |= {"ExportOption": describe_export(known), "Exported": bool(known.exported)}
    if facts is not None:
        summary |= {
            "KeyUsages": list(facts.key_usages),
            "ExtendedKeyUsages": [name for name, _ in facts.extended_key_usages],
            "NotBefore": facts.not_before,
            "NotAfter": facts.not_after,
        }
    return summary


def describe_found(known: Certificate) -> dict[str, Any]:
    """Return a certificate as CertificateSearchResult."""
    facts = known.facts
    attributes: dict[str, Any] = {"KeyAlgorithm": known.key_algorithm}
    if facts is None:
        attributes["SubjectAlternativeNames"] = [{"DnsName": name} for name in known.domains]
    else:
        attributes |= {
            "Issuer": facts.issuer_parts,
            "Subject": facts.subject_parts,
            "SubjectAlternativeNames": list(facts.names),
            "ExtendedKeyUsages": [name for name, _ in facts.extended_key_usages],
            "KeyUsages": list(facts.key_usages),
            "SerialNumber": facts.serial,
            "NotAfter": facts.not_after,
            "NotBefore": facts.not_before,
        }
    metadata = {
        "CreatedAt": known.created,
        "Exported": bool(known.exported),
        "ImportedAt": known.imported,
        "InUse": bool(known.used_by),
        "IssuedAt": known.issued,
        "RenewalEligibility": describe_eligibility(known),
        "RevokedAt": known.revoked,
        "Status": known.status,
        "RenewalStatus": known.renewal.status if known.renewal else None,
        "Type": known.type,
        "ExportOption": describe_export(known),
        "ValidationMethod": None if known.is_imported else validation.METHOD,
        "CertificateKeyPairOrigin": get_key_pair_origin(known),
    }
    return {
        "CertificateArn": known.arn,
        "X509Attributes": attributes,
        "CertificateMetadata": {"AcmCertificateMetadata": metadata},
    }


def describe_validations(known: Certificate) -> list[dict[str, Any]]:
    """Return how each name of a certificate is validated, as DomainValidationSummary."""
    return [
        {
            "DomainName": name,
            "ActiveValidationConfiguration": {
                "ValidationMethod": validation.METHOD,
                "ValidationStatus": validation.get_status(known, name),
                "ValidationChallenge": {
                    "DnsValidationChallenge": {"ResourceRecord": validation.describe_record(known, name)}
                },
            },
        }
        for name in known.domains
    ]


def is_issued(known: Certificate) -> bool:
    """Whether there is a certificate to be shown, whatever has become of it."""
    return known.status in (states.ISSUED, states.EXPIRED, states.REVOKED)
