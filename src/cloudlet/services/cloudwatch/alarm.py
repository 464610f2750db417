"""An alarm, as it is stored, and when it is to be evaluated."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from cloudlet.core import Arn, Subspace, Transaction
from cloudlet.core.aws import listing
from cloudlet.core.aws.arn import partition_of

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Kind = Literal["MetricAlarm", "CompositeAlarm"]

METRIC: Kind = "MetricAlarm"
COMPOSITE: Kind = "CompositeAlarm"
TOPIC = b"alarms"
"""Notified when an alarm is to be evaluated sooner than was known."""

_ALARMS, _EVALUATIONS, _PARENTS = Subspace("alarm"), Subspace("evaluation"), Subspace("parent")
_COMPOSITE = b"composite"
"""Stands beside when a composite alarm is to be evaluated."""
MOST_PARENTS = 150
"""Composite alarms that have an alarm in their rules (API reference, "PutCompositeAlarm")."""
MOST_SUPPRESSED = 500
"""Composite alarms that an alarm suppresses."""
_READ_PARENTS = 1000


class AlarmState(msgspec.Struct, frozen=True, array_like=True):
    """An alarm's state, and why, since when (seconds since the epoch), and what suppresses its actions."""

    value: State
    reason: str
    reason_data: str | None
    since: float
    suppressed_by: str = ""
    suppressed_reason: str = ""


class Evaluation(NamedTuple):
    """When (in milliseconds since the epoch) an alarm is to be evaluated."""

    due: int
    account: str
    region: str
    name: str
    is_composite: bool


class Alarm(msgspec.Struct, array_like=True):
    """An alarm. Times are in seconds since the epoch, but `due`."""

    account: str
    region: str
    name: str
    kind: Kind
    config: dict[str, Any]
    """What it was put with, as the API names it."""
    configured: float
    state: State
    reason: str
    reason_data: str | None
    updated: float
    transitioned: float
    due: int | None = None
    """When it is to be evaluated next, in milliseconds since the epoch."""
    trigger: list[str] | None = None
    """For a composite alarm: the ARN of the alarm that changed last, its state, and when, as its reason shows it."""
    suppressed_by: str = ""
    suppressed_until: float = 0.0
    suppressed_reason: str = ""
    muted: bool = False
    """Whether the actions for its present state were muted, and are to follow if it is still in it then."""

    @property
    def arn(self) -> str:
        return arn_of(self.account, self.region, self.name)

    @property
    def situation(self) -> AlarmState:
        """How it stands with it now."""
        return AlarmState(
            self.state, self.reason, self.reason_data, self.transitioned, self.suppressed_by, self.suppressed_reason
        )

    @property
    def children(self) -> list[str]:
        """The names of the alarms in a composite alarm's rule."""
        return list(self.config.get("Children", ()))

    @property
    def suppressor(self) -> str | None:
        """The name of the alarm that suppresses a composite alarm's actions."""
        given: str | None = self.config.get("ActionsSuppressor")
        return None if given is None else name_of(given)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Alarm).decode


def arn_of(account: str, region: str, name: str) -> str:
    """Return the ARN of an alarm."""
    return str(Arn(partition_of(region), "cloudwatch", region, account, f"alarm:{name}"))


def name_of(name_or_arn: str) -> str:
    """Return the name of an alarm that is named by its name or its ARN."""
    return (
        name_or_arn.split(":", 6)[6] if name_or_arn.startswith("arn:") and name_or_arn.count(":") >= 6 else name_or_arn
    )


async def find(tx: Transaction, account: str, region: str, name: str) -> Alarm | None:
    """Return an alarm."""
    raw = await tx.get(_ALARMS.key(account, region, name))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, alarm: Alarm) -> None:
    """Store an alarm."""
    tx.put(_ALARMS.key(alarm.account, alarm.region, alarm.name), _encode(alarm))


async def page(tx: Transaction, account: str, region: str, prefix: str, after: str, count: int) -> list[Alarm]:
    """Return alarms in the order of their names: those that begin with a prefix, after a name."""
    rows = await listing.list_names(tx, _ALARMS.sub(account, region), prefix, after, count)
    return [_decode(raw) for _, raw in rows]


def remove(tx: Transaction, alarm: Alarm) -> None:
    """Remove an alarm and what refers to it."""
    tx.delete(_ALARMS.key(alarm.account, alarm.region, alarm.name))
    schedule(tx, alarm, None)
    unlink(tx, alarm)


# -- when it is evaluated


def schedule(tx: Transaction, alarm: Alarm, due: int | None) -> None:
    """Have an alarm evaluated at a time (ms), or not at all; it is to be saved after that."""
    if alarm.due is not None:
        tx.delete(_EVALUATIONS.key(alarm.due, alarm.account, alarm.region, alarm.name))
    alarm.due = due
    if due is not None:
        kind = _COMPOSITE if alarm.kind == COMPOSITE else b""
        tx.put(_EVALUATIONS.key(due, alarm.account, alarm.region, alarm.name), kind)
        tx.notify(TOPIC)


async def scheduled(tx: Transaction, count: int) -> list[Evaluation]:
    """Return which alarms are to be evaluated first."""
    rows = await tx.range(_EVALUATIONS.begin, _EVALUATIONS.end, limit=count)
    return [Evaluation._make((*_EVALUATIONS.unpack(key), value == _COMPOSITE)) for key, value in rows]


# -- which composite alarms depend on it


def link(tx: Transaction, alarm: Alarm) -> None:
    """Note on which alarms a composite alarm depends."""
    for child, role in _dependencies(alarm):
        tx.put(_PARENTS.key(alarm.account, alarm.region, child, alarm.name, role), b"")


def unlink(tx: Transaction, alarm: Alarm) -> None:
    """Forget on which alarms a composite alarm depends."""
    for child, role in _dependencies(alarm):
        tx.delete(_PARENTS.key(alarm.account, alarm.region, child, alarm.name, role))


def _dependencies(alarm: Alarm) -> list[tuple[str, str]]:
    found = [(child, "rule") for child in alarm.children]
    return [*found, (alarm.suppressor, "suppressor")] if alarm.suppressor is not None else found


async def parents(tx: Transaction, account: str, region: str, name: str, as_: str | None = None) -> list[str]:
    """Return the names of the composite alarms that depend on an alarm: as part of their `rule`, or `suppressor`."""
    space = _PARENTS.sub(account, region, name)
    found = [space.unpack(key) for key, _ in await tx.range(space.begin, space.end, limit=_READ_PARENTS)]
    return list(dict.fromkeys(parent for parent, role in found if as_ in (None, role)))
