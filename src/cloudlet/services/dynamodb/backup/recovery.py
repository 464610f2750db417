"""Point-in-time recovery: to which times a table can be restored, and how long its journal is kept for that.

Developer Guide, "Point-in-time backups for DynamoDB".
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel import timing
from cloudlet.core.kernel.block import Block
from cloudlet.services.dynamodb.backup import journal, timeline
from cloudlet.services.dynamodb.tables import directory
from cloudlet.services.dynamodb.tables.table import Table

_DAY = 86400
_TABLES = Subspace("recovery-table")
_SWEEP_SECONDS = 3600.0
_PAGE = 100
_ENTRIES = 500


def note(tx: Transaction, table: Table) -> None:
    """Let the journal of a table be trimmed, if it has point-in-time recovery."""
    if table.features.recovery is None:
        tx.delete(_TABLES.key(table.id))
    else:
        tx.put(_TABLES.key(table.id), b"")


async def earliest(tx: Transaction, table: Table, now: float) -> float | None:
    """Return the earliest time that a table can be restored to (seconds since the epoch), or None."""
    recovery = table.features.recovery
    return None if recovery is None else max(await timeline.since(tx, table, now), now - recovery.days * _DAY)


async def described(tx: Transaction, table: Table, now: float) -> dict[str, Any]:
    """Return the ContinuousBackupsDescription of a table."""
    point: dict[str, Any] = {"PointInTimeRecoveryStatus": "DISABLED"}
    if table.features.recovery is not None:
        point = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": table.features.recovery.days,
            "EarliestRestorableDateTime": await earliest(tx, table, now),
            "LatestRestorableDateTime": now,
        }
    # Continuous backups are enabled on all tables at table creation (API reference).
    return {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": point}


async def check_time(tx: Transaction, table: Table, time: float, now: float, code: str) -> None:
    """Raise AwsError, with `code` for a wrong time, where the state of a table at a time is not to be had."""
    first = await earliest(tx, table, now)
    if first is None:
        raise AwsError(
            "PointInTimeRecoveryUnavailableException",
            f"Point in time recovery is not enabled for table '{table.name}'",
        )
    if not first <= time <= now:
        raise AwsError(code, "The time must be between EarliestRestorableDateTime and LatestRestorableDateTime")


async def trim(block: Block) -> None:
    """Forget what is older than a table's recovery period, now and then."""
    works = KeyedTasks(block)
    while True:
        after = 0
        while True:

            async def page(tx: Transaction, after: int = after) -> list[int]:
                rows = await tx.range(_TABLES.key(after) + b"\x00", _TABLES.end, limit=_PAGE)
                return [_TABLES.unpack(key)[0] for key, _ in rows]

            ids = await block.store.transact(page)
            for table_id in ids:
                what = f"trimming the journal of the table {table_id}"
                await works.attempt(table_id, what, partial(_trim, block, table_id))
            if len(ids) < _PAGE:
                break
            after = ids[-1]
        await timing.back_off(block, _SWEEP_SECONDS)


async def _trim(block: Block, table_id: int) -> None:
    row: bytes | None = b""
    while row is not None:

        async def step(tx: Transaction, row: bytes = row) -> bytes | None:
            table = await directory.by_id(tx, table_id)
            if table is None:
                tx.delete(_TABLES.key(table_id))
                return None
            first = await earliest(tx, table, block.clock.now())
            if first is None or table.features.copies:
                # A copy under way may be of a time that is just passing out of the period.
                return None
            return await journal.trim(tx, table, row, first, _ENTRIES)

        row = await block.store.transact(step)
        await asyncio.sleep(0)
