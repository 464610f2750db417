"""What buckets hold, for CloudWatch: once a day, after midnight (UTC).

User guide, "Metrics and dimensions" ("Amazon S3 daily storage metrics for buckets in CloudWatch"). All versions are
looked at, and the parts of uploads that are under way; that takes a small share of the time, however many there are,
and an account's large buckets hold up no others.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial
from time import perf_counter

from cloudlet.core import Transaction
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import sleep_until
from cloudlet.core.telemetry.metrics import get_metrics, is_measured
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.buckets.walking import every_bucket, walk
from cloudlet.services.s3.object_data import multipart
from cloudlet.services.s3.object_data.objects import Version
from cloudlet.store import pack

_DAY = 86_400
_AT_ONCE = 2
_SHARE = 20
"""It takes no more than about one tenth of the time, for all that are looked at at once."""
_WAITING = 1000
_ROWS = 200
_STORAGE = {
    "DEEP_ARCHIVE": "DeepArchiveStorage",
    "GLACIER": "GlacierStorage",
    "GLACIER_IR": "GlacierInstantRetrievalStorage",
    "INTELLIGENT_TIERING": "IntelligentTieringFAStorage",
    "ONEZONE_IA": "OneZoneIAStorage",
    "REDUCED_REDUNDANCY": "ReducedRedundancyStorage",
    "STANDARD": "StandardStorage",
    "STANDARD_IA": "StandardIAStorage",
}
_SMALL_BYTES = 128 << 10
_OF_SMALL = {
    "GLACIER_IR": "GlacierIRSizeOverhead",
    "ONEZONE_IA": "OneZoneIASizeOverhead",
    "STANDARD_IA": "StandardIASizeOverhead",
}
"""What an object is smaller than 128 KB counts as well in these classes."""
_OF_ARCHIVED = {
    "DEEP_ARCHIVE": (("DeepArchiveObjectOverhead", 32 << 10), ("DeepArchiveS3ObjectOverhead", 8 << 10)),
    "GLACIER": (("GlacierObjectOverhead", 32 << 10), ("GlacierS3ObjectOverhead", 8 << 10)),
}
"""What each object takes besides in these classes: for its index, and in the class STANDARD for its name."""
_STAGING = {"DEEP_ARCHIVE": "DeepArchiveStagingStorage", "GLACIER": "GlacierStagingStorage"}
"""Where parts of uploads are counted that will be objects of these classes."""
_DONE = pack(("storage-metrics-done",))


async def measure_storage(block: Block) -> None:
    """Measure what buckets hold, each day, until the block ends."""
    if not is_measured(block):
        return
    works = KeyedTasks(block)
    while True:
        today = int(block.clock.now() // _DAY)
        if await block.store.transact(lambda tx, today=today: _is_due(tx, today)):  # type: ignore[misc]
            await _measure_all(block, works, today * _DAY)
        await sleep_until(block, (today + 1) * _DAY)


async def _measure_all(block: Block, works: KeyedTasks, at: float) -> None:
    places, waiting = FairSemaphore(_AT_ONCE, 1), asyncio.Semaphore(_WAITING)

    async def measure(bucket: Bucket) -> None:
        async with places.hold(bucket.account):
            await works.attempt(bucket.name, f"measuring {bucket.name}", partial(_Held(block, bucket).measure, at))
        waiting.release()

    async with asyncio.TaskGroup() as group:
        async for bucket in every_bucket(block, works):
            await waiting.acquire()
            group.create_task(measure(bucket))


async def _is_due(tx: Transaction, today: int) -> bool:
    """Whether nobody has begun to measure today; a store that is new has had nothing to be measured this midnight."""
    raw = await tx.get(_DONE)
    if raw is not None and int(raw) >= today:
        return False
    tx.put(_DONE, b"%d" % today)
    return raw is not None


class _Held:
    """What one bucket holds."""

    def __init__(self, block: Block, bucket: Bucket) -> None:
        self._block = block
        self._bucket = bucket
        self._objects = 0
        self._bytes: defaultdict[str, int] = defaultdict(int)
        """By type of storage."""

    async def measure(self, at: float) -> None:
        """Look at all of it, and add it to the block's metrics, for a time in seconds since the epoch."""
        began = perf_counter()
        async for page in walk(self._block, self._bucket):
            for placed in page:
                self._add(placed.version)
            await asyncio.sleep(_SHARE * (perf_counter() - began))
            began = perf_counter()
        await self._add_uploads()
        self._report("NumberOfObjects", "AllStorageTypes", at, self._objects, "Count")
        for storage, size in self._bytes.items():
            self._report("BucketSizeBytes", storage, at, size, "Bytes")

    def _report(self, metric: str, storage: str, at: float, value: int, unit: str) -> None:
        bucket = self._bucket
        dimensions = (("BucketName", bucket.name), ("StorageType", storage))
        get_metrics(self._block).add(bucket.account, bucket.region, metric, dimensions, at, value, unit=unit)

    def _add(self, version: Version) -> None:
        self._objects += 1
        if version.marker:
            return
        of_class, size = version.storage_class, version.size
        self._bytes[_STORAGE[of_class]] += size
        if of_class in _OF_SMALL and size < _SMALL_BYTES:
            self._bytes[_OF_SMALL[of_class]] += _SMALL_BYTES - size
        for storage, each in _OF_ARCHIVED.get(of_class, ()):
            self._bytes[storage] += each

    async def _add_uploads(self) -> None:
        uploads = self._bucket.uploads
        begin = uploads.begin
        while True:

            async def page(tx: Transaction, begin: bytes = begin) -> list[tuple[bytes, bytes]]:
                return await tx.range(begin, uploads.end, limit=_ROWS)

            rows = await self._block.store.transact(page)
            for row, raw in rows:
                await self._add_parts(uploads.unpack(row)[1], multipart.decode(raw).template.storage_class)
            if len(rows) < _ROWS:
                return
            begin = rows[-1][0] + b"\x00"

    async def _add_parts(self, upload_id: str, of_class: str) -> None:
        after = 0
        while True:

            async def page(tx: Transaction, after: int = after) -> list[tuple[int, multipart.UploadedPart]]:
                return await multipart.parts_of(tx, self._bucket, upload_id, after, _ROWS)

            found = await self._block.store.transact(page)
            self._objects += len(found)
            self._bytes[_STAGING.get(of_class) or _STORAGE[of_class]] += sum(part.size for _, part in found)
            if len(found) < _ROWS:
                return
            after = found[-1][0]
            await asyncio.sleep(0)
