"""The condition keys of calls about items: what a policy can say of keys, attributes and what is returned.

Developer Guide, "Using IAM policy conditions for fine-grained access control".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.services.dynamodb.item_data import numbers
from cloudlet.services.dynamodb.item_data.keys import KeySchema
from cloudlet.services.dynamodb.item_data.values import Item, Value
from cloudlet.services.dynamodb.requests.clauses import Clauses

_PARTITION_KEYS = ("First", "Second", "Third", "Fourth")


def of_items(
    schema: KeySchema,
    given: Iterable[Item],
    asked: Clauses,
    params: Mapping[str, Any],
    *,
    reads: bool = False,
    enclosing: str | None = None,
) -> Keys:
    """Return the keys of a call about items that are given, whole or by their keys; `enclosing` is its transaction."""
    items = list(given)
    keys = _of(asked, params)
    keys["dynamodb:Attributes"] = sorted(asked.attributes.union(*items))
    for number, (name, kind) in enumerate(schema.hash):
        keys |= _partition(number, kind, [item[name] for item in items if name in item])
    if reads:
        keys["dynamodb:Select"] = _select(asked, None)
    if enclosing is not None:
        keys["dynamodb:EnclosingOperation"] = enclosing
    return keys


def of_read(schema: KeySchema, asked: Clauses, params: Mapping[str, Any], *, is_partiql: bool) -> Keys:
    """Return the keys of a Query or a Scan of a table or an index with these keys."""
    keys = _of(asked, params)
    keys["dynamodb:Attributes"] = sorted(asked.attributes)
    keys["dynamodb:Select"] = params.get("Select") or _select(asked, params.get("IndexName"))
    condition = asked.key_condition
    if condition is not None:
        for number, (name, kind) in enumerate(schema.hash):
            keys |= _partition(number, kind, condition.equal_to(name))
    if is_partiql:
        keys["dynamodb:FullTableScan"] = "true" if condition is None else "false"
    return keys


def _of(asked: Clauses, params: Mapping[str, Any]) -> Keys:
    names = ("ReturnConsumedCapacity", "ReturnValues")
    return {f"dynamodb:{name}": params[name] for name in names if params.get(name) is not None}


def _select(asked: Clauses, index: str | None) -> str:
    """Return the Select that a request has without saying so."""
    if asked.projection is not None:
        return "SPECIFIC_ATTRIBUTES"
    return "ALL_ATTRIBUTES" if index is None else "ALL_PROJECTED_ATTRIBUTES"


def _partition(number: int, kind: str, values: Iterable[Value]) -> Keys:
    """Return the keys about an attribute of the partition key, by its place in it. Raises AwsError.

    Values of other types than it has are left out: they are none of any item.
    """
    texts = sorted({_text(kind, value[kind]) for value in values if kind in value})
    keys: Keys = {f"dynamodb:{_PARTITION_KEYS[number]}PartitionKeyValues": texts}
    return keys if number else {**keys, "dynamodb:LeadingKeys": texts}


def _text(kind: str, content: Any) -> str:
    if kind == "N":
        return numbers.canonical(content)
    return b64encode(content).decode() if kind == "B" else str(content)
