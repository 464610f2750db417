"""The topic to which orders are published."""

from __future__ import annotations

import json
from typing import Any

from shop import names
from shop.order import Order


def arn(sns: Any, account: str) -> str:
    """Return the ARN of the topic."""
    return f"arn:aws:sns:{sns.meta.region_name}:{account}:{names.ORDER_PLACED}"


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


def subscribe_partner(sns: Any, topic_arn: str, url: str) -> str:
    """Have parcels announced at an HTTP endpoint, once that confirms; return the ARN of the subscription."""
    parcels = {"FilterPolicy": json.dumps({"delivery": ["parcel"]})}
    answer = sns.subscribe(
        TopicArn=topic_arn, Protocol="http", Endpoint=url, Attributes=parcels, ReturnSubscriptionArn=True
    )
    return str(answer["SubscriptionArn"])
