"""The topic to which orders are published, and who is told of which of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shop.order import Order

NAME = "shop-order-placed"

EVERYTHING: Mapping[str, str] = {}
PARCELS = {"FilterPolicy": json.dumps({"delivery": ["parcel"]})}
FILTERS = {
    "payments": {"FilterPolicy": json.dumps({"price": [{"numeric": [">", 0]}]})},
    "inventory": PARCELS,
    "email": {"FilterPolicy": json.dumps({"mail": [True]}), "FilterPolicyScope": "MessageBody"},
}
"""Which orders each service wants: by the attributes of a message or, for email, by the order itself."""


def create(sns: Any) -> str:
    """Create the topic, if it is not there already, and return its ARN."""
    # Version 2 signs with SHA-256; the default is still SHA-1. Active tracing puts the topic itself into traces.
    attributes = {"SignatureVersion": "2", "TracingConfig": "Active"}
    return str(sns.create_topic(Name=NAME, Attributes=attributes)["TopicArn"])


def arn(sns: Any, account: str) -> str:
    """Return the ARN of the topic."""
    return f"arn:aws:sns:{sns.meta.region_name}:{account}:{NAME}"


def publish(sns: Any, topic_arn: str, order: Order) -> None:
    """Tell everybody who wants to know. Once this returns, the order is safe with SNS, whoever else is down."""
    sns.publish(
        TopicArn=topic_arn,
        Message=order.to_json(),
        MessageAttributes={
            "delivery": {"DataType": "String", "StringValue": order.delivery},
            "price": {"DataType": "Number", "StringValue": order.price},
        },
    )


def subscribe_queue(sns: Any, topic_arn: str, queue_arn: str, filters: Mapping[str, str] = EVERYTHING) -> None:
    """Have what is published put into a queue, each message as it was published."""
    sns.subscribe(
        TopicArn=topic_arn,
        Protocol="sqs",
        Endpoint=queue_arn,
        Attributes={"RawMessageDelivery": "true", **filters},
    )


def subscribe_partner(sns: Any, topic_arn: str, url: str) -> str:
    """Have parcels announced at an HTTP endpoint, once that confirms; return the ARN of the subscription."""
    answer = sns.subscribe(
        TopicArn=topic_arn, Protocol="http", Endpoint=url, Attributes=PARCELS, ReturnSubscriptionArn=True
    )
    return str(answer["SubscriptionArn"])
