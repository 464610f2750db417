"""Route 53 of an account, and what tests do with it again and again."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.standing import eventually

_references = count()


class ZoneCloud:
    """Clients of one account."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.account = aws.account
        self.route53: Any = aws.client("route53")

    def create_zone(self, name: str = "example.com", **more: Any) -> str:
        """Create a hosted zone; return its id."""
        made = self.route53.create_hosted_zone(Name=name, CallerReference=self.make_reference(), **more)
        identifier: str = made["HostedZone"]["Id"]
        return identifier.removeprefix("/hostedzone/")

    @staticmethod
    def make_reference() -> str:
        return f"reference-{next(_references)}"

    def change(self, zone: str, *changes: tuple[str, dict[str, Any]]) -> str:
        """Change records; return the id of the change."""
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
        made = self.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
        identifier: str = made["ChangeInfo"]["Id"]
        return identifier

    def create(self, zone: str, *records: dict[str, Any]) -> None:
        """Create records, and wait until they are answered."""
        change = self.change(zone, *(("CREATE", record) for record in records))
        self.wait(change)

    def wait(self, change: str) -> None:
        """Wait until a change is answered."""
        eventually(lambda: self.route53.get_change(Id=change)["ChangeInfo"]["Status"], lambda found: found == "INSYNC")

    def list_records(self, zone: str, **more: Any) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self.route53.list_resource_record_sets(HostedZoneId=zone, **more)[
            "ResourceRecordSets"
        ]
        return records

    def ask(self, zone: str, name: str, kind: str = "A", **more: Any) -> list[str]:
        """Return what the zone's name servers answer."""
        found = self.route53.test_dns_answer(HostedZoneId=zone, RecordName=name, RecordType=kind, **more)
        data: list[str] = found["RecordData"]
        return data

    def fail_change(self, zone: str, *changes: tuple[str, dict[str, Any]], code: str = "InvalidChangeBatch") -> str:
        """Make a change that is refused; return the message."""
        return fails(code, self.change, zone, *changes)


def record(name: str, kind: str, *values: str, ttl: int = 300, **more: Any) -> dict[str, Any]:
    """Return a record set with values."""
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": each} for each in values], **more}


def alias(name: str, kind: str, zone: str, target: str, *, evaluates: bool = False, **more: Any) -> dict[str, Any]:
    """Return a record set that is an alias."""
    told = {"HostedZoneId": zone, "DNSName": target, "EvaluateTargetHealth": evaluates}
    return {"Name": name, "Type": kind, "AliasTarget": told, **more}


def fails(code: str, operation: Any, *arguments: Any, **members: Any) -> str:
    """Return the message of the error that a call has to fail with."""
    with pytest.raises(ClientError) as raised:
        operation(*arguments, **members)
    error = raised.value.response["Error"]
    assert error["Code"] == code, error
    message: str = error["Message"]
    return message
