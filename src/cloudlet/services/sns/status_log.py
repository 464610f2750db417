"""Delivery status: what became of deliveries, for topics that ask for it.

Developer guide, "Amazon SNS message delivery status". A delivery is noted once it is settled. AWS writes this to
CloudWatch Logs; here it goes to a file in the data folder, of bounded size, with the log group's name in each record.
Like AWS's it is written in the background: a crash may lose what was noted last.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import Any, Final

import msgspec

from cloudlet.core.host import url_passwords
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes, uuid4
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.sns import journal
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable

log = logging.getLogger("cloudlet.sns")

_PREFIXES: Final = {
    "application": "Application",
    "firehose": "Firehose",
    "http": "HTTP",
    "https": "HTTP",
    "lambda": "Lambda",
    "sqs": "SQS",
}
"""Of a topic's attributes, by protocol. Other protocols have no delivery status."""
_FILE_BYTES: Final = 16 * 1_048_576
"""A file that is larger takes the place of the one before it: there are two at most."""
_WAITING: Final = 10_000
"""Records that wait to be written; more are dropped."""


def is_on(topic: Topic) -> bool:
    """Whether a topic asks for the status of any deliveries."""
    return any(name.endswith("FeedbackRoleArn") for name in topic.attributes)


def note(
    block: Block,
    topic: Topic,
    subscribed: Subscription,
    message: Message,
    outcome: Undeliverable | None,
    attempts: int = 1,
) -> None:
    """Note what became of a delivery in the end, after so many attempts, if the topic asks for that."""
    prefix = _PREFIXES.get(subscribed.protocol)
    if prefix is not None and _is_wanted(topic, prefix, success=outcome is None):
        _RECORDS.get(block).add(_record(block, topic, subscribed, message, outcome, attempts))


async def write(block: Block) -> None:
    """Write what is noted to the file, for as long as the block runs."""
    await _RECORDS.get(block).write(_file(block))


async def page(block: Block) -> tuple[str, bytes]:
    """Return the newest 100 records, as a JSON list."""
    return await journal.page(_file(block))


def _file(block: Block) -> Path:
    return block.cloud.config.data / "sns-delivery-status.jsonl"


def _is_wanted(topic: Topic, prefix: str, *, success: bool) -> bool:
    if not success:
        return f"{prefix}FailureFeedbackRoleArn" in topic.attributes
    if f"{prefix}SuccessFeedbackRoleArn" not in topic.attributes:
        return False
    percentage = int(topic.attributes.get(f"{prefix}SuccessFeedbackSampleRate", "100"))
    return int.from_bytes(random_bytes(4)) % 100 < percentage


def _record(
    block: Block,
    topic: Topic,
    subscribed: Subscription,
    message: Message,
    outcome: Undeliverable | None,
    attempts: int,
) -> dict[str, Any]:
    published = datetime.fromtimestamp(message.published / 1000, UTC)
    delivery: dict[str, Any] = {
        "deliveryId": uuid4(),
        "destination": url_passwords.masked(subscribed.endpoint),
        "dwellTimeMs": max(0, int(block.clock.now() * 1000) - message.published),
        "attempts": attempts,
    }
    group = f"sns/{topic.region}/{topic.account}/{topic.name}"
    if outcome is not None:
        group += "/Failure"
        delivery["providerResponse"] = outcome.reason
        if outcome.status is not None:
            delivery["statusCode"] = outcome.status
    return {
        "logGroup": group,
        "notification": {
            "messageMD5Sum": md5(message.body_for(subscribed.protocol).encode(), usedforsecurity=False).hexdigest(),
            "messageId": message.id,
            "topicArn": topic.arn,
            "timestamp": published.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        },
        "delivery": delivery,
        "status": "SUCCESS" if outcome is None else "FAILURE",
    }


class _Records:
    """Records on their way to the file of one block."""

    def __init__(self) -> None:
        self._waiting: deque[dict[str, Any]] = deque()
        self._dropped = 0
        self._added = asyncio.Event()

    def add(self, record: dict[str, Any]) -> None:
        if len(self._waiting) < _WAITING:
            self._waiting.append(record)
            self._added.set()
        else:
            self._dropped += 1

    async def write(self, file: Path) -> None:
        while True:
            await self._added.wait()
            self._added.clear()
            records, self._waiting = self._waiting, deque()
            if self._dropped:
                log.warning("%d records of delivery status were dropped: they came faster than the disk", self._dropped)
                self._dropped = 0
            await asyncio.to_thread(_append, file, b"".join(msgspec.json.encode(record) + b"\n" for record in records))


def _append(file: Path, lines: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as target:
        target.write(lines)
        size = target.tell()
    if size > _FILE_BYTES:
        file.replace(file.with_suffix(".1.jsonl"))


_RECORDS: Final = PerBlock(lambda _: _Records())
