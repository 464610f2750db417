"""Removing functions and versions, with all that is theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import duty_cycle, watching
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.code import code_signing
from cloudlet.services.lambda_.execution.engine import ENGINE
from cloudlet.services.lambda_.function_urls import urls
from cloudlet.services.lambda_.functions import concurrency, directory, grants, settings, settling
from cloudlet.services.lambda_.functions.function import Alias, Place, Version

_PAGE = 200
_LOOK_SECONDS = 30.0
_SHARE = 4
"""Looking whether what runs is still there takes no more than a quarter of the time."""


async def delete_function(tx: Transaction, place: Place, now: float) -> None:
    """Delete a function, all of its versions and aliases, and what is set for them. Raises AwsError."""
    function = await directory.function(tx, place)
    concurrency.release(tx, function)
    code_signing.use(tx, place, function.code_signing, "")
    await urls.remove_all(tx, place)
    versions = directory.versions_of(place)
    async for raw in _rows(tx, versions):
        await _remove(tx, directory.decode_version(raw), now)
    await directory.take_former(tx, place, now)
    aliases = directory.aliases_of(place)
    tx.delete_range(aliases.begin, aliases.end)
    settings.remove_all(tx, place)
    tags.save(tx, place.arn, {})
    directory.remove_function(tx, place)


async def delete_version(tx: Transaction, version: Version, now: float) -> None:
    """Delete a published version, and what is set for it. Raises AwsError where an alias points to it."""
    async for raw in _rows(tx, directory.aliases_of(version.place)):
        alias = directory.decode_alias(raw)
        if version.version in (alias.version, *alias.weights):
            raise errors.conflict(f"Version {version.version} is currently referenced by alias {alias.name}.")
    settings.remove_of(tx, version.place, version.version)
    await _remove(tx, version, now)


async def _remove(tx: Transaction, version: Version, now: float) -> None:
    await directory.remove_version(tx, version, now)
    grants.release(tx, version)
    tx.notify(directory.REPLACED)
    if version.starts_from_snapshot:
        settling.settle(tx, version)


async def delete_alias(tx: Transaction, alias: Alias) -> None:
    """Delete an alias, and what is set for it, its URL too."""
    await urls.remove(tx, directory.FunctionReference(alias.place, alias.name))
    settings.remove_of(tx, alias.place, alias.name)
    directory.remove_alias(tx, alias)


async def _rows(tx: Transaction, space: Subspace) -> AsyncIterator[bytes]:
    begin = space.begin
    while True:
        rows = await tx.range(begin, space.end, limit=_PAGE)
        for _, raw in rows:
            yield raw
        if len(rows) < _PAGE:
            return
        begin = rows[-1][0] + b"\x00"


async def run(block: Block) -> None:
    """End what runs of versions that are deleted, or were changed, until the block ends.

    Each process does so for itself: it is told of all deletions.
    """
    async with watching(block, directory.REPLACED) as told:
        while True:
            with suppress(TimeoutError):
                # One that was found just before it was deleted may be started just behind it.
                await asyncio.wait_for(told.wait(), _LOOK_SECONDS)
            told.clear()
            async with duty_cycle(_SHARE):
                await _end_former(block)


async def _end_former(block: Block) -> None:
    pools = ENGINE.get(block).pools
    running = pools.running()

    async def former(tx: Transaction) -> list[Version]:
        return [version for version in running if version.revision not in await directory.revisions(tx, version)]

    for version in await block.store.transact(former) if running else ():
        pools.forget(version)
