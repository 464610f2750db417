"""Schedules: what is stored of them."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.scheduler.timing import Timing

Target = dict[str, Any]
"""A target as CreateSchedule has it."""

_SCHEDULES = Subspace("schedule")


class Schedule(msgspec.Struct, frozen=True):
    """A schedule. Times are in seconds since the epoch, but `due` and `runs`, which are in milliseconds."""

    account: str
    region: str
    group: str
    name: str
    expression: str
    zone: str
    start: float | None
    end: float | None
    anchor: float
    description: str
    enabled: bool
    target: Target
    window: int
    """How many minutes it may run late."""
    deletes_itself: bool
    created: float
    modified: float
    token: str
    """The ClientToken of the request that created it."""
    due: int = 0
    """For when it is scheduled next; 0 where it never is."""
    runs: int = 0
    """When it runs next: then, or within the window that follows."""

    @property
    def arn(self) -> str:
        return make_arn(self.account, self.region, self.group, self.name)

    @property
    def timing(self) -> Timing:
        return Timing(self.expression, self.zone, self.start, self.end, self.anchor)


def make_arn(account: str, region: str, group: str, name: str) -> str:
    """Return the ARN of the schedule of a group with a name."""
    return f"arn:{partition_of(region)}:scheduler:{region}:{account}:schedule/{group}/{name}"


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Schedule).decode


def of_account(account: str, region: str) -> Subspace:
    """The schedules of an account in a region, by group and name."""
    return _SCHEDULES.sub(account, region)


def save(tx: Transaction, schedule: Schedule) -> None:
    tx.put(of_account(schedule.account, schedule.region).key(schedule.group, schedule.name), _encode(schedule))


def remove(tx: Transaction, schedule: Schedule) -> None:
    tx.delete(of_account(schedule.account, schedule.region).key(schedule.group, schedule.name))


async def find(tx: Transaction, account: str, region: str, group: str, name: str) -> Schedule | None:
    raw = await tx.get(of_account(account, region).key(group, name))
    return None if raw is None else decode(raw)
