"""Certificates that grow old: renewal, notices, expiry, by the cloud's clock."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.certificates import make_pair
from tests.refused import code_of
from tests.services.acm.cloud import AcmCloud
from tests.standing import Standing, eventually

NOON = datetime.datetime.fromisoformat("2030-03-13T12:00:00Z")
PATTERN = json.dumps({"source": ["aws.acm"]})


class AgingCloud(AcmCloud):
    """ACM of an account, and what EventBridge hears of it."""

    def __init__(self, aws: Aws, standing: Standing) -> None:
        super().__init__(aws)
        self.standing = standing
        self.events: list[dict[str, Any]] = []
        self.url, arn = self.queue("events")
        events = aws.client("events")
        events.put_rule(Name="r", EventPattern=PATTERN)
        events.put_targets(Rule="r", Targets=[{"Id": "q", "Arn": arn}])

    def heard(self, what: str) -> list[dict[str, Any]]:
        """Return the details of events of a type that have come, in their order."""
        answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", ()):
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            self.events.append(json.loads(message["Body"]))
        prefix = f"ACM Certificate {what}"
        return [event["detail"] for event in self.events if event["detail-type"] == prefix]

    def await_heard(self, what: str, count: int) -> list[dict[str, Any]]:
        return eventually(lambda: self.heard(what), lambda found: len(found) >= count)


@pytest.fixture
def cloud(account: Aws, standing: Standing) -> AgingCloud:
    standing.freeze(NOON.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return AgingCloud(account, standing)


def test_a_certificate_that_was_exported_is_renewed_45_days_before_it_expires(cloud: AgingCloud) -> None:
    arn = cloud.request("example.com", Options={"Export": "ENABLED"})
    other = cloud.request("example.org")
    cloud.export(arn)
    before = cloud.describe(arn)
    # Messages do not outlive the time over which the clock is moved.
    cloud.await_heard("Available", 2)
    cloud.standing.advance("151d")
    assert cloud.describe(arn)["Serial"] == before["Serial"]
    cloud.standing.advance("2d")
    after = eventually(lambda: cloud.describe(arn), lambda found: found["Serial"] != before["Serial"])
    assert (after["NotAfter"] - before["NotAfter"]).days == 153
    assert after["RenewalSummary"]["RenewalStatus"] == "SUCCESS"
    assert after["IssuedAt"] > before["IssuedAt"]
    assert cloud.describe(other)["NotAfter"] == before["NotAfter"]
    first, second, renewed = cloud.await_heard("Available", 3)
    assert [first["Action"], second["Action"], renewed["Action"]] == ["ISSUANCE", "ISSUANCE", "RENEWAL"]
    assert (first["CommonName"], first["FirstSubjectAlternativeName"]) == ("example.com", "example.com")
    assert (first["DaysToExpiry"], first["ValidityInDays"]) == (198, 198)
    assert (first["InUse"], first["Exported"], renewed["Exported"]) == (False, False, True)
    assert first["CertificateCreatedDate"] == "2030-03-13T12:00:00Z"
    assert first["CertificateExpirationDate"] == "2030-09-26T23:59:59Z"
    assert (first["DomainValidationMethod"], first["CertificateType"]) == ("DNS", "AMAZON_ISSUED")


def test_its_expiry_is_told_of_each_day_and_it_expires(cloud: AgingCloud) -> None:
    arn = cloud.request("example.com")
    cloud.await_heard("Available", 1)
    cloud.standing.advance("166d")
    for days in (30, 29):
        cloud.standing.advance("2d" if days == 30 else "1d")
        told = cloud.await_heard("Approaching Expiration", 31 - days)
        assert (told[-1]["DaysToExpiry"], told[-1]["CommonName"]) == (days, "example.com")
    cloud.standing.advance("30d")
    found = eventually(lambda: cloud.describe(arn), lambda found: found["Status"] == "EXPIRED")
    assert found["RenewalEligibility"] == "INELIGIBLE"
    (expired,) = cloud.await_heard("Expired", 1)
    assert expired["CertificateExpirationDate"] == "2030-09-26T23:59:59Z"
    assert len(cloud.heard("Approaching Expiration")) == 2
    assert cloud.events[-1]["resources"] == [arn]
    assert code_of(cloud.acm.renew_certificate, CertificateArn=arn) == "ValidationException"
    assert "BEGIN" in cloud.acm.get_certificate(CertificateArn=arn)["Certificate"]


def test_an_imported_certificate_expires_until_it_is_imported_again(cloud: AgingCloud) -> None:
    arn = cloud.bring(make_pair("example.com", begin=NOON, days=50))
    assert [told["Action"] for told in cloud.await_heard("Available", 1)] == ["IMPORT"]
    cloud.standing.advance("6d")
    (told,) = cloud.await_heard("Approaching Expiration", 1)
    assert (told["DaysToExpiry"], told["CertificateKeyPairOrigin"]) == (44, "CUSTOMER_PROVIDED")
    cloud.standing.advance("50d")
    eventually(lambda: cloud.describe(arn)["Status"], lambda status: status == "EXPIRED")
    assert cloud.heard("Expired") == []
    cloud.bring(make_pair("example.com", begin=NOON, days=90), CertificateArn=arn)
    assert cloud.describe(arn)["Status"] == "ISSUED"
    assert [told["Action"] for told in cloud.await_heard("Available", 2)] == ["IMPORT", "REIMPORT"]


def test_an_account_says_how_early_it_is_told(cloud: AgingCloud) -> None:
    cloud.acm.put_account_configuration(ExpiryEvents={"DaysBeforeExpiry": 3}, IdempotencyToken="a")
    cloud.bring(make_pair("example.com", begin=NOON, days=10))
    cloud.await_heard("Available", 1)
    cloud.standing.advance("5d")
    for days in (3, 2):
        cloud.standing.advance("2d" if days == 3 else "1d")
        told = cloud.await_heard("Approaching Expiration", 4 - days)
        assert told[-1]["DaysToExpiry"] == days


def test_a_revocation_is_told_of(cloud: AgingCloud) -> None:
    arn = cloud.request("example.com", Options={"Export": "ENABLED"})
    cloud.export(arn)
    cloud.acm.revoke_certificate(CertificateArn=arn, RevocationReason="UNSPECIFIED")
    (told,) = cloud.await_heard("Revoked", 1)
    assert (told["Exportable"], told["CertificateExpirationDate"]) == (True, "2030-09-26T23:59:59Z")
    cloud.standing.advance("200d")
    assert cloud.describe(arn)["Status"] == "REVOKED"
