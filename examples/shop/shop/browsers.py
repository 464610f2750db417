"""The tables of who is looking: browsers that are connected, and tickets by which they may.

A browser cannot send a token along with a WebSocket's handshake, and what is in a URL is written into logs. So it first
asks for a ticket, which holds for a minute and once.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from boto3.dynamodb.conditions import Key

from shop import tables

TICKETS, BROWSERS = "shop-tickets", "shop-browsers"
BY_CUSTOMER = "by-customer"

_TICKET_SECONDS = 60
_DAY_SECONDS = 24 * 3600


def create(dynamodb: Any) -> None:
    """Create the tables, if they are not there already."""
    tables.create(dynamodb, TICKETS, KeySchema=tables.key("ticket"), AttributeDefinitions=tables.strings("ticket"))
    tables.create(
        dynamodb,
        BROWSERS,
        KeySchema=tables.key("connection"),
        AttributeDefinitions=tables.strings("connection", "customer"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": BY_CUSTOMER,
                "KeySchema": tables.key("customer"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    expiry = dynamodb.describe_time_to_live(TableName=TICKETS)["TimeToLiveDescription"]
    if expiry["TimeToLiveStatus"] == "DISABLED":
        # DynamoDB removes tickets that nobody has used, some time later: whether one still holds is not its to say.
        ttl = {"Enabled": True, "AttributeName": "expires"}
        dynamodb.update_time_to_live(TableName=TICKETS, TimeToLiveSpecification=ttl)


def issue_ticket(dynamodb: Any, customer: str) -> str:
    ticket = secrets.token_urlsafe()
    now = int(time.time())
    row = {"ticket": ticket, "customer": customer, "issued": now, "expires": now + _DAY_SECONDS}
    dynamodb.put_item(TableName=TICKETS, Item=row)
    return ticket


def redeem_ticket(dynamodb: Any, ticket: str) -> str | None:
    """Return whose ticket it is, or None where it is nobody's, or not any more: it holds once."""
    if not ticket:
        return None
    row = dynamodb.delete_item(TableName=TICKETS, Key={"ticket": ticket}, ReturnValues="ALL_OLD").get("Attributes")
    return str(row["customer"]) if row and time.time() <= row["issued"] + _TICKET_SECONDS else None


def remember(dynamodb: Any, customer: str, connection: str) -> None:
    dynamodb.put_item(TableName=BROWSERS, Item={"connection": connection, "customer": customer})


def forget(dynamodb: Any, connection: str) -> None:
    dynamodb.delete_item(TableName=BROWSERS, Key={"connection": connection})


def of_customer(dynamodb: Any, customer: str) -> list[str]:
    """Return the connections of a customer's browsers."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=BROWSERS, IndexName=BY_CUSTOMER, KeyConditionExpression=Key("customer").eq(customer)
    )
    return [row["connection"] for page in pages for row in page["Items"]]
