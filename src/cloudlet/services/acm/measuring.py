"""DaysToExpiry of each certificate, twice a day (user guide, "Supported CloudWatch metrics")."""

from __future__ import annotations

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.telemetry.metrics import clamp_to_ended_minute, get_metrics, is_first
from cloudlet.core.telemetry.reporting import make_room
from cloudlet.services.acm import certificate, timers

_PERIOD_SECONDS = 12 * 3600
_READ = 200


class _Progress:
    """The period in which a block has measured last."""

    period = -1


_measured: PerBlock[_Progress] = PerBlock(lambda _: _Progress())


async def measure(block: Block) -> None:
    """Measure all certificates, where that was not done in this half of the day."""
    now = block.clock.now()
    period = int(now // _PERIOD_SECONDS)
    measured = _measured.get(block)
    if measured.period == period:
        return
    measured.period = period
    if not await is_first(block, "days-to-expiry", period):
        return
    after = b""
    while page := await block.store.transact(lambda tx, key=after: certificate.list_page(tx, key, _READ)):  # type: ignore[misc]
        after = page[-1][0]
        for _, known in page:
            if known.status == "ISSUED" and known.facts is not None:
                days = timers.count_days_left(known.facts.not_after, now)
                dimensions = (("CertificateArn", known.arn),)
                get_metrics(block).add(
                    known.account, known.region, "DaysToExpiry", dimensions, clamp_to_ended_minute(now), float(days)
                )
        await make_room(block)
