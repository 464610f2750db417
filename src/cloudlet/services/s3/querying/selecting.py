"""S3 Select: a query over one object, run by DuckDB in a process of its own (`select_worker`).

Of the places for queries an account has half at most, and a query holds one for minutes at most. What it finds goes
into files, so that whoever reads that slowly keeps no place. API reference, "SelectObjectContent".
"""

from __future__ import annotations

import asyncio
import shutil
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from cloudlet.core import AwsError, Params
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.s3 import errors
from cloudlet.services.s3.object_data import workspace
from cloudlet.services.s3.querying import select_process
from cloudlet.store import StoreError

_AT_ONCE: Final = 4
"""So many queries have memory at a time; others wait."""
_LONGEST_SECONDS: Final = 300.0
_MOST_UNREAD: Final = 4096
"""Files, of a quarter of a mebibyte each, that a query is ahead of who reads them."""
_WORDS: Final = {
    "ExpressionType": (
        ("SQL",),
        "InvalidExpressionType",
        "The ExpressionType is invalid. Only SQL expressions are supported.",
    ),
    "CompressionType": (
        ("NONE", "GZIP", "BZIP2"),
        "InvalidCompressionFormat",
        "The file is not in a supported compression format. Only GZIP and BZIP2 are supported.",
    ),
    "FileHeaderInfo": (
        ("NONE", "USE", "IGNORE"),
        "InvalidFileHeaderInfo",
        "The FileHeaderInfo is invalid. Only NONE, USE, and IGNORE are supported.",
    ),
    "Type": (
        ("DOCUMENT", "LINES"),
        "InvalidJsonType",
        "The JsonType is invalid. Only DOCUMENT and LINES are supported.",
    ),
    "QuoteFields": (
        ("ALWAYS", "ASNEEDED"),
        "InvalidQuoteFields",
        "The QuoteFields is invalid. Only ALWAYS and ASNEEDED are supported.",
    ),
}
"""By the member that has it: its words, and the error for any other (API reference, "Error responses")."""
_PLACES = PerBlock(lambda _: FairSemaphore(_AT_ONCE, _AT_ONCE // 2))
_giving_up: set[asyncio.Task[None]] = set()


def check(params: Params) -> None:
    """Raise AwsError for a request that cannot be meant, or that takes what is not there.

    Its words (`Use`, `gzip`) are put into capital letters, which S3 takes them for.
    """
    source = params["InputSerialization"]
    words = {
        "ExpressionType": params,
        "CompressionType": source,
        "FileHeaderInfo": source.get("CSV") or {},
        "Type": source.get("JSON") or {},
        "QuoteFields": params["OutputSerialization"].get("CSV") or {},
    }
    for name, member in words.items():
        if name in member:
            _check_word(name, member)
    if sum(name in source for name in ("CSV", "JSON", "Parquet")) != 1:
        raise errors.invalid_request("InputSerialization has to have exactly one of CSV, JSON and Parquet.")
    if sum(name in params["OutputSerialization"] for name in ("CSV", "JSON")) != 1:
        raise errors.invalid_request("OutputSerialization has to have exactly one of CSV and JSON.")
    compressed = source.get("CompressionType", "NONE") != "NONE"
    if "Parquet" in source and compressed:
        raise AwsError("InvalidCompressionFormat", "Parquet has a compression of its own.", status=400)
    if params.get("ScanRange") is not None and not _may_be_scanned(source):
        raise errors.invalid_request("ScanRange is for CSV and for lines of JSON, which are not compressed.")


def _check_word(name: str, member: Params) -> None:
    allowed, code, message = _WORDS[name]
    member[name] = member[name].upper()
    if member[name] not in allowed:
        raise AwsError(code, message, status=400)


def _may_be_scanned(source: Mapping[str, Any]) -> bool:
    if source.get("CompressionType", "NONE") != "NONE" or (source.get("JSON") or {}).get("Type") == "DOCUMENT":
        return False
    return "Parquet" not in source and not (source.get("CSV") or {}).get("AllowQuotedRecordDelimiter")


async def answer(
    block: Block,
    account: str,
    params: Params,
    size: int,
    pieces: AsyncIterator[bytes],
    ended: Callable[[int, int], None],
) -> AsyncIterator[dict[str, Any]]:
    """Return the events of the answer, to an account, for an object whose bytes are `pieces`.

    `ended` is called at the end, with the bytes that were scanned and that were returned.
    Raises AwsError, and StoreError where there is no room to work; so may the iterator.
    """
    query = _Query(block, account, params, size, pieces)
    try:
        processed = await query.begun()
    except BaseException:
        await query.give_up()
        raise
    scanned = size if params.get("ScanRange") is None else processed
    progress = bool((params.get("RequestProgress") or {}).get("Enabled"))
    events = _events(query, _Counts(scanned, processed), ended, progress=progress)
    # Whoever asked may have gone by now, and nobody begins to read.
    weakref.finalize(events, _forget, asyncio.get_running_loop(), query).atexit = False
    return events


class _Counts:
    def __init__(self, scanned: int, processed: int) -> None:
        self.scanned = scanned
        self.returned = 0
        self._processed = processed

    def shown(self) -> dict[str, Any]:
        return {
            "Details": {
                "BytesScanned": self.scanned,
                "BytesProcessed": self._processed,
                "BytesReturned": self.returned,
            }
        }


async def _events(
    query: _Query, counts: _Counts, ended: Callable[[int, int], None], *, progress: bool
) -> AsyncIterator[dict[str, Any]]:
    try:
        while records := await query.records():
            counts.returned += len(records)
            yield {"Records": {"Payload": records}}
            if progress:
                yield {"Progress": counts.shown()}
        ended(counts.scanned, counts.returned)
        yield {"Stats": counts.shown()}
        yield {"End": {}}
    finally:
        await query.give_up()


def _forget(loop: asyncio.AbstractEventLoop, query: _Query) -> None:
    def give_up() -> None:
        task = loop.create_task(query.give_up())
        _giving_up.add(task)
        task.add_done_callback(_giving_up.discard)

    if not loop.is_closed():
        loop.call_soon_threadsafe(give_up)


class _Query:
    """A query under way: a task has a process run it, beside whoever reads what it finds."""

    def __init__(self, block: Block, account: str, params: Params, size: int, pieces: AsyncIterator[bytes]) -> None:
        self._block = block
        self._params = params
        self._size = size
        self._pieces = pieces
        self._folder: TemporaryDirectory[str] | None = None
        self._processed: int | None = None
        self._found = 0
        self._read = 0
        self._failure: Exception | None = None
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._run(account))

    async def begun(self) -> int:
        """Return how many bytes it reads, once it has begun. Raises AwsError, and StoreError."""
        await self._until(lambda: self._processed is not None)
        if self._processed is None:
            raise self._failure or RuntimeError("the query has not begun")
        return self._processed

    async def records(self) -> bytes:
        """Return the next records, b"" at the end. Raises AwsError, and StoreError."""
        await self._until(lambda: self._read < self._found)
        if self._read == self._found:
            if self._failure is not None:
                raise self._failure
            return b""
        records = await asyncio.to_thread(_taken, self._path / f"{self._read}")
        self._read += 1
        self._changed.set()
        return records

    async def give_up(self) -> None:
        """End it, if it is still under way, and remove what it has left."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        if self._folder is not None:
            await asyncio.to_thread(self._folder.cleanup)

    async def _until(self, reached: Callable[[], bool]) -> None:
        """Wait for something, or for the end."""
        while not reached() and not self._task.done():
            self._changed.clear()
            await self._changed.wait()

    @property
    def _path(self) -> Path:
        if self._folder is None:
            raise RuntimeError("the query has no folder before it has a place")
        return Path(self._folder.name)

    async def _run(self, account: str) -> None:
        try:
            async with _PLACES.get(self._block).hold(account), asyncio.timeout(_LONGEST_SECONDS):
                await self._work()
        except TimeoutError:
            self._failure = AwsError("Busy", "The service is unavailable. Please retry.", status=503)
        except OSError as error:
            self._failure = StoreError(str(error))
        except Exception as error:
            self._failure = error
        finally:
            asyncio.get_running_loop().call_soon(self._changed.set)

    async def _work(self) -> None:
        self._folder = workspace.folder(self._block)
        await self._store()
        workers = select_process.workers(self._block)
        worker = await workers.take()
        try:
            self._processed = await worker.begin(self._asked())
            self._changed.set()
            while await worker.has_found():
                self._found += 1
                self._changed.set()
                while self._found - self._read >= _MOST_UNREAD:
                    self._changed.clear()
                    await self._changed.wait()
        finally:
            await workers.give_back(worker)
        await asyncio.to_thread(_remove_object, self._path)

    async def _store(self) -> None:
        """Write the object into a file, which is all that the process sees of it."""
        with (self._path / "stored").open("wb") as file:
            async for piece in self._pieces:
                await asyncio.to_thread(file.write, piece)

    def _asked(self) -> dict[str, Any]:
        params = self._params
        return {
            "folder": f"{self._path}",
            "expression": params["Expression"],
            "source": params["InputSerialization"],
            "output": params["OutputSerialization"],
            "range": params.get("ScanRange"),
            "size": self._size,
            "now": self._block.clock.now(),
        }


def _taken(file: Path) -> bytes:
    """Return what is in a file, which is gone then."""
    found = file.read_bytes()
    file.unlink()
    return found


def _remove_object(folder: Path) -> None:
    """Remove what a query has read: what it has found may be read slowly."""
    target = folder / "object"
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink()
