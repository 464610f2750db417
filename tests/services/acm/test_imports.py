"""Certificates of others are imported, and imported again."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import DAY, Pair, make_pair, make_rsa
from tests.refused import code_of, refused
from tests.services.acm.cloud import AcmCloud

NOW = datetime.datetime.now(datetime.UTC)
MULTIPLE = "The certificate field contains more than one certificate. You can specify only one certificate in"


@pytest.fixture(scope="module")
def authority() -> Pair:
    return make_pair(is_authority=True)


def test_a_certificate_is_imported_with_its_chain(cloud: AcmCloud, authority: Pair) -> None:
    middle = make_pair(signer=authority, is_authority=True, common="another authority")
    pair = make_pair("example.com", "www.example.com", signer=middle)
    arn = cloud.bring(pair, CertificateChain=middle.body + authority.body, Tags=[{"Key": "a", "Value": "b"}])
    got = cloud.acm.get_certificate(CertificateArn=arn)
    assert (got["Certificate"], got["CertificateChain"]) == (
        pair.body.decode(),
        (middle.body + authority.body).decode(),
    )
    found = cloud.describe(arn)
    assert (found["Type"], found["Status"], found["DomainName"]) == ("IMPORTED", "ISSUED", "example.com")
    assert found["SubjectAlternativeNames"] == ["example.com", "www.example.com"]
    assert found["Issuer"] == "another authority"
    assert found["ImportedAt"] >= found["CreatedAt"]
    assert "IssuedAt" not in found
    assert "DomainValidationOptions" not in found
    assert found["RenewalEligibility"] == "INELIGIBLE"
    assert found["CertificateKeyPairOrigin"] == "CUSTOMER_PROVIDED"
    assert cloud.acm.list_certificate_domain_validations(CertificateArn=arn)["DomainValidationSummaryList"] == []
    assert cloud.acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.parametrize("bits", [1024, 2048, 3072])
def test_rsa_keys_are_imported(cloud: AcmCloud, bits: int) -> None:
    pair = make_pair("example.com", key=make_rsa(bits))
    arn = cloud.acm.import_certificate(
        Certificate=pair.body, PrivateKey=pair.encode_key(PrivateFormat.TraditionalOpenSSL)
    )["CertificateArn"]
    assert cloud.describe(arn)["KeyAlgorithm"] == f"RSA_{bits}"


@pytest.mark.parametrize(
    ("curve", "name"), [(ec.SECP384R1(), "EC_secp384r1"), (ec.SECP521R1(), "EC_secp521r1"), (ec.SECP256K1(), "")]
)
def test_keys_of_some_curves_are_imported(cloud: AcmCloud, curve: ec.EllipticCurve, name: str) -> None:
    pair = make_pair("example.com", key=ec.generate_private_key(curve))
    if name:
        assert cloud.describe(cloud.bring(pair))["KeyAlgorithm"] == name
    else:
        assert refused(cloud.bring, pair) == ("ValidationException", "The private key is not supported.")


def test_a_certificate_of_no_domain_is_imported(cloud: AcmCloud) -> None:
    arn = cloud.bring(make_pair(common="My Awesome Service"))
    assert "DomainName" not in cloud.describe(arn)
    assert cloud.list() == [arn]
    assert cloud.acm.list_certificates()["CertificateSummaryList"] == []


def _wrong(authority: Pair) -> dict[str, tuple[dict[str, Any], str]]:
    """Return imports that are refused, each with the beginning of the message."""
    pair = make_pair("example.com", signer=authority)
    other = make_pair("example.com")
    encrypted = pair.encode_key(PrivateFormat.PKCS8, b"phrase")
    old = pair.encode_key(PrivateFormat.TraditionalOpenSSL, b"phrase")
    large = b" " * 5000 + pair.private
    not_pem = "The certificate body/chain provided is not in a valid PEM format."
    chain = "Could not validate the certificate with the certificate chain."
    return {
        "two": (pair.params(Certificate=pair.body + authority.body), MULTIPLE),
        "no certificate": (pair.params(Certificate=b"hello"), not_pem),
        "damaged": (pair.params(Certificate=pair.body.replace(b"M", b"?", 1)), not_pem),
        "no chain": (pair.params(CertificateChain=b"hello"), not_pem),
        "another key": (pair.params(PrivateKey=other.private), "The private key does not match"),
        "no key": (pair.params(PrivateKey=b"hello"), "The private key is not supported."),
        "an encrypted key": (pair.params(PrivateKey=encrypted), "Your private key should not be encrypted."),
        "a key encrypted as of old": (pair.params(PrivateKey=old), "Your private key should not be encrypted."),
        "a large key": (pair.params(PrivateKey=large), "The private key must be no larger than 5120 bytes."),
        "another chain": (pair.params(CertificateChain=other.body), chain),
        "a chain out of order": (pair.params(CertificateChain=authority.body + other.body), chain),
        "late": (make_pair("example.com", begin=NOW - 9 * DAY, days=8).params(), "The certificate has expired."),
        "early": (make_pair("example.com", begin=NOW + DAY).params(), "The certificate is not valid yet."),
    }


def test_what_cannot_be_imported_is_refused(cloud: AcmCloud, authority: Pair) -> None:
    for what, (params, message) in _wrong(authority).items():
        code, told = refused(cloud.acm.import_certificate, **params)
        assert (code, told[: len(message)]) == ("ValidationException", message), what
    assert cloud.list() == []


def test_a_key_that_is_neither_rsa_nor_of_a_curve_is_refused(cloud: AcmCloud) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    pair = Pair(make_pair("example.com").certificate, key)
    assert refused(cloud.bring, pair) == ("ValidationException", "The private key is not supported.")


def test_a_certificate_is_imported_again(cloud: AcmCloud) -> None:
    arn = cloud.bring(make_pair("example.com", "a.example.com"), Tags=[{"Key": "a", "Value": "b"}])
    before = cloud.describe(arn)
    pair = make_pair("a.example.com", "b.example.com", days=200)
    assert cloud.bring(pair, CertificateArn=arn) == arn
    after = cloud.describe(arn)
    assert after["SubjectAlternativeNames"] == ["a.example.com", "b.example.com"]
    assert after["Serial"] != before["Serial"]
    assert after["NotAfter"] > before["NotAfter"]
    assert after["CreatedAt"] == before["CreatedAt"]
    assert after["ImportedAt"] >= before["ImportedAt"]
    assert cloud.acm.get_certificate(CertificateArn=arn)["Certificate"] == pair.body.decode()
    assert cloud.acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]


def test_not_every_certificate_may_replace_another(cloud: AcmCloud) -> None:
    client = ExtendedKeyUsageOID.CLIENT_AUTH
    server = ExtendedKeyUsageOID.SERVER_AUTH
    arn = cloud.bring(make_pair("example.com", usages=(server, client)))
    cloud.bring(make_pair("example.com", usages=(server,)), CertificateArn=arn)
    for pair in (
        make_pair("example.org"),
        make_pair("example.com", key=make_rsa(2048)),
        make_pair("example.com", usages=(client,)),
        make_pair("example.com", usages=()),
    ):
        assert code_of(cloud.bring, pair, CertificateArn=arn) == "ValidationException"
    assert refused(cloud.bring, make_pair("example.com"), CertificateArn=arn, Tags=[{"Key": "a"}]) == (
        "ValidationException",
        "Tagging is not permitted on re-import.",
    )
    assert code_of(cloud.bring, make_pair("a.b"), CertificateArn=cloud.unknown) == "ResourceNotFoundException"
    requested = cloud.request("example.com")
    assert code_of(cloud.bring, make_pair("example.com"), CertificateArn=requested) == "ValidationException"
    bare = cloud.bring(make_pair("example.com", usages=()))
    assert code_of(cloud.bring, make_pair("example.com"), CertificateArn=bare) == "ValidationException"


def test_imported_certificates_have_no_options_and_are_not_renewed_revoked_or_exported(cloud: AcmCloud) -> None:
    arn = cloud.bring(make_pair("example.com"))
    option = {"CertificateTransparencyLoggingPreference": "ENABLED"}
    assert code_of(cloud.acm.update_certificate_options, CertificateArn=arn, Options=option) == "ValidationException"
    assert code_of(cloud.acm.renew_certificate, CertificateArn=arn) == "ValidationException"
    revoke = cloud.acm.revoke_certificate
    assert code_of(revoke, CertificateArn=arn, RevocationReason="SUPERSEDED") == "ValidationException"
    assert code_of(cloud.export, arn) == "ValidationException"
