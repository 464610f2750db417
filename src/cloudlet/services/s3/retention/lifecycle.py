"""Lifecycle rules: what becomes of an object, a version or an upload, and when.

User guide, "Lifecycle configuration elements", "Examples of S3 Lifecycle configurations" ("conflicts") and
"Transitioning objects using Amazon S3 Lifecycle".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.utils import formatdate
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data.objects import Version

KIND: Final = "lifecycle"
TOPIC: Final = b"lifecycle"
"""Notified when the rules of a bucket change."""

_DAY: Final = 86_400
LATEST: Final = 253_402_300_799
"""The end of the year 9999: later dates cannot be told."""
_LEAST_TRANSITIONED_BYTES: Final = 128 << 10
WATERFALL: Final = (
    "STANDARD",
    "STANDARD_IA",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
)
"""Objects move to the right only."""
_ARCHIVES: Final = ("GLACIER", "DEEP_ARCHIVE")

Tags = Mapping[str, str]


class Subject(NamedTuple):
    """What rules look at of an object's version. Times are in seconds since the epoch."""

    key: str
    size: int
    tags: Tags
    created: float
    storage_class: str = "STANDARD"


class Due(NamedTuple):
    """Something that a rule does, from a moment on."""

    at: float
    rule: str


class Transition(NamedTuple):
    at: float
    storage_class: str


def midnight_after(moment: float, days: int) -> float:
    """Return a moment so many days later, rounded up to the next midnight UTC, as S3 counts days."""
    return -(-(moment + days * _DAY) // _DAY) * _DAY


def _reached(action: Mapping[str, Any], since: float) -> float | None:
    """Return when an action that gives a date, or a number of days, is to happen."""
    if action.get("Date") is not None:
        return float(action["Date"])
    return midnight_after(since, action["Days"]) if action.get("Days") is not None else None


class Rule:
    """An enabled rule of a bucket."""

    def __init__(self, rule: Mapping[str, Any], *, small_objects_stay: bool) -> None:
        chosen = rule.get("Filter") or {}
        conditions = chosen.get("And") or chosen
        tags = conditions.get("Tags") or ([conditions["Tag"]] if conditions.get("Tag") else [])
        self.id: str = rule.get("ID") or ""
        self._prefix: str = rule.get("Prefix") or conditions.get("Prefix") or ""
        self._tags = {tag["Key"]: tag["Value"] for tag in tags}
        self._more_than: int | None = conditions.get("ObjectSizeGreaterThan")
        self._less_than: int | None = conditions.get("ObjectSizeLessThan")
        sized = self._more_than is not None or self._less_than is not None
        self._moving_small = WATERFALL if sized else () if small_objects_stay else _ARCHIVES
        """The storage classes to which it moves objects of less than 128 KiB."""
        self._filtered = sized or bool(self._tags)
        self._expiration: Mapping[str, Any] = rule.get("Expiration") or {}
        self._noncurrent: Mapping[str, Any] | None = rule.get("NoncurrentVersionExpiration")
        self._transitions: list[Mapping[str, Any]] = rule.get("Transitions") or []
        self._noncurrent_transitions: list[Mapping[str, Any]] = rule.get("NoncurrentVersionTransitions") or []
        self._abort: int | None = (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation")

    def concerns(self, subject: Subject) -> bool:
        """Whether the rule's filter admits a version."""
        return (
            subject.key.startswith(self._prefix)
            and (self._more_than is None or subject.size > self._more_than)
            and (self._less_than is None or subject.size < self._less_than)
            and all(subject.tags.get(key) == value for key, value in self._tags.items())
        )

    def expires(self, subject: Subject) -> float | None:
        """Return when an object's current version expires."""
        return _reached(self._expiration, subject.created)

    def removes_marker(self, key: str, created: float, now: float) -> bool:
        """Whether a delete marker that is all that is left of an object is to go."""
        if self._filtered or not key.startswith(self._prefix):
            return False
        if self._expiration.get("ExpiredObjectDeleteMarker"):
            return True
        expiry = _reached(self._expiration, created)
        return expiry is not None and expiry <= now

    def noncurrent_expires(self, noncurrent_since: float, newer: int) -> float | None:
        """Return when a version expires that has `newer` noncurrent versions before it."""
        if self._noncurrent is None or newer < (self._noncurrent.get("NewerNoncurrentVersions") or 0):
            return None
        days = self._noncurrent.get("NoncurrentDays")
        return None if days is None else midnight_after(noncurrent_since, days)

    def transitions(self, subject: Subject) -> list[Transition]:
        """Return the storage classes that an object's current version gets."""
        return [
            Transition(at, step["StorageClass"])
            for step in self._transitions
            if (at := _reached(step, subject.created)) is not None and self._may_move(subject, step)
        ]

    def noncurrent_transitions(self, subject: Subject, noncurrent_since: float, newer: int) -> list[Transition]:
        """Return the storage classes that a noncurrent version gets."""
        return [
            Transition(midnight_after(noncurrent_since, step.get("NoncurrentDays") or 0), step["StorageClass"])
            for step in self._noncurrent_transitions
            if newer >= (step.get("NewerNoncurrentVersions") or 0) and self._may_move(subject, step)
        ]

    def _may_move(self, subject: Subject, step: Mapping[str, Any]) -> bool:
        return subject.size >= _LEAST_TRANSITIONED_BYTES or step["StorageClass"] in self._moving_small

    def aborts(self, key: str, begun: float) -> float | None:
        """Return when an upload that is not completed is aborted."""
        if self._abort is None or self._filtered or not key.startswith(self._prefix):
            return None
        return midnight_after(begun, self._abort)


class Lifecycle:
    """The enabled rules of a bucket."""

    def __init__(self, configuration: Mapping[str, Any], source: bytes = b"") -> None:
        self.source = source
        """What the rules are stored as: the same bytes mean the same rules."""
        by_class = configuration.get("TransitionDefaultMinimumObjectSize") == "varies_by_storage_class"
        self._rules = [
            Rule(rule, small_objects_stay=not by_class)
            for rule in configuration.get("Rules") or ()
            if rule["Status"] == "Enabled"
        ]

    def __len__(self) -> int:
        return len(self._rules)

    def expiry(self, subject: Subject) -> Due | None:
        """Return when a current version expires, by the rule that is first."""
        return _first((rule.expires(subject), rule.id) for rule in self._rules if rule.concerns(subject))

    def noncurrent_expiry(self, subject: Subject, noncurrent_since: float, newer: int) -> Due | None:
        """Return when a noncurrent version expires; `newer` noncurrent versions of its key are newer than it."""
        return _first(
            (rule.noncurrent_expires(noncurrent_since, newer), rule.id)
            for rule in self._rules
            if rule.concerns(subject)
        )

    def removes_marker(self, key: str, created: float, now: float) -> bool:
        """Whether a delete marker that is all that is left of an object is to be removed by now."""
        return any(rule.removes_marker(key, created, now) for rule in self._rules)

    def storage_class(self, subject: Subject, now: float) -> str:
        """Return the storage class that a current version is to have by now."""
        steps = [step for rule in self._rules if rule.concerns(subject) for step in rule.transitions(subject)]
        return _reached_class(subject.storage_class, steps, now)

    def noncurrent_storage_class(self, subject: Subject, noncurrent_since: float, newer: int, now: float) -> str:
        """Return the storage class that a noncurrent version is to have by now."""
        steps = [
            step
            for rule in self._rules
            if rule.concerns(subject)
            for step in rule.noncurrent_transitions(subject, noncurrent_since, newer)
        ]
        return _reached_class(subject.storage_class, steps, now)

    def abort(self, key: str, begun: float) -> Due | None:
        """Return when an upload that is not completed is aborted."""
        return _first((rule.aborts(key, begun), rule.id) for rule in self._rules)


def _first(moments: Iterable[tuple[float | None, str]]) -> Due | None:
    return min((Due(at, rule) for at, rule in moments if at is not None), default=None)


def _reached_class(present: str, steps: list[Transition], now: float) -> str:
    """Return the cheapest of the classes whose time has come, if an object may move there from where it is."""
    reached = [present, *(step.storage_class for step in steps if step.at <= now)]
    return max((each for each in reached if each in WATERFALL), key=WATERFALL.index, default=present)


_DONE: Final = Subspace("lifecycle-done")
"""Bucket number → the day (since the epoch) whose pass over the bucket is over, and by which rules it was made."""


def _passed(rules: Lifecycle, now: float) -> bytes:
    return b"%d %s" % (now // _DAY, sha256(rules.source).digest())


async def is_done(tx: Transaction, bucket: Bucket, rules: Lifecycle, now: float) -> bool:
    """Whether a bucket was gone through today by these rules."""
    return await tx.get(_DONE.key(bucket.number)) == _passed(rules, now)


def note_done(tx: Transaction, bucket: Bucket, rules: Lifecycle, now: float) -> None:
    """Write down that a bucket was gone through for the day of `now`."""
    tx.put(_DONE.key(bucket.number), _passed(rules, now))


def forget(tx: Transaction, bucket: Bucket) -> None:
    """Forget what is written down of a bucket that is deleted."""
    tx.delete(_DONE.key(bucket.number))


def next_midnight(now: float) -> float:
    return (now // _DAY + 1) * _DAY


@lru_cache(256)
def _lifecycle(raw: bytes) -> Lifecycle:
    return Lifecycle(msgspec.msgpack.decode(raw), raw)


async def of_bucket(tx: Transaction, bucket: Bucket) -> Lifecycle | None:
    """Return the enabled rules of a bucket, or None where it has no lifecycle configuration."""
    raw = await tx.get(bucket.configurations.key(KIND)) if KIND in bucket.kinds else None
    return None if raw is None else _lifecycle(raw)


def subject(key: str, version: Version) -> Subject:
    """Return what rules look at of a version."""
    return Subject(key, version.size, version.tags, version.modified / 1000, version.storage_class)


async def expiration_header(tx: Transaction, bucket: Bucket, key: str, version: Version) -> str | None:
    """Return `x-amz-expiration` of an object that is current: when it expires, by which rule."""
    if KIND not in bucket.kinds:
        return None
    rules = await of_bucket(tx, bucket)
    due = None if rules is None else rules.expiry(subject(key, version))
    if due is None or due.at > LATEST:
        return None
    return f'expiry-date="{formatdate(due.at, usegmt=True)}", rule-id="{quote(due.rule)}"'


async def abort_of(tx: Transaction, bucket: Bucket, key: str, begun: float) -> Due | None:
    """Return when an upload is aborted that was begun then, by which rule: `x-amz-abort-date` and `-rule-id`."""
    rules = await of_bucket(tx, bucket)
    due = None if rules is None else rules.abort(key, begun)
    return None if due is None or due.at > LATEST else due
