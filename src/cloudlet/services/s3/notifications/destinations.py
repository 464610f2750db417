"""Whether S3 may tell the destinations of a notification configuration: each is sent a test event before it is stored.

User guide, "Amazon S3 Event Notifications" ("Granting permissions to publish event notification messages to a
destination"); API reference, "PutBucketNotificationConfiguration".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cloudlet.core import Arn, AwsError, Context
from cloudlet.core.aws.messages import queue_url
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import notifying
from cloudlet.services.s3.notifications.event_messages import test_event
from cloudlet.services.s3.notifications.notices import Lane
from cloudlet.services.s3.notifications.notification import Destination, destinations

_NOT_IMPLEMENTED = 501
_NAMES = {"sqs": "queue", "sns": "topic", "lambda": "function"}
_ELEMENTS = {"sqs": "Queue", "sns": "Topic", "lambda": "CloudFunction"}
"""The element of the document that holds a destination's ARN."""


async def check(ctx: Context, bucket: Bucket, configuration: Mapping[str, Any], *, skip: bool = False) -> None:
    """Raise InvalidArgument, as AWS words it, unless S3 may tell every destination of events in the bucket.

    `skip` leaves out what the destinations themselves say. The blocks that they belong to must be there in any case.
    """
    failed: list[tuple[str, str]] = []
    for destination in destinations(configuration):
        if destination.channel != "events":
            _check_arn(bucket, destination)
        if skip and destination.channel in ("sqs", "sns"):
            continue
        problem = await _problem(ctx, bucket, destination)
        if problem is not None and not skip:
            failed.append((destination.arn, problem))
    if failed:
        # AWS numbers the pairs.
        fields = {
            f"Argument{part}{number}": text
            for number, pair in enumerate(failed, 1)
            for part, text in zip(("Name", "Value"), pair, strict=True)
        }
        raise AwsError(
            "InvalidArgument", "Unable to validate the following destination configurations", status=400, **fields
        )


def _check_arn(bucket: Bucket, destination: Destination) -> None:
    name = _ELEMENTS[destination.channel]
    try:
        arn = Arn.parse(destination.arn)
    except ValueError:
        raise errors.invalid_argument("The ARN could not be parsed", name, destination.arn) from None
    if arn.service != destination.channel or not arn.resource:
        raise errors.invalid_argument("The ARN is not well formed", name, destination.arn)
    if arn.region != bucket.region:
        message = "The notification destination service region is not valid for the bucket location constraint"
        raise errors.invalid_argument(message, name, destination.arn)
    if arn.resource.endswith(".fifo"):
        message = f"A FIFO {_NAMES[destination.channel]} is not supported as a destination"
        raise errors.invalid_argument(message, name, destination.arn)


async def _problem(ctx: Context, bucket: Bucket, destination: Destination) -> str | None:
    """Return why a destination cannot be told of events, or None where it can."""
    block = ctx.block
    lane = Lane(destination.channel, destination.arn, bucket.arn, bucket.account, bucket.region)
    event = msgspec.json.encode(test_event(bucket, ctx.now(), ctx.request_id)).decode()
    try:
        match destination.channel:
            case "sqs":
                queue = queue_url(block, Arn.parse(destination.arn))
                await notifying.call(block, lane, "SendMessage", {"QueueUrl": queue, "MessageBody": event})
            case "sns":
                topic = {"TopicArn": destination.arn, "Subject": notifying.SUBJECT, "Message": event}
                await notifying.call(block, lane, "Publish", topic)
            case "lambda":
                function = {"FunctionName": destination.arn, "InvocationType": "DryRun"}
                await notifying.call(block, lane, "Invoke", function)
            case "events":
                await notifying.call(block, lane, "DescribeEventBus", {"Name": "default"})
    except AwsError as error:
        if destination.channel == "events" or error.status == _NOT_IMPLEMENTED:
            raise
        return _worded(destination, error)
    return None


def _worded(destination: Destination, error: AwsError) -> str:
    name = _NAMES[destination.channel]
    if error.status == 403 or error.code.startswith(("AccessDenied", "AuthorizationError")):
        return f"Permissions on the destination {name} do not allow S3 to publish notifications from this bucket"
    if "NotFound" in error.code or "NotExist" in error.code or "NonExistent" in error.code:
        return f"The destination {name} does not exist"
    return f"{error.code}: {error.message}"
