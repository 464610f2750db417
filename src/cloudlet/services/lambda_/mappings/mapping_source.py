"""Whether an event source is there, and is fit for a function: asked of its own service, as the function's role."""

from __future__ import annotations

from cloudlet.core import Arn, AwsError
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.mappings.mapping import Mapping
from cloudlet.services.lambda_.mappings.mapping_check import Kind
from cloudlet.services.lambda_.polling.calling import call


async def check(block: Block, mapping: Mapping, kind: Kind, timeout: int) -> None:
    """Raise AwsError unless the source is there, and a queue hides messages for as long as the function may take.

    `timeout` is the function's, in seconds.
    """
    source = Arn.parse(mapping.source)
    if source.region != mapping.region:
        raise errors.invalid(f"The event source must be in the same region as the function: {mapping.source}")
    try:
        if kind.is_stream:
            await call(block, mapping, "dynamodbstreams", "DescribeStream", {"StreamArn": mapping.source})
            return
        hidden = await _visibility_timeout(block, mapping, source)
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        called = "DescribeStream" if kind.is_stream else "ReceiveMessage"
        name = "DynamoDB" if kind.is_stream else "SQS"
        raise errors.invalid(
            f"Error occurred while {called}. {name} Error Code: {error.code}. {name} Error Message: {error.message}"
        ) from None
    if hidden < timeout:
        raise errors.invalid(
            f"Queue visibility timeout: {hidden} seconds is less than Function timeout: {timeout} seconds"
        )


async def _visibility_timeout(block: Block, mapping: Mapping, queue: Arn) -> int:
    named = {"QueueName": queue.resource, "QueueOwnerAWSAccountId": queue.account}
    url = (await call(block, mapping, "sqs", "GetQueueUrl", named))["QueueUrl"]
    asked = {"QueueUrl": url, "AttributeNames": ["VisibilityTimeout"]}
    shown = await call(block, mapping, "sqs", "GetQueueAttributes", asked)
    return int(shown["Attributes"]["VisibilityTimeout"])
