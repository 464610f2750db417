"""Where subscription filters deliver to: functions, data streams, delivery streams, called through their APIs."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec

from cloudlet.core import Arn, AwsError
from cloudlet.core.background.retrying import is_throttled, is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.logs import envelope, errors

KINDS = {"lambda": "function:", "kinesis": "stream/", "firehose": "deliverystream/"}
"""The services that can receive, and how the resource begins in their ARNs."""
_MOST_BYTES = {"lambda": 190_000, "kinesis": 1_000_000, "firehose": 1_000_000}
"""Of compressed data: what the services take in one record; Lambda gets it in base64, and takes 256 KiB."""
_NAMES = {"kinesis": "Kinesis stream", "firehose": "Firehose"}
_FAILURES = {
    "lambda": "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute "
    "your function.",
    "kinesis": "Could not deliver test message to specified Kinesis stream. Check if the given kinesis stream is in "
    "ACTIVE state.",
    "firehose": "Could not deliver test message to specified Firehose stream. Check if the given Firehose stream is "
    "in ACTIVE state.",
}


class Refused(Exception):
    """A receiver did not take something."""

    def __init__(self, error: AwsError) -> None:
        super().__init__(str(error))
        self.is_throttled = is_throttled(error.code)
        self.is_final = not is_transient(error.code, error.status)
        """Whether there is no use in trying again."""


def parsed(text: str) -> Arn:
    """Return the ARN of a receiver. Raises AwsError for anything else."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise errors.invalid(f"The ARN {text} is invalid.") from None
    kind = KINDS.get(arn.service)
    if kind is None or not arn.resource.startswith(kind) or arn.resource == kind:
        raise errors.invalid(
            f"PutSubscriptionFilter operation cannot work with destinationArn for vendor {arn.service}"
        )
    return arn


def own_group(text: str) -> str | None:
    """Return the name of the log group that a function itself writes to: delivered there, events would never end."""
    parts = text.split(":")
    return f"/aws/lambda/{parts[6]}" if parts[2:3] == ["lambda"] and len(parts) > 6 else None


def most_bytes(arn: Arn) -> int:
    """Return how many bytes of compressed data a receiver takes at once."""
    return _MOST_BYTES[arn.service]


async def test(block: Block, arn: Arn, source_arn: str) -> None:
    """Try out a receiver. Raises AwsError."""
    try:
        if arn.service == "lambda":
            params = {"FunctionName": str(arn), "InvocationType": "DryRun"}
            await block.call("lambda", "Invoke", params, account=arn.account, region=arn.region, source_arn=source_arn)
        else:
            await _put(block, arn, envelope.test_of(_NAMES[arn.service], block.clock.now()), uuid4(), source_arn)
    except AwsError as error:
        if error.status is not None and error.status >= 500:
            # It is not the receiver that is wrong: there is no such service here, or it is down.
            raise
        raise errors.invalid(_FAILURES[arn.service]) from error


async def deliver(block: Block, arn: Arn, data: bytes, partition: str, source_arn: str) -> None:
    """Hand compressed data to a receiver. Raises Refused."""
    try:
        if arn.service == "lambda":
            payload = msgspec.json.encode({"awslogs": {"data": b64encode(data).decode()}})
            params = {"FunctionName": str(arn), "InvocationType": "Event", "Payload": payload}
            await block.call("lambda", "Invoke", params, account=arn.account, region=arn.region, source_arn=source_arn)
        else:
            await _put(block, arn, data, partition, source_arn)
    except AwsError as error:
        raise Refused(error) from error


async def _put(block: Block, arn: Arn, data: bytes, partition: str, source_arn: str) -> None:
    params: dict[str, Any]
    if arn.service == "kinesis":
        operation, params = "PutRecord", {"StreamARN": str(arn), "Data": data, "PartitionKey": partition}
    else:
        name = arn.resource.removeprefix(KINDS["firehose"])
        operation, params = "PutRecord", {"DeliveryStreamName": name, "Record": {"Data": data}}
    await block.call(arn.service, operation, params, account=arn.account, region=arn.region, source_arn=source_arn)
