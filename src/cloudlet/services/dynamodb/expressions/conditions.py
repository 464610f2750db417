"""Conditions and filters."""

from __future__ import annotations

from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.values import Item


class Condition:
    """What must be true of an item."""

    attributes: frozenset[str]
    """The top-level attributes that it looks at."""

    def matches(self, item: Item) -> bool:
        """Whether it is true of an item; one that does not exist is an empty one."""
        raise NotImplementedError


def parse_condition(text: str, subs: Substitutions, kind: str = "ConditionExpression") -> Condition:
    """Return a condition; `kind` is the parameter's name, ConditionExpression or FilterExpression. Raises AwsError."""
    raise NotImplementedError
