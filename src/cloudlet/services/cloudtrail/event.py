"""One recorded event, and what it is looked up by."""

from __future__ import annotations

from calendar import timegm
from functools import cached_property
from time import strptime
from typing import Any

import msgspec

from cloudlet.services.cloudtrail import arns

_TYPES = {
    "alarmName": "AWS::CloudWatch::Alarm",
    "bucketName": "AWS::S3::Bucket",
    "dashboardName": "AWS::CloudWatch::Dashboard",
    "functionName": "AWS::Lambda::Function",
    "logGroupName": "AWS::Logs::LogGroup",
    "queueName": "AWS::SQS::Queue",
    "queueUrl": "AWS::SQS::Queue",
    "subscriptionArn": "AWS::SNS::Subscription",
    "tableName": "AWS::DynamoDB::Table",
    "topicArn": "AWS::SNS::Topic",
    "trailARN": "AWS::CloudTrail::Trail",
}
"""Members of requests and answers that name a resource."""
Attribute = tuple[str, str]
"""A key that events are looked up by, and its value."""
_READER = msgspec.json.Decoder(dict[str, Any])


class Event:
    """An event, from the text of its record. Raises ValueError where that is no record."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.record = _READER.decode(text)
        self.id: str = self.record["eventID"]
        self.account: str = self.record["recipientAccountId"]
        self.region: str = self.record["awsRegion"]

    @cached_property
    def time(self) -> int:
        """In seconds since the epoch."""
        return timegm(strptime(self.record["eventTime"], "%Y-%m-%dT%H:%M:%SZ"))

    @property
    def is_management(self) -> bool:
        return bool(self.record["managementEvent"])

    @cached_property
    def arns(self) -> list[arns.Resource]:
        """The types and the ARNs of the resources of a data event."""
        return arns.of(self.record)

    @property
    def in_file(self) -> str:
        """The text of the record as it is in a trail's files, where a data event names its resources."""
        if self.is_management or not self.arns:
            return self.text
        resources = [
            # Objects belong to their bucket's account, which is told of the bucket.
            {"type": kind, "ARN": arn} | ({} if kind == "AWS::S3::Object" else {"accountId": self.account})
            for kind, arn in self.arns
        ]
        return msgspec.json.encode({**self.record, "resources": resources}).decode()

    @property
    def username(self) -> str | None:
        """The name of the caller, as the history shows it."""
        identity = self.record["userIdentity"]
        if identity["type"] == "Root":
            return "root"
        arn: str = identity.get("arn", "")
        return identity.get("userName") or arn.rpartition("/")[2] or identity.get("invokedBy")

    @cached_property
    def resources(self) -> list[tuple[str, str]]:
        """The types and the names of the resources that it is about."""
        found: dict[tuple[str, str], None] = {}
        for members in (self.record.get("requestParameters"), self.record.get("responseElements")):
            for name, value in (members or {}).items():
                if name in _TYPES and isinstance(value, str):
                    found[_TYPES[name], value] = None
        return list(found)

    @cached_property
    def attributes(self) -> frozenset[Attribute]:
        """The attributes by which it is looked up."""
        record = self.record
        found = [
            ("EventId", self.id),
            ("EventName", record["eventName"]),
            ("EventSource", record["eventSource"]),
            ("ReadOnly", str(record["readOnly"]).lower()),
            ("Username", self.username),
            ("AccessKeyId", record["userIdentity"].get("accessKeyId")),
        ]
        for kind, name in self.resources:
            found += (("ResourceType", kind), ("ResourceName", name))
        return frozenset((key, value) for key, value in found if value)

    def shown(self) -> dict[str, Any]:
        """Return it as LookupEvents shows it."""
        record = self.record
        return {
            "EventId": self.id,
            "EventName": record["eventName"],
            "ReadOnly": str(record["readOnly"]).lower(),
            "AccessKeyId": record["userIdentity"].get("accessKeyId"),
            "EventTime": self.time,
            "EventSource": record["eventSource"],
            "Username": self.username,
            "Resources": [{"ResourceType": kind, "ResourceName": name} for kind, name in self.resources],
            "CloudTrailEvent": self.text,
        }
