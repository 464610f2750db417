"""Scalable targets, scaling policies, scheduled actions and activities, as they are stored.

Times are in seconds since the epoch, but `due`, which is in milliseconds.
"""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.application_autoscaling.activity_states import ActivityState
from cloudlet.services.application_autoscaling.place import Place

_MAX_LISTED_RECORDS = 1000
"""More than a scalable target has of anything that is listed whole."""
_LAST_MILLISECOND = 1 << 53


class Target(msgspec.Struct, frozen=True):
    """A scalable target."""

    place: Place
    id: str
    minimum: int
    maximum: int
    role: str
    created: float
    suspended: dict[str, bool] = {}
    cause: str = ""
    """The reason to bring the capacity within the bounds; "" where that is done."""
    activity: str = ""
    """The key of the activity that is going on, in hexadecimal digits."""
    scaled_out: float = 0.0
    """The time of the last scale-out, with the capacity before it."""
    scaled_out_from: int = 0
    scaled_in: float = 0.0
    refused: str = ""
    """The alarm, policy and reason of what was not scaled last: it is noted once."""

    @property
    def key(self) -> tuple[str, ...]:
        return self.place

    @property
    def arn(self) -> str:
        place = self.place
        return (
            f"arn:{partition_of(place.region)}:application-autoscaling:{place.region}:{place.account}"
            f":scalable-target/{self.id}"
        )


class Policy(msgspec.Struct, frozen=True):
    """A scaling policy."""

    place: Place
    name: str
    id: str
    kind: str
    config: dict[str, Any]
    created: float
    modified: float
    alarms: dict[str, str] = {}
    """The names of its alarms by their roles; none but for target tracking."""
    alarmed_at: int | None = None
    """The capacity that the alarms were put for; None where they are not put yet."""

    @property
    def key(self) -> tuple[str, ...]:
        return (*self.place, self.name)

    @property
    def arn(self) -> str:
        return self.place.make_arn("scalingPolicy", self.id, f"policyName/{self.name}")


class ScheduledAction(msgspec.Struct, frozen=True):
    """A scheduled action."""

    place: Place
    name: str
    id: str
    expression: str
    zone: str
    start: float | None
    end: float | None
    minimum: int | None
    maximum: int | None
    created: float
    anchor: float
    """The time of its schedule's setting: a rate without a start counts from there."""
    due: int = 0
    """The time when it is due next; 0 where it never is."""

    @property
    def key(self) -> tuple[str, ...]:
        return (*self.place, self.name)

    @property
    def arn(self) -> str:
        return self.place.make_arn("scheduledAction", self.id, f"scheduledActionName/{self.name}")


class Activity(msgspec.Struct, frozen=True):
    """A scaling activity."""

    place: Place
    id: str
    description: str
    cause: str
    started: float
    state: ActivityState
    capacity: int = 0
    """The capacity that it sets."""
    message: str = ""
    ended: float | None = None
    reasons: list[dict[str, Any]] = []
    """The reasons why nothing was scaled."""

    @property
    def key(self) -> tuple[str | int, ...]:
        account, region, namespace, *_ = self.place
        newest_first = _LAST_MILLISECOND - int(self.started * 1000)
        # Of those of one moment, a capacity is set because bounds were.
        return account, region, namespace, newest_first, int(not self.capacity), self.id


class Trigger(msgspec.Struct, frozen=True):
    """An alarm that invokes a scaling policy."""

    place: Place
    policy: str
    """The policy's name."""
    alarm: str
    state: str
    threshold: float
    values: list[float]
    """The datapoints that the alarm was evaluated by, the oldest first."""

    @property
    def key(self) -> tuple[str, ...]:
        return (*self.place, self.policy, self.alarm)


class AbandonedAlarm(msgspec.Struct, frozen=True):
    """An alarm of a policy that is gone: it is to be deleted."""

    place: Place
    name: str
    role: str
    """The role of the scalable target."""

    @property
    def key(self) -> tuple[str, ...]:
        return (*self.place, self.name)


class AbandonedAction(msgspec.Struct, frozen=True):
    """A step scaling policy that is gone, and may be the action of alarms."""

    place: Place
    arn: str
    role: str
    """The role of the scalable target."""

    @property
    def key(self) -> tuple[str, ...]:
        return (*self.place, self.arn)


class _Record(Protocol):
    @property
    def key(self) -> tuple[Any, ...]: ...


R = TypeVar("R", bound=_Record)
_encode = msgspec.msgpack.Encoder().encode


class Records(Generic[R]):
    """The records of one type, by what their keys are made of."""

    def __init__(self, name: str, record: type[R]) -> None:
        self.space = Subspace(name)
        self.decode = msgspec.msgpack.Decoder(record).decode

    async def find(self, tx: Transaction, *key: Any) -> R | None:
        """Return a record, or None where there is none."""
        raw = await tx.get(self.space.key(*key))
        return None if raw is None else self.decode(raw)

    async def list(self, tx: Transaction, *within: Any) -> list[R]:
        """Return the records whose keys begin alike: those of one scalable target or resource."""
        space = self.space.sub(*within)
        return [self.decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=_MAX_LISTED_RECORDS)]

    def save(self, tx: Transaction, record: R) -> None:
        """Write a record."""
        tx.put(self.space.key(*record.key), _encode(record))

    def remove(self, tx: Transaction, record: R) -> None:
        """Delete a record."""
        tx.delete(self.space.key(*record.key))


TARGETS = Records("target", Target)
POLICIES = Records("policy", Policy)
SCHEDULED_ACTIONS = Records("scheduled-action", ScheduledAction)
ACTIVITIES = Records("activity", Activity)
TRIGGERS = Records("trigger", Trigger)
ABANDONED_ALARMS = Records("abandoned-alarm", AbandonedAlarm)
ABANDONED_ACTIONS = Records("abandoned-action", AbandonedAction)
