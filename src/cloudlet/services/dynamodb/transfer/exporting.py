"""Exports are made: some items at a time are read as they were, and written to S3 as files of some megabytes."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from base64 import b32encode, b64encode
from datetime import UTC, datetime
from hashlib import md5
from typing import Any

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.services.dynamodb.backup import copies, journal, snapshot
from cloudlet.services.dynamodb.backup.timeline import Version
from cloudlet.services.dynamodb.item_data import ion, items
from cloudlet.services.dynamodb.item_data.values import Item
from cloudlet.services.dynamodb.requests.rows import BYTES
from cloudlet.services.dynamodb.tables import directory, table_keys
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.services.dynamodb.transfer import exports
from cloudlet.services.dynamodb.transfer.export_filter import ExportFilter
from cloudlet.services.dynamodb.transfer.exports import DataFile, Export
from cloudlet.services.dynamodb.transfer.objects import Bucket
from cloudlet.services.dynamodb.transfer.transfer_records import COMPLETED, FAILED, IN_PROGRESS, TableGone, TakenOver
from cloudlet.store import StoreError

log = logging.getLogger("cloudlet.dynamodb")

_ITEMS = 100
_LISTED_FILES = 1000
"""How many items, and how many files, are read in one transaction."""
_FILE_BYTES = 4 << 20
"""A file is closed when it has so many bytes before compression."""
_VERSION = "2020-06-30"
_CODES = {"NoSuchBucket": "S3NoSuchBucket"}

_encode = msgspec.json.Encoder().encode


async def make(block: Block, key: bytes, lease: Lease) -> None:
    """Make an export that is in progress: the one whose record is at `key`."""
    export = await block.store.transact(lambda tx: exports.records.get(tx, key))
    if export is None or export.status != IN_PROGRESS:
        # Who waited for the lease may find that another process has made it.
        return
    request = export.request
    owner = request.get("S3BucketOwner")
    bucket = Bucket(block, request["S3Bucket"], export.account, export.region, owner, export.table_arn, export.caller)
    try:
        if not export.items:
            await bucket.put(f"{export.folder}/{export.id}/_started", b"")
        while not export.is_read:
            await lease.hold()
            lines, following = await _gathered(block, export)
            if lines or not export.items:
                export = await _written(block, bucket, export, lines, following)
            if following is None:
                break
        await _write_manifests(block, bucket, export)
    except AwsError as error:
        log.warning("export %s failed: %s: %s", export.arn, error.code, error.message)
        await _end(block, key, FAILED, (_CODES.get(error.code, error.code), error.message))
    except TakenOver:
        log.info("export %s is made by another process", export.arn)
    except TableGone:
        await _end(block, key, FAILED, ("TableNotFound", f"Table not found: {export.table}"))
    except StoreError:
        raise
    except Exception:
        # The other exports are to go on.
        log.exception("export %s failed", export.arn)
        await _end(block, key, FAILED, ("InternalServerError", "An internal error occurred"))
    else:
        await _end(block, key, COMPLETED, None)


async def _gathered(block: Block, export: Export) -> tuple[list[bytes], bytes | None]:
    """Return the lines of the next file, and the key behind which the one after begins; None at the end."""
    lines: list[bytes] = []
    size, after = 0, export.after
    while size < _FILE_BYTES:

        async def page(tx: Transaction, after: bytes = after) -> tuple[list[bytes], bytes | None]:
            table = await directory.by_id(tx, export.table_id)
            if table is None:
                raise TableGone
            tx = table_keys.unlock_for_block(block, tx, table)
            if export.since is None:
                return await _full(tx, table, export, after)
            return await _incremental(tx, table, export, export.since, after)

        more, following = await table_keys.transact(block, page)
        lines += more
        size += sum(map(len, more))
        if following is None:
            return lines, None
        after = following
        await asyncio.sleep(0)
    return lines, after


async def _full(tx: Transaction, table: Table, export: Export, after: bytes) -> tuple[list[bytes], bytes | None]:
    page = await snapshot.read(tx, table, export.moment, after, _ITEMS)
    choice = ExportFilter.of(table, export.request.get("FilterSpecification"))
    chosen = [item for _, stored in page.found if (item := choice.chosen(items.item_of(stored))) is not None]
    return [_line(export, "Item", item) for item in chosen], page.following


async def _incremental(
    tx: Transaction, table: Table, export: Export, since: Version, after: bytes
) -> tuple[list[bytes], bytes | None]:
    keys = await journal.keys_after(tx, table, after, _ITEMS)
    lines: list[bytes] = []
    size = 0
    for at, key in enumerate(keys):
        if size >= BYTES:
            return lines, keys[at - 1]
        raw = await tx.get(table.items_prefix + key)
        change = await journal.changed(tx, table, key, since, export.moment, raw)
        if change is None or (change.old is None and change.new is None):
            continue
        told: dict[str, Item] = {
            "Metadata": {"WriteTimestampMicros": {"N": str(change.micros)}},
            "Keys": table.keys.chosen(change.new or change.old or {}),
        }
        if change.old is not None and export.view == "NEW_AND_OLD_IMAGES":
            told["OldImage"] = change.old
        if change.new is not None:
            told["NewImage"] = change.new
        if export.format == exports.ION:
            lines.append(ion.line("Record", {name: {"M": content} for name, content in told.items()}))
        else:
            lines.append(_encode(told))
        size += len(lines[-1])
    return lines, keys[-1] if len(keys) == _ITEMS else None


def _line(export: Export, name: str, item: Item) -> bytes:
    return ion.line(name, item) if export.format == exports.ION else _encode({name: item})


async def _written(block: Block, bucket: Bucket, export: Export, lines: list[bytes], following: bytes | None) -> Export:
    """Write a file of lines and note it. One that was written before a restart, and not noted, is written again."""
    data = b"".join(line + b"\n" for line in lines)
    packed = await asyncio.to_thread(gzip.compress, data)
    folder = export.folder if export.since is not None else f"{export.folder}/{export.id}"
    ending = "ion" if export.format == exports.ION else "json"
    number = md5(f"{export.id}/{export.items}".encode(), usedforsecurity=False).digest()
    name = f"{folder}/data/{b32encode(number).decode().rstrip('=').lower()}.{ending}.gz"
    etag = await bucket.put(name, packed, **_encryption(export))
    file = DataFile(name, len(lines), _md5(packed), etag)
    noted = msgspec.structs.replace(
        export,
        after=export.after if following is None else following,
        items=export.items + len(lines),
        size=export.size + len(data),
        is_read=following is None,
    )

    async def body(tx: Transaction) -> None:
        if await exports.records.get(tx, exports.records.key_of(export)) != export:
            raise TakenOver
        exports.records.store(tx, noted)
        exports.add_file(tx, export, file)

    await block.store.transact(body)
    return noted


async def _write_manifests(block: Block, bucket: Bucket, export: Export) -> None:
    """Write both manifests and their checksums, as the Developer Guide describes them."""
    folder = f"{export.folder}/{export.id}"
    files = "".join(
        json.dumps(
            {"itemCount": file.items, "md5Checksum": file.md5, "etag": file.etag, "dataFileS3Key": file.key},
            separators=(",", ":"),
        )
        + "\n"
        for file in await _files(block, export)
    )
    request = export.request
    summary: dict[str, Any] = {
        "version": _VERSION,
        "exportArn": export.arn,
        "startTime": _time(export.started),
        "endTime": _time(block.clock.now()),
        "tableArn": export.table_arn,
        "tableId": export.table_uuid,
        "exportTime": _time(export.time),
        "s3Bucket": request["S3Bucket"],
        "s3Prefix": request.get("S3Prefix"),
        "s3SseAlgorithm": request.get("S3SseAlgorithm") or "AES256",
        "s3SseKmsKeyId": request.get("S3SseKmsKeyId"),
        "manifestFilesS3Key": f"{folder}/manifest-files.json",
        "billedSizeBytes": export.size,
        "itemCount": export.items,
        "outputFormat": export.format,
        "exportType": "FULL_EXPORT",
    }
    if export.since is not None:
        period = request["IncrementalExportSpecification"]
        summary |= {
            "exportType": "INCREMENTAL_EXPORT",
            "exportFromTime": _time(period["ExportFromTime"]),
            "exportToTime": _time(export.time),
            "outputView": export.view,
        }
        del summary["exportTime"]
    for name, text in (("manifest-files", files), ("manifest-summary", json.dumps(summary, separators=(",", ":")))):
        await bucket.put(f"{folder}/{name}.json", text.encode(), **_encryption(export))
        await bucket.put(f"{folder}/{name}.checksum", _md5(text.encode()).encode(), **_encryption(export))


async def _files(block: Block, export: Export) -> list[DataFile]:
    found: list[DataFile] = []
    after: bytes | None = b""
    while after is not None:

        async def page(tx: Transaction, after: bytes = after) -> tuple[list[DataFile], bytes | None]:
            return await exports.files_after(tx, export, after, _LISTED_FILES)

        more, after = await block.store.transact(page)
        found += more
    return found


def _encryption(export: Export) -> dict[str, str]:
    if export.request.get("S3SseAlgorithm") != "KMS":
        return {"ServerSideEncryption": "AES256"}
    key = export.request.get("S3SseKmsKeyId")
    return {"ServerSideEncryption": "aws:kms"} | ({} if key is None else {"SSEKMSKeyId": key})


def _md5(data: bytes) -> str:
    return b64encode(md5(data, usedforsecurity=False).digest()).decode()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


async def _end(block: Block, key: bytes, status: str, failure: tuple[str, str] | None) -> None:
    async def body(tx: Transaction) -> None:
        export = await exports.records.get(tx, key)
        if export is None or export.status != IN_PROGRESS:
            return
        ended = msgspec.structs.replace(export, status=status, failure=failure, ended=block.clock.now())
        await exports.records.end(tx, ended)
        tx.delete_range(export.files.begin, export.files.end)
        table = await directory.by_id(tx, export.table_id)
        if table is not None:
            copies.release(tx, table)

    await block.store.transact(body)
