"""The shop's tables in DynamoDB are read and written as Python's own types."""

from __future__ import annotations

from typing import Any

import boto3


def client() -> Any:
    """Return a client that takes and gives numbers, sets and the like as Python's own. Threads may share it."""
    return boto3.resource("dynamodb").meta.client
