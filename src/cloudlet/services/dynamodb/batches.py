"""BatchGetItem and BatchWriteItem: up to 100 reads and 25 writes, each of which stands for itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.resource_policy import Keys
from cloudlet.services.dynamodb import (
    access,
    capacity,
    clauses,
    condition_keys,
    directory,
    errors,
    item_collections,
    items,
    writing,
)
from cloudlet.services.dynamodb.capacity import Consumed
from cloudlet.services.dynamodb.clauses import Clauses
from cloudlet.services.dynamodb.key_checks import check_item_key, key_of
from cloudlet.services.dynamodb.measuring import units_of
from cloudlet.services.dynamodb.table import Table
from cloudlet.services.dynamodb.throttling import throttle
from cloudlet.services.dynamodb.values import Item, checked_item

READS, WRITES = 100, 25
ANSWER_BYTES = 16 << 20
"""What an answer of BatchGetItem may carry, and a request of BatchWriteItem bring."""


async def get(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Answer BatchGetItem: what does not fit into 16 MB is left unprocessed. Raises AwsError."""
    requests: dict[str, Any] = params["RequestItems"]
    if sum(len(request["Keys"]) for request in requests.values()) > READS:
        raise errors.validation("Too many items requested for the BatchGetItem call")
    wanted = {name: clauses.read("KeysAndAttributes", request) for name, request in requests.items()}
    reads = [(name, request, await directory.for_items(ctx, tx, name)) for name, request in requests.items()]
    planned = []
    for name, request, table in reads:
        access.authorize(ctx, table, "BatchGetItem", keys=partial(_read_keys, table, request, wanted[name], params))
        places = [key_of(table, key)[0] for key in request["Keys"]]
        if len(set(places)) != len(places):
            raise errors.validation("Provided list of item keys contains duplicates")
        planned.append((name, request, table, places))
    responses: dict[str, list[Any]] = {}
    left: dict[str, Any] = {}
    consumed = []
    measured = []
    room = ANSWER_BYTES
    read = 0.0
    refusal: AwsError | None = None
    now = ctx.now()
    for name, request, table, places in planned:
        found = responses[name] = []
        units = Consumed()
        projection, consistent = wanted[name].projection, request.get("ConsistentRead", False)
        for number, place in enumerate(places):
            refused = None if throttle is None else throttle.refusal(table, "Read", now)
            if refused is not None:
                refusal = refusal or refused
                left[name] = {**request, "Keys": request["Keys"][number:]}
                break
            raw = await tx.get(table.items_prefix + place)
            size = 0 if raw is None else items.size_of(raw)
            if size > room:
                left[name] = {**request, "Keys": request["Keys"][number:]}
                room = 0
                break
            room -= size
            spent = capacity.read_units(size, consistent)
            units.add(spent)
            if throttle is not None:
                throttle.spend(table, "Read", Consumed(spent), now)
            if raw is not None:
                found.append(items.shown(ctx, raw) if projection is None else projection.of(items.item_of(raw)))
        read += units.table
        measured.append((table, "Read", units.table, (), None))
        consumed.append(capacity.shown(params, name, table, units))
    if refusal is not None and not read:
        raise refusal
    ctx.measured = tuple(measured)
    return {
        "Responses": responses,
        "UnprocessedKeys": left,
        "ConsumedCapacity": [each for each in consumed if each is not None] or None,
    }


async def write(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Answer BatchWriteItem. Raises AwsError where one of the writes is not admitted; none is done then."""
    requests: dict[str, list[Any]] = params["RequestItems"]
    if sum(map(len, requests.values())) > WRITES:
        raise errors.validation("Too many items requested for the BatchWriteItem call")
    checked = {name: [_checked(request) for request in writes] for name, writes in requests.items()}
    planned = []
    for name, writes in checked.items():
        table = await directory.for_items(ctx, tx, name)
        access.authorize(ctx, table, "BatchWriteItem", keys=partial(_write_keys, table, writes, params))
        planned.append((name, table, _planned(table, writes)))
    now = ctx.now()
    is_counted = throttle is not None or "ReturnConsumedCapacity" in params or ctx.block.is_measured
    wanted_metrics = params.get("ReturnItemCollectionMetrics")
    consumed, measured, metrics = [], [], {}
    left: dict[str, Any] = {}
    refusal: AwsError | None = None
    done = 0.0
    for name, table, actions in planned:
        units = Consumed()
        collections = []
        for number, (key, given, item, raw) in enumerate(actions):
            refused = None if throttle is None else throttle.refusal(table, "Write", now)
            if refused is not None:
                refusal = refusal or refused
                left[name] = requests[name][number:]
                break
            old = await tx.get(table.items_prefix + key)
            written = await writing.replace(tx, table, key, old, raw, now, new_item=item)
            if is_counted:
                units.add(written.units, written.index_units, written.vector_bytes)
            if throttle is not None:
                throttle.spend(table, "Write", written.consumed, now)
            if wanted_metrics is not None:
                collections.append(await item_collections.metrics(tx, table, given, wanted_metrics))
        done += units.table
        measured.append((table, "Write", units.table, units_of(units.indexes), None))
        consumed.append(capacity.shown(params, name, table, units))
        shown = [each for each in collections if each is not None]
        if shown:
            metrics[name] = shown
    if refusal is not None and not done:
        raise refusal
    ctx.measured = tuple(measured)
    return {
        "UnprocessedItems": left,
        "ItemCollectionMetrics": metrics or None,
        "ConsumedCapacity": [each for each in consumed if each is not None] or None,
    }


def _read_keys(table: Table, request: Mapping[str, Any], asked: Clauses, params: Params) -> Keys:
    return condition_keys.of_items(table.keys, request["Keys"], asked, params, reads=True)


def _write_keys(table: Table, writes: list[tuple[Item | None, Item | None]], params: Params) -> Keys:
    given = [item if item is not None else key for item, key in writes]
    return condition_keys.of_items(table.keys, [each for each in given if each is not None], Clauses(), params)


def _checked(request: Mapping[str, Any]) -> tuple[Item | None, Item | None]:
    """Return the item to put, or the key of the one to delete."""
    put: Any = request.get("PutRequest")
    delete: Any = request.get("DeleteRequest")
    if (put is None) == (delete is None):
        raise errors.validation(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported "
            "datatypes"
            if put is not None
            else "Invalid Request: Each write request must contain either a PutRequest or a DeleteRequest"
        )
    return (None, delete["Key"]) if put is None else (checked_item(put["Item"]), None)


def _planned(
    table: Table, writes: list[tuple[Item | None, Item | None]]
) -> list[tuple[bytes, Item, Item | None, bytes | None]]:
    """Return what is to be done to a table: keys, items or their keys, items, and what is stored of them."""
    actions: list[tuple[bytes, Item, Item | None, bytes | None]] = []
    for item, key in writes:
        if item is not None:
            place = check_item_key(table, item)
            actions.append((place, item, item, writing.admitted(table, item)))
        elif key is not None:
            place, attributes = key_of(table, key)
            actions.append((place, attributes, None, None))
    if len({action[0] for action in actions}) != len(actions):
        raise errors.validation("Provided list of item keys contains duplicates")
    return actions
