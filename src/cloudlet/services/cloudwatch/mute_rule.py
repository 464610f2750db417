"""Alarm mute rules. User guide, "Alarm mute rules"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import msgspec

from cloudlet.core import Arn, AwsError, Context, Subspace, Transaction
from cloudlet.core.aws import listing
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.records import Records
from cloudlet.services.cloudwatch import errors, schedule
from cloudlet.services.cloudwatch.schedule import Schedule

T = TypeVar("T")
Status = Literal["SCHEDULED", "ACTIVE", "EXPIRED"]

MOST_RULES = 1000
_TARGETS = Subspace("mute-target")


class MuteRule(msgspec.Struct, array_like=True):
    """A rule. Times are in seconds since the epoch."""

    account: str
    region: str
    name: str
    description: str | None
    expression: str
    duration: str
    timezone: str | None
    targets: list[str]
    starts: float | None
    expires: float | None
    updated: float

    @property
    def arn(self) -> str:
        return arn_of(self.account, self.region, self.name)

    @property
    def schedule(self) -> Schedule:
        return schedule.parse(self.expression, self.duration, self.timezone)

    def open_until(self, now: float) -> float | None:
        """Return until when alarms are muted, if they are now."""
        if (self.starts is not None and now < self.starts) or (self.expires is not None and now >= self.expires):
            return None
        end = self.schedule.window(now)
        return end if end is None or self.expires is None else min(end, self.expires)

    def status(self, now: float) -> Status:
        if (self.expires is not None and now >= self.expires) or self.schedule.has_ended(now):
            return "EXPIRED"
        return "SCHEDULED" if self.open_until(now) is None else "ACTIVE"

    @property
    def mute_type(self) -> str:
        return "RECURRING" if self.schedule.recurs else "ONE_TIME"

    @property
    def shown_rule(self) -> dict[str, Any]:
        described = {"Expression": self.expression, "Duration": self.duration}
        return {"Schedule": described if self.timezone is None else {**described, "Timezone": self.timezone}}


def arn_of(account: str, region: str, name: str) -> str:
    """Return the ARN of a rule."""
    return str(Arn(partition_of(region), "cloudwatch", region, account, f"alarm-mute-rule:{name}"))


def _make_not_found_error(name: str) -> AwsError:
    message = f"Alarm mute rule {name} does not exist"
    return AwsError("ResourceNotFoundException", message, ResourceType="AlarmMuteRule", ResourceId=name)


_rules = Records(Subspace("mute-rule"), MuteRule, _make_not_found_error)
find, get = _rules.find, _rules.get


def save(tx: Transaction, rule: MuteRule) -> None:
    """Store a rule."""
    _rules.save(tx, rule)
    for target in rule.targets:
        tx.put(_TARGETS.key(rule.account, rule.region, target, rule.name), b"")


def remove(tx: Transaction, rule: MuteRule) -> None:
    """Remove a rule."""
    _rules.remove(tx, rule)
    for target in rule.targets:
        tx.delete(_TARGETS.key(rule.account, rule.region, target, rule.name))


async def page(
    ctx: Context, tx: Transaction, token: str | None, most: int, select: Callable[[MuteRule], T | None]
) -> tuple[list[T], str | None]:
    """Return what `select` makes of rules, in the order of their names, and the next page's token. Raises AwsError."""
    space = _rules.get_space(ctx.account, ctx.region)
    return await listing.list_page(
        tx, space, token, most, lambda raw: select(_rules.decode(raw)), errors.invalid_token()
    )


async def muted_until(tx: Transaction, account: str, region: str, alarm: str, now: float) -> float | None:
    """Return until when the actions of an alarm are muted, by all rules together; None if they are not."""
    space = _TARGETS.sub(account, region, alarm)
    ends = []
    for key, _ in await tx.range(space.begin, space.end, limit=MOST_RULES):
        rule = await find(tx, account, region, space.unpack(key)[0])
        end = None if rule is None else rule.open_until(now)
        if end is not None:
            ends.append(end)
    return max(ends, default=None)
