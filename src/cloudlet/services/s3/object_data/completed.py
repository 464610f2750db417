"""Multipart uploads that were completed a while ago: who has not heard the answer asks again, and gets the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.s3.buckets.bucket_record import Bucket

_DONE = Subspace("completed")
_TIMES = Subspace("completed-at")
_KEPT_MILLIS = 24 * 3600 * 1000
_SWEEP_SECONDS = 3600.0
_PAGE = 200


class Completed(msgspec.Struct, frozen=True, array_like=True):
    """The version that an upload became, its entity tag, and the digest of the parts that were listed."""

    version_id: str
    etag: str
    listed: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Completed).decode


def digest(listed: Iterable[tuple[int, str]]) -> bytes:
    """Return the digest of a list of parts, by their numbers and entity tags."""
    return hashlib.sha256(msgspec.msgpack.encode(list(listed))).digest()[:16]


def note(tx: Transaction, bucket: Bucket, key: str, upload_id: str, completed: Completed, now: int) -> None:
    """Note that an upload was completed, at `now` in milliseconds since the epoch."""
    tx.put(_DONE.key(bucket.number, key, upload_id), _encode(completed))
    tx.put(_TIMES.key(now, bucket.number, key, upload_id), b"")


async def find(tx: Transaction, bucket: Bucket, key: str, upload_id: str) -> Completed | None:
    """Return what became of an upload that was completed within a day, or None."""
    raw = await tx.get(_DONE.key(bucket.number, key, upload_id))
    return None if raw is None else _decode(raw)


async def forget(block: Block) -> None:
    """Forget the uploads that were completed long ago, now and then."""
    works = KeyedTasks(block)

    async def listed(tx: Transaction, count: int) -> list[bytes]:
        before = int(block.clock.now() * 1000) - _KEPT_MILLIS
        return [key for key, _ in await tx.range(_TIMES.begin, _TIMES.key(max(before, 0)), limit=count)]

    async def one(tx: Transaction, row: bytes) -> None:
        tx.delete(row)
        tx.delete(_DONE.key(*_TIMES.unpack(row)[1:]))

    while True:
        await works.drain(listed, "forgetting the upload", one, at_once=_PAGE)
        await back_off(block, _SWEEP_SECONDS)
