"""Carries out lifecycle rules: goes through the buckets that have some, after each midnight (UTC).

S3 counts days from midnight to midnight, so that nothing becomes due in between. A bucket is read page by page; what is
to be done is done in small transactions, each of which looks again whether it still is. User guide, "Managing the
lifecycle of objects" ("How S3 Lifecycle interacts with other bucket configurations").
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.s3.buckets import rounds
from cloudlet.services.s3.buckets.bucket import find_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.buckets.walking import Placed, walk
from cloudlet.services.s3.notifications import events
from cloudlet.services.s3.object_data import multipart, versions
from cloudlet.services.s3.object_data.objects import Version, behind
from cloudlet.services.s3.retention import lifecycle
from cloudlet.services.s3.retention.lifecycle import Lifecycle, subject
from cloudlet.store import pack

_ROWS = 200
_AT_ONCE = 20
_LOOKED_AT = 5000
"""So many rules, of one version or of several, before others have their turn."""


async def carry_out_rules(block: Block) -> None:
    """Go through all buckets that have rules, once a day and when they get other ones, until the block ends."""

    async def carry_out(bucket: Bucket) -> bool:
        return await _Pass(block, bucket, block.clock.now()).run()

    await rounds.make(block, lifecycle.TOPIC, lifecycle.KIND, "the lifecycle rules", carry_out)


@dataclass
class _Pass:
    """Once through one bucket. `now` is in seconds since the epoch."""

    block: Block
    bucket: Bucket
    now: float

    async def run(self) -> bool:
        """Do all that is due, unless that was done today; return whether it was not."""
        rules = await self.block.store.transact(self._begin)
        if rules is None:
            return False
        await self._versions(rules)
        await self._uploads(rules)

        async def end(tx: Transaction) -> None:
            if await self._still_there(tx) is not None:
                lifecycle.note_done(tx, self.bucket, rules, self.now)

        await self.block.store.transact(end)
        return True

    async def _begin(self, tx: Transaction) -> Lifecycle | None:
        rules = await lifecycle.of_bucket(tx, self.bucket)
        return None if rules is None or await lifecycle.is_done(tx, self.bucket, rules, self.now) else rules

    async def _still_there(self, tx: Transaction) -> Bucket | None:
        """Return the bucket as it is now, unless it has gone."""
        bucket = await find_bucket(tx, self.bucket.name)
        return bucket if bucket is not None and bucket.number == self.bucket.number else None

    @property
    def _millis(self) -> int:
        return int(self.now * 1000)

    # -- objects

    async def _versions(self, rules: Lifecycle) -> None:
        async for page in walk(self.block, self.bucket):
            due: list[Placed] = []
            at_once = max(1, _LOOKED_AT // (len(rules) or 1))
            for start in range(0, len(page), at_once):
                due += [placed for placed in page[start : start + at_once] if self._is_due(rules, placed)]
                await asyncio.sleep(0)
            at_once = min(at_once, _AT_ONCE)
            for start in range(0, len(due), at_once):
                await self._act(rules, due[start : start + at_once])

    def _is_due(self, rules: Lifecycle, found: Placed) -> bool:
        """Whether something is to be done about a version, by what is known without looking at others."""
        version = found.version
        if version.replication in ("PENDING", "FAILED"):
            # What is not replicated yet is left alone.
            return False
        if found.current and version.marker:
            return rules.removes_marker(found.key, version.modified / 1000, self.now)
        return self._expires(rules, found) or self._storage_class(rules, found) != version.storage_class

    def _expires(self, rules: Lifecycle, found: Placed) -> bool:
        told = subject(found.key, found.version)
        if found.current:
            due = rules.expiry(told)
        else:
            due = rules.noncurrent_expiry(told, found.noncurrent_since, found.newer)
        return due is not None and due.at <= self.now

    def _storage_class(self, rules: Lifecycle, found: Placed) -> str:
        told = subject(found.key, found.version)
        if found.version.marker:
            return told.storage_class
        if found.current:
            return rules.storage_class(told, self.now)
        return rules.noncurrent_storage_class(told, found.noncurrent_since, found.newer, self.now)

    async def _act(self, rules: Lifecycle, due: list[Placed]) -> None:
        """Do what is to be done about some versions, as far as it still is."""

        async def act(tx: Transaction) -> None:
            bucket = await self._still_there(tx)
            present = None if bucket is None else await lifecycle.of_bucket(tx, bucket)
            if bucket is None or present is None or present.source != rules.source:
                return
            for found in due:
                version = await versions.find(tx, bucket, found.key, found.version.id)
                newest = await versions.newest(tx, bucket, found.key)
                if version is None or newest is None or (newest.id == version.id) != found.current:
                    continue
                now = found._replace(version=version)
                if self._is_due(rules, now):
                    await self._do(tx, bucket, rules, now)

        await self.block.store.transact(act)

    async def _do(self, tx: Transaction, bucket: Bucket, rules: Lifecycle, found: Placed) -> None:
        key, version = found.key, found.version
        if version.marker and found.current:
            if await _is_alone(tx, bucket, key):
                await self._remove(tx, bucket, key, version)
        elif not self._expires(rules, found):
            moved = msgspec.structs.replace(version, storage_class=self._storage_class(rules, found))
            await versions.rewrite(tx, bucket, key, moved)
            await events.note(self.block, tx, bucket, "LifecycleTransition", key, moved)
        elif found.current and bucket.versioning:
            marker = await versions.delete(tx, bucket, key, self._millis)
            assert marker is not None  # noqa: S101 - for the type checker: the bucket has versioning
            await events.note(self.block, tx, bucket, "LifecycleExpiration:DeleteMarkerCreated", key, marker)
        elif not self._is_locked(version):
            await self._remove(tx, bucket, key, version)

    async def _remove(self, tx: Transaction, bucket: Bucket, key: str, version: Version) -> None:
        await versions.remove(tx, bucket, key, version, self._millis)
        await events.note(self.block, tx, bucket, "LifecycleExpiration:Delete", key, version)

    def _is_locked(self, version: Version) -> bool:
        lock = version.lock
        return lock is not None and (lock.hold == "ON" or lock.until > self._millis)

    # -- uploads

    async def _uploads(self, rules: Lifecycle) -> None:
        begin = self.bucket.uploads.begin
        while True:

            async def page(tx: Transaction, begin: bytes = begin) -> list[tuple[bytes, bytes]]:
                return await tx.range(begin, self.bucket.uploads.end, limit=_ROWS)

            rows = await self.block.store.transact(page)
            for row, raw in rows:
                key, upload_id = self.bucket.uploads.unpack(row)
                due = rules.abort(key, multipart.decode(raw).template.modified / 1000)
                if due is not None and due.at <= self.now:
                    await self._abort(key, upload_id)
            if len(rows) < _ROWS:
                return
            begin = rows[-1][0] + b"\x00"
            await asyncio.sleep(0)

    async def _abort(self, key: str, upload_id: str) -> None:
        async def abort(tx: Transaction) -> None:
            bucket = await self._still_there(tx)
            if bucket is not None:
                await multipart.forget(tx, bucket, key, upload_id, self._millis)

        await self.block.store.transact(abort)


async def _is_alone(tx: Transaction, bucket: Bucket, key: str) -> bool:
    """Whether a key has one version, or delete marker, and no more."""
    return len(await tx.range(bucket.objects.prefix + pack((key,)), behind(bucket, key), limit=2)) == 1
