"""tickets: gives a customer the URL by which his browser hears of his orders."""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import Any

from shop import browsers, tables

from functions import visit

dynamodb = tables.client()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer `POST /tickets`."""
    ticket = browsers.issue_ticket(dynamodb, visit.customer(event))
    return visit.answer(HTTPStatus.CREATED, {"url": f"{os.environ['SHOP_LIVE']}?ticket={ticket}"})
