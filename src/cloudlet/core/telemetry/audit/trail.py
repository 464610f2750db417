"""The calls of one block, on their way to CloudTrail."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.context import Context
from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.observer import Observer
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.service import Handler, Params, Result
from cloudlet.core.kernel.timing import watching
from cloudlet.core.telemetry.audit import record
from cloudlet.store import StoreError, Subspace, Transaction
from cloudlet.store.eager import spawn
from cloudlet.store.interface import Row
from cloudlet.wire import InvalidRequest, WireError

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.core")

_ROWS: Final = Subspace("audit")
"""When it was, event id → record, as JSON."""
_TOPIC: Final = b"audit"
RECORD: Final = "RecordEvents"
"""The operation by which this is told."""
_BATCH: Final = 200
_BATCH_BYTES: Final = 1 << 20
"""Of records that are handed over in one call, but for the last of them."""
_MOST_WAITING: Final = 20_000
"""Records that are not written down yet; more are dropped."""
_GATHERED_SECONDS: Final = 0.05
_FAILED: Final = 500
"""The status of an unexpected failure; a block that is down has another one."""
_PAUSE_SECONDS: Final = 1.0
_ASKED_AGAIN_SECONDS: Final = 2.0
"""While there are data events, CloudTrail is asked so often whether it wants them."""
_ACCOUNT: Final = "000000000000"
_REGION: Final = "us-east-1"
"""CloudTrail takes records of all accounts and regions in one call, which is made in some."""


def observe_calls(block: Block) -> Observer | None:
    """Return what records a block's calls for CloudTrail; None where there is none."""
    trail = find_trail(block)
    if trail is None:
        return None
    return Observer(trail.record_call, trail.record_in, trail.record_rejected_call, trail.job, trail.write)


def find_trail(block: Block) -> AuditExporter | None:
    """Return what a block tells CloudTrail; None where there is none."""
    return _TRAILS.get(block)


class AuditExporter:
    """What a block tells CloudTrail."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._wants_data = False
        self._has_seen_data = False
        """The same as the event below, which costs a call of Python to be asked: this is, for each call."""
        self._seen_data = asyncio.Event()
        self._asked = 0.0
        """When CloudTrail was asked, by the event loop's clock."""
        self._waiting: deque[dict[str, Any]] = deque()
        self._writing = False
        self._dropped = 0

    def record_call(
        self, ctx: Context, handler: Handler, params: Params, result: Result, error: WireError | None
    ) -> None:
        """Note a call that was answered, unless its transaction has, or it is a data event that no trail selects.

        AWS's CloudTrail knows nothing of the operations that only Cloudlet's blocks have.
        """
        if handler.is_internal:
            return
        if handler.is_data_event:
            if not self._has_seen_data:
                self._has_seen_data = True
                self._seen_data.set()
            if not self._wants_data:
                return
        elif handler.is_noted and error is None:
            return
        self._note(ctx, handler, params, result, error)

    def record_rejected_call(self, ctx: Context, handler: Handler, invalid: InvalidRequest, error: WireError) -> None:
        """Note a call whose parameters the model refuses; what they were is not recorded.

        `error` says so in the service's words, and shows their values.
        """
        if record.shows_secrets(handler, invalid, self._block.service.hidden):
            error = WireError(error.code, record.HIDDEN)
        self.record_call(ctx, handler, {}, None, error)

    def record_in(self, tx: Transaction, ctx: Context, handler: Handler, params: Params, result: Result) -> None:
        """Note a call in the transaction that does it."""
        made = _recorded(ctx, handler, params, result, None)
        if made is not None:
            _put(tx, made)
            tx.notify(_TOPIC)

    def record_service_event_in(
        self, tx: Transaction, account: str, region: str, name: str, data: Mapping[str, Any], error: str = ""
    ) -> None:
        """Record an event of the service itself in a transaction; `error` says why something failed."""
        block = self._block
        now = block.clock.now()
        _put(tx, record.make_service_event(block.service.name, account, region, now, name, data, error))
        tx.notify(_TOPIC)

    def _note(self, ctx: Context, handler: Handler, params: Params, result: Result, error: WireError | None) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped += 1
            return
        made = _recorded(ctx, handler, params, result, error)
        if made is None:
            return
        self._waiting.append(made)
        if not self._writing:
            self._writing = True
            spawn(self._write_soon())

    async def _write_soon(self) -> None:
        await asyncio.sleep(_GATHERED_SECONDS)
        await self.write()

    async def write(self) -> None:
        """Write down what was noted."""
        self._writing = False
        noted, self._waiting = self._waiting, deque()
        if self._dropped:
            log.warning("%d calls were not recorded for CloudTrail: there were too many", self._dropped)
            self._dropped = 0
        if not noted:
            return

        async def body(tx: Transaction) -> None:
            for each in noted:
                _put(tx, each)
            tx.notify(_TOPIC)

        try:
            await self._block.store.transact(body)
        except StoreError as error:
            log.error("%d calls could not be recorded for CloudTrail: %s", len(noted), error)

    async def job(self, block: Block) -> None:
        """Give CloudTrail what was written down, for ever."""
        async with watching(block, _TOPIC) as changed:
            works = KeyedTasks(block, changed)
            while True:
                changed.clear()
                listed = await self._block.store.transact(lambda tx: _first(tx, _BATCH + len(works)))
                found = _batch([row for row in listed if row[0] not in works])
                if found:
                    await works.run_batch(found, "the record", partial(self._hand_over, found))
                elif self._is_to_ask():
                    await self._hand_over({}, [])
                else:
                    await self._anything(changed)

    async def _hand_over(self, found: dict[bytes, bytes], keys: list[bytes]) -> None:
        """Hand over records, perhaps none, unless CloudTrail cannot take any now. Raises AwsError where it fails."""
        failed: AwsError | None = None
        try:
            await self._give([found[key].decode() for key in keys])
        except AwsError as error:
            failed = error
        if failed is None:
            await self._block.store.transact(lambda tx: _forget(tx, keys))
            return
        if keys and (failed.status == _FAILED or not is_transient(failed.code, failed.status)):
            # One of them may be why.
            raise failed
        log.warning("CloudTrail does not take what %s has for it: %s", self._block.service.name, failed)
        await asyncio.sleep(_PAUSE_SECONDS)

    def _is_to_ask(self) -> bool:
        """Whether there were data events, and some time has passed since CloudTrail said whether it wants them."""
        now = asyncio.get_running_loop().time()
        return self._has_seen_data and now - self._asked >= _ASKED_AGAIN_SECONDS

    async def _anything(self, changed: asyncio.Event) -> None:
        """Wait until there is something to tell or, some time after a data event, to ask."""
        waiting = [asyncio.ensure_future(changed.wait()), asyncio.ensure_future(self._data_seen())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        # What comes in a moment goes along.
        await asyncio.sleep(_GATHERED_SECONDS)

    async def _data_seen(self) -> None:
        await asyncio.sleep(_ASKED_AGAIN_SECONDS)
        await self._seen_data.wait()

    async def _give(self, records: list[str]) -> None:
        """Hand over records, perhaps none, and learn whether data events are wanted. Raises AwsError."""
        block = self._block
        self._has_seen_data = False
        self._seen_data.clear()
        self._asked = asyncio.get_running_loop().time()
        params = {"Events": records, "Source": block.service.name}
        answer = await block.call("cloudtrail", RECORD, params, account=_ACCOUNT, region=_REGION)
        self._wants_data = bool(answer and answer.get("WantsDataEvents"))


def _recorded(
    ctx: Context, handler: Handler, params: Params, result: Result, error: WireError | None
) -> dict[str, Any] | None:
    """Return the record of a call; None where none could be made of it, which is no fault of the call."""
    try:
        return record.record(ctx, handler, params, result, error)
    except Exception:
        log.exception("the call %s of %s could not be recorded", ctx.request_id, handler.name)
        return None


async def _forget(tx: Transaction, keys: list[bytes]) -> None:
    for key in keys:
        tx.delete(key)


def _batch(rows: list[Row]) -> dict[bytes, bytes]:
    """Return as many of some rows as are handed over in one call."""
    found: dict[bytes, bytes] = {}
    size = 0
    for key, value in rows[:_BATCH]:
        found[key] = value
        size += len(value)
        if size >= _BATCH_BYTES:
            break
    return found


async def _first(tx: Transaction, count: int) -> list[Row]:
    return await tx.range(_ROWS.begin, _ROWS.end, limit=count)


def _put(tx: Transaction, made: dict[str, Any]) -> None:
    tx.put(_ROWS.key(made["eventTime"], made["eventID"]), record.encode(made))


def _make_exporter(block: Block) -> AuditExporter | None:
    return AuditExporter(block) if block.cloud.has("cloudtrail") else None


_TRAILS: Final = PerBlock(_make_exporter)
