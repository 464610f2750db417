"""The job that does health checks as they fall due."""

from __future__ import annotations

from functools import partial
from typing import Final

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.jobs import start_timers
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.telemetry.metrics import get_metrics
from cloudlet.services.route53 import health_checks, name_serving
from cloudlet.services.route53.block import REGION
from cloudlet.services.route53.health_check_record import Health, HealthCheck
from cloudlet.services.route53.health_checks import ALARM, CALCULATED, DUE, HEALTH_CHECKS
from cloudlet.services.route53.probing import Finding, probe

_MAX_TASKS: Final = 200
_CALCULATED_SECONDS: Final = 60.0
_ALARM_SECONDS: Final = 10.0
_METRICS_REGION: Final = "us-east-1"

_Key = tuple[str, str]


async def check(block: Block, lease: Lease) -> None:
    """Do health checks, for ever."""
    await start_timers(
        block,
        lease,
        health_checks.DUE_TOPIC,
        _list_due,
        "the health check",
        partial(_check_due, block),
        at_once=_MAX_TASKS,
    )


async def _list_due(tx: Transaction, count: int) -> list[tuple[int, _Key, str]]:
    rows = [DUE.unpack(key) for key, _ in await tx.range(DUE.begin, DUE.end, limit=count)]
    return [(due, (account, name), account) for due, account, name in rows]


async def _check_due(block: Block, due: int, key: _Key) -> None:
    account, name = key
    known = await block.store.transact(lambda tx: HEALTH_CHECKS.find(tx, account, REGION, name))
    if known is None or known.due != due:
        await block.store.transact(partial(_forget, row=DUE.key(due, account, name), due=due, key=key))
        return
    finding = None if known.config["Type"] == CALCULATED or known.config["Disabled"] else await _find(block, known)
    health = await block.store.transact(partial(_record, block, known, finding))
    if health is not None:
        _measure(block, known, health)


async def _forget(tx: Transaction, row: bytes, due: int, key: _Key) -> None:
    """Remove the row of a check that is gone, or due at another time."""
    found = await HEALTH_CHECKS.find(tx, key[0], REGION, key[1])
    if found is None or found.due != due:
        tx.delete(row)


async def _find(block: Block, known: HealthCheck) -> Finding | None:
    """Return what a check finds; None where that says nothing."""
    if known.config["Type"] != ALARM:
        return await probe(known.config, partial(name_serving.look_up, block))
    named = known.config["AlarmIdentifier"]
    try:
        found = await block.call(
            "cloudwatch",
            "DescribeAlarms",
            {"AlarmNames": [named["Name"]]},
            account=known.account,
            region=named["Region"],
        )
    except AwsError:
        return None
    alarms = (found or {}).get("MetricAlarms") or ()
    state = alarms[0]["StateValue"] if alarms else "INSUFFICIENT_DATA"
    if state != "INSUFFICIENT_DATA":
        return Finding(state == "OK", f"{'Success' if state == 'OK' else 'Failure'}: The alarm is in the state {state}")
    unknown = known.config["InsufficientDataHealthStatus"]
    if unknown == "LastKnownStatus":
        return None
    is_success = unknown == "Healthy"
    return Finding(is_success, f"{'Success' if is_success else 'Failure'}: The alarm has insufficient data")


async def _record(block: Block, known: HealthCheck, finding: Finding | None, tx: Transaction) -> Health | None:
    """Write down what a check has found; return None where it has changed meanwhile."""
    found = await HEALTH_CHECKS.find(tx, known.account, REGION, known.name)
    if found is None or found.due != known.due or found.version != known.version:
        return None
    now, config = block.clock.now(), known.config
    health = await health_checks.load_health(tx, known.account, known.name)
    if config["Type"] == CALCULATED:
        health = await _calculate(tx, known, now)
    elif finding is not None:
        threshold = 1 if config["Type"] == ALARM else config["FailureThreshold"]
        health = health_checks.add_result(health, finding.is_success, finding.report, threshold, now)
    health_checks.save(tx, found, now + _get_interval(config))
    await health_checks.save_health(tx, found, health, now)
    return health


def _get_interval(config: dict[str, object]) -> float:
    if config["Type"] == CALCULATED:
        return _CALCULATED_SECONDS
    return _ALARM_SECONDS if config["Type"] == ALARM else float(config["RequestInterval"])  # type: ignore[arg-type]


async def _calculate(tx: Transaction, known: HealthCheck, now: float) -> Health:
    """Return the health of a calculated check, by the number of healthy children."""
    children = known.config["ChildHealthChecks"]
    healthy = sum([await health_checks.is_healthy(tx, known.account, child) for child in children])
    is_healthy = healthy >= known.config["HealthThreshold"]
    return Health(is_healthy, 0, now, f"{healthy} of {len(children)} health checks are healthy")


def _measure(block: Block, known: HealthCheck, health: Health) -> None:
    dimensions = (("HealthCheckId", known.name),)
    at, value = block.clock.now(), float(health_checks.get_status(known, health))
    get_metrics(block).add(known.account, _METRICS_REGION, "HealthCheckStatus", dimensions, at, value, unit="None")
    if known.config["Type"] not in (CALCULATED, ALARM):
        share = 100.0 if health.report.startswith("Success") else 0.0
        get_metrics(block).add(
            known.account, _METRICS_REGION, "HealthCheckPercentageHealthy", dimensions, at, share, unit="Percent"
        )
