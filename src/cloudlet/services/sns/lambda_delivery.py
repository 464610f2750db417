"""Delivery to Lambda functions. Developer guide, "Fanout to Lambda functions"; Lambda's "Using AWS Lambda with SNS"."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.core import Arn, AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.services.sns import notification, tracing
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.queue_delivery import undeliverable
from cloudlet.services.sns.signing import Signature
from cloudlet.services.sns.subscription import Subscription

_RENAMED = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
_AS_STRING = ("String.Array", "Number")


def event(message: Message, subscribed: Subscription, endpoint: str, signature: Signature | None) -> dict[str, Any]:
    """Return the event that a function is invoked with."""
    envelope = json.loads(
        notification.envelope(
            message, endpoint=endpoint, subscription_arn=subscribed.arn, signature=signature, protocol="lambda"
        )
    )
    notified = {_RENAMED.get(name, name): value for name, value in envelope.items()}
    notified.setdefault("Subject", None)
    notified["MessageAttributes"] = {
        name: {**attribute, "Type": "String"} if attribute["Type"] in _AS_STRING else attribute
        for name, attribute in envelope.get("MessageAttributes", {}).items()
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscribed.arn,
        "Sns": notified,
    }
    return {"Records": [record]}


async def deliver(block: Block, subscribed: Subscription, message: Message, signature: Signature | None) -> None:
    """Hand a message to a function, which runs when it may. Raises Undeliverable."""
    function = Arn.parse(subscribed.endpoint)
    payload = json.dumps(event(message, subscribed, block.cloud.config.endpoint, signature)).encode()
    try:
        await block.call(
            "lambda",
            "Invoke",
            {"FunctionName": subscribed.endpoint, "InvocationType": "Event", "Payload": payload},
            account=function.account,
            region=function.region,
            source_arn=subscribed.topic,
            trace=tracing.header_of(message, subscribed),
        )
    except AwsError as error:
        raise undeliverable(error) from error
