"""How functions behind the public HTTP API are asked, and answer: payload format 2.0."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any


def customer(event: dict[str, Any]) -> str:
    """Return who asks, as the identity provider has signed it; API Gateway has checked that."""
    return str(event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"])


def answer(status: HTTPStatus, document: Any) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    return {"statusCode": status.value, "headers": headers, "body": json.dumps(document)}
