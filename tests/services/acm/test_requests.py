"""Certificates are requested, described and deleted."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from base64 import b64encode
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import PolicyBuilder, Store

from cloudlet.testing.server import fresh_account
from tests.certificates import make_pair
from tests.refused import code_of, refused
from tests.services.acm.cloud import AcmCloud
from tests.standing import eventually


def load_root(cloud: AcmCloud) -> x509.Certificate:
    """Return the root that everybody may read."""
    with urllib.request.urlopen(f"{cloud.aws.endpoint}/_cloudlet/acm/root.pem", timeout=30) as answer:
        return x509.load_pem_x509_certificate(answer.read())


@pytest.mark.parametrize("algorithm", ["RSA_2048", "EC_prime256v1", "EC_secp384r1"])
def test_a_certificate_is_issued_under_the_root(cloud: AcmCloud, algorithm: str) -> None:
    arn = cloud.request("shop.example.com", "*.shop.example.com", KeyAlgorithm=algorithm)
    got = cloud.acm.get_certificate(CertificateArn=arn)
    certificate = x509.load_pem_x509_certificate(got["Certificate"].encode())
    chain = x509.load_pem_x509_certificates(got["CertificateChain"].encode())
    assert chain[-1] == load_root(cloud)
    verifier = PolicyBuilder().store(Store([load_root(cloud)])).time(certificate.not_valid_before_utc)
    for name in ("shop.example.com", "a.shop.example.com"):
        verifier.build_server_verifier(x509.DNSName(name)).verify(certificate, chain[:-1])
    with pytest.raises(x509.verification.VerificationError):
        verifier.build_server_verifier(x509.DNSName("example.com")).verify(certificate, chain[:-1])
    key = certificate.public_key()
    if algorithm == "RSA_2048":
        assert isinstance(key, rsa.RSAPublicKey)
        assert key.key_size == 2048
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.key_size == int(re.findall(r"\d{3}", algorithm)[0])
    assert cloud.describe(arn)["KeyAlgorithm"] == algorithm
    assert cloud.describe(arn)["SignatureAlgorithm"] == ("SHA256WITHRSA" if "RSA" in algorithm else "SHA256WITHECDSA")


def test_a_certificate_is_described(cloud: AcmCloud) -> None:
    arn = cloud.request(
        "Shop.Example.com", "*.shop.example.com", "other.example.org", Tags=[{"Key": "a", "Value": "1"}]
    )
    found = cloud.describe(arn)
    assert re.fullmatch(rf"arn:aws:acm:us-east-1:{cloud.aws.account}:certificate/[0-9a-f-]{{36}}", arn)
    assert (found["DomainName"], found["Status"], found["Type"]) == ("shop.example.com", "ISSUED", "AMAZON_ISSUED")
    assert found["SubjectAlternativeNames"] == ["shop.example.com", "*.shop.example.com", "other.example.org"]
    assert (found["NotAfter"] - found["NotBefore"]).days == 197
    assert (found["NotBefore"].hour, found["NotBefore"].minute) == (0, 0)
    assert found["Subject"] == "CN=shop.example.com"
    assert found["Issuer"] == "Cloudlet"
    assert re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2})+", found["Serial"])
    assert [usage["Name"] for usage in found["ExtendedKeyUsages"]] == ["TLS_WEB_SERVER_AUTHENTICATION"]
    assert found["KeyUsages"] == [{"Name": "DIGITAL_SIGNATURE"}]
    assert found["InUseBy"] == []
    assert found["RenewalEligibility"] == "INELIGIBLE"
    assert found["CertificateKeyPairOrigin"] == "AWS_MANAGED"
    assert found["Options"] == {
        "CertificateTransparencyLoggingPreference": "ENABLED",
        "Export": "DISABLED",
        "ValidationMethod": "DNS",
    }
    assert cloud.acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]


def test_a_domain_and_its_wildcard_have_one_record_in_all_certificates_of_an_account(cloud: AcmCloud) -> None:
    first, second = (
        cloud.describe(cloud.request(*names))["DomainValidationOptions"]
        for names in (("example.com", "*.example.com"), ("*.example.com", "a.example.com"))
    )
    record = first[0]["ResourceRecord"]
    assert re.fullmatch(r"_[0-9a-f]{32}\.example\.com\.", record["Name"])
    assert re.fullmatch(r"_[0-9a-f]{32}\.[a-z]{10}\.acm-validations\.aws\.", record["Value"])
    assert record["Type"] == "CNAME"
    assert first[1]["ResourceRecord"] == second[0]["ResourceRecord"] == record
    assert second[1]["ResourceRecord"]["Name"].endswith(".a.example.com.")
    assert second[1]["ResourceRecord"] != record
    assert {option["ValidationStatus"] for option in [*first, *second]} == {"SUCCESS"}
    assert {option["ValidationMethod"] for option in [*first, *second]} == {"DNS"}


def test_validations_are_listed_in_pages(cloud: AcmCloud) -> None:
    names = [f"{letter}.example.com" for letter in "abcde"]
    arn = cloud.request(*names)
    pages = cloud.acm.get_paginator("list_certificate_domain_validations").paginate(
        CertificateArn=arn, PaginationConfig={"PageSize": 2}
    )
    listed = [each for page in pages for each in page["DomainValidationSummaryList"]]
    assert [each["DomainName"] for each in listed] == names
    active = listed[0]["ActiveValidationConfiguration"]
    challenge = active["ValidationChallenge"]["DnsValidationChallenge"]["ResourceRecord"]
    assert challenge == cloud.describe(arn)["DomainValidationOptions"][0]["ResourceRecord"]
    assert (active["ValidationMethod"], active["ValidationStatus"]) == ("DNS", "SUCCESS")
    listing = cloud.acm.list_certificate_domain_validations
    assert code_of(listing, CertificateArn=arn, NextToken="?") == "InvalidArgsException"


def test_the_waiter_of_clients_ends_at_once(cloud: AcmCloud) -> None:
    arn = cloud.request("example.com")
    cloud.acm.get_waiter("certificate_validated").wait(CertificateArn=arn, WaiterConfig={"MaxAttempts": 1})


def test_a_request_with_the_same_token_is_the_same_one(cloud: AcmCloud) -> None:
    first = cloud.request("example.com", IdempotencyToken="t")
    assert cloud.request("example.com", IdempotencyToken="t") == first
    assert cloud.request("example.com") != first
    assert cloud.request("example.org", IdempotencyToken="t") != first


def test_the_domain_by_which_mails_would_be_sent_is_shown(cloud: AcmCloud) -> None:
    given = [{"DomainName": "a.example.com", "ValidationDomain": "Example.com"}]
    arn = cloud.request("a.example.com", "b.example.com", DomainValidationOptions=given)
    shown = [option["ValidationDomain"] for option in cloud.describe(arn)["DomainValidationOptions"]]
    assert shown == ["example.com", "b.example.com"]
    for name, domain in (
        ("a.example.com", "example.org"),
        ("c.example.com", "example.com"),
        ("a.example.com", "e.com"),
    ):
        options = [{"DomainName": name, "ValidationDomain": domain}]
        code = code_of(cloud.request, "a.example.com", DomainValidationOptions=options)
        assert code == "InvalidDomainValidationOptionsException"


def test_nobody_gets_a_certificate_for_amazons_names(cloud: AcmCloud) -> None:
    arn = cloud.request("example.com", "a.amazonaws.com")
    found = cloud.describe(arn)
    assert (found["Status"], found["FailureReason"]) == ("FAILED", "ADDITIONAL_VERIFICATION_REQUIRED")
    assert {option["ValidationStatus"] for option in found["DomainValidationOptions"]} == {"FAILED"}
    assert code_of(cloud.acm.get_certificate, CertificateArn=arn) == "RequestInProgressException"
    assert cloud.describe(cloud.request("notamazonaws.com"))["Status"] == "ISSUED"


def test_requests_that_make_no_sense_are_refused(cloud: AcmCloud) -> None:
    names = [f"{number}.example.com" for number in range(11)]
    assert refused(cloud.request, *names) == ("LimitExceededException", "Certificate has too many domains.")
    cloud.request(*names[:10], names[0].upper())
    long = ".".join(["a" * 30] * 2 + ["example.com"])
    assert code_of(cloud.request, long) == "InvalidParameterException"
    assert cloud.describe(cloud.request("example.com", long))["SubjectAlternativeNames"][1] == long
    for name in ("-a.example.com", "com", "a.*.example.com", "a_b.example.com", "*.com"):
        assert code_of(cloud.request, name) == "ValidationException"
    assert code_of(cloud.request, "example.com", Tags=[{"Key": "aws:a"}]) == "InvalidTagException"
    for algorithm in ("RSA_1024", "RSA_4096", "EC_secp521r1"):
        assert code_of(cloud.request, "example.com", KeyAlgorithm=algorithm) == "ValidationException"
    assert code_of(cloud.request, "example.com", CertificateUsage="CLIENT_AUTH_ONLY") == "ValidationException"


@pytest.mark.parametrize("method", ["EMAIL", "HTTP", None])
def test_domains_are_validated_by_dns_alone(cloud: AcmCloud, method: str | None) -> None:
    given = {} if method is None else {"ValidationMethod": method}
    code, message = refused(cloud.acm.request_certificate, DomainName="example.com", **given)
    assert code == "ValidationException"
    assert method or "EMAIL" in message


@pytest.mark.parametrize(
    "asked",
    [
        {"CertificateAuthorityArn": "arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/1"},
        {"RootHierarchyType": "N2_AMAZON_MANAGED"},
        {"ManagedBy": "CLOUDFRONT"},
    ],
)
def test_what_is_not_built_is_said_to_be(cloud: AcmCloud, asked: dict[str, str]) -> None:
    assert code_of(cloud.request, "example.com", **asked) == "NotImplemented"


def test_a_certificate_is_deleted(cloud: AcmCloud) -> None:
    arn = cloud.request("example.com", Tags=[{"Key": "a", "Value": "b"}])
    cloud.acm.delete_certificate(CertificateArn=arn)
    for call in (
        cloud.acm.delete_certificate,
        cloud.acm.describe_certificate,
        cloud.acm.get_certificate,
        cloud.acm.list_tags_for_certificate,
        cloud.acm.renew_certificate,
    ):
        assert refused(call, CertificateArn=arn) == ("ResourceNotFoundException", f"Could not find certificate {arn}.")
    assert cloud.list() == []


def test_certificates_are_those_of_an_account_in_a_region(cloud: AcmCloud) -> None:
    arn = cloud.request("example.com")
    elsewhere = cloud.aws.client("acm", region_name="eu-west-1")
    other = cloud.aws.client("acm", aws_access_key_id=fresh_account())
    for client in (elsewhere, other):
        assert code_of(client.describe_certificate, CertificateArn=arn) == "ResourceNotFoundException"
        assert client.list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"] == []
    assert code_of(cloud.acm.describe_certificate, CertificateArn=cloud.unknown) == "ResourceNotFoundException"
    wrong = f"arn:aws:acm:us-east-1:{cloud.aws.account}:acme-endpoint/a"
    assert code_of(cloud.acm.describe_certificate, CertificateArn=wrong) == "InvalidArnException"


def test_options_are_changed(cloud: AcmCloud) -> None:
    arn = cloud.request("example.com", Options={"CertificateTransparencyLoggingPreference": "DISABLED"})
    option = "CertificateTransparencyLoggingPreference"
    assert cloud.describe(arn)["Options"][option] == "DISABLED"
    update = cloud.acm.update_certificate_options
    update(CertificateArn=arn, Options={option: "ENABLED", "Export": "DISABLED"})
    assert cloud.describe(arn)["Options"][option] == "ENABLED"
    assert code_of(update, CertificateArn=arn, Options={"Export": "ENABLED"}) == "ValidationException"
    assert code_of(update, CertificateArn=arn, Options={"ValidationMethod": "DNS"}) == "InvalidStateException"
    assert code_of(update, CertificateArn=arn, Options={"ValidationMethod": "EMAIL"}) == "ValidationException"
    failed = cloud.request("a.amazonaws.com")
    assert code_of(update, CertificateArn=failed, Options={option: "ENABLED"}) == "InvalidStateException"


def test_no_mail_is_sent(cloud: AcmCloud) -> None:
    arn = cloud.request("a.example.com")
    asked = {"CertificateArn": arn, "Domain": "a.example.com", "ValidationDomain": "example.com"}
    resend = cloud.acm.resend_validation_email
    assert code_of(resend, **asked) == "InvalidStateException"
    assert code_of(resend, **{**asked, "Domain": "b.example.com"}) == "InvalidDomainValidationOptionsException"


def test_tags(cloud: AcmCloud) -> None:
    arn = cloud.request("example.com")
    cloud.acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b"}])
    cloud.acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "c", "Value": "3"}])
    cloud.acm.remove_tags_from_certificate(
        CertificateArn=arn, Tags=[{"Key": "a", "Value": "other"}, {"Key": "b"}, {"Key": "c", "Value": "3"}]
    )
    assert cloud.acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    many = [{"Key": str(number)} for number in range(50)]
    assert code_of(cloud.acm.add_tags_to_certificate, CertificateArn=arn, Tags=many) == "TooManyTagsException"
    tagged = [{"Key": "AWS:a", "Value": "b"}]
    assert code_of(cloud.acm.add_tags_to_certificate, CertificateArn=arn, Tags=tagged) == "InvalidTagException"


def test_the_settings_of_an_account(cloud: AcmCloud) -> None:
    assert cloud.acm.get_account_configuration()["ExpiryEvents"] == {"DaysBeforeExpiry": 45}
    put = cloud.acm.put_account_configuration
    put(ExpiryEvents={"DaysBeforeExpiry": 10}, IdempotencyToken="a")
    put(ExpiryEvents={"DaysBeforeExpiry": 20}, IdempotencyToken="b")
    put(IdempotencyToken="c")
    assert cloud.acm.get_account_configuration()["ExpiryEvents"] == {"DaysBeforeExpiry": 20}
    code = code_of(put, ExpiryEvents={"DaysBeforeExpiry": 46}, IdempotencyToken="d")
    assert code == "ValidationException"


def test_the_operations_of_blocks_are_for_them_alone(cloud: AcmCloud) -> None:
    arn = cloud.request("example.com")
    for operation in ("ResolveCertificate", "SetCertificateUse"):
        body = f'{{"CertificateArn":"{arn}","ResourceArn":"a","InUse":true}}'
        request = urllib.request.Request(cloud.aws.endpoint, body.encode(), method="POST")
        request.add_header("x-amz-target", f"CertificateManager.{operation}")
        request.add_header("content-type", "application/x-amz-json-1.1")
        credential = f"{cloud.aws.account}/20300101/us-east-1/acm/aws4_request"
        signed = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00"
        request.add_header("authorization", signed)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        assert caught.value.code in (400, 403)
        caught.value.close()
    assert cloud.describe(arn)["InUseBy"] == []


def test_cloudtrail_sees_no_secrets(cloud: AcmCloud) -> None:
    arn = cloud.request("example.com", Options={"Export": "ENABLED"})
    cloud.export(arn, b"the passphrase")
    pair = make_pair("example.com")
    cloud.bring(pair)
    trail: Any = cloud.aws.client("cloudtrail")

    def seen() -> dict[str, str]:
        return {event["EventName"]: event["CloudTrailEvent"] for event in trail.lookup_events()["Events"]}

    events = eventually(seen, lambda events: {"ImportCertificate", "ExportCertificate"} <= events.keys())
    told = "".join(events.values())
    assert pair.private.decode().splitlines()[1] not in told
    assert b64encode(pair.private).decode()[:40] not in told
    assert b64encode(b"the passphrase").decode() not in told
    assert "PRIVATE KEY" not in told
