"""`cloudlet store`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from cloudlet.cli import EXIT_OK, EXIT_USAGE, CommandError
from cloudlet.core.block import files_of
from cloudlet.core.cloud import Config, built, open_store, with_data
from cloudlet.core.data_folder import InUse, exclusively
from cloudlet.core.file_owner import FileOwner
from cloudlet.core.service import Service
from cloudlet.core.shared_state import KEYSPACE, SharedState
from cloudlet.store import Store, StoreError
from cloudlet.store.blobs import UNMARKED
from cloudlet.store.copying import copy
from cloudlet.store.folders import make_private


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("copy", "adopt"))
    parser.add_argument("source", help="a data folder, or the URL of a PostgreSQL; adopt: the URL of a PostgreSQL")
    parser.add_argument(
        "target",
        help="the same; what is copied must not be there yet. adopt: the data folder whose files belong to that "
        "database alone from now on",
    )
    parser.epilog = "No Cloudlet may run on the source or the target meanwhile."


def run(options: argparse.Namespace) -> int:
    if options.action == "adopt":
        return _run_adopt(options)
    source, target = _place(options.source), _place(options.target)
    if not with_data(source, built()):
        raise CommandError(f"there is no data in {source.data}")
    try:
        with ExitStack() as stack:
            for place in (source, target):
                if place.store is None:
                    make_private(place.data)
                    stack.enter_context(exclusively(place.data))
            asyncio.run(_copy(source, target))
    except (InUse, StoreError, OSError) as error:
        raise CommandError(str(error)) from error
    return EXIT_OK


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
    for name in filter(_has_files, built()):
        async with _opened(database, name) as store:
            await FileOwner(store, files_of(data, name)).adopt()
        print(f"{name:<12} its files are in {files_of(data, name)}", flush=True)
    async with _opened(database, KEYSPACE) as store:
        await SharedState(store).forget_key()


def _has_files(name: str) -> bool:
    service: Service = importlib.import_module(built()[name]).service
    return service.has_files


async def _copy(source: Config, target: Config) -> None:
    for name in with_data(source, sorted(built())):
        async with _opened(source, name) as present, _opened(target, name) as fresh:
            print(f"{name:<12} {await copy(present, fresh):>12,} rows", flush=True)
            if source.store is None and target.store is not None and _has_files(name):
                await FileOwner(fresh, files_of(source.data.absolute(), name)).inherit(UNMARKED)


@asynccontextmanager
async def _opened(place: Config, name: str) -> AsyncIterator[Store]:
    store = open_store(place, name)
    try:
        yield store
    finally:
        await store.close()
