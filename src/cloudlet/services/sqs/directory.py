"""Finding queues: by URL, by ARN, by the prefix of their name, by their dead-letter queue."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final
from urllib.parse import urlsplit

from cloudlet.core import Arn, Context, Subspace, Transaction
from cloudlet.services.sqs import errors, limits, queue_record
from cloudlet.services.sqs.queue import Queue, decode
from cloudlet.services.sqs.queue_record import QueueRecord, encode
from cloudlet.store import pack
from cloudlet.store.tuple_keys import successor

_QUEUES: Final = Subspace("queue")
_DELETED: Final = Subspace("deleted")
_DELETED_TIMES: Final = Subspace("deleted-time")
_SOURCES: Final = Subspace("dead-letter-source")
_IDS: Final = pack(("ids",))
_CACHED_KEYS: Final = 4096
_CACHED_CHARACTERS: Final = 512
"""More than any queue's URL has; a longer one may be of one nevertheless."""
_SWEPT: Final = 8

_keys: Final[dict[tuple[str, str], bytes]] = {}


def _key_of_url(ctx: Context, url: str) -> bytes:
    """Return the key of the record of the queue with this URL, or this name. Raises AwsError for what is neither."""
    region = ctx.region
    if "/" not in url:
        return _QUEUES.key(ctx.account, region, url)
    try:
        parts = urlsplit(url).path.strip("/").split("/")
    except ValueError:
        raise errors.no_such_queue(ctx.protocol) from None
    if len(parts) < 2 or not parts[-2].isdecimal():
        raise errors.no_such_queue(ctx.protocol)
    key = _QUEUES.key(parts[-2], region, parts[-1])
    if len(url) <= _CACHED_CHARACTERS:
        if len(_keys) >= _CACHED_KEYS:
            del _keys[next(iter(_keys))]
        _keys[region, url] = key
    return key


async def by_url(ctx: Context, tx: Transaction, url: str) -> Queue:
    """Return the queue of a QueueUrl, which may be its name alone. Raises AwsError where there is none."""
    key = _keys.get((ctx.region, url)) or _key_of_url(ctx, url)
    raw = await tx.get(key)
    if raw is None:
        raise errors.no_such_queue(ctx.protocol)
    return decode(raw)


async def by_name(tx: Transaction, account: str, region: str, name: str) -> Queue | None:
    """Return a queue by its full name, or None."""
    raw = await tx.get(_QUEUES.key(account, region, name))
    return None if raw is None else decode(raw)


async def by_arn(tx: Transaction, text: str) -> Queue | None:
    """Return a queue by its ARN, or None, also for what is no ARN of a queue."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        return None
    return await by_name(tx, arn.account, arn.region, arn.resource) if arn.service == "sqs" else None


async def records_after(tx: Transaction, after: bytes, count: int) -> list[tuple[bytes, QueueRecord]]:
    """Return up to `count` records of queues of all accounts, from behind the key `after`, each with its key."""
    rows = await tx.range(max(after + b"\x00", _QUEUES.begin), _QUEUES.end, limit=count)
    return [(key, queue_record.decode(raw)) for key, raw in rows]


async def next_id(tx: Transaction) -> int:
    """Return a number that no queue has or had."""
    tx.add(_IDS, 1)
    return await tx.counter(_IDS)


def store(tx: Transaction, record: QueueRecord, before: Queue | None = None) -> Queue:
    """Write a queue's record and keep the index of dead-letter queues' sources in line with it."""
    raw = encode(record)
    tx.put(_QUEUES.key(record.account, record.region, record.name), raw)
    queue = decode(raw)
    if before is not None and before.redrive_target and before.redrive_target != queue.redrive_target:
        tx.delete(_SOURCES.key(before.redrive_target, before.arn))
    if queue.redrive_target:
        tx.put(_SOURCES.key(queue.redrive_target, queue.arn), b"")
    return queue


def remove(tx: Transaction, queue: Queue, now: int) -> None:
    """Delete a queue with all it holds, at `now` in milliseconds since the epoch."""
    record = queue.record
    name = (record.account, record.region, record.name)
    tx.delete(_QUEUES.key(*name))
    tx.delete_range(queue.all.begin, queue.all.end)
    if queue.redrive_target:
        tx.delete(_SOURCES.key(queue.redrive_target, queue.arn))
    tx.put(_DELETED.key(*name), pack((now,)))
    tx.put(_DELETED_TIMES.key(now, *name), b"")
    tx.notify(queue.topic)


async def check_not_deleted_recently(tx: Transaction, account: str, region: str, name: str, now: int) -> None:
    """Raise if a queue of this name was deleted within the last 60 seconds; forget those deleted before."""
    since = now - limits.DELETED_SECONDS * 1000
    for key, _ in await tx.range(_DELETED_TIMES.begin, _DELETED_TIMES.key(max(since, 0)), limit=_SWEPT):
        tx.delete(key)
        tx.delete(_DELETED.key(*_DELETED_TIMES.unpack(key)[1:]))
    raw = await tx.get(_DELETED.key(account, region, name))
    if raw is not None and pack((since,)) < raw <= pack((now,)):
        raise errors.deleted_recently()


async def listed(
    tx: Transaction, account: str, region: str, prefix: str, token: str | None, size: int | None
) -> tuple[list[Queue], str | None]:
    """Return a page of an account's queues whose names start with `prefix`, and the token of the next page."""
    space = _QUEUES.sub(account, region)
    begin = space.key(prefix)[:-1] if prefix else space.begin
    end = successor(begin)
    rows, following = await _page(tx, begin, end, token, size)
    return [decode(value) for _, value in rows], following


async def sources(tx: Transaction, target: str, token: str | None, size: int | None) -> tuple[list[Queue], str | None]:
    """Return a page of the queues that have `target` (an ARN) as their dead-letter queue, and the next token."""
    space = _SOURCES.sub(target)
    rows, following = await _page(tx, space.begin, space.end, token, size)
    queues = [await by_arn(tx, space.unpack(key)[0]) for key, _ in rows]
    return [queue for queue in queues if queue is not None], following


async def is_dead_letter_queue(tx: Transaction, queue: Queue) -> bool:
    """Whether any queue sends its dead letters to this one."""
    space = _SOURCES.sub(queue.arn)
    return bool(await tx.range(space.begin, space.end, limit=1))


async def _page(
    tx: Transaction, begin: bytes, end: bytes, token: str | None, size: int | None
) -> tuple[list[tuple[bytes, bytes]], str | None]:
    """Return up to `size` rows after the one that `token` names. Only who asks for a size gets a token (as in AWS)."""
    if token is not None:
        try:
            after = urlsafe_b64decode(token.encode())
        except ValueError:
            after = b""
        if not begin <= after < end:
            raise errors.invalid_parameter("Invalid or expired next token.")
        begin = after + b"\x00"
    if size is None:
        return await tx.range(begin, end, limit=limits.LISTED), None
    rows = await tx.range(begin, end, limit=size + 1)
    if len(rows) <= size:
        return rows, None
    return rows[:size], urlsafe_b64encode(rows[size - 1][0]).decode()
