"""The operations of PartiQL."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, FinalTransaction, Params, Result, Service, Transaction
from cloudlet.services.dynamodb import access
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.partiql import batches, reading, transactions, writing
from cloudlet.services.dynamodb.partiql.parsing import parsed
from cloudlet.services.dynamodb.partiql.statements import Check, Select
from cloudlet.services.dynamodb.requests import actions, capacity
from cloudlet.services.dynamodb.requests.actions import Action
from cloudlet.services.dynamodb.tables import directory, table_keys


def declare(service: Service) -> None:
    """Add the operations to the block's service."""
    service.direct("ExecuteStatement")(execute_statement)
    service.direct("BatchExecuteStatement")(batches.execute)
    service.direct("ExecuteTransaction")(transactions.execute)


async def execute_statement(ctx: Context, params: Params) -> Result | FinalTransaction:
    statement = await parsed(ctx.account, params)
    if isinstance(statement, Select):
        return await reading.select(ctx, statement, params)
    if isinstance(statement, Check):
        raise validation("EXISTS is a statement of transactions only")
    for member in ("NextToken", "Limit"):
        if params.get(member) is not None:
            raise validation(f"{member} is for SELECT only")

    async def body(tx: Transaction) -> Result:
        table = await directory.for_items(ctx, tx, statement.table, writing.get_permission(statement))
        asked = writing.request(statement, table, params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD")
        access.authorize(ctx, table, asked.permission, keys=lambda: writing.keys_of(statement, asked, table))
        if table.is_sealed:
            tx = table_keys.unlock(ctx, tx, table)
        done = await actions.do(ctx, tx, Action(table, asked), ctx.now())
        shown: Any = actions.returned(ctx, done, writing.returning(statement))
        return {
            "Items": [] if shown is None else [shown],
            "ConsumedCapacity": capacity.to_api(params, statement.table, table, done.written.consumed),
        }

    return FinalTransaction(body)
