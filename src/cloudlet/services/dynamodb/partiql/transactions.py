"""ExecuteTransaction: up to 100 reads, or up to 100 writes and checks, all of them or none.

Developer Guide, "Performing transactions with PartiQL for DynamoDB".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.item_data.values import value_size
from cloudlet.services.dynamodb.partiql import writing
from cloudlet.services.dynamodb.partiql.continuation import digest_of
from cloudlet.services.dynamodb.partiql.parsing import all_parsed
from cloudlet.services.dynamodb.partiql.reading import PERMISSION, Single
from cloudlet.services.dynamodb.partiql.statements import Insert, Select, Write
from cloudlet.services.dynamodb.requests import capacity, transactions
from cloudlet.services.dynamodb.requests.capacity import Consumed
from cloudlet.services.dynamodb.requests.transactions import LARGEST, too_large
from cloudlet.services.dynamodb.tables import directory
from cloudlet.services.dynamodb.tables.table import Table


async def execute(ctx: Context, params: Params) -> FinalTransaction:
    """Answer ExecuteTransaction. Raises AwsError."""
    given = params["TransactStatements"]
    parsed = []
    for statement in await all_parsed(ctx.account, given):
        if isinstance(statement, AwsError):
            raise statement
        parsed.append(statement)
    selects = [statement for statement in parsed if isinstance(statement, Select)]
    writes = [statement for statement in parsed if not isinstance(statement, Select)]
    if selects and writes:
        raise validation(
            "A transaction must consist of either read statements or write statements: both cannot be mixed"
        )
    if selects:
        return FinalTransaction(lambda tx: _read(ctx, tx, selects, params))
    if any(writing.returning(statement) is not None for statement in writes):
        raise validation("RETURNING is not supported in transactions")
    shows_old = [each.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" for each in given]
    together = zip(given, writes, strict=True)
    # What INSERT is given is part of its item.
    beside = [each.get("Parameters") or () for each, statement in together if not isinstance(statement, Insert)]
    values = sum([value_size(value) for parameters in beside for value in parameters])
    digest = digest_of(given)
    return FinalTransaction(lambda tx: _write(ctx, tx, writes, shows_old, params, digest, values))


async def _read(ctx: Context, tx: Transaction, statements: Sequence[Select], params: Params) -> Result:
    wanted = []
    for at, each in enumerate(statements):
        table = await directory.for_items(ctx, tx, each.table, PERMISSION)
        try:
            wanted.append(Single(each, table, "ExecuteTransaction"))
        except AwsError as error:
            raise validation(f"Validation failed in TransactStatements[{at}]: {error.message}") from None
    if len({(one.table.arn, one.key) for one in wanted}) != len(wanted):
        raise validation("Transaction request cannot include multiple operations on one item")
    responses, total = [], 0
    consumed: dict[str, tuple[Table, Consumed]] = {}
    for one in wanted:
        size, item = await one.read(ctx, tx, "ExecuteTransaction")
        total += size
        if total > LARGEST:
            raise too_large()
        responses.append({} if item is None else {"Item": item})
        _, units = consumed.setdefault(one.named, (one.table, Consumed()))
        units.add(2 * capacity.read_units(size, True))
    ctx.measured = tuple((table, "Read", units.table, (), None) for table, units in consumed.values())
    shown = [capacity.to_api(params, named, table, units, "Read") for named, (table, units) in consumed.items()]
    return {"Responses": responses, "ConsumedCapacity": [each for each in shown if each is not None] or None}


async def _write(
    ctx: Context,
    tx: Transaction,
    statements: Sequence[Write],
    shows_old: Sequence[bool],
    params: Params,
    digest: bytes,
    values: int,
) -> Result:
    requests = [
        writing.request(each, await directory.for_items(ctx, tx, each.table, writing.get_permission(each)), shown)
        for each, shown in zip(statements, shows_old, strict=True)
    ]
    done: Any = await transactions.run(ctx, tx, requests, params, "ExecuteTransaction", digest, values)
    return {"Responses": [], "ConsumedCapacity": done["ConsumedCapacity"]}
