"""Whether an event source is there, and is fit for a function: asked of its own service, as the function's role."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Arn, AwsError, Context
from cloudlet.core.authorization.resource_policy import decide
from cloudlet.core.aws.messages import queue_url
from cloudlet.core.background.retrying import is_transient
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.mappings.mapping import Mapping
from cloudlet.services.lambda_.mappings.mapping_check import Kind
from cloudlet.services.lambda_.polling.calling import call, get_session

_DENIED: Final = ("AccessDenied", "AccessDeniedException")
_QUEUE_DENIED: Final = "The provided execution role does not have permissions to call {} on SQS"


async def check(ctx: Context, mapping: Mapping, kind: Kind, timeout: int) -> None:
    """Raise AwsError unless the source is there, and a queue hides messages for as long as the function may take.

    `timeout` is the function's, in seconds.
    """
    source = Arn.parse(mapping.source)
    if source.region != mapping.region:
        raise errors.invalid(f"The event source must be in the same region as the function: {mapping.source}")
    try:
        if kind.is_stream:
            await call(ctx.block, mapping, "dynamodbstreams", "DescribeStream", {"StreamArn": mapping.source})
            return
        asked = {"QueueUrl": queue_url(ctx.block, source), "AttributeNames": ["VisibilityTimeout", "Policy"]}
        attributes = (await call(ctx.block, mapping, "sqs", "GetQueueAttributes", asked))["Attributes"]
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        if error.code in _DENIED:
            raise errors.invalid(describe_denied(mapping)) from None
        called = "DescribeStream" if kind.is_stream else "ReceiveMessage"
        name = "DynamoDB" if kind.is_stream else "SQS"
        raise errors.invalid(
            f"Error occurred while {called}. {name} Error Code: {error.code}. {name} Error Message: {error.message}"
        ) from None
    await _check_receiving(ctx, mapping, source, attributes.get("Policy") or None)
    hidden = int(attributes["VisibilityTimeout"])
    if hidden < timeout:
        raise errors.invalid(
            f"Queue visibility timeout: {hidden} seconds is less than Function timeout: {timeout} seconds"
        )


async def _check_receiving(ctx: Context, mapping: Mapping, queue: Arn, policy: str | None) -> None:
    """Raise AwsError where the role may not take messages from a queue."""
    if not ctx.strict:
        return
    session = await get_session(ctx.block, mapping)
    await ctx.block.cloud.permissions.load(session)
    as_role = ctx.act_as(session, session.account)
    for action in ("ReceiveMessage", "DeleteMessage"):
        if not decide(as_role, f"sqs:{action}", str(queue), queue.account, policy).allowed:
            raise errors.invalid(_QUEUE_DENIED.format(action))


def describe_denied(mapping: Mapping) -> str:
    """Return the message for a role that may not read the source."""
    if mapping.source_service == "sqs":
        return _QUEUE_DENIED.format("GetQueueAttributes")
    return (
        f"Cannot access stream {mapping.source}. Please ensure the role can perform the GetRecords, GetShardIterator, "
        "DescribeStream, and ListStreams Actions on your stream in IAM."
    )
