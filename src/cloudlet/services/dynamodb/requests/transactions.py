"""TransactWriteItems and TransactGetItems: up to 100 actions, all of them or none.

The store's transactions are strictly serialisable: two that touch the same item are run one after the other, so none is
cancelled for a conflict. Developer Guide, "Amazon DynamoDB Transactions: How it works".
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Subspace, Transaction
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.telemetry.metrics import is_measured
from cloudlet.services.dynamodb import access, errors
from cloudlet.services.dynamodb.item_data import item_collections, items
from cloudlet.services.dynamodb.item_data.key_checks import key_of
from cloudlet.services.dynamodb.item_data.values import LARGEST_ITEM, Item, checked_item, item_size, value_size
from cloudlet.services.dynamodb.measuring import units_of
from cloudlet.services.dynamodb.requests import actions, capacity, clauses, condition_keys
from cloudlet.services.dynamodb.requests.actions import Action, Request
from cloudlet.services.dynamodb.requests.capacity import Consumed
from cloudlet.services.dynamodb.requests.clauses import Clauses
from cloudlet.services.dynamodb.requests.throttling import throttle
from cloudlet.services.dynamodb.requests.writing import replace
from cloudlet.services.dynamodb.tables import directory, table_keys
from cloudlet.services.dynamodb.tables.table import Table

LARGEST = 4 << 20
_AT_ONCE_BYTES = 256 << 10
TOKEN_SECONDS = 600
"""For how long a token stands for the request that it came with."""

_CODES = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "DuplicateItemException": "DuplicateItem",
    "ItemCollectionSizeLimitExceededException": "ItemCollectionSizeLimitExceeded",
    "ProvisionedThroughputExceededException": "ProvisionedThroughputExceeded",
    "ThrottlingException": "ThrottlingError",
}
"""The codes of reasons for the errors of single actions; for all others ValidationError."""
_KINDS = ("ConditionCheck", "Put", "Delete", "Update")
_TOKENS = Subspace("token")
_EXPIRIES = Subspace("token-expiry")
_SWEPT = 8


class _Remembered(msgspec.Struct, array_like=True, frozen=True):
    """A transaction that was done: a digest of what was asked for, until when it is remembered, and its units."""

    digest: bytes
    until: float
    units: dict[str, float]


class Cancelled(AwsError):
    """The transaction is undone: for each action a code, and a message and an item where there are any."""

    def __init__(self, reasons: list[dict[str, Any]]) -> None:
        codes = ", ".join(reason["Code"] for reason in reasons)
        super().__init__(
            "TransactionCanceledException",
            f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
            CancellationReasons=reasons,
        )


def _reason(error: AwsError) -> dict[str, Any]:
    item = error.fields.get("Item")
    return {"Code": _CODES.get(error.code, "ValidationError"), "Message": error.message} | (
        {} if item is None else {"Item": item}
    )


def _cancelled(errors_by_place: dict[int, AwsError], count: int) -> Cancelled:
    return Cancelled(
        [_reason(errors_by_place[at]) if at in errors_by_place else {"Code": "None"} for at in range(count)]
    )


async def _requests(transact_items: list[dict[str, Any]]) -> tuple[list[Request], int]:
    """Return what is asked for, and the bytes of the values that come beside items and keys.

    Others have their turn while large ones are checked and encoded.
    """
    requests = []
    encoded = values = 0
    for each in transact_items:
        if encoded >= _AT_ONCE_BYTES:
            encoded = 0
            await asyncio.sleep(0)
        given = [kind for kind in _KINDS if kind in each]
        if len(given) != 1:
            raise errors.validation("TransactItems can only contain one of Check, Put, Update or Delete")
        with errors.older_words():
            request = actions.read(given[0], given[0], each[given[0]])
        if request.raw is not None and items.size_of(request.raw) > LARGEST_ITEM:
            # That the request itself tells: it is refused, where an item that an update makes too large cancels it.
            raise errors.item_too_large()
        requests.append(request)
        size = _size_of_values(each[given[0]])
        encoded += size if request.raw is None else size + len(request.raw)
        values += size
        if values > LARGEST:
            raise too_large()
    return requests, values


async def write(ctx: Context, params: Params) -> FinalTransaction:
    """Answer TransactWriteItems. Raises AwsError."""
    requests, values = await _requests(params["TransactItems"])
    digest = _digest(params["TransactItems"]) if "ClientRequestToken" in params else b""
    return FinalTransaction(lambda tx: run(ctx, tx, requests, params, "TransactWriteItems", digest, values))


def _size_of_values(action: Mapping[str, Any]) -> int:
    given: Item = action.get("ExpressionAttributeValues") or {}
    return sum(map(value_size, given.values()))


async def run(
    ctx: Context,
    tx: Transaction,
    requests: Sequence[Request],
    params: Params,
    operation: str,
    digest: bytes,
    values: int,
) -> Result:
    """Do what requests ask for, all or nothing. Raises AwsError.

    Of `params` the token and what is to be returned count; a token stands for the `digest` it came with. `values` are
    the bytes of the values that came beside items and keys.
    """
    now = ctx.now()
    token = params.get("ClientRequestToken")
    tables = {each.table: await directory.for_items(ctx, tx, each.table, each.permission) for each in requests}
    for request in requests:
        table = tables[request.table]
        access.authorize(ctx, table, request.permission, keys=partial(_write_keys, table, request, params, operation))
    for table in tables.values():
        if table.is_sealed:
            tx = table_keys.unlock(ctx, tx, table)
    if token is not None:
        known = await _remembered(ctx, tx, token, now)
        if known is not None:
            if known.digest != digest:
                raise AwsError(
                    "IdempotentParameterMismatchException",
                    "The parameters of this request are not those of the request with the same client token.",
                )
            consumed = {name: Consumed(units) for name, units in known.units.items()}
            ctx.measured = tuple((tables[name], "Read", units.table, (), None) for name, units in consumed.items())
            return {"ConsumedCapacity": _consumed(params, tables, consumed, "Read")}
    planned = _planned(tables, requests)
    # AWS measures what is sent: the items that are changed, deleted or looked at may be larger together.
    if values + sum([_sent(action) for action in planned]) > LARGEST:
        raise too_large()
    _check_throughput(planned, now)
    old = [await action.old(tx) for action in planned]
    outcomes = _outcomes(ctx, planned, old)
    is_counted = throttle is not None or "ReturnConsumedCapacity" in params or is_measured(ctx.block)
    wanted_metrics = params.get("ReturnItemCollectionMetrics")
    consumed = {name: Consumed() for name in tables}
    reads = dict.fromkeys(tables, 0.0)
    metrics: dict[str, list[Any]] = {}
    together = zip(requests, planned, old, outcomes, strict=True)
    for at, (request, action, was, (new, new_item, old_item)) in enumerate(together):
        if action.kind == "ConditionCheck":
            size = 0 if was is None else items.size_of(was)
            consumed[request.table].add(2 * capacity.write_units(size))
        else:
            try:
                written = await replace(
                    tx, action.table, action.key, was, new, now, old_item=old_item, new_item=new_item
                )
            except AwsError as error:
                raise _cancelled({at: error}, len(planned)) from error
            if is_counted:
                consumed[request.table].add(
                    2 * written.units,
                    {name: 2 * units for name, units in written.index_units.items()},
                    written.vector_bytes,
                )
            if wanted_metrics is not None:
                shown = await item_collections.metrics(tx, action.table, action.attributes, wanted_metrics)
                if shown is not None:
                    metrics.setdefault(request.table, []).append(shown)
        if token is not None:
            reads[request.table] += 2 * capacity.read_units(0 if new is None else items.size_of(new), True)
    ctx.measured = tuple(
        (tables[name], "Write", units.table, units_of(units.indexes), None) for name, units in consumed.items()
    )
    if throttle is not None:
        for name, units in consumed.items():
            throttle.spend(tables[name], "Write", units, now)
    if token is not None:
        _remember(ctx, tx, token, _Remembered(digest, now + TOKEN_SECONDS, reads))
    return {
        "ConsumedCapacity": _consumed(params, tables, consumed, "Write"),
        "ItemCollectionMetrics": metrics or None,
    }


def _write_keys(table: Table, request: Request, params: Params, operation: str) -> Keys:
    return condition_keys.of_items(table.keys, [request.given], request.clauses, params, enclosing=operation)


def _planned(tables: dict[str, Table], requests: Sequence[Request]) -> list[Action]:
    """Return the actions. Raises AwsError: the first that its table does not admit cancels them all."""
    planned = []
    for at, request in enumerate(requests):
        try:
            planned.append(Action(tables[request.table], request))
        except errors.EmptyKey:
            raise
        except AwsError as error:
            raise _cancelled({at: error}, len(requests)) from error
    if len({(action.table.id, action.key) for action in planned}) != len(planned):
        raise errors.validation("Transaction request cannot include multiple operations on one item")
    return planned


def _sent(action: Action) -> int:
    """Return the bytes of the item or key that an action came with."""
    return item_size(action.attributes) if action.raw is None else items.size_of(action.raw)


def too_large() -> AwsError:
    return errors.validation("Transaction request size cannot exceed 4 MB")


def _check_throughput(planned: Sequence[Action], now: float) -> None:
    """Raise AwsError where a table has no throughput left."""
    if throttle is None:
        return
    refused = [throttle.refusal(action.table, "Write", now) for action in planned]
    failed = {at: error for at, error in enumerate(refused) if error is not None}
    if failed:
        raise _cancelled(failed, len(planned))


def _outcomes(ctx: Context, planned: list[Action], old: list[bytes | None]) -> list[tuple[Any, Any, Any]]:
    """Return what each item becomes, stored and as it is, and what it was. Raises AwsError where any cannot be done."""
    failed: dict[int, AwsError] = {}
    outcomes = []
    for at, (action, raw) in enumerate(zip(planned, old, strict=True)):
        old_item = items.item_of(raw) if raw is not None and action.needs_old() else None
        try:
            action.check(ctx, raw, old_item)
            outcomes.append((*action.outcome(raw, old_item), old_item))
        except AwsError as error:
            failed[at] = error
    if failed:
        raise _cancelled(failed, len(planned))
    return outcomes


def _consumed(params: Params, tables: dict[str, Table], consumed: dict[str, Consumed], kind: str) -> list[Any] | None:
    shown = [capacity.to_api(params, name, tables[name], units, kind) for name, units in consumed.items()]
    return [each for each in shown if each is not None] or None


# -- idempotency


def _digest(asked: Any) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(asked, order="deterministic")).digest()


def _token_key(ctx: Context, token: str) -> bytes:
    return _TOKENS.key(ctx.account, ctx.region, token)


async def _remembered(ctx: Context, tx: Transaction, token: str, now: float) -> _Remembered | None:
    """Return the transaction that came with a token within the last ten minutes; forget some of those before."""
    for key, place in await tx.range(_EXPIRIES.begin, _EXPIRIES.key(int(now * 1000)), limit=_SWEPT):
        tx.delete(key)
        tx.delete(place)
    raw = await tx.get(_token_key(ctx, token))
    known = None if raw is None else msgspec.msgpack.decode(raw, type=_Remembered)
    if known is None or known.until > now:
        return known
    # The token may be used anew, and is then not to be forgotten when its first use was to be.
    tx.delete(_expiry(ctx, token, known))
    return None


def _remember(ctx: Context, tx: Transaction, token: str, done: _Remembered) -> None:
    place = _token_key(ctx, token)
    tx.put(place, msgspec.msgpack.encode(done))
    tx.put(_expiry(ctx, token, done), place)


def _expiry(ctx: Context, token: str, done: _Remembered) -> bytes:
    return _EXPIRIES.key(int(done.until * 1000), ctx.account, ctx.region, token)


# -- reads


def _read_keys(table: Table, get: Mapping[str, Any], asked: Clauses, params: Params) -> Keys:
    return condition_keys.of_items(table.keys, [get["Key"]], asked, params, reads=True, enclosing="TransactGetItems")


async def get(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Answer TransactGetItems. Raises AwsError."""
    wanted = [each.get("Get") for each in params["TransactItems"]]
    if not all(wanted):
        raise errors.validation("TransactItems of TransactGetItems must contain a Get")
    read = [clauses.read("Get", get) for get in wanted]
    with errors.older_words():
        for get in wanted:
            checked_item(get["Key"])
    tables = {get["TableName"]: await directory.for_items(ctx, tx, get["TableName"], "GetItem") for get in wanted}
    for get, asked in zip(wanted, read, strict=True):
        table = tables[get["TableName"]]
        access.authorize(ctx, table, "GetItem", keys=partial(_read_keys, table, get, asked, params))
    for table in tables.values():
        if table.is_sealed:
            tx = table_keys.unlock(ctx, tx, table)
    places = []
    for at, get in enumerate(wanted):
        try:
            places.append(key_of(tables[get["TableName"]], get["Key"])[0])
        except errors.EmptyKey:
            raise
        except AwsError as error:
            raise _cancelled({at: error}, len(wanted)) from error
    if len({(tables[get["TableName"]].id, place) for get, place in zip(wanted, places, strict=True)}) != len(places):
        raise errors.validation("Transaction request cannot include multiple operations on one item")
    responses: list[dict[str, Any]] = []
    consumed = {name: Consumed() for name in tables}
    total = 0
    for get, place, asked in zip(wanted, places, read, strict=True):
        raw = await tx.get(tables[get["TableName"]].items_prefix + place)
        size = 0 if raw is None else items.size_of(raw)
        total += size
        if total > LARGEST:
            raise too_large()
        consumed[get["TableName"]].add(2 * capacity.read_units(size, True))
        if raw is None:
            responses.append({})
        elif asked.projection is None:
            responses.append({"Item": items.to_api(ctx, raw)})
        else:
            responses.append({"Item": asked.projection.of(items.item_of(raw))})
    ctx.measured = tuple((tables[name], "Read", units.table, (), None) for name, units in consumed.items())
    if throttle is not None:
        for name, units in consumed.items():
            throttle.admit(tables[name], "Read", ctx.now())
            throttle.spend(tables[name], "Read", units, ctx.now())
    return {"Responses": responses, "ConsumedCapacity": _consumed(params, tables, consumed, "Read")}
