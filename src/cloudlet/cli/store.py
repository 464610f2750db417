"""`cloudlet store`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

from cloudlet.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandError
from cloudlet.core.host.data_folder import InUse, lock_exclusively
from cloudlet.core.host.file_owner import FileOwner
from cloudlet.core.host.shared_state import KEYSPACE, SharedState
from cloudlet.core.kernel.block import files_of
from cloudlet.core.kernel.cloud import Config, get_block_folder, list_blocks, list_blocks_with_data, open_store
from cloudlet.core.kernel.service import Service
from cloudlet.store import Store, StoreError
from cloudlet.store.blobs import UNMARKED
from cloudlet.store.copying import copy, fill
from cloudlet.store.folders import make_private
from cloudlet.store.interface import Row
from cloudlet.store.tuple_keys import unpack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    copying = actions.add_parser("copy", help="copy all data from one place to another")
    copying.add_argument("source", help="a data folder, or the URL of a PostgreSQL")
    copying.add_argument("target", help="the same; what is copied must not be there yet")
    copying.add_argument(
        "--readable", action="store_true", help="from a damaged data folder, copy what can be read and say what cannot"
    )
    verifying = actions.add_parser("verify", help="read all data with its checksums, and say what is damaged")
    verifying.add_argument("source", metavar="folder", help="a data folder")
    adopting = actions.add_parser("adopt", help="have the files in a data folder belong to one PostgreSQL alone")
    adopting.add_argument("source", metavar="url", help="the URL of a PostgreSQL")
    adopting.add_argument("target", metavar="folder", help="a data folder")
    parser.epilog = "No Cloudlet may run on these meanwhile."


def run(options: argparse.Namespace) -> int:
    if options.action == "adopt":
        return _run_adopt(options)
    source = _place(options.source)
    if source.store is not None and (options.action == "verify" or options.readable):
        raise CommandError("only a data folder is verified: PostgreSQL has pg_amcheck", EXIT_USAGE)
    if not list_blocks_with_data(source, list_blocks()):
        raise CommandError(f"there is no data in {source.data}")
    target = _place(options.target) if options.action == "copy" else None
    try:
        with ExitStack() as stack:
            for place in (source, target):
                if place is not None and place.store is None:
                    make_private(place.data)
                    stack.enter_context(lock_exclusively(place.data))
            if target is None or options.readable:
                return _read_damaged(source, target)
            asyncio.run(_copy(source, target))
    except (InUse, StoreError, OSError) as error:
        raise CommandError(str(error)) from error
    return EXIT_OK


def _read_damaged(source: Config, target: Config | None) -> int:
    """Read each block's data, copy it where there is a target, and say what is damaged; return the exit code."""
    from cloudlet.store.salvage import DamagedStore, Gap

    gaps: list[Gap] = []

    def rows(damaged: DamagedStore) -> Iterator[list[Row]]:
        for found in damaged.rows():
            if isinstance(found, Gap):
                gaps.append(found)
            else:
                yield found

    code = EXIT_OK
    for name in list_blocks_with_data(source, sorted(list_blocks())):
        gaps.clear()
        try:
            damaged = DamagedStore(get_block_folder(source, name))
        except StoreError as error:
            print(f"{name:<12} {error}", flush=True)
            code = EXIT_FAILED
            continue
        with closing(damaged):
            found = rows(damaged)
            count = sum(map(len, found)) if target is None else asyncio.run(_fill(source, target, name, found))
        print(f"{name:<12} {count:>12,} rows, {f'{len(gaps)} damaged places' if gaps else 'all readable'}", flush=True)
        for gap in gaps:
            print(f"  between {_described(gap.after)} and {_described(gap.before)}: {gap.reason}")
            code = EXIT_FAILED
    return code


def _described(key: bytes) -> str:
    """Return a key as the tuple that was packed; one that is cut off as bytes."""
    try:
        return str(unpack(key))
    except (IndexError, ValueError):
        return repr(key)


async def _fill(source: Config, target: Config, name: str, rows: Iterator[list[Row]]) -> int:
    async with _opened(target, name) as fresh:
        count = await fill(fresh, rows)
        await _inherit(source, target, name, fresh)
        return count


async def _inherit(source: Config, target: Config, name: str, fresh: Store) -> None:
    """Note that rows that were copied into a PostgreSQL name files of the data folder that they are from."""
    if source.store is None and target.store is not None and _has_files(name):
        await FileOwner(fresh, files_of(source.data.absolute(), name)).inherit(UNMARKED)


def _place(text: str) -> Config:
    if text.startswith(("postgresql://", "postgres://")):
        return Config(data=Path(), store=text)
    if "://" in text:
        raise CommandError(f"neither a folder nor the URL of a PostgreSQL: {text}", EXIT_USAGE)
    return Config(data=Path(text))


def _run_adopt(options: argparse.Namespace) -> int:
    database, folder = _place(options.source), _place(options.target)
    if database.store is None or folder.store is not None:
        raise CommandError("store adopt takes the URL of a PostgreSQL and a data folder", EXIT_USAGE)
    if not folder.data.is_dir():
        raise CommandError(f"there is no folder {folder.data}")
    try:
        asyncio.run(_adopt(database, folder.data.absolute()))
    except (StoreError, OSError) as error:
        raise CommandError(str(error)) from error
    return EXIT_OK


async def _adopt(database: Config, data: Path) -> None:
    """Have the rows and the files of all blocks belong together, and whoever starts next say what the master key is."""
    for name in filter(_has_files, list_blocks()):
        async with _opened(database, name) as store:
            await FileOwner(store, files_of(data, name)).adopt()
        print(f"{name:<12} its files are in {files_of(data, name)}", flush=True)
    async with _opened(database, KEYSPACE) as store:
        await SharedState(store).forget_key()


def _has_files(name: str) -> bool:
    service: Service = importlib.import_module(list_blocks()[name]).service
    return service.has_files


async def _copy(source: Config, target: Config) -> None:
    for name in list_blocks_with_data(source, sorted(list_blocks())):
        async with _opened(source, name) as present, _opened(target, name) as fresh:
            print(f"{name:<12} {await copy(present, fresh):>12,} rows", flush=True)
            await _inherit(source, target, name, fresh)


@asynccontextmanager
async def _opened(place: Config, name: str) -> AsyncIterator[Store]:
    store = open_store(place, name)
    try:
        yield store
    finally:
        await store.close()
