"""Domains are validated by records, where there is a Route 53."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.service import Params, Result
from tests.in_process import InProcess
from tests.services.acm.zones import Zones

ACCOUNT = "123456789012"
HOUR = 3600
DAY = 24 * HOUR


class ZonedCloud(Cloud):
    """A cloud whose Route 53 has zones that a test makes."""

    zones: ClassVar[Zones]

    def has(self, name: str) -> bool:
        return name == "route53" or super().has(name)

    async def call(self, service: str, operation: str, params: Params, **more: Any) -> Result:
        if service == "route53":
            assert more["account"] == ACCOUNT
            return await self.zones.call(operation, params)
        return await super().call(service, operation, params, **more)


class LocalAcm(InProcess):
    """Calls operations of ACM, and enters records."""

    block = "acm"

    def __init__(self, folder: Path) -> None:
        ZonedCloud.zones = Zones({"Z1": ("example.com", {}), "Z2": ("example.org", {})})
        super().__init__(Config(data=folder, durable=False), ZonedCloud)

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        called = self.cloud.call("acm", operation, params, principal=root(ACCOUNT), account=ACCOUNT, region="us-east-1")
        return dict(self.run(called) or {})

    def request(self, *names: str, **more: Any) -> str:
        given = {"DomainName": names[0], "SubjectAlternativeNames": list(names), "ValidationMethod": "DNS"}
        arn: str = self.call("RequestCertificate", **given, KeyAlgorithm="EC_prime256v1", **more)["CertificateArn"]
        return arn

    def describe(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("DescribeCertificate", CertificateArn=arn)["Certificate"]
        return found

    def statuses(self, arn: str) -> list[str]:
        return [option["ValidationStatus"] for option in self.describe(arn)["DomainValidationOptions"]]

    def enter(self, arn: str, number: int, zone: str) -> None:
        """Enter the record of a name of a certificate."""
        record = self.describe(arn)["DomainValidationOptions"][number]["ResourceRecord"]
        ZonedCloud.zones.zones[zone][1][record["Name"].rstrip(".")] = (record["Type"], record["Value"])


@pytest.fixture
def acm(tmp_path: Path) -> Iterator[LocalAcm]:
    local = LocalAcm(tmp_path)
    yield local
    local.close()


def test_a_certificate_is_issued_once_all_records_are_there(acm: LocalAcm) -> None:
    arn = acm.request("a.example.com", "*.a.example.com", "example.org")
    assert acm.describe(arn)["Status"] == "PENDING_VALIDATION"
    assert acm.statuses(arn) == ["PENDING_VALIDATION"] * 3
    with pytest.raises(AwsError) as caught:
        acm.call("GetCertificate", CertificateArn=arn)
    assert caught.value.code == "RequestInProgressException"
    acm.enter(arn, 0, "Z1")
    acm.advance(5)
    acm.until(lambda: acm.statuses(arn) == ["SUCCESS", "SUCCESS", "PENDING_VALIDATION"])
    assert acm.describe(arn)["Status"] == "PENDING_VALIDATION"
    acm.restart()
    acm.enter(arn, 2, "Z2")
    acm.advance(5)
    acm.until(lambda: acm.describe(arn)["Status"] == "ISSUED")
    assert acm.statuses(arn) == ["SUCCESS"] * 3
    assert "BEGIN" in acm.call("GetCertificate", CertificateArn=arn)["Certificate"]
    # The record is the same for all certificates of the domain.
    second = acm.request("*.a.example.com")
    acm.until(lambda: acm.describe(second)["Status"] == "ISSUED")


def test_a_request_is_given_up_after_72_hours(acm: LocalAcm) -> None:
    arn = acm.request("a.example.com", "example.org")
    acm.enter(arn, 0, "Z1")
    acm.advance(71 * HOUR)
    acm.until(lambda: acm.statuses(arn)[0] == "SUCCESS")
    assert acm.describe(arn)["Status"] == "PENDING_VALIDATION"
    acm.advance(HOUR)
    acm.until(lambda: acm.describe(arn)["Status"] == "VALIDATION_TIMED_OUT")
    assert acm.statuses(arn) == ["SUCCESS", "FAILED"]
    acm.enter(arn, 1, "Z2")
    acm.advance(HOUR)
    assert acm.describe(arn)["Status"] == "VALIDATION_TIMED_OUT"
    acm.call("DeleteCertificate", CertificateArn=arn)


def test_what_is_deleted_is_not_validated(acm: LocalAcm) -> None:
    arn = acm.request("a.example.com")
    acm.call("DeleteCertificate", CertificateArn=arn)
    acm.advance(5)
    assert acm.call("ListCertificates", Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"] == []


def test_a_renewal_waits_for_the_records(acm: LocalAcm) -> None:
    arn = acm.request("a.example.com", Options={"Export": "ENABLED"})
    acm.enter(arn, 0, "Z1")
    acm.advance(5)
    acm.until(lambda: acm.describe(arn)["Status"] == "ISSUED")
    before = acm.describe(arn)
    acm.call("ExportCertificate", CertificateArn=arn, Passphrase=b"secret")
    records = dict(ZonedCloud.zones.zones["Z1"][1])
    ZonedCloud.zones.zones["Z1"][1].clear()
    acm.advance(154 * DAY)
    acm.until(lambda: "RenewalSummary" in acm.describe(arn))
    summary = acm.describe(arn)["RenewalSummary"]
    assert summary["RenewalStatus"] == "PENDING_VALIDATION"
    assert [option["ValidationStatus"] for option in summary["DomainValidationOptions"]] == ["PENDING_VALIDATION"]
    assert acm.describe(arn)["Serial"] == before["Serial"]
    ZonedCloud.zones.zones["Z1"][1].update(records)
    acm.advance(DAY)
    acm.until(lambda: acm.describe(arn)["RenewalSummary"]["RenewalStatus"] == "SUCCESS")
    assert acm.describe(arn)["Serial"] != before["Serial"]
    assert acm.statuses(arn) == ["SUCCESS"]


def test_that_a_renewal_waits_is_told_of(acm: LocalAcm) -> None:
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"

    def call(service: str, operation: str, **params: Any) -> dict[str, Any]:
        by = root(ACCOUNT)
        called = acm.cloud.call(service, operation, params, principal=by, account=ACCOUNT, region="us-east-1")
        return dict(acm.run(called) or {})

    url = call("sqs", "CreateQueue", QueueName="q")["QueueUrl"]
    pattern = '{"detail-type": ["ACM Certificate Renewal Action Required"]}'
    call("events", "PutRule", Name="r", EventPattern=pattern)
    call("events", "PutTargets", Rule="r", Targets=[{"Id": "q", "Arn": queue, "InputPath": "$.detail"}])
    arn = acm.request("a.example.com", Options={"Export": "ENABLED"})
    acm.enter(arn, 0, "Z1")
    acm.advance(5)
    acm.until(lambda: acm.describe(arn)["Status"] == "ISSUED")
    acm.call("ExportCertificate", CertificateArn=arn, Passphrase=b"secret")
    ZonedCloud.zones.zones["Z1"][1].clear()
    # The clock of these tests begins at some hour of a day; a certificate ends with one.
    acm.advance(acm.describe(arn)["NotAfter"] - 30 * DAY - acm.now)
    heard: list[str] = []

    def hear() -> bool:
        heard.extend(message["Body"] for message in call("sqs", "ReceiveMessage", QueueUrl=url).get("Messages") or ())
        return bool(heard)

    acm.until(hear)
    assert '"RenewalStatusReason":"PENDING_DOMAIN_VALIDATION"' in heard[0].replace(" ", "")
    assert '"DaysToExpiry":30' in heard[0].replace(" ", "")
