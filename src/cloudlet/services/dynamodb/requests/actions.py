"""What can be done to one item: put, update, delete it, or check a condition on it.

An action is checked against its table when it is made; `outcome` then says what becomes of the item. So a transaction
can check all its actions before it does any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.telemetry.metrics import is_measured
from cloudlet.services.dynamodb import errors
from cloudlet.services.dynamodb.expressions import Condition, Update
from cloudlet.services.dynamodb.item_data import items
from cloudlet.services.dynamodb.item_data.key_checks import check_index_keys, check_item_key, key_of
from cloudlet.services.dynamodb.item_data.values import Item, checked_item
from cloudlet.services.dynamodb.measuring import units_of
from cloudlet.services.dynamodb.requests import capacity, clauses, writing
from cloudlet.services.dynamodb.requests.clauses import Clauses
from cloudlet.services.dynamodb.requests.throttling import throttle
from cloudlet.services.dynamodb.requests.writing import Written
from cloudlet.services.dynamodb.tables.table import Table


class Request:
    """An action as it was asked for, before it is known what its table is like."""

    __slots__ = ("clauses", "given", "kind", "permission", "raw", "shows_old", "table")

    def __init__(self, kind: str, table: str, given: Item, clauses: Clauses, shows_old: bool, permission: str) -> None:
        self.kind = kind
        """Put, Update, Delete or ConditionCheck."""
        self.table = table
        self.given = given
        """The item to put, or the key."""
        self.raw: bytes | None = items.stored(given) if kind == "Put" else None
        """What is stored of the item to put."""
        self.clauses = clauses
        self.shows_old = shows_old
        """Whether a failed condition is answered with the item that failed it."""
        self.permission = permission
        """The action of IAM that it takes."""


def read(kind: str, operation: str, params: Mapping[str, Any]) -> Request:
    """Return what the parameters of a write ask for; `operation` as in `clauses.read`. Raises AwsError."""
    given = checked_item(params["Item"] if kind == "Put" else params["Key"])
    return Request(
        kind,
        params["TableName"],
        given,
        clauses.read(operation, params),
        params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
        "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item",
    )


def read_alone(kind: str, operation: str, params: Mapping[str, Any]) -> Request:
    """Return what PutItem, UpdateItem or DeleteItem asks for. Raises AwsError."""
    with errors.one_detected():
        if kind != "Update" and params.get("ReturnValues") not in (None, "NONE", "ALL_OLD"):
            raise errors.validation("ReturnValues can only be ALL_OLD or NONE")
        return read(kind, operation, params)


class Action:
    """An action on one item of a table. Raises AwsError when it is made where the table does not admit it."""

    __slots__ = ("attributes", "condition", "item", "key", "kind", "raw", "shows_old", "table", "update")

    def __init__(self, table: Table, request: Request) -> None:
        self.table = table
        self.kind = request.kind
        self.condition: Condition | None = request.clauses.condition
        self.update: Update | None = request.clauses.update
        self.shows_old = request.shows_old
        self.item: Item | None = None
        self.raw: bytes | None = request.raw
        if self.raw is not None:
            self.key = check_item_key(table, request.given)
            self.attributes = self.item = request.given
            writing.check(table, request.given, self.raw)
        else:
            self.key, self.attributes = key_of(table, request.given)
            if self.update is not None:
                self._check_targets(self.update)

    def _check_targets(self, update: Update) -> None:
        written = update.written
        for name in self.table.key_names:
            if name in written:
                raise errors.invalid_values(f"Cannot update attribute {name}. This attribute is part of the key")
        if self.table.key_attribute_types:
            for name in update.entered:
                if name in self.table.key_attribute_types:
                    raise errors.validation(
                        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
                        f"IndexKey: {name}"
                    )
            check_index_keys(self.table, update.given)

    async def old(self, tx: Transaction) -> bytes | None:
        """Return the stored item that is there."""
        return await tx.get(self.table.items_prefix + self.key)

    def check(self, ctx: Context, old: bytes | None, old_item: Item | None) -> None:
        """Raise ConditionalCheckFailedException where the item that is there does not satisfy the condition."""
        if self.condition is not None and not self.condition.matches({} if old_item is None else old_item):
            raise errors.condition_failed(items.to_api(ctx, old) if self.shows_old and old is not None else None)

    def needs_old(self) -> bool:
        """Whether the item that is there has to be looked into."""
        return self.condition is not None or self.kind == "Update"

    def outcome(self, old: bytes | None, old_item: Item | None) -> tuple[bytes | None, Item | None]:
        """Return what the item becomes, stored and as it is; None for nothing. Raises AwsError."""
        if self.kind == "Put":
            return self.raw, self.item
        if self.kind == "Delete":
            return None, None
        if self.kind == "ConditionCheck":
            return old, old_item
        base = self.attributes if old_item is None else old_item
        if old_item is None and self.update is not None and self.update.only_removes:
            # What removes attributes of an item that does not exist does not make one.
            return None, None
        new = base if self.update is None else self.update.apply(base, exists=old_item is not None)
        return writing.admitted(self.table, new, updated=True), new


class Done:
    """What an action has done; items are None where there was, or is, none, or nobody has looked."""

    __slots__ = ("action", "new_item", "old_item", "written")

    def __init__(self, action: Action, written: Written, old_item: Item | None, new_item: Item | None) -> None:
        self.action = action
        self.written = written
        self.old_item = old_item
        self.new_item = new_item


async def do(ctx: Context, tx: Transaction, action: Action, now: float) -> Done:
    """Do an action, if its condition is satisfied. Raises AwsError."""
    if throttle is not None:
        throttle.admit(action.table, "Write", now)
    old = await action.old(tx)
    old_item = items.item_of(old) if old is not None and action.needs_old() else None
    measures = is_measured(ctx.block)
    try:
        action.check(ctx, old, old_item)
    except AwsError:
        if measures:
            # To look at an item takes as much as to write it.
            units = capacity.write_units(0 if old is None else items.size_of(old))
            ctx.measured = ((action.table, "Write", units, (), None),)
        raise
    new, new_item = action.outcome(old, old_item)
    written = await writing.replace(tx, action.table, action.key, old, new, now, old_item=old_item, new_item=new_item)
    if measures:
        ctx.measured = ((action.table, "Write", written.units, units_of(written.index_units), None),)
    if throttle is not None:
        throttle.spend(action.table, "Write", written.consumed, now)
    return Done(action, written, old_item, new_item)


def returned(ctx: Context, done: Done, wanted: str | None) -> Any:
    """Return the Attributes that `ReturnValues` asks for; None for none."""
    if wanted is None or wanted == "NONE":
        return None
    old, new = done.written.old, done.written.new
    if wanted == "ALL_OLD":
        return None if old is None else items.to_api(ctx, old)
    if wanted == "ALL_NEW":
        return None if new is None else items.to_api(ctx, new)
    update = done.action.update
    if update is None:
        return None
    item = done.old_item if wanted == "UPDATED_OLD" else done.new_item
    return (update.targets.of(item) or None) if item is not None else None
