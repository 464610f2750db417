"""BatchExecuteStatement: up to 25 statements, each of which stands for itself.

Developer Guide, "Running batch operations with PartiQL for DynamoDB".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.dynamodb import access
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.measuring import Spent, units_of
from cloudlet.services.dynamodb.partiql import writing
from cloudlet.services.dynamodb.partiql.parsing import all_parsed
from cloudlet.services.dynamodb.partiql.reading import PERMISSION, Single
from cloudlet.services.dynamodb.partiql.statements import Check, Select, Statement
from cloudlet.services.dynamodb.requests import actions, capacity
from cloudlet.services.dynamodb.requests.actions import Action
from cloudlet.services.dynamodb.requests.capacity import Consumed
from cloudlet.services.dynamodb.requests.throttling import Kind
from cloudlet.services.dynamodb.tables import directory, table_keys
from cloudlet.services.dynamodb.tables.table import Table

_CODES = {
    "AccessDeniedException": "AccessDenied",
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "DuplicateItemException": "DuplicateItem",
    "ItemCollectionSizeLimitExceededException": "ItemCollectionSizeLimitExceeded",
    "ProvisionedThroughputExceededException": "ProvisionedThroughputExceeded",
    "ResourceNotFoundException": "ResourceNotFound",
    "ThrottlingException": "ThrottlingError",
    "ValidationException": "ValidationError",
}
"""What a response calls an error of one statement; any other is one of the whole request."""


class _Account:
    """What the statements of a batch have consumed, by what they call the table."""

    def __init__(self) -> None:
        self._tables: dict[str, tuple[Table, Consumed]] = {}

    def add(self, named: str, table: Table, consumed: Consumed) -> None:
        _, total = self._tables.setdefault(named, (table, Consumed()))
        total.add(consumed.table, consumed.indexes, consumed.vectors)

    def spent(self, kind: Kind) -> tuple[Spent, ...]:
        return tuple(
            (table, kind, consumed.table, units_of(consumed.indexes), None) for table, consumed in self._tables.values()
        )

    def shown(self, params: Mapping[str, Any]) -> list[Any] | None:
        shown = [capacity.to_api(params, named, table, consumed) for named, (table, consumed) in self._tables.items()]
        return [each for each in shown if each is not None] or None


async def execute(ctx: Context, params: Params) -> Result:
    """Answer BatchExecuteStatement. Raises AwsError."""
    wanted = params["Statements"]
    parsed = [_admitted(each) for each in await all_parsed(ctx.account, wanted)]
    kinds = {isinstance(each, Select) for each in parsed if not isinstance(each, AwsError)}
    if len(kinds) > 1:
        raise validation("A batch must consist of either read statements or write statements: both cannot be mixed")
    account = _Account()
    # Each statement is decided by itself; of those that cannot be run there is nothing to decide.
    ctx.was_decided = True
    responses = [await _one(ctx, each, given, account) for each, given in zip(parsed, wanted, strict=True)]
    ctx.measured = account.spent("Read" if kinds == {True} else "Write")
    return {"Responses": responses, "ConsumedCapacity": account.shown(params)}


def _admitted(statement: Statement | AwsError) -> Statement | AwsError:
    return validation("EXISTS is a statement of transactions only") if isinstance(statement, Check) else statement


async def _one(
    ctx: Context, statement: Statement | AwsError, given: Mapping[str, Any], account: _Account
) -> Mapping[str, Any]:
    if isinstance(statement, AwsError):
        return _failed(statement)

    async def body(tx: Transaction) -> tuple[Table, Any, Consumed]:
        permission = PERMISSION if isinstance(statement, Select) else writing.get_permission(statement)
        table = await directory.for_items(ctx, tx, statement.table, permission)
        if isinstance(statement, Select):
            size, item = await Single(statement, table, "BatchExecuteStatement").read(ctx, tx)
            return table, item, Consumed(capacity.read_units(size, given.get("ConsistentRead") or False))
        asked = writing.request(statement, table, given.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD")
        access.authorize(ctx, table, asked.permission, keys=lambda: writing.keys_of(statement, asked, table))
        if table.is_sealed:
            tx = table_keys.unlock(ctx, tx, table)
        done = await actions.do(ctx, tx, Action(table, asked), ctx.now())
        item = actions.returned(ctx, done, writing.returning(statement))
        return table, item, done.written.consumed

    try:
        table, item, consumed = await table_keys.transact(ctx.block, body)
    except AwsError as error:
        return {**_failed(error), "TableName": statement.table}
    account.add(statement.table, table, consumed)
    return {"TableName": statement.table} | ({} if item is None else {"Item": item})


def _failed(error: AwsError) -> Mapping[str, Any]:
    code = _CODES.get(error.code)
    if code is None:
        raise error
    item = error.fields.get("Item")
    return {"Error": {"Code": code, "Message": error.message} | ({} if item is None else {"Item": item})}
