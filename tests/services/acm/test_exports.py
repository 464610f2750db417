"""Certificates are exported; such ones can be renewed and revoked."""

from __future__ import annotations

import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.refused import code_of
from tests.services.acm.cloud import AcmCloud

EXPORTABLE = {"Options": {"Export": "ENABLED"}}


@pytest.mark.parametrize("algorithm", ["RSA_2048", "EC_prime256v1"])
def test_openssl_reads_an_exported_key(cloud: AcmCloud, algorithm: str) -> None:
    arn = cloud.request("example.com", KeyAlgorithm=algorithm, **EXPORTABLE)
    exported = cloud.export(arn, b"correct horse")
    key = load_pem_private_key(exported["PrivateKey"].encode(), b"correct horse")
    certificate = x509.load_pem_x509_certificate(exported["Certificate"].encode())
    assert key.public_key() == certificate.public_key()
    assert exported["CertificateChain"] == cloud.acm.get_certificate(CertificateArn=arn)["CertificateChain"]
    command = ["openssl", "pkey", "-passin", "pass:correct horse", "-noout", "-check"]
    shown = subprocess.run(command, input=exported["PrivateKey"].encode(), capture_output=True, check=True)
    assert b"Key is valid" in shown.stdout
    with pytest.raises(ValueError, match="password"):
        load_pem_private_key(exported["PrivateKey"].encode(), b"wrong")
    (summary,) = cloud.acm.list_certificates(Includes={"keyTypes": [algorithm]})["CertificateSummaryList"]
    assert (summary["Exported"], summary["ExportOption"]) == (True, "ENABLED")
    assert summary["RenewalEligibility"] == "ELIGIBLE"


def test_only_what_may_be_is_exported(cloud: AcmCloud) -> None:
    assert code_of(cloud.export, cloud.request("example.com")) == "ValidationException"
    arn = cloud.request("example.com", **EXPORTABLE)
    for phrase in (b"a#bc", b"a$bc", b"a%bc", "schlüssel".encode()):
        assert code_of(cloud.export, arn, phrase) == "ValidationException"
    assert code_of(cloud.export, cloud.unknown) == "ResourceNotFoundException"
    failed = cloud.request("a.amazonaws.com", **EXPORTABLE)
    assert code_of(cloud.export, failed) == "RequestInProgressException"


def test_an_exported_certificate_is_renewed_with_a_new_key(cloud: AcmCloud) -> None:
    arn = cloud.request("example.com", **EXPORTABLE)
    assert code_of(cloud.acm.renew_certificate, CertificateArn=arn) == "ValidationException"
    before = cloud.export(arn)
    cloud.acm.renew_certificate(CertificateArn=arn)
    after = cloud.acm.get_certificate(CertificateArn=arn)
    old, new = (x509.load_pem_x509_certificate(each["Certificate"].encode()) for each in (before, after))
    assert old.public_key() != new.public_key()
    found = cloud.describe(arn)
    assert found["RenewalSummary"]["RenewalStatus"] == "SUCCESS"
    statuses = {each["ValidationStatus"] for each in found["RenewalSummary"]["DomainValidationOptions"]}
    assert statuses == {"SUCCESS"}
    # The new one was not exported.
    assert found["RenewalEligibility"] == "INELIGIBLE"
    failed = cloud.request("a.amazonaws.com")
    assert code_of(cloud.acm.renew_certificate, CertificateArn=failed) == "RequestInProgressException"


def test_an_exported_certificate_is_revoked_for_ever(cloud: AcmCloud) -> None:
    arn = cloud.request("example.com", **EXPORTABLE)
    asked = {"CertificateArn": arn, "RevocationReason": "KEY_COMPROMISE"}
    assert code_of(cloud.acm.revoke_certificate, **asked) == "ValidationException"
    cloud.export(arn)
    assert cloud.acm.revoke_certificate(**asked)["CertificateArn"] == arn
    found = cloud.describe(arn)
    assert (found["Status"], found["RevocationReason"]) == ("REVOKED", "KEY_COMPROMISE")
    assert found["RevokedAt"] >= found["IssuedAt"]
    assert code_of(cloud.acm.revoke_certificate, **asked) == "ConflictException"
    assert code_of(cloud.export, arn) == "ValidationException"
    assert code_of(cloud.acm.renew_certificate, CertificateArn=arn) == "ValidationException"
    assert "BEGIN" in cloud.acm.get_certificate(CertificateArn=arn)["Certificate"]
    cloud.acm.delete_certificate(CertificateArn=arn)
