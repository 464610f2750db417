"""The tables of who is looking: browsers that are connected, and tickets by which they may.

A browser cannot send a token along with a WebSocket's handshake, and what is in a URL is written into logs. So it first
asks for a ticket, which holds for a minute and once.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from boto3.dynamodb.conditions import Key

from shop import names

_TICKET_SECONDS = 60
_DAY_SECONDS = 24 * 3600


def issue_ticket(dynamodb: Any, customer: str) -> str:
    ticket = secrets.token_urlsafe()
    now = int(time.time())
    # DynamoDB removes tickets that nobody has used, some time later: whether one still holds is not its to say.
    row = {"ticket": ticket, "customer": customer, "issued": now, "expires": now + _DAY_SECONDS}
    dynamodb.put_item(TableName=names.TICKETS, Item=row)
    return ticket


def redeem_ticket(dynamodb: Any, ticket: str) -> str | None:
    """Return whose ticket it is, or None where it is nobody's, or not any more: it holds once."""
    if not ticket:
        return None
    row = dynamodb.delete_item(TableName=names.TICKETS, Key={"ticket": ticket}, ReturnValues="ALL_OLD").get(
        "Attributes"
    )
    return str(row["customer"]) if row and time.time() <= row["issued"] + _TICKET_SECONDS else None


def remember(dynamodb: Any, customer: str, connection: str) -> None:
    dynamodb.put_item(TableName=names.BROWSERS, Item={"connection": connection, "customer": customer})


def forget(dynamodb: Any, connection: str) -> None:
    dynamodb.delete_item(TableName=names.BROWSERS, Key={"connection": connection})


def of_customer(dynamodb: Any, customer: str) -> list[str]:
    """Return the connections of a customer's browsers."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=names.BROWSERS, IndexName=names.BY_CUSTOMER, KeyConditionExpression=Key("customer").eq(customer)
    )
    return [row["connection"] for page in pages for row in page["Items"]]
