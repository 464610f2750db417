"""Health checks in the store: what is due, what is known, and which are healthy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.services.route53 import errors
from cloudlet.services.route53.block import NAMES_TOPIC, REGION
from cloudlet.services.route53.health_check_record import Health, HealthCheck

HEALTH_CHECKS: Final = Records(Subspace("health-check"), HealthCheck, errors.NoSuchHealthCheck)
_HEALTHS: Final = Subspace("health")
_PARENTS: Final = Subspace("parent")
"""The calculated health checks of an account, by their children."""
DUE: Final = Subspace("due-health-check")
"""A row for each check, by its time in milliseconds, account and id."""
DUE_TOPIC: Final = b"due-health-checks"
CALCULATED, ALARM = "CALCULATED", "CLOUDWATCH_METRIC"
_MAX_PARENTS: Final = 1_000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Health).decode


def save(tx: Transaction, check: HealthCheck, due: float) -> HealthCheck:
    """Write a health check that is due at a time, in seconds; return it so."""
    unschedule(tx, check)
    scheduled = replace(check, due=max(1, int(due * 1000)))
    tx.put(DUE.key(scheduled.due, check.account, check.name), b"")
    tx.notify(DUE_TOPIC)
    HEALTH_CHECKS.save(tx, scheduled)
    return scheduled


def unschedule(tx: Transaction, check: HealthCheck) -> None:
    """Have a health check not done any more."""
    if check.due:
        tx.delete(DUE.key(check.due, check.account, check.name))


async def load_health(tx: Transaction, account: str, name: str) -> Health:
    """Return what is known of what a check checks."""
    raw = await tx.get(_HEALTHS.key(account, name))
    return Health() if raw is None else _decode(raw)


async def save_health(tx: Transaction, check: HealthCheck, health: Health, now: float) -> None:
    """Write the health that a check has found. Answers follow a change."""
    before = await load_health(tx, check.account, check.name)
    tx.put(_HEALTHS.key(check.account, check.name), _encode(health))
    if before.is_healthy != health.is_healthy:
        await tell_change(tx, check.account, check.name, now)


async def tell_change(tx: Transaction, account: str, name: str, now: float) -> None:
    """Have answers and calculated checks follow a check that has changed."""
    tx.notify(NAMES_TOPIC)
    space = _PARENTS.sub(account, name)
    for key, _ in await tx.range(space.begin, space.end, limit=_MAX_PARENTS):
        parent = await HEALTH_CHECKS.find(tx, account, REGION, _PARENTS.unpack(key)[2])
        if parent is not None:
            save(tx, parent, now)


async def remove(tx: Transaction, check: HealthCheck, now: float) -> None:
    """Delete a health check with all that is known of it."""
    unschedule(tx, check)
    set_children(tx, check, ())
    tx.delete(_HEALTHS.key(check.account, check.name))
    HEALTH_CHECKS.remove(tx, check)
    await tell_change(tx, check.account, check.name, now)


def set_children(tx: Transaction, check: HealthCheck, children: Iterable[str]) -> None:
    """Write down the children of a calculated check, in place of others."""
    for child in check.config.get("ChildHealthChecks") or ():
        tx.delete(_PARENTS.key(check.account, child, check.name))
    for child in children:
        tx.put(_PARENTS.key(check.account, child, check.name), b"")


async def is_healthy(tx: Transaction, account: str, name: str) -> bool:
    """Whether a check finds health. One that is gone does."""
    check = await HEALTH_CHECKS.find(tx, account, REGION, name)
    return check is None or get_status(check, await load_health(tx, account, name))


def get_status(check: HealthCheck, health: Health) -> bool:
    """Whether something counts as healthy. For a disabled check it does."""
    found = True if check.config.get("Disabled") else health.is_healthy
    return found != bool(check.config.get("Inverted"))


def add_result(health: Health, is_success: bool, report: str, threshold: int, now: float) -> Health:
    """Return the health after a result. Several in a row change it."""
    differing = 0 if is_success == health.is_healthy else health.differing + 1
    turned = differing >= threshold
    return Health(
        is_success if turned else health.is_healthy,
        0 if turned else differing,
        now,
        report,
        health.failed if is_success else now,
        health.failure if is_success else report,
    )


def to_api(check: HealthCheck) -> dict[str, Any]:
    """Return a health check as the API has it."""
    shown: dict[str, Any] = {
        "Id": check.name,
        "CallerReference": check.reference,
        "HealthCheckConfig": check.config,
        "HealthCheckVersion": check.version,
    }
    if check.alarm is not None:
        shown["CloudWatchAlarmConfiguration"] = check.alarm
    if check.linked_service is not None:
        shown["LinkedService"] = {
            "ServicePrincipal": check.linked_service[0],
            "Description": check.linked_service[1],
        }
    return shown
