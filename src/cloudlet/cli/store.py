"""`cloudlet store`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

from cloudlet.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandError
from cloudlet.core.cloud import Config, built, folder_of, open_store, with_data
from cloudlet.core.data_folder import InUse, exclusively
from cloudlet.store import Store, StoreError
from cloudlet.store.copying import copy, fill
from cloudlet.store.folders import make_private
from cloudlet.store.interface import Row
from cloudlet.store.keys import unpack


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
    parser.epilog = "No Cloudlet may run on these meanwhile."


def run(options: argparse.Namespace) -> int:
    source = _place(options.source)
    if source.store is not None and (options.action == "verify" or options.readable):
        raise CommandError("only a data folder is verified: PostgreSQL has pg_amcheck", EXIT_USAGE)
    if not with_data(source, built()):
        raise CommandError(f"there is no data in {source.data}")
    target = _place(options.target) if options.action == "copy" else None
    try:
        with ExitStack() as stack:
            for place in (source, target):
                if place is not None and place.store is None:
                    make_private(place.data)
                    stack.enter_context(exclusively(place.data))
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
    for name in with_data(source, sorted(built())):
        gaps.clear()
        try:
            damaged = DamagedStore(folder_of(source, name))
        except StoreError as error:
            print(f"{name:<12} {error}", flush=True)
            code = EXIT_FAILED
            continue
        with closing(damaged):
            found = rows(damaged)
            count = sum(map(len, found)) if target is None else asyncio.run(_fill(target, name, found))
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


async def _fill(target: Config, name: str, rows: Iterator[list[Row]]) -> int:
    async with _opened(target, name) as fresh:
        return await fill(fresh, rows)


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
