"""BatchGetItem and BatchWriteItem: up to 100 reads and 25 writes, each of which stands for itself.

Neither is atomic as a whole (API reference): what is large is done in several transactions, and what takes no
transaction is done in between, so that it does not hold up others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.telemetry.metrics import is_measured
from cloudlet.services.dynamodb import access, errors
from cloudlet.services.dynamodb.item_data import item_collections, items
from cloudlet.services.dynamodb.item_data.key_checks import key_of
from cloudlet.services.dynamodb.item_data.values import Item, checked_item
from cloudlet.services.dynamodb.measuring import units_of
from cloudlet.services.dynamodb.requests import capacity, clauses, condition_keys, writing
from cloudlet.services.dynamodb.requests.capacity import Consumed
from cloudlet.services.dynamodb.requests.clauses import Clauses
from cloudlet.services.dynamodb.requests.throttling import throttle
from cloudlet.services.dynamodb.tables import directory, table_keys
from cloudlet.services.dynamodb.tables.table import Table

READS, WRITES = 100, 25
ANSWER_BYTES = 16 << 20
"""What an answer of BatchGetItem may carry, and a request of BatchWriteItem bring."""
_STRETCH_BYTES = 256 << 10
"""So much is written, the rows of indexes included, or encoded or decoded, before others have their turn."""


class _Asked(NamedTuple):
    """What a BatchGetItem asks of a table, and where the items are."""

    request: dict[str, Any]
    clauses: Clauses
    table: Table
    places: list[bytes]


@dataclass(slots=True)
class _Found:
    """What was found of it."""

    asked: _Asked
    items: list[bytes] = field(default_factory=list)
    units: Consumed = field(default_factory=Consumed)
    left: list[Any] = field(default_factory=list)
    """The keys that were not read."""


def _check_projections(requests: Mapping[str, Any]) -> None:
    """Raise AwsError where one table is asked by an expression, and another one by AttributesToGet."""
    given = {
        name for request in requests.values() for name in ("AttributesToGet", "ProjectionExpression") if name in request
    }
    if len(given) > 1:
        raise errors.validation(
            "Can not use both expression and non-expression parameters in the same request: "
            "Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}"
        )


async def get(ctx: Context, params: Params) -> Result | FinalTransaction:
    """Answer BatchGetItem: what does not fit into 16 MB is left unprocessed. Raises AwsError."""
    requests: dict[str, Any] = params["RequestItems"]
    if sum(len(request["Keys"]) for request in requests.values()) > READS:
        raise errors.validation("Too many items requested for the BatchGetItem call")
    _check_projections(requests)
    wanted = {name: clauses.read("KeysAndAttributes", request) for name, request in requests.items()}
    if ctx.protocol == "json" and all(each.projection is None for each in wanted.values()):

        async def conclude(tx: Transaction) -> Result:
            found = await _read(ctx, tx, params, wanted)
            return _answer(ctx, params, found, {name: items.all_shown(ctx, each.items) for name, each in found.items()})

        return FinalTransaction(conclude)
    found = await ctx.transact(lambda tx: _read(ctx, tx, params, wanted))
    shown: dict[str, list[Any]] = {}
    decoded = 0
    for name, each in found.items():
        shown[name] = []
        projection = each.asked.clauses.projection
        for raw in each.items:
            item = items.item_of(raw)
            shown[name].append(item if projection is None else projection.of(item))
            decoded += len(raw)
            if decoded >= _STRETCH_BYTES:
                decoded = 0
                await asyncio.sleep(0)
    return _answer(ctx, params, found, shown)


async def _read(ctx: Context, tx: Transaction, params: Params, wanted: dict[str, Clauses]) -> dict[str, _Found]:
    """Read what is asked for, as far as there is room for it. Raises AwsError where nothing is read for throttling."""
    planned: dict[str, _Asked] = {}
    for name, request in params["RequestItems"].items():
        planned[name] = _Asked(request, wanted[name], await directory.for_items(ctx, tx, name, "BatchGetItem"), [])
    for asked in planned.values():
        access.authorize(ctx, asked.table, "BatchGetItem", keys=partial(_read_keys, asked, params))
        if asked.table.is_sealed:
            tx = table_keys.unlock(ctx, tx, asked.table)
        asked.places.extend(key_of(asked.table, key)[0] for key in asked.request["Keys"])
        if len(set(asked.places)) != len(asked.places):
            raise errors.validation("Provided list of item keys contains duplicates")
    room = ANSWER_BYTES
    refusal: AwsError | None = None
    now = ctx.now()
    result: dict[str, _Found] = {}
    for name, asked in planned.items():
        found = result[name] = _Found(asked)
        table, consistent = asked.table, asked.request.get("ConsistentRead", False)
        for number, place in enumerate(asked.places):
            refused = None if throttle is None else throttle.refusal(table, "Read", now)
            if refused is not None:
                refusal = refusal or refused
                found.left = asked.request["Keys"][number:]
                break
            raw = await tx.get(table.items_prefix + place)
            size = 0 if raw is None else items.size_of(raw)
            if size > room:
                found.left = asked.request["Keys"][number:]
                room = 0
                break
            room -= size
            spent = capacity.read_units(size, consistent)
            found.units.add(spent)
            if throttle is not None:
                throttle.spend(table, "Read", Consumed(spent), now)
            if raw is not None:
                found.items.append(raw)
    if refusal is not None and not any(found.units.table for found in result.values()):
        raise refusal
    return result


def _answer(ctx: Context, params: Params, found: dict[str, _Found], shown: dict[str, list[Any]]) -> Result:
    ctx.measured = tuple((each.asked.table, "Read", each.units.table, (), None) for each in found.values())
    consumed = [capacity.to_api(params, name, each.asked.table, each.units) for name, each in found.items()]
    return {
        "Responses": shown,
        "UnprocessedKeys": {
            name: {**each.asked.request, "Keys": each.left} for name, each in found.items() if each.left
        },
        "ConsumedCapacity": [each for each in consumed if each is not None] or None,
    }


_Write = tuple[Item, bytes | None]
"""One of a batch of writes: an item with what is stored of it, or the key of one to delete, with None."""
_Planned = tuple[bytes, Item, bytes | None]
"""A write that the table admits: the key, and what is asked for."""


@dataclass(slots=True)
class _Done:
    """What was done of a batch of writes to one table."""

    table: Table
    writes: int = 0
    units: Consumed = field(default_factory=Consumed)
    collections: list[dict[str, Any]] = field(default_factory=list)
    refusal: AwsError | None = None
    """Why the next one was not done: the table is throttled."""
    is_over: bool = False
    """Whether those that were not done are left unprocessed."""

    def add(self, more: _Done) -> None:
        """Take in what another transaction has done."""
        self.writes += more.writes
        self.units.add(more.units.table, more.units.indexes, more.units.vectors)
        self.collections += more.collections
        self.refusal, self.is_over = more.refusal, more.is_over


class _Writing:
    """A BatchWriteItem under way."""

    def __init__(self, ctx: Context, params: Params) -> None:
        """Raises AwsError."""
        self._ctx = ctx
        self._params = params
        self._requests: dict[str, list[Any]] = params["RequestItems"]
        if sum(map(len, self._requests.values())) > WRITES:
            raise errors.validation("Too many items requested for the BatchWriteItem call")
        self._left: dict[str, list[_Write]] = {}
        """The writes that are neither done nor refused."""
        self._done: dict[str, _Done] = {}

    async def prepare(self) -> None:
        """Check and encode the items. Raises AwsError."""
        encoded = 0
        for name, requests in self._requests.items():
            left = self._left[name] = []
            for request in requests:
                given, raw = _checked(request)
                left.append((given, raw))
                encoded += 0 if raw is None else len(raw)
                if encoded >= _STRETCH_BYTES:
                    encoded = 0
                    await asyncio.sleep(0)

    async def step(self, tx: Transaction) -> dict[str, _Done]:
        """Do some of the writes that are left; return what was done, by the names of tables.

        The first one raises AwsError where any of them is not admitted; none is done then. What is left of a table that
        is changed meanwhile is for the client to ask for again.
        It changes nothing about the batch: a transaction that conflicts is run again.
        """
        ctx, params = self._ctx, self._params
        stretch: dict[str, _Done] = {}
        planned = []
        for name, writes in self._left.items():
            table = await directory.for_items(ctx, tx, name, "BatchWriteItem")
            before = self._done.get(name)
            if before is not None and before.table.record != table.record:
                stretch[name] = _Done(before.table, is_over=True)
                continue
            access.authorize(ctx, table, "BatchWriteItem", keys=partial(_write_keys, table, writes, params))
            if table.is_sealed:
                tx = table_keys.unlock(ctx, tx, table)
            done = stretch[name] = _Done(table)
            planned.append((done, _planned(table, writes, is_checked=before is not None)))
        now = ctx.now()
        is_counted = throttle is not None or "ReturnConsumedCapacity" in params or is_measured(ctx.block)
        metrics = params.get("ReturnItemCollectionMetrics")
        room = _STRETCH_BYTES
        for done, actions in planned:
            table = done.table
            rows = 1 + len(table.live_indexes)
            for key, given, raw in actions:
                if room <= 0:
                    return stretch
                done.refusal = None if throttle is None else throttle.refusal(table, "Write", now)
                if done.refusal is not None:
                    done.is_over = True
                    break
                old = await tx.get(table.items_prefix + key)
                item = None if raw is None else given
                written = await writing.replace(tx, table, key, old, raw, now, new_item=item)
                room -= max(len(old or b""), len(raw or b"")) * rows
                done.writes += 1
                if is_counted:
                    done.units.add(written.units, written.index_units, written.vector_bytes)
                if throttle is not None:
                    throttle.spend(table, "Write", written.consumed, now)
                if metrics is not None:
                    collection = await item_collections.metrics(tx, table, given, metrics)
                    if collection is not None:
                        done.collections.append(collection)
        return stretch

    def take(self, stretch: dict[str, _Done]) -> bool:
        """Take in what a step has done; return whether no write is left."""
        for name, done in stretch.items():
            known = self._done.get(name)
            if known is None:
                self._done[name] = done
            else:
                known.add(done)
            left = self._left.pop(name)[done.writes :]
            if left and not done.is_over:
                self._left[name] = left
        return not self._left

    def answer(self) -> Result:
        """Return what is answered. Raises AwsError where all that was asked for is throttled."""
        all_done = self._done
        refusals = [done.refusal for done in all_done.values() if done.refusal is not None]
        if refusals and not any(done.writes for done in all_done.values()):
            raise refusals[0]
        self._ctx.measured = tuple(
            (done.table, "Write", done.units.table, units_of(done.units.indexes), None) for done in all_done.values()
        )
        consumed = [capacity.to_api(self._params, name, done.table, done.units) for name, done in all_done.items()]
        return {
            "UnprocessedItems": {
                name: self._requests[name][done.writes :] for name, done in all_done.items() if done.is_over
            },
            "ItemCollectionMetrics": {name: done.collections for name, done in all_done.items() if done.collections}
            or None,
            "ConsumedCapacity": [each for each in consumed if each is not None] or None,
        }


async def write(ctx: Context, params: Params) -> Result:
    """Answer BatchWriteItem. Raises AwsError where one of the writes is not admitted; none is done then."""
    batch = _Writing(ctx, params)
    await batch.prepare()
    while not batch.take(await ctx.transact(batch.step)):
        await asyncio.sleep(0)
    return batch.answer()


def _read_keys(asked: _Asked, params: Params) -> Keys:
    return condition_keys.of_items(asked.table.keys, asked.request["Keys"], asked.clauses, params, reads=True)


def _write_keys(table: Table, writes: list[_Write], params: Params) -> Keys:
    return condition_keys.of_items(table.keys, [given for given, _ in writes], Clauses(), params)


def _checked(request: Mapping[str, Any]) -> _Write:
    """Return what a request asks for. Raises AwsError."""
    put: Any = request.get("PutRequest")
    delete: Any = request.get("DeleteRequest")
    if (put is None) == (delete is None):
        raise errors.validation(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported "
            "datatypes"
            if put is not None
            else "Invalid Request: Each write request must contain either a PutRequest or a DeleteRequest"
        )
    with errors.older_words():
        given = checked_item(delete["Key"] if put is None else put["Item"])
    return given, None if put is None else items.stored(given)


def _planned(table: Table, writes: list[_Write], *, is_checked: bool) -> list[_Planned]:
    """Return what is to be done to a table, which has admitted the items before if `is_checked`. Raises AwsError."""
    actions: list[_Planned] = []
    for given, raw in writes:
        if raw is None:
            actions.append((*key_of(table, given), None))
        else:
            key, _ = key_of(table, {name: given[name] for name in table.keys.names if name in given})
            if not is_checked:
                writing.check(table, given, raw)
            actions.append((key, given, raw))
    if len({key for key, _, _ in actions}) != len(actions):
        raise errors.validation("Provided list of item keys contains duplicates")
    return actions
