"""Whether an event source is there, and is fit for a function: asked of its own service."""

from __future__ import annotations

from cloudlet.core import Arn, AwsError, Context
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.mapping_check import Kind


async def check(ctx: Context, kind: Kind, source: str, timeout: int, arn: str) -> None:
    """Raise AwsError unless the source is there, and a queue hides messages for as long as the function may take.

    `timeout` is the function's, in seconds; `arn` that of the mapping, on whose behalf is asked.
    """
    parts = Arn.parse(source)
    if parts.region != ctx.region:
        raise errors.invalid(f"The event source must be in the same region as the function: {source}")
    try:
        if kind.is_stream:
            await ctx.call("dynamodbstreams", "DescribeStream", {"StreamArn": source}, source_arn=arn)
            return
        hidden = await _visibility_timeout(ctx, parts, arn)
    except AwsError as error:
        called = "DescribeStream" if kind.is_stream else "ReceiveMessage"
        name = "DynamoDB" if kind.is_stream else "SQS"
        raise errors.invalid(
            f"Error occurred while {called}. {name} Error Code: {error.code}. {name} Error Message: {error.message}"
        ) from None
    if hidden < timeout:
        raise errors.invalid(
            f"Queue visibility timeout: {hidden} seconds is less than Function timeout: {timeout} seconds"
        )


async def _visibility_timeout(ctx: Context, queue: Arn, arn: str) -> int:
    named = {"QueueName": queue.resource, "QueueOwnerAWSAccountId": queue.account}
    found = await ctx.call("sqs", "GetQueueUrl", named, source_arn=arn) or {}
    asked = {"QueueUrl": found["QueueUrl"], "AttributeNames": ["VisibilityTimeout"]}
    shown = await ctx.call("sqs", "GetQueueAttributes", asked, source_arn=arn) or {}
    return int(shown["Attributes"]["VisibilityTimeout"])
