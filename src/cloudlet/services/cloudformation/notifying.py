"""Notifications: events of a stack, sent to its topics in their order."""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws import iso8601
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudformation.stack_record import Event, Stack

_NOTICES: Final = Subspace("notice")
_SUBJECT: Final = "AWS CloudFormation Notification"
_MAX_BATCH_NOTICES: Final = 100
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(str).decode


def add_notices(tx: Transaction, stack: Stack, event: Event, order: int) -> None:
    """Have an event told to the topics of its stack once this transaction is committed."""
    for topic in stack.notification_arns:
        text = _render(stack, event)
        tx.put(_NOTICES.key(stack.account, stack.region, topic, stack.id, order, event.id), _encode(text))
        NOTICES.request(tx, stack.account, stack.region, topic, stack.id)


def _render(stack: Stack, event: Event) -> str:
    lines = {
        "StackId": stack.arn,
        "Timestamp": iso8601.millisecond(int(event.time * 1000)),
        "EventId": event.id,
        "LogicalResourceId": event.name,
        "Namespace": stack.account,
        "PhysicalResourceId": event.physical_id,
        "PrincipalId": stack.operation.caller.user_id if stack.operation.caller else "",
        "ResourceProperties": event.properties or "null",
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ResourceType": event.type,
        "StackName": stack.name,
        "ClientRequestToken": event.token or "null",
    }
    return "".join(f"{key}='{value}'\n" for key, value in lines.items())


async def _notify(block: Block, key: Key) -> float | None:
    """Tell a topic what waits for it."""
    account, region, topic, stack_id = key
    space = _NOTICES.sub(account, region, topic, stack_id)
    rows = await block.store.transact(lambda tx: tx.range(space.begin, space.end, limit=_MAX_BATCH_NOTICES))
    for row, raw in rows:
        params = {"TopicArn": topic, "Subject": _SUBJECT, "Message": _decode(raw)}
        try:
            await block.call("sns", "Publish", params, account=account, region=region)
        except AwsError as error:
            if (error.status or 400) >= 500:
                raise
        # One that the topic does not take is lost, as those are that nobody has subscribed to.

        async def remove(tx: Transaction, row: bytes = row) -> None:
            tx.delete(row)

        await block.store.transact(remove)
    return 0 if len(rows) == _MAX_BATCH_NOTICES else None


NOTICES: Final = Reconciler("notices", _notify, patience_seconds=1.0)
