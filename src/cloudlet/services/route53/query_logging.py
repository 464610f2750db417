"""Query logging: lines in CloudWatch Logs for the queries of zones.

Developer Guide, "Values that appear in DNS query logs".
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.core.background.jobs import best_effort
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.route53.answering import ServedZone
from cloudlet.services.route53.block import REGION

log = logging.getLogger("cloudlet.dns")

EDGE: Final = "LOCAL"
"""In place of the airport code of AWS's edge location."""
MAX_WAITING_LINES: Final = 20_000
_MAX_BATCH_LINES: Final = 1_000
_SEND_SECONDS: Final = 0.5
_LOGS_REGION: Final = "us-east-1"
_BY_ZONE: Final = Subspace("query-logging-of-zone")


class QueryLoggingConfig(msgspec.Struct, frozen=True):
    account: str
    name: str
    """The id. Records are kept by name."""
    zone: str
    log_group: str
    """An ARN."""

    @property
    def region(self) -> str:
        return REGION


CONFIGS: Final = Records(
    Subspace("query-logging"),
    QueryLoggingConfig,
    lambda name: AwsError(
        "NoSuchQueryLoggingConfig", f"There is no DNS query logging configuration with the ID {name}."
    ),
)


def save(tx: Transaction, config: QueryLoggingConfig) -> None:
    """Have a zone tell of its queries."""
    CONFIGS.save(tx, config)
    tx.put(_BY_ZONE.key(config.account, config.zone), config.name.encode())


def remove(tx: Transaction, config: QueryLoggingConfig) -> None:
    """Have a zone tell of its queries no more."""
    CONFIGS.remove(tx, config)
    tx.delete(_BY_ZONE.key(config.account, config.zone))


async def find_zone_config(tx: Transaction, account: str, zone: str) -> QueryLoggingConfig | None:
    """Return the configuration of a zone."""
    name = await tx.get(_BY_ZONE.key(account, zone))
    return None if name is None else await CONFIGS.find(tx, account, REGION, name.decode())


async def find_log_group(tx: Transaction, account: str, zone: str) -> str:
    """Return the ARN of a zone's log group for queries, or ""."""
    found = await find_zone_config(tx, account, zone)
    return "" if found is None else found.log_group


class QueryLog:
    """Lines that wait to be sent. What comes quicker than it can be sent is dropped, and that is told."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._waiting: deque[tuple[ServedZone, dict[str, Any]]] = deque()
        self._arrived = asyncio.Event()
        self._dropped = 0

    def record(
        self, zone: ServedZone, name: str, kind: str, rcode: str, protocol: str, client: str, subnet: str | None
    ) -> None:
        """Note a query."""
        if len(self._waiting) >= MAX_WAITING_LINES:
            self._dropped += 1
            return
        at = self._block.clock.now()
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shown = name.rstrip(".") or "."
        line = f"1.0 {moment} {zone.id} {shown} {kind} {rcode} {protocol} {EDGE} {client} {subnet or '-'}"
        self._waiting.append((zone, {"timestamp": int(at * 1000), "message": line}))
        self._arrived.set()

    async def run(self) -> None:
        """Send what waits, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await asyncio.sleep(_SEND_SECONDS)
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(_MAX_BATCH_LINES, len(self._waiting)))]
                batches: dict[ServedZone, list[dict[str, Any]]] = defaultdict(list)
                for zone, event in taken:
                    batches[zone].append(event)
                for zone, events in batches.items():
                    await best_effort(self._block, f"{len(events)} query log lines", lambda: self._send(zone, events))  # noqa: B023
            if self._dropped:
                log.warning("%d queries were not logged: they came too quickly", self._dropped)
                self._dropped = 0

    async def _send(self, zone: ServedZone, events: list[dict[str, Any]]) -> None:
        _, _, group = zone.log_group.partition(":log-group:")
        stream = {"logGroupName": group.removesuffix(":*"), "logStreamName": f"{zone.id}/{EDGE}"}
        put = {**stream, "logEvents": events}
        try:
            await self._call(zone, "PutLogEvents", put)
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
            try:
                await self._call(zone, "CreateLogStream", stream)
            except AwsError as missing:
                if missing.code == "ResourceNotFoundException":
                    log.warning("queries of %s are not logged: its log group %s is gone", zone.id, zone.log_group)
                    return
                raise
            await self._call(zone, "PutLogEvents", put)

    async def _call(self, zone: ServedZone, operation: str, params: dict[str, Any]) -> None:
        await self._block.call("logs", operation, params, account=zone.account, region=_LOGS_REGION)


QUERY_LOGS: Final = PerBlock(QueryLog)


async def send(block: Block) -> None:
    """Send lines to CloudWatch Logs, for ever."""
    await QUERY_LOGS.get(block).run()
