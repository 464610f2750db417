"""Certificates are listed and searched."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest

from cloudlet.testing.server import Server
from tests.certificates import make_pair
from tests.refused import code_of
from tests.services.acm.cloud import AcmCloud

DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def listed(cloudlet_server: Server) -> Iterator[AcmCloud]:
    """An account that all tests look at: to have certificates issued takes seconds."""
    with cloudlet_server.account() as aws:
        yield AcmCloud(aws)


@pytest.fixture(scope="module")
def arns(listed: AcmCloud) -> dict[str, str]:
    """Its certificates, in the order in which they came to be."""
    exportable = listed.request("b.example.com", Options={"Export": "ENABLED"})
    listed.export(exportable)
    return {
        "exported": exportable,
        "rsa": listed.request("a.example.com", KeyAlgorithm="RSA_2048"),
        "failed": listed.request("a.amazonaws.com"),
        "imported": listed.bring(make_pair("c.example.org", "d.example.com", days=30)),
    }


def test_certificates_are_filtered(listed: AcmCloud, arns: dict[str, str]) -> None:
    assert [each["CertificateArn"] for each in listed.acm.list_certificates()["CertificateSummaryList"]] == [
        arns["rsa"]
    ]
    assert listed.list() == list(arns.values())
    for asked, wanted in (
        ({"CertificateStatuses": ["FAILED"]}, ["failed"]),
        ({"CertificateStatuses": ["ISSUED", "EXPIRED"]}, ["exported", "rsa", "imported"]),
        ({"CertificateKeyPairOrigins": ["CUSTOMER_PROVIDED"]}, ["imported"]),
        ({"CertificateKeyPairOrigins": ["ACME"]}, []),
        ({"RootHierarchyTypes": ["N2_AMAZON_MANAGED"]}, []),
        ({"Includes": {"keyTypes": ["RSA_2048"]}}, ["rsa"]),
        ({"Includes": {"exportOption": "ENABLED"}}, ["exported"]),
        ({"Includes": {"managedBy": "CLOUDFRONT"}}, []),
        ({"Includes": {"keyUsage": ["KEY_ENCIPHERMENT", "CRL_SIGNING"]}}, ["rsa"]),
        ({"Includes": {"extendedKeyUsage": ["TLS_WEB_SERVER_AUTHENTICATION"]}}, ["exported", "rsa", "imported"]),
        ({"Includes": {"extendedKeyUsage": ["CODE_SIGNING"]}}, []),
    ):
        assert listed.list(**asked) == [arns[name] for name in wanted], asked


def test_a_list_comes_in_pages_in_both_orders(listed: AcmCloud, arns: dict[str, str]) -> None:
    pages = listed.acm.get_paginator("list_certificates")
    includes = {"keyTypes": ["EC_prime256v1", "RSA_2048"]}

    def read(**order: str) -> list[str]:
        found = pages.paginate(Includes=includes, PaginationConfig={"PageSize": 1}, **order)
        return [each["CertificateArn"] for page in found for each in page["CertificateSummaryList"]]

    assert read() == list(arns.values())
    assert read(SortBy="CREATED_AT", SortOrder="DESCENDING") == list(arns.values())[::-1]
    assert code_of(listed.acm.list_certificates, SortBy="CREATED_AT") == "ValidationException"
    assert code_of(listed.acm.list_certificates, SortOrder="ASCENDING") == "ValidationException"
    for token in ("?", "AAAA", "WzFd"):
        assert code_of(listed.acm.list_certificates, NextToken=token) == "ValidationException"


def test_a_summary_tells_what_a_certificate_is(listed: AcmCloud, arns: dict[str, str], cloud: AcmCloud) -> None:
    (summary,) = listed.acm.list_certificates(
        Includes={"keyTypes": ["EC_prime256v1"]}, CertificateKeyPairOrigins=["CUSTOMER_PROVIDED"]
    )["CertificateSummaryList"]
    assert summary["DomainName"] == "c.example.org"
    assert summary["SubjectAlternativeNameSummaries"] == ["c.example.org", "d.example.com"]
    assert summary["HasAdditionalSubjectAlternativeNames"] is False
    assert (summary["InUse"], summary["Type"], summary["Status"]) == (False, "IMPORTED", "ISSUED")
    many = cloud.bring(make_pair(*(f"{number}.example.com" for number in range(101))))
    found = {
        each["CertificateArn"]: each
        for each in cloud.acm.list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"]
    }
    assert len(found[many]["SubjectAlternativeNameSummaries"]) == 100
    assert found[many]["HasAdditionalSubjectAlternativeNames"] is True


def _x509(**criterion: Any) -> dict[str, Any]:
    return {"Filter": {"X509AttributeFilter": criterion}}


def _metadata(**criterion: Any) -> dict[str, Any]:
    return {"Filter": {"AcmCertificateMetadataFilter": criterion}}


def _text(value: str, operator: str) -> dict[str, str]:
    return {"Value": value, "ComparisonOperator": operator}


def search(cloud: AcmCloud, arns: dict[str, str], **asked: Any) -> list[str]:
    """Return the names of what is found."""
    names = {arn: name for name, arn in arns.items()}
    return [names[each["CertificateArn"]] for each in cloud.acm.search_certificates(**asked)["Results"]]


def test_certificates_are_searched(listed: AcmCloud, arns: dict[str, str]) -> None:
    now = datetime.datetime.now(datetime.UTC)
    example = _x509(Subject={"CommonName": _text("EXAMPLE.com", "CONTAINS")})
    rsa = _x509(KeyAlgorithm="RSA_2048")
    serial = listed.describe(arns["rsa"])["Serial"]
    for statement, wanted in (
        (None, list(arns)),
        (example, ["exported", "rsa"]),
        (_x509(Subject={"CommonName": _text("example.com", "EQUALS")}), []),
        (_x509(SubjectAlternativeName={"DnsName": _text("d.example.com", "EQUALS")}), ["imported"]),
        (_x509(SubjectAlternativeName={"DnsName": _text("amazonaws", "CONTAINS")}), ["failed"]),
        (_x509(ExtendedKeyUsage="TLS_WEB_SERVER_AUTHENTICATION"), ["exported", "rsa", "imported"]),
        (_x509(KeyUsage="KEY_ENCIPHERMENT"), ["rsa"]),
        (_x509(SerialNumber=serial), ["rsa"]),
        (_x509(NotAfter={"Start": now, "End": now + 40 * DAY}), ["imported"]),
        (_x509(NotBefore={"End": now}), ["exported", "rsa", "imported"]),
        ({"Filter": {"CertificateArn": arns["failed"]}}, ["failed"]),
        (_metadata(Status="FAILED"), ["failed"]),
        (_metadata(Type="IMPORTED"), ["imported"]),
        (_metadata(InUse=True), []),
        (_metadata(Exported=True), ["exported"]),
        (_metadata(ExportOption="ENABLED"), ["exported"]),
        (_metadata(ValidationMethod="DNS"), ["exported", "rsa", "failed"]),
        (_metadata(CertificateKeyPairOrigin="CUSTOMER_PROVIDED"), ["imported"]),
        (_metadata(RenewalStatus="SUCCESS"), []),
        ({"And": [example, rsa]}, ["rsa"]),
        ({"Or": [_metadata(Status="FAILED"), rsa]}, ["rsa", "failed"]),
        ({"Not": example}, ["failed", "imported"]),
        ({"And": [example, {"Not": rsa}]}, ["exported"]),
    ):
        asked = {} if statement is None else {"FilterStatement": statement}
        assert search(listed, arns, **asked) == wanted, statement


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        ("CREATED_AT", ["exported", "rsa", "failed", "imported"]),
        ("STATUS", ["failed"]),
        ("COMMON_NAME", ["failed", "rsa", "exported", "imported"]),
        ("NOT_AFTER", ["failed", "imported"]),
        ("IMPORTED_AT", [None, None, None, "imported"]),
        ("TYPE", [None, None, None, "imported"]),
        ("EXPORTED", [None, None, None, "exported"]),
        ("KEY_ALGORITHM", [None, None, None, "rsa"]),
        ("ACME_ACCOUNT_ID", []),
    ],
)
def test_what_is_found_is_sorted(listed: AcmCloud, arns: dict[str, str], order: str, wanted: list[str | None]) -> None:
    found = search(listed, arns, SortBy=order)
    assert all(name in (None, seen) for name, seen in zip(wanted, found, strict=False))
    assert search(listed, arns, SortBy=order, SortOrder="DESCENDING") == found[::-1]
    pages = listed.acm.get_paginator("search_certificates").paginate(SortBy=order, PaginationConfig={"PageSize": 1})
    assert [each["CertificateArn"] for page in pages for each in page["Results"]] == [arns[name] for name in found]


def test_what_is_found_is_described(listed: AcmCloud, arns: dict[str, str]) -> None:
    statement = {"Filter": {"CertificateArn": arns["rsa"]}}
    (found,) = listed.acm.search_certificates(FilterStatement=statement)["Results"]
    attributes = found["X509Attributes"]
    assert attributes["Subject"] == {"CommonName": "a.example.com"}
    assert attributes["Issuer"] == {"Organization": "Cloudlet", "CommonName": "Cloudlet RSA 2048 M01"}
    assert attributes["SubjectAlternativeNames"] == [{"DnsName": "a.example.com"}]
    metadata = found["CertificateMetadata"]["AcmCertificateMetadata"]
    assert (metadata["Status"], metadata["ValidationMethod"], metadata["InUse"]) == ("ISSUED", "DNS", False)


def test_a_statement_that_is_nested_too_deep_is_refused(cloud: AcmCloud) -> None:
    statement = _metadata(Status="FAILED")
    for _ in range(8):
        statement = {"Not": statement}
    assert code_of(cloud.acm.search_certificates, FilterStatement=statement) == "ValidationException"
