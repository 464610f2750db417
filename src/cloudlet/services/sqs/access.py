"""Permissions of callers on queues, where they are enforced.

The queue's policy and the caller's own decide. Within the queue's account either is enough; callers of other accounts
need both, and some actions are the owner's alone (Developer Guide, "Grant cross-account permissions to a role and a
username").
"""

from __future__ import annotations

from functools import partial
from typing import Final

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.authorization import catalog, resource_policy
from cloudlet.core.authorization.condition_keys import Keys, list_request_keys
from cloudlet.core.authorization.resource_policy import parse_policy
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.policy import PolicyError
from cloudlet.services.sqs import errors, limits
from cloudlet.services.sqs.queue import Queue

SHARED_ACTIONS: Final = (
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
)
"""What a queue's policy can grant to others."""
ALL_SHARED: Final = frozenset(
    (*SHARED_ACTIONS, "ChangeMessageVisibilityBatch", "DeleteMessageBatch", "SendMessageBatch")
)

ACTIONS: Final = ALL_SHARED | {
    "AddPermission",
    "CancelMessageMoveTask",
    "CreateQueue",
    "DeleteQueue",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "RemovePermission",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
}
"""All operations, as SQS's errors name actions in small letters."""


def checked_policy(text: str) -> str:
    """Return the Policy attribute to store. Raises AwsError for what is no policy of a resource."""
    if len(text.encode()) > limits.POLICY_BYTES:
        raise errors.invalid_attribute("Policy")
    try:
        policy = parse_policy(text)
    except PolicyError:
        raise errors.invalid_attribute("Policy") from None
    if len(policy.statements) > limits.POLICY_STATEMENTS:
        raise errors.invalid_attribute("Policy")
    return text


def make_denial(message: str) -> AwsError:
    """Return the error of a call that policies do not allow."""
    return AwsError("AccessDenied", message, status=403)


def authorize(ctx: Context, queue: Queue, action: str, params: Params) -> None:
    """Raise unless the caller may do this to the queue.

    `params` are those of the request.
    """
    if not ctx.strict:
        return
    account = queue.record.account
    is_shared = action in ALL_SHARED or ctx.principal.account == account
    # What is the owner's alone no policy of a queue can grant to others.
    text = queue.record.attributes.get("Policy") if is_shared else None
    name = _NAMES.get(action) or _make_name(action)
    resource_policy.authorize(ctx, name, queue.arn, account, text, lambda: _list_keys(queue, action, params))


def authorize_account(ctx: Context, action: str, name: str, params: Params) -> None:
    """Raise unless the caller may do what is about the name of a queue alone."""
    if ctx.strict:
        arn = f"arn:{partition_of(ctx.region)}:sqs:{ctx.region}:{ctx.account}:{name}"
        make_keys = partial(list_request_keys, catalog.find("sqs", action), params)
        resource_policy.authorize(ctx, _make_name(action), arn, ctx.account, None, make_keys)


def _make_name(action: str) -> str:
    """Return the action as policies and SQS's errors have it. A batch needs the permission of the single operation."""
    return f"sqs:{action.removesuffix('Batch').lower()}"


_NAMES: Final = {action: _make_name(action) for action in ALL_SHARED}


def _list_keys(queue: Queue, action: str, params: Params) -> Keys:
    """Return the condition keys of a call about a queue."""
    tags = {f"aws:ResourceTag/{key}": value for key, value in queue.record.tags.items()}
    return {**tags, **list_request_keys(catalog.find("sqs", action), params)}
