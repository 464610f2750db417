"""tickets: gives a customer with a valid token the URL by which his browser hears of his orders, once."""

from __future__ import annotations

import json
import os
from typing import Any

from shop import browsers, tables

dynamodb = tables.client()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer `POST /tickets`."""
    customer = event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"]
    ticket = browsers.issue_ticket(dynamodb, customer)
    return {"statusCode": 201, "body": json.dumps({"url": f"{os.environ['SHOP_LIVE']}?ticket={ticket}"})}
