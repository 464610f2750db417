"""The clauses of a request: what its expressions, or the legacy parameters that came before them, ask for.

`read(operation, params)` is all that an operation needs: it parses, and raises AWS's errors for mixed, unused,
undefined and malformed clauses, in AWS's order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudlet.services.dynamodb.expressions import Condition, KeyCondition, Projection, Update

Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Clauses:
    """What a request asks for; None for what it does not have."""

    condition: Condition | None = None
    """ConditionExpression or Expected."""
    update: Update | None = None
    """UpdateExpression or AttributeUpdates."""
    filter: Condition | None = None
    """FilterExpression, QueryFilter or ScanFilter."""
    projection: Projection | None = None
    """ProjectionExpression or AttributesToGet."""
    key_condition: KeyCondition | None = None
    """KeyConditionExpression or KeyConditions."""


def read(operation: str, params: Params) -> Clauses:
    """Return the clauses of a request, or of one part of it (a table of BatchGetItem, an action of TransactWriteItems).

    `operation` is the operation's name; for the parts of a transaction Put, Update, Delete, ConditionCheck and Get, for
    a table of BatchGetItem KeysAndAttributes. Raises AwsError.
    """
    raise NotImplementedError
