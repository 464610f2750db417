"""Who may do what with a queue: the queue's policy, enforced where permissions are (`--auth strict`).

The identity-based policies of a caller are the front door's affair; here the queue has its say. Principals of the
queue's account need no allowance by it, but can be denied; all others need one. Some actions are the owner's alone
(Developer Guide, "Grant cross-account permissions to a role and a username").
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context
from cloudlet.core.authorization.resource_policy import decide, parse_policy
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


def authorize(ctx: Context, queue: Queue, action: str) -> None:
    """Raise unless the caller may do this to the queue. A batch operation needs the permission of the single one."""
    if not ctx.strict:
        return
    name = f"sqs:{action.removesuffix('Batch').lower()}"
    principal = ctx.principal
    if action.removesuffix("Batch") not in SHARED_ACTIONS and principal.account != queue.record.account:
        raise AwsError(
            "AccessDenied",
            f"User: {principal.arn} is not authorized to perform: {name} on resource: {queue.arn}",
            status=403,
        )
    text = queue.record.attributes.get("Policy")
    decision = decide(ctx, name, queue.arn, queue.record.account, text)
    if not decision.allowed:
        raise AwsError("AccessDenied", decision.message, status=403)
