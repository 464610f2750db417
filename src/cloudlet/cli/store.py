"""`cloudlet store`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from cloudlet.cli import EXIT_OK, EXIT_USAGE, CommandError
from cloudlet.core.cloud import Config, built, open_store, with_data
from cloudlet.core.data_folder import InUse, exclusively
from cloudlet.store import Store, StoreError
from cloudlet.store.copying import copy
from cloudlet.store.folders import make_private


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("copy",))
    parser.add_argument("source", help="a data folder, or the URL of a PostgreSQL")
    parser.add_argument("target", help="the same; what is copied must not be there yet")
    parser.epilog = "No Cloudlet may run on the source or the target meanwhile."


def run(options: argparse.Namespace) -> int:
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


async def _copy(source: Config, target: Config) -> None:
    for name in with_data(source, sorted(built())):
        async with _opened(source, name) as present, _opened(target, name) as fresh:
            print(f"{name:<12} {await copy(present, fresh):>12,} rows", flush=True)


@asynccontextmanager
async def _opened(place: Config, name: str) -> AsyncIterator[Store]:
    store = open_store(place, name)
    try:
        yield store
    finally:
        await store.close()
