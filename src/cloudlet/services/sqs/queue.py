"""A queue: its settings decoded, and where in the store its contents are.

Below ("q", id): messages, and all that is counted and noted of them, are under "c" (contents). PurgeQueue and
DeleteQueue delete ranges, however many messages there are.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from cloudlet.core import Arn, Subspace
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.data_keys import Use, make_key_id
from cloudlet.services.sqs import limits, queue_record
from cloudlet.services.sqs.queue_record import QueueRecord
from cloudlet.store.tuple_keys import pack, pack_int

_CACHED_QUEUES: Final = 1024
_CACHED_BYTES: Final = 32_768
"""What is larger is decoded each time: tags and policies may be so large together, as a rule they are not."""


class QueueName(NamedTuple):
    """What tells a queue from all others."""

    account: str
    region: str
    queue: str


class Queue:
    """A queue as operations use it. Durations are in milliseconds."""

    __slots__ = (
        "all",
        "arn",
        "attempt_expiries",
        "attempts",
        "available",
        "contents",
        "dedup",
        "dedup_expiries",
        "deduplicates_content",
        "deduplicates_in_group",
        "delay",
        "delayed_count",
        "encryption",
        "expired_count",
        "fifo",
        "grouped",
        "groups",
        "in_flight",
        "in_flight_count",
        "max_message_bytes",
        "max_receives",
        "messages",
        "messages_count",
        "name",
        "processing",
        "ready",
        "ready_in_group",
        "record",
        "redrive_target",
        "retention",
        "returned",
        "sequence",
        "tasks",
        "timers",
        "topic",
        "visibility",
        "wait",
    )

    def __init__(self, record: QueueRecord) -> None:
        get = record.attributes.get
        self.record = record
        self.name = QueueName(record.account, record.region, record.name)
        self.arn = str(Arn(partition_of(record.region), "sqs", record.region, record.account, record.name))
        self.fifo = get("FifoQueue") == "true"
        self.delay = int(get("DelaySeconds", "0")) * 1000
        self.visibility = int(get("VisibilityTimeout", "30")) * 1000
        self.retention = int(get("MessageRetentionPeriod", "345600")) * 1000
        self.wait = int(get("ReceiveMessageWaitTimeSeconds", "0"))
        self.max_message_bytes = int(get("MaximumMessageSize", str(limits.MESSAGE_BYTES)))
        self.deduplicates_content = get("ContentBasedDeduplication") == "true"
        self.deduplicates_in_group = get("DeduplicationScope") == "messageGroup"
        key = get("KmsMasterKeyId")
        self.encryption: Use | None = None
        """The use of data keys for bodies; None where no KMS key is asked for."""
        if key:
            reuse = int(get("KmsDataKeyReusePeriodSeconds", "300"))
            key_id = make_key_id(key, record.account, record.region)
            self.encryption = Use(key_id, ("aws:sqs:arn", self.arn), reuse)
        redrive: dict[str, Any] = json.loads(get("RedrivePolicy", "{}"))
        self.redrive_target: str | None = redrive.get("deadLetterTargetArn")
        self.max_receives = int(redrive.get("maxReceiveCount", 10)) if redrive else 0
        """Receives after which a message goes to `redrive_target`; 0 without one."""

        self.all = Subspace("q", record.id)
        self.topic = self.all.prefix
        self.sequence = self.all.key("sequence")
        self.dedup = self.all.sub("dedup")
        self.dedup_expiries = self.all.sub("dedup-expiry")
        self.tasks = self.all.sub("task")

        self.contents = self.all.sub("c")
        self.messages = self.contents.sub("m")
        """Place → the message, never rewritten."""
        self.ready = self.contents.sub("r")
        """Place → the state of a visible message of no group (empty: never received)."""
        self.in_flight = self.contents.sub("i")
        """Place → the state of a message that is in flight alone."""
        self.timers = self.contents.sub("t")
        """(Time in ms, place) → nothing for a message in flight alone, its group for a delayed one.

        (Time in ms, nonce) → the states of messages that were received together.
        """
        self.groups = self.contents.sub("g")
        """Message group → its head and how many of its messages are in flight."""
        self.ready_in_group = self.contents.sub("gr")
        """(Message group, place) → the state of a visible message."""
        self.available = self.contents.sub("a")
        """Place of its head → message group, for the groups of which a message can be received."""
        self.returned = self.contents.sub("ab")
        """Turn → message group, for those of them, on a FIFO queue, whose head has come back."""
        self.processing = self.contents.sub("p")
        """(Minute, message group or "") → milliseconds that consumers spent on messages."""
        self.attempts = self.contents.sub("ra")
        self.attempt_expiries = self.contents.sub("ra-expiry")
        self.messages_count = messages_count_of(record.id)
        self.in_flight_count = self.contents.key("in-flight")
        self.delayed_count = self.contents.key("delayed")
        self.expired_count = self.contents.key("expired")
        """How many messages have expired that flights still have."""
        self.grouped = self.contents.key("grouped")
        """There once this standard queue has had messages with a group."""

    def url(self, endpoint: str) -> str:
        """The queue's URL as a caller reaches it."""
        return f"{endpoint}/{self.record.account}/{self.record.name}"


def messages_count_of(id: int) -> bytes:
    """Return the key of how many messages a queue holds."""
    return pack(("q", id, "c", "messages"))


_queues: Final[dict[bytes, Queue]] = {}


def decode(raw: bytes) -> Queue:
    """Return the queue of a stored record. Decoded queues are kept: the same bytes mean the same queue."""
    queue = _queues.get(raw)
    if queue is None:
        queue = Queue(queue_record.decode(raw))
        if len(raw) <= _CACHED_BYTES:
            if len(_queues) >= _CACHED_QUEUES:
                del _queues[next(iter(_queues))]
            _queues[raw] = queue
    return queue


def split_timer(timers: Subspace, key: bytes) -> tuple[int, bytes]:
    """Return the time (ms) and the place of the message in the key of a timer."""
    at = len(timers.prefix)
    end = at + 1 + key[at] - 0x14
    return int.from_bytes(key[at + 1 : end], "big"), key[end:]


def timer_key(timers: Subspace, due: int, place: bytes) -> bytes:
    """Return the key of a timer."""
    return timers.prefix + pack_int(due) + place
