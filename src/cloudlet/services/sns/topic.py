"""Topics, by their ARNs and names."""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.sns import errors, limits, topic_record
from cloudlet.services.sns.topic_record import Topic
from cloudlet.store import pack

_TOPICS: Final = Subspace("topic")
_COUNTS: Final = Subspace("topic-count")
_NUMBERS: Final = pack(("topic-numbers",))
_CACHED: Final = 4096
_CACHED_BYTES: Final = 4096
"""What is larger is decoded each time, which takes microseconds: policies may make it a hundred times as large."""
_ARN_PARTS: Final = 6
_ARN_CHARACTERS: Final = 512
"""More than any topic's; what is kept by ARN must not be large."""


_decoded: Final[dict[bytes, Topic]] = {}
_keys: Final[dict[str, bytes]] = {}


def decode(raw: bytes) -> Topic:
    """Return the topic of a stored record. Decoded topics are kept: the same bytes mean the same topic."""
    topic = _decoded.get(raw)
    if topic is None:
        topic = topic_record.decode(raw)
        if len(raw) <= _CACHED_BYTES:
            if len(_decoded) >= _CACHED:
                del _decoded[next(iter(_decoded))]
            _decoded[raw] = topic
    return topic


def _key_of(arn: str) -> bytes | None:
    """Return the key of the record of the topic with this ARN, or None for what is no topic's ARN."""
    parts = arn.split(":") if len(arn) <= _ARN_CHARACTERS else []
    if len(parts) != _ARN_PARTS or not all(parts) or parts[0] != "arn" or parts[2] != "sns":
        return None
    if parts[1] != partition_of(parts[3]):
        return None
    if len(_keys) >= _CACHED:
        del _keys[next(iter(_keys))]
    key = _keys[arn] = _TOPICS.key(parts[4], parts[3], parts[5])
    return key


async def find(tx: Transaction, arn: str) -> Topic | None:
    """Return a topic by its ARN, or None, also for what is no ARN of a topic."""
    key = _keys.get(arn) or _key_of(arn)
    if key is None:
        return None
    raw = await tx.get(key)
    return None if raw is None else decode(raw)


async def get(tx: Transaction, arn: str, name: str = "TopicArn", *, region: str = "") -> Topic:
    """Return a topic by the ARN that a request has as its parameter `name`. Raises AwsError where there is none.

    With a `region`, a topic of another one is refused, as AWS does.
    """
    key = _keys.get(arn) or _key_of(arn)
    if key is None or (region and arn.split(":", 4)[3] != region):
        raise errors.invalid_arn(name, arn)
    raw = await tx.get(key)
    if raw is None:
        raise errors.no_such_topic()
    return decode(raw)


async def by_name(tx: Transaction, account: str, region: str, name: str) -> Topic | None:
    """Return a topic by its name, or None."""
    raw = await tx.get(_TOPICS.key(account, region, name))
    return None if raw is None else decode(raw)


def of_account(account: str, region: str) -> Subspace:
    """Return where the records of an account's topics are, by name."""
    return _TOPICS.sub(account, region)


async def create(
    tx: Transaction,
    account: str,
    region: str,
    name: str,
    attributes: dict[str, str],
    tags: dict[str, str],
    now: int,
) -> Topic:
    """Write a new topic, created at `now` in milliseconds. Raises AwsError where the account has too many."""
    fifo = name.endswith(".fifo")
    count = _COUNTS.key(account, region, fifo)
    if await tx.counter(count) >= (limits.FIFO_TOPICS if fifo else limits.TOPICS):
        raise AwsError(
            "TopicLimitExceeded", "Indicates that the customer already owns the maximum allowed number of topics."
        )
    tx.add(count, 1)
    tx.add(_NUMBERS, 1)
    number = await tx.counter(_NUMBERS)
    topic = Topic(number, account, region, name, now, attributes, tags, next_version())
    store(tx, topic)
    return topic


def next_version(version: int = 0) -> int:
    """Return a version that follows. Its step is random: a cloud put back to an earlier state never repeats one."""
    return version + 1 + int.from_bytes(random_bytes(4))


def store(tx: Transaction, topic: Topic) -> None:
    """Write a topic's record as it is."""
    tx.put(_TOPICS.key(topic.account, topic.region, topic.name), topic_record.encode(topic))


def change(
    tx: Transaction, topic: Topic, *, attributes: dict[str, str] | None = None, tags: dict[str, str] | None = None
) -> Topic:
    """Write a topic with what has changed of it, if only its subscriptions; return it under its new version."""
    changed = msgspec.structs.replace(
        topic,
        attributes=topic.attributes if attributes is None else attributes,
        tags=topic.tags if tags is None else tags,
        version=next_version(topic.version),
    )
    store(tx, changed)
    return changed


def remove(tx: Transaction, topic: Topic) -> None:
    """Delete a topic's record and all that is kept below its number."""
    tx.add(_COUNTS.key(topic.account, topic.region, topic.fifo), -1)
    tx.delete(_TOPICS.key(topic.account, topic.region, topic.name))
    tx.delete_range(topic.all.begin, topic.all.end)
