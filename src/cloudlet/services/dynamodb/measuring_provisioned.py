"""What is provisioned, for CloudWatch: of tables and global indexes, and what of an account's limits that is.

Developer guide, "DynamoDB Metrics and dimensions". It is read every five minutes. Accounts without tables have none.
"""

from __future__ import annotations

from collections import defaultdict

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.telemetry.metrics import clamp_to_ended_minute, get_metrics, is_first
from cloudlet.core.telemetry.reporting import make_room
from cloudlet.services.dynamodb.tables import directory, throughput
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.services.dynamodb.tables.table_record import ON_DEMAND, Throughput

_PERIOD_SECONDS = 300
_PAGE = 100

_LAST: PerBlock[int] = PerBlock(lambda _: 0)
"""The period that was reported last."""


class _Account:
    """What an account has provisioned in a region, in units: reads and writes."""

    def __init__(self) -> None:
        self.total = [0, 0]
        self.most = [0, 0]
        """By one table or index."""

    def add(self, provisioned: Throughput) -> None:
        for at, units in enumerate((provisioned.read, provisioned.write)):
            self.total[at] += units
            self.most[at] = max(self.most[at], units)


async def measure(block: Block) -> None:
    """Add what is provisioned to the block's metrics, once every five minutes."""
    now = block.clock.now()
    period = int(now // _PERIOD_SECONDS)
    if _LAST.get(block) == period:
        return
    _LAST.replace(block, period)
    if not await is_first(block, "provisioned", period):
        return
    at = clamp_to_ended_minute(now)
    accounts: defaultdict[tuple[str, str], _Account] = defaultdict(_Account)
    after = b""
    while True:

        async def page(tx: Transaction, after: bytes = after) -> tuple[list[Table], bytes]:
            return await directory.page(tx, after, _PAGE)

        tables, after = await block.store.transact(page)
        for table in tables:
            _measure_table(block, table, accounts[table.record.account, table.record.region], at)
        await make_room(block)
        if not after:
            break
    for (account, region), provisioned in accounts.items():
        _measure_account(block, account, region, provisioned, at)


def _measure_table(block: Block, table: Table, account: _Account, at: float) -> None:
    record = table.record
    parts = [("", record.throughput), *((each.name, each.throughput) for each in record.indexes if each.is_global)]
    for index, units in parts:
        if record.billing == ON_DEMAND:
            shown = [
                (f"OnDemandMax{kind}RequestUnits", most)
                for kind, most in (("Read", units.most_read), ("Write", units.most_write))
                if most >= 0
            ]
        else:
            shown = [("ProvisionedReadCapacityUnits", units.read), ("ProvisionedWriteCapacityUnits", units.write)]
            account.add(units)
        dimensions = (("TableName", table.name), *((("GlobalSecondaryIndexName", index),) if index else ()))
        for metric, value in shown:
            get_metrics(block).add(record.account, record.region, metric, dimensions, at, value)


def _measure_account(block: Block, account: str, region: str, provisioned: _Account, at: float) -> None:
    for number, (kind, plural) in enumerate((("Read", "Reads"), ("Write", "Writes"))):
        for metric, unit, value in (
            (f"AccountMax{plural}", "Count", throughput.ACCOUNT_UNITS),
            (f"AccountMaxTableLevel{plural}", "Count", throughput.TABLE_UNITS),
            (
                f"AccountProvisioned{kind}CapacityUtilization",
                "Percent",
                100 * provisioned.total[number] / throughput.ACCOUNT_UNITS,
            ),
            (
                f"MaxProvisionedTable{kind}CapacityUtilization",
                "Percent",
                100 * provisioned.most[number] / throughput.TABLE_UNITS,
            ),
        ):
            get_metrics(block).add(account, region, metric, (), at, value, unit=unit)
