"""The events of certificates (user guide, "Amazon EventBridge support for ACM")."""

from __future__ import annotations

import json
from typing import Any, Literal

from cloudlet.core import Transaction
from cloudlet.core.aws import iso8601, service_events
from cloudlet.services.acm import timers, validation
from cloudlet.services.acm.certificate_record import Certificate

Action = Literal["ISSUANCE", "RENEWAL", "IMPORT", "REIMPORT"]


def tell_available(tx: Transaction, certificate: Certificate, action: Action, now: float) -> None:
    """Tell that a certificate is ready for use."""
    known = {"Action": action, **_describe_use(certificate), **_describe_dates(certificate)}
    _tell(tx, certificate, "Available", {**known, "DaysToExpiry": _count_days(certificate, now)}, now)


def tell_approaching(tx: Transaction, certificate: Certificate, now: float) -> None:
    """Tell that a certificate expires soon."""
    _tell(tx, certificate, "Approaching Expiration", {"DaysToExpiry": _count_days(certificate, now)}, now)


def tell_expired(tx: Transaction, certificate: Certificate, now: float) -> None:
    """Tell that a certificate has expired."""
    _tell(tx, certificate, "Expired", {**_describe_use(certificate), **_describe_dates(certificate)}, now)


def tell_action_required(tx: Transaction, certificate: Certificate, now: float) -> None:
    """Tell that a certificate cannot be renewed until its records are there."""
    known = {**_describe_use(certificate), "RenewalStatusReason": "PENDING_DOMAIN_VALIDATION"}
    dates = {"CertificateExpirationDate": _describe_dates(certificate)["CertificateExpirationDate"]}
    days = _count_days(certificate, now)
    _tell(tx, certificate, "Renewal Action Required", {**known, **dates, "DaysToExpiry": days}, now)


def tell_revoked(tx: Transaction, certificate: Certificate, now: float) -> None:
    """Tell that a certificate was revoked."""
    known = {
        "CertificateType": certificate.type,
        "CertificateExpirationDate": _describe_dates(certificate)["CertificateExpirationDate"],
        "Exportable": certificate.is_exportable,
    }
    _tell(tx, certificate, "Revoked", known, now)


def _tell(tx: Transaction, certificate: Certificate, what: str, detail: dict[str, Any], now: float) -> None:
    facts = certificate.facts
    common: dict[str, Any] = {"CommonName": certificate.domain}
    if facts is not None:
        if facts.common_name:
            common["CommonName"] = facts.common_name
        if facts.domains:
            common["FirstSubjectAlternativeName"] = facts.domains[0]
        common["ValidityInDays"] = round((facts.not_after - facts.not_before) / timers.DAY_SECONDS)
    common["CertificateKeyPairOrigin"] = get_key_pair_origin(certificate)
    entry = {
        "Source": "aws.acm",
        "DetailType": f"ACM Certificate {what}",
        "Time": now,
        "Resources": [certificate.arn],
        "Detail": json.dumps({**common, **detail}),
    }
    service_events.add(tx, certificate.account, certificate.region, entry)


def get_key_pair_origin(certificate: Certificate) -> str:
    """Return where the private key of a certificate comes from."""
    return "CUSTOMER_PROVIDED" if certificate.is_imported else "AWS_MANAGED"


def _describe_use(certificate: Certificate) -> dict[str, Any]:
    known: dict[str, Any] = {
        "CertificateType": certificate.type,
        "InUse": bool(certificate.used_by),
        "Exported": bool(certificate.exported),
    }
    return known if certificate.is_imported else {**known, "DomainValidationMethod": validation.METHOD}


def _describe_dates(certificate: Certificate) -> dict[str, str]:
    not_after = 0.0 if certificate.facts is None else certificate.facts.not_after
    return {
        "CertificateCreatedDate": iso8601.second(int(certificate.created)),
        "CertificateExpirationDate": iso8601.second(int(not_after)),
    }


def _count_days(certificate: Certificate, now: float) -> int:
    return 0 if certificate.facts is None else timers.count_days_left(certificate.facts.not_after, now)
