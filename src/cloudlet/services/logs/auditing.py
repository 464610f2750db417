"""Reports of sensitive data: one for each log event that has some. User guide, "Audit findings reports"."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import Any

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.aws import iso8601
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.logs import protection
from cloudlet.services.logs.group_record import arn_of
from cloudlet.services.logs.protection import Rules
from cloudlet.services.logs.receivers import Refused
from cloudlet.services.logs.subscription import Subscription

STREAM = "audit-findings"
"""The log stream for reports, in the log group that a policy names."""
_AT_ONCE = 500
_encode = msgspec.json.Encoder().encode


def reports(rules: Rules, arn: str, now: float, messages: list[str]) -> list[str]:
    """Return the reports on messages of a log group with an ARN; `now` is in seconds since the epoch."""
    made = []
    for message in messages:
        found = rules.found_in(message)
        if found:
            report = {
                "auditTimestamp": iso8601.second(int(now)),
                "resourceArn": f"{arn}:*",
                "dataIdentifiers": [
                    {
                        "name": name,
                        "count": len(spans),
                        "detections": [{"start": span.start + 1, "end": span.end} for span in spans],
                    }
                    for name, spans in found.items()
                ],
            }
            made.append(_encode(report).decode())
    return made


async def audit(block: Block, made: Subscription, group: str, messages: list[str]) -> int:
    """Report what a policy finds in messages; return in how many. Raises Refused where that is to be tried again."""
    rules = protection.rules_of(made.audits)
    arn = arn_of(made.region, made.account, group)
    found = await run_in_worker(made.account, reports, rules, arn, block.clock.now(), messages)
    for begin in range(0, len(found), _AT_ONCE):
        for kind, name in rules.findings:
            try:
                await _send(block, made, arn, kind, name, found[begin : begin + _AT_ONCE])
            except AwsError as error:
                raise Refused(error) from error
    return len(found)


async def _send(block: Block, made: Subscription, arn: str, kind: str, name: str, found: list[str]) -> None:
    now = int(block.clock.now() * 1000)

    async def call(service: str, operation: str, params: dict[str, Any]) -> None:
        await block.call(service, operation, params, account=made.account, region=made.region, source_arn=arn)

    if kind == "CloudWatchLogs":
        stream = {"logGroupName": name, "logStreamName": STREAM}
        lines = [{"timestamp": now, "message": line} for line in found]
        try:
            await call("logs", "CreateLogStream", stream)
        except AwsError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise
        await call("logs", "PutLogEvents", {**stream, "logEvents": lines})
    elif kind == "S3":
        moment = datetime.fromtimestamp(now / 1000, UTC)
        key = f"AWSLogs/{made.account}/dataprotection/{made.region}/{moment:%Y/%m/%d}/{uuid4()}.json.gz"
        body = gzip.compress("".join(f"{line}\n" for line in found).encode(), mtime=0)
        await call("s3", "PutObject", {"Bucket": name, "Key": key, "Body": body, "ACL": "bucket-owner-full-control"})
    else:
        for line in found:
            await call("firehose", "PutRecord", {"DeliveryStreamName": name, "Record": {"Data": f"{line}\n".encode()}})
