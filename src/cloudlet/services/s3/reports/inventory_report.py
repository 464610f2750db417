"""Writes inventories: a data file with a row a version, and the manifest that names it.

User guide, "Locating your inventory list" and "Amazon S3 Inventory list".
"""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.s3.buckets import identified, rounds
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.buckets.walking import Placed, walk
from cloudlet.services.s3.object_data import workspace
from cloudlet.services.s3.permissions.canonical_users import canonical_id
from cloudlet.services.s3.reports import inventory
from cloudlet.services.s3.reports.delivering import deliver
from cloudlet.services.s3.retention import lifecycle
from cloudlet.services.s3.retention.lifecycle import Lifecycle
from cloudlet.wire.timestamps import iso8601, milliseconds

log = logging.getLogger("cloudlet.s3")

_PRINCIPAL = "s3.amazonaws.com"
_MOST = 1000
_READ_BYTES = 1 << 20


async def write_inventories(block: Block, lease: Lease) -> None:
    """Write the inventories that are due, until the block ends."""

    async def write(bucket: Bucket) -> bool:
        async with lease.during():
            return await _write_due(block, bucket, block.clock.now())

    await rounds.make(block, inventory.TOPIC, inventory.KIND, "the inventories", write)


async def _write_due(block: Block, bucket: Bucket, now: float) -> bool:
    """Write what is due in a bucket; return whether anything was."""

    async def find(tx: Transaction) -> list[tuple[str, Any]]:
        return [
            (id, configuration)
            for id, configuration in await identified.listed(tx, bucket, inventory.KIND, "", _MOST)
            if await inventory.due(tx, bucket, id, configuration, now)
        ]

    failures: list[Exception] = []
    found = await block.store.transact(find)
    for id, configuration in found:
        try:
            await _write(block, bucket, id, configuration, now)
        except Exception as failure:
            # The others are written first; what was is not due any more when this one is tried again.
            failures.append(failure)
    if failures:
        raise ExceptionGroup(f"of {len(found)} inventories {len(failures)} could not be written", failures)
    return bool(found)


async def _write(block: Block, bucket: Bucket, id: str, configuration: Mapping[str, Any], now: float) -> None:
    rules = await block.store.transact(lambda tx: lifecycle.of_bucket(tx, bucket))
    try:
        await _Report(block, bucket, configuration, rules, now).write()
    except AwsError as error:
        log.warning("the inventory %s of %s could not be written: %s", id, bucket.name, error.message)

    async def done(tx: Transaction) -> None:
        inventory.note_done(tx, bucket, id, now)

    await block.store.transact(done)


@dataclass(frozen=True)
class _Row:
    """What the fields of a row are taken from."""

    bucket: Bucket
    placed: Placed
    rules: Lifecycle | None


def _encryption(row: _Row) -> str:
    encryption = row.placed.version.encryption
    if encryption is None:
        return "NOT-SSE"
    if encryption.customer_md5:
        return "SSE-C"
    return {"AES256": "SSE-S3", "aws:kms:dsse": "DSSE-KMS"}.get(encryption.algorithm, "SSE-KMS")


def _bucket_key(row: _Row) -> str:
    encryption = row.placed.version.encryption
    return "ENABLED" if encryption is not None and encryption.bucket_key else "DISABLED"


def _expiry(row: _Row) -> str:
    placed = row.placed
    if row.rules is None or not placed.current or placed.version.marker:
        return ""
    due = row.rules.expiry(lifecycle.subject(placed.key, placed.version))
    return "" if due is None or due.at > lifecycle.LATEST else milliseconds(due.at)


def _grants(row: _Row) -> str:
    acl = row.placed.version.acl
    owner = canonical_id(acl.owner if acl is not None else row.bucket.account)
    grants = [(each.grantee, each.permission) for each in acl.grants] if acl is not None else [(owner, "FULL_CONTROL")]
    told = {
        "version": "2022-11-10",
        "status": "AVAILABLE",
        "grants": [{"canonicalId": name, "type": "Canonical", "permission": what} for name, what in grants],
    }
    return msgspec.json.encode(told).decode()


def _owner(row: _Row) -> str:
    acl = row.placed.version.acl
    return canonical_id(acl.owner if acl is not None else row.bucket.account)


def _lock(row: _Row, name: str) -> str:
    lock = row.placed.version.lock
    if lock is None:
        return ""
    if name == "until":
        return milliseconds(lock.until / 1000) if lock.mode else ""
    return str(getattr(lock, name))


_FIELDS: dict[str, Callable[[_Row], str]] = {
    "Bucket": lambda row: row.bucket.name,
    "Key": lambda row: quote(row.placed.key, safe="/"),
    "VersionId": lambda row: row.placed.version.id if row.bucket.versioning else "",
    "IsLatest": lambda row: _truth(row.placed.current),
    "IsDeleteMarker": lambda row: _truth(row.placed.version.marker),
    "Size": lambda row: "" if row.placed.version.marker else str(row.placed.version.size),
    "LastModifiedDate": lambda row: milliseconds(row.placed.version.modified / 1000),
    "StorageClass": lambda row: "" if row.placed.version.marker else row.placed.version.storage_class,
    "ETag": lambda row: row.placed.version.etag,
    "IsMultipartUploaded": lambda row: _truth(row.placed.version.parts > 0),
    "ReplicationStatus": lambda row: row.placed.version.replication,
    "EncryptionStatus": _encryption,
    "ObjectLockRetainUntilDate": lambda row: _lock(row, "until"),
    "ObjectLockMode": lambda row: _lock(row, "mode"),
    "ObjectLockLegalHoldStatus": lambda row: _lock(row, "hold"),
    "IntelligentTieringAccessTier": lambda row: (
        "FREQUENT" if row.placed.version.storage_class == "INTELLIGENT_TIERING" else ""
    ),
    "BucketKeyStatus": _bucket_key,
    "ChecksumAlgorithm": lambda row: row.placed.version.checksum.algorithm if row.placed.version.checksum else "",
    "ObjectAccessControlList": _grants,
    "ObjectOwner": _owner,
    "LifecycleExpirationDate": _expiry,
}
"""What each field of an inventory has, by its name."""
_TYPES = {
    "IsDeleteMarker": "BOOLEAN",
    "IsLatest": "BOOLEAN",
    "IsMultipartUploaded": "BOOLEAN",
    "LastModifiedDate": "TIMESTAMP_MS",
    "LifecycleExpirationDate": "TIMESTAMP_MS",
    "ObjectLockRetainUntilDate": "TIMESTAMP_MS",
    "Size": "BIGINT",
}
"""What is no text in Parquet, in DuckDB's words."""
_PARQUET = {
    "BIGINT": "int64 {}",
    "BOOLEAN": "boolean {}",
    "TIMESTAMP_MS": "int64 {} (TIMESTAMP_MILLIS)",
    "VARCHAR": "binary {} (UTF8)",
}


def _duckdb_type(field: str) -> str:
    return _TYPES.get(field, "VARCHAR")


def _truth(value: bool) -> str:
    return "true" if value else "false"


class _Report:
    """One report about one bucket."""

    def __init__(
        self, block: Block, bucket: Bucket, configuration: Mapping[str, Any], rules: Lifecycle | None, now: float
    ) -> None:
        self._block = block
        self._bucket = bucket
        self._rules = rules
        self._now = now
        self._all = configuration["IncludedObjectVersions"] == "All"
        self._prefix = (configuration.get("Filter") or {}).get("Prefix") or ""
        destination = configuration["Destination"]["S3BucketDestination"]
        self._target = Arn.parse(destination["Bucket"])
        self._format = destination["Format"]
        self._more = {"ServerSideEncryption": "AES256"} if "SSES3" in (destination.get("Encryption") or {}) else {}
        below = f"{destination['Prefix'].rstrip('/')}/" if destination.get("Prefix") else ""
        self._folder = f"{below}{bucket.name}/{configuration['Id']}"
        versions = ["VersionId", "IsLatest", "IsDeleteMarker"] if self._all else []
        self._fields = ["Bucket", "Key", *versions, *(configuration.get("OptionalFields") or ())]

    async def write(self) -> None:
        """Write the report. Raises AwsError."""
        suffix = "csv.gz" if self._format == "CSV" else "parquet"
        data = f"{self._folder}/data/{uuid4()}.{suffix}"
        with workspace.folder(self._block) as folder:
            file = await self._data(Path(folder))
            size = file.stat().st_size
            tag = await self._deliver(data, _read(file))
        manifest = {
            "sourceBucket": self._bucket.name,
            "destinationBucket": str(self._target),
            "version": "2016-11-30",
            "creationTimestamp": str(int(self._now * 1000)),
            "fileFormat": self._format,
            "fileSchema": ", ".join(self._fields) if self._format == "CSV" else self._parquet_schema(),
            "files": [{"key": data, "size": size, "MD5checksum": tag}],
        }
        moment = iso8601(int(self._now))[:16].replace(":", "-") + "Z"
        written = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        checksum = md5(written, usedforsecurity=False).hexdigest().encode()
        await self._deliver(f"{self._folder}/{moment}/manifest.json", written)
        await self._deliver(f"{self._folder}/{moment}/manifest.checksum", checksum)
        link = f"s3://{self._target.resource}/{data}\n".encode()
        await self._deliver(f"{self._folder}/hive/dt={moment[:10]}-{moment[11:16]}/symlink.txt", link)

    def _parquet_schema(self) -> str:
        columns = " ".join(f"optional {_PARQUET[_duckdb_type(name)].format(_column(name))};" for name in self._fields)
        return f"message s3.inventory {{ {columns} }}"

    async def _deliver(self, key: str, body: Any) -> str:
        return await deliver(self._block, _PRINCIPAL, self._bucket, self._target.resource, key, body, **self._more)

    async def _data(self, folder: Path) -> Path:
        """Write the data file into a folder of this machine; return its path."""
        file = folder / "inventory.csv.gz"
        with gzip.open(file, "wb") as target:
            async for page in walk(self._block, self._bucket, self._prefix):
                rows = [
                    self._line(_Row(self._bucket, placed, self._rules))
                    for placed in page
                    if self._all or (placed.current and not placed.version.marker)
                ]
                await asyncio.to_thread(target.write, "".join(rows).encode())
        return file if self._format == "CSV" else await run_in_worker(self._bucket.account, self._as_parquet, file)

    def _line(self, row: _Row) -> str:
        return ",".join(['"' + _FIELDS[name](row).replace('"', '""') + '"' for name in self._fields]) + "\n"

    def _as_parquet(self, file: Path) -> Path:
        import duckdb

        target = file.with_name("inventory.parquet")
        texts = ", ".join(f"'{_column(name)}': 'VARCHAR'" for name in self._fields)
        # In Parquet what is not there is null, and keys are not encoded.
        typed = ", ".join(
            f"CAST(NULLIF({'url_decode(key)' if name == 'Key' else _column(name)}, '') AS {_duckdb_type(name)}) "
            f"AS {_column(name)}"
            for name in self._fields
        )
        with duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "256MB"}) as connection:
            connection.execute(
                f"COPY (SELECT {typed} FROM read_csv('{file}', compression = 'gzip', auto_detect = false, "
                f"header = false, columns = {{{texts}}}, quote = '\"', escape = '\"')) TO '{target}' (FORMAT parquet)"
            )
        return target


def _column(field: str) -> str:
    """Return a field's name in Parquet: LastModifiedDate → last_modified_date."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in field).lstrip("_")


async def _read(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as source:
        while piece := await asyncio.to_thread(source.read, _READ_BYTES):
            yield piece
