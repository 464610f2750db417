"""Imports are made: objects are read piece by piece, and their items put into the new table."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.block import Block
from cloudlet.services.dynamodb.backup import copies
from cloudlet.services.dynamodb.item_data.values import Item, checked_item
from cloudlet.services.dynamodb.requests import writing
from cloudlet.services.dynamodb.tables import directory, table_keys
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.services.dynamodb.transfer import imports
from cloudlet.services.dynamodb.transfer.import_formats import (
    CsvReader,
    LineReader,
    Malformed,
    Reader,
    Unpacked,
    items_of_ion,
    items_of_json,
)
from cloudlet.services.dynamodb.transfer.imports import CANCELLED, Counts, Import
from cloudlet.services.dynamodb.transfer.objects import Bucket
from cloudlet.services.dynamodb.transfer.transfer_records import COMPLETED, FAILED, IN_PROGRESS, TableGone, TakenOver
from cloudlet.store import StoreError

log = logging.getLogger("cloudlet.dynamodb")

_AT_ONCE = 50
_FAILED_ITEMS = (
    "ItemValidationError",
    "Some of the items failed validation checks. Please check CloudWatch error logs for more details.",
)
_CODES = {"NoSuchBucket": "S3NoSuchBucket", "NoSuchKey": "S3NoSuchKey"}


async def make(block: Block, key: bytes, lease: Lease) -> None:
    """Make an import that is in progress: the one whose record is at `key`."""
    made = await block.store.transact(lambda tx: imports.records.get(tx, key))
    if made is None or made.status != IN_PROGRESS:
        # Who waited for the lease may find that another process has made it.
        return
    source = made.request["S3BucketSource"]
    owner = source.get("S3BucketOwner")
    bucket = Bucket(block, source["S3Bucket"], made.account, made.region, owner, made.table_arn, made.caller)
    try:
        async for name in bucket.keys(source.get("S3KeyPrefix") or ""):
            if name > made.done:
                made = await _read(block, bucket, made, name, lease)
    except AwsError as error:
        log.warning("import %s failed: %s: %s", made.arn, error.code, error.message)
        await _end(block, key, FAILED, (_CODES.get(error.code, error.code), error.message))
    except Malformed as error:
        await _end(block, key, FAILED, ("InvalidFormat", str(error)))
    except TakenOver:
        log.info("import %s is made by another process", made.arn)
    except TableGone:
        await _end(block, key, CANCELLED, None)
    except StoreError:
        raise
    except Exception:
        # The other imports are to go on.
        log.exception("import %s failed", made.arn)
        await _end(block, key, FAILED, ("InternalServerError", "An internal error occurred"))
    else:
        await _end(block, key, *((FAILED, _FAILED_ITEMS) if made.counts.errors else (COMPLETED, None)))


async def _read(block: Block, bucket: Bucket, made: Import, name: str, lease: Lease) -> Import:
    """Put the items of an object into the table; what was put before a restart is put again."""
    unpacked = Unpacked(made.request.get("InputCompressionType") or "NONE")
    reader = _reader(made)
    counts = Counts()
    async for packed in bucket.pieces(name):
        await lease.hold()
        counts = counts.plus(Counts(size=len(packed)))
        for piece in unpacked.pieces(packed):
            counts = counts.plus(await _store(block, made, reader.feed(piece)))
            # There may be no item in it, and a thousand of such pieces in what is compressed.
            await asyncio.sleep(0)
    unpacked.end()
    counts = counts.plus(await _store(block, made, reader.end()))
    noted = msgspec.structs.replace(made, counts=made.counts.plus(counts), done=name)

    async def body(tx: Transaction) -> None:
        if await imports.records.get(tx, imports.records.key_of(made)) != made:
            raise TakenOver
        imports.records.store(tx, noted)

    await block.store.transact(body)
    return noted


def _reader(made: Import) -> Reader:
    if made.request["InputFormat"] == "DYNAMODB_JSON":
        return LineReader(items_of_json)
    if made.request["InputFormat"] == "ION":
        return LineReader(items_of_ion)
    options = (made.request.get("InputFormatOptions") or {}).get("Csv") or {}
    defined = made.request["TableCreationParameters"]["AttributeDefinitions"]
    types = {each["AttributeName"]: each["AttributeType"] for each in defined}
    return CsvReader(types, options.get("HeaderList"), options.get("Delimiter") or ",")


async def _store(block: Block, made: Import, found: Iterator[Item | None]) -> Counts:
    counts = Counts()
    while batch := await run_in_worker(made.account, _some, found):

        async def body(tx: Transaction, batch: list[Item | None] = batch) -> int:
            table = await directory.by_id(tx, made.table_id)
            if table is None:
                raise TableGone
            tx = table_keys.unlock_for_block(block, tx, table)
            done = [await _put(tx, table, item, block.clock.now()) for item in batch]
            return sum(done)

        imported = await table_keys.transact(block, body)
        counts = counts.plus(Counts(0, len(batch), imported, len(batch) - imported))
        await asyncio.sleep(0)
    return counts


def _some(found: Iterator[Item | None]) -> list[Item | None]:
    # They are read as they are taken, and one may be of megabytes.
    return list(itertools.islice(found, _AT_ONCE))


async def _put(tx: Transaction, table: Table, item: Item | None, now: float) -> bool:
    """Put an item; return whether it is one that the table admits. Others are counted as errors, as AWS does."""
    if item is None:
        return False
    try:
        await writing.put(tx, table, checked_item(item), now)
    except AwsError as error:
        log.info("an item was not imported: %s", error.message)
        return False
    return True


async def _end(block: Block, key: bytes, status: str, failure: tuple[str, str] | None) -> None:
    async def body(tx: Transaction) -> None:
        made = await imports.records.get(tx, key)
        if made is None or made.status != IN_PROGRESS:
            return
        ended = msgspec.structs.replace(made, status=status, failure=failure, ended=block.clock.now())
        await imports.records.end(tx, ended)
        table = await directory.by_id(tx, made.table_id)
        if table is not None and (status == COMPLETED or failure == _FAILED_ITEMS):
            # The items that did not fail are there.
            copies.activate(tx, table)
        elif table is not None:
            # The table of an import that failed is of no use (Developer Guide, "Requesting a table import").
            directory.remove(tx, table)

    await block.store.transact(body)
