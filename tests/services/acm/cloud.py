"""ACM of an account, and what tests do with it again and again."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.certificates import Pair, enter_records
from tests.queues import QueueCloud
from tests.standing import eventually

UNKNOWN = "arn:aws:acm:us-east-1:{}:certificate/12345678-1234-1234-1234-123456789012"


class AcmCloud(QueueCloud):
    """Clients of one account."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.acm: Any = aws.client("acm")
        self.unknown = UNKNOWN.format(aws.account)

    def request(self, *names: str, **more: Any) -> str:
        """Have a certificate issued; return its ARN."""
        others = {"SubjectAlternativeNames": list(names[1:])} if names[1:] else {}
        arn: str = self.acm.request_certificate(
            **{"DomainName": names[0], "ValidationMethod": "DNS", "KeyAlgorithm": "EC_prime256v1", **others, **more}
        )["CertificateArn"]
        if self.describe(arn)["Status"] == "PENDING_VALIDATION":
            enter_records(self.aws, arn)
            eventually(lambda: self.describe(arn)["Status"], lambda status: status == "ISSUED")
        return arn

    def describe(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.acm.describe_certificate(CertificateArn=arn)["Certificate"]
        return found

    def bring(self, pair: Pair, **more: Any) -> str:
        """Import a certificate; return its ARN."""
        arn: str = self.acm.import_certificate(**pair.params(**more))["CertificateArn"]
        return arn

    def export(self, arn: str, phrase: bytes = b"secret") -> dict[str, Any]:
        exported: dict[str, Any] = self.acm.export_certificate(CertificateArn=arn, Passphrase=phrase)
        return exported

    def list(self, **more: Any) -> list[str]:
        """Return the ARNs of certificates of any key type."""
        includes = {"keyTypes": ["EC_prime256v1", "RSA_2048"], **more.pop("Includes", {})}
        page = self.acm.list_certificates(Includes=includes, **more)["CertificateSummaryList"]
        return [each["CertificateArn"] for each in page]
