"""The clauses of a request: what its expressions, or the legacy parameters that came before them, ask for.

`read(operation, params)` is all that an operation needs: it parses, and raises AWS's errors for clauses that are mixed,
malformed, undefined or unused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloudlet.services.dynamodb import legacy
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions import (
    Condition,
    KeyCondition,
    Projection,
    Substitutions,
    Update,
    parse_condition,
    parse_key_condition,
    parse_projection,
    parse_update,
)

Params = Mapping[str, Any]

_EXPRESSIONS: Final = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)
_LEGACY: Final = ("AttributeUpdates", "AttributesToGet", "ConditionalOperator", "Expected", "QueryFilter", "ScanFilter")
"""KeyConditions is none of them: AWS takes it together with expressions other than KeyConditionExpression."""
_WITH_VALUES: Final = {
    "Query": ("FilterExpression", "KeyConditionExpression"),
    "Scan": ("FilterExpression",),
    "UpdateItem": ("UpdateExpression", "ConditionExpression"),
    "Update": ("UpdateExpression", "ConditionExpression"),
}
"""The expressions of an operation in which values may occur; ConditionExpression alone where it is not listed."""
_WRITES: Final = frozenset(("PutItem", "UpdateItem", "DeleteItem"))
_NEWER_WORDS: Final = _WRITES | {"Query"}
"""Operations whose errors about values do not say which of ExpressionAttributeValues they are about."""


class Clauses:
    """What a request asks for; None for what it does not have."""

    __slots__ = ("condition", "filter", "key_condition", "projection", "update")

    def __init__(
        self,
        condition: Condition | None = None,
        update: Update | None = None,
        filter: Condition | None = None,
        projection: Projection | None = None,
        key_condition: KeyCondition | None = None,
    ) -> None:
        self.condition = condition
        """ConditionExpression or Expected."""
        self.update = update
        """UpdateExpression or AttributeUpdates."""
        self.filter = filter
        """FilterExpression, QueryFilter or ScanFilter."""
        self.projection = projection
        """ProjectionExpression or AttributesToGet."""
        self.key_condition = key_condition
        """KeyConditionExpression or KeyConditions."""

    @property
    def attributes(self) -> frozenset[str]:
        """All top-level attributes that are named in it."""
        parts = (self.condition, self.update, self.filter, self.projection, self.key_condition)
        return frozenset().union(*(part.attributes for part in parts if part is not None))


_NONE: Final = Clauses()
_ANY: Final = frozenset(
    (*_EXPRESSIONS, *_LEGACY, "KeyConditions", "ExpressionAttributeNames", "ExpressionAttributeValues")
)


def read(operation: str, params: Params) -> Clauses:
    """Return the clauses of a request, or of one part of it (a table of BatchGetItem, an action of TransactWriteItems).

    `operation` is the operation's name; for the parts of a transaction Put, Update, Delete, ConditionCheck and Get, for
    a table of BatchGetItem KeysAndAttributes. Raises AwsError.
    """
    given = _ANY.intersection(params)
    if not given:
        return _NONE
    written = [name for name in _EXPRESSIONS if name in given and params[name] is not None]
    old = [name for name in _LEGACY if name in given and params[name] is not None]
    if written and old:
        raise _both(old, written)
    old_key = params.get("KeyConditions")
    if old_key is not None and "KeyConditionExpression" in written:
        raise _both(["KeyConditions"], ["KeyConditionExpression"])
    names, values = params.get("ExpressionAttributeNames"), params.get("ExpressionAttributeValues")
    if names is not None and not written:
        raise validation("ExpressionAttributeNames can only be specified when using expressions")
    if values is not None:
        _check_values_usable(operation, written)
    key_condition = None if old_key is None else legacy.key_conditions(old_key)
    if written:
        return _expressions(params, Substitutions(names, values, newer_words=operation in _NEWER_WORDS), key_condition)
    if old:
        return _legacy(params, key_condition)
    return _NONE if key_condition is None else Clauses(key_condition=key_condition)


def _expressions(params: Params, subs: Substitutions, key_condition: KeyCondition | None) -> Clauses:
    update, condition = params.get("UpdateExpression"), params.get("ConditionExpression")
    filtering, projection = params.get("FilterExpression"), params.get("ProjectionExpression")
    key = params.get("KeyConditionExpression")
    clauses = Clauses(
        update=None if update is None else parse_update(update, subs),
        condition=None if condition is None else parse_condition(condition, subs),
        filter=None if filtering is None else parse_condition(filtering, subs, "FilterExpression"),
        projection=None if projection is None else parse_projection(projection, subs),
        key_condition=key_condition if key is None else parse_key_condition(key, subs),
    )
    subs.check_used()
    return clauses


def _legacy(params: Params, key_condition: KeyCondition | None) -> Clauses:
    operator = params.get("ConditionalOperator")
    expected, updates = params.get("Expected"), params.get("AttributeUpdates")
    filters, names = params.get("QueryFilter", params.get("ScanFilter")), params.get("AttributesToGet")
    if operator is not None and not expected and not filters:
        raise validation("ConditionalOperator cannot be used without Filter or Expected")
    return Clauses(
        update=None if updates is None else legacy.attribute_updates(updates),
        condition=None if expected is None else legacy.expected_condition(expected, operator),
        filter=None if filters is None else legacy.filter_condition(filters, operator),
        projection=None if names is None else legacy.attributes_to_get(names),
        key_condition=key_condition,
    )


def _both(old: Sequence[str], written: Sequence[str]) -> Exception:
    return validation(
        "Can not use both expression and non-expression parameters in the same request: "
        f"Non-expression parameters: {{{', '.join(old)}}} Expression parameters: {{{', '.join(written)}}}"
    )


def _check_values_usable(operation: str, written: Sequence[str]) -> None:
    usable = _WITH_VALUES.get(operation, ("ConditionExpression",))
    if set(usable).isdisjoint(written):
        verb = "is" if len(usable) == 1 else "are"
        missing = "" if operation in _WRITES else f": {' and '.join(usable)} {verb} null"
        raise validation(f"ExpressionAttributeValues can only be specified when using expressions{missing}")
