"""Environments that are kept ready for versions and aliases.

Developer guide, "Configuring provisioned concurrency for a function". What is wanted is in the store; a job makes it
so, and writes down how many are ready.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import watching
from cloudlet.services.lambda_.execution.engine import ENGINE
from cloudlet.services.lambda_.execution.worker import InitError
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions.concurrency import PROVISIONED, Provisioned
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import Alias, Place, Version

log = logging.getLogger("cloudlet.lambda")

_WANTED = Subspace("provisioned")
"""Account, region, function, qualifier: for which something may be wanted."""
_TOPIC = b"provisioned"
_LOOK_SECONDS = 10.0
"""Between two looks whether all that is wanted is still there."""
_MOST = 10_000
"""Versions and aliases that are looked at."""
_INIT_FAILED = "FUNCTION_ERROR_INIT_FAILURE"


def changed(tx: Transaction, what: FunctionReference) -> None:
    """Have what is wanted for a version or an alias be made so."""
    place = what.place
    tx.put(_WANTED.key(place.account, place.region, place.name, what.qualifier or ""), b"")
    tx.notify(_TOPIC)


async def moved(tx: Transaction, alias: Alias) -> None:
    """Have what is wanted for an alias be made so of another version than before."""
    found = await PROVISIONED.find(tx, alias.place, alias.name)
    if found is not None:
        PROVISIONED.save(tx, alias.place, alias.name, replace(found, available=0, reason=""))
        changed(tx, FunctionReference(alias.place, alias.name))


async def run(block: Block) -> None:
    """Keep ready what is wanted, until the block ends."""
    async with watching(block, _TOPIC) as told, asyncio.TaskGroup() as group:
        # Side by side: code of users is initialised for as long as a quarter of an hour.
        works = KeyedTasks(block)
        while True:
            told.clear()
            keys = await block.store.transact(_keys)
            for key in keys:
                works.start(group, key, f"keeping {_WANTED.unpack(key)} ready", partial(_reconcile, block, key))
            if keys:
                # What ends meanwhile, by a fault of its own or since its credentials have expired, is replaced.
                with suppress(TimeoutError):
                    await asyncio.wait_for(told.wait(), _LOOK_SECONDS)
            else:
                await told.wait()


async def _keys(tx: Transaction) -> list[bytes]:
    return [key for key, _ in await tx.range(_WANTED.begin, _WANTED.end, limit=_MOST)]


async def _reconcile(block: Block, key: bytes) -> None:
    """Make it so for one qualifier, until that is what is wanted."""
    account, region, name, qualifier = _WANTED.unpack(key)
    what = FunctionReference(Place(account, region, name), qualifier)
    found, version = await block.store.transact(lambda tx: _find(tx, what))
    while True:
        await _keep(block, key, what, found, version)
        done = _get_desired_state(found, version)
        found, version = await block.store.transact(lambda tx: _find(tx, what))
        if _get_desired_state(found, version) == done:
            return


def _get_desired_state(found: Provisioned | None, version: Version | None) -> tuple[object, ...]:
    """Return what tells a wish from what is wanted later."""
    return (found and (found.requested, found.modified), version and version.revision)


async def _keep(
    block: Block, key: bytes, what: FunctionReference, found: Provisioned | None, version: Version | None
) -> None:
    pools = ENGINE.get(block).pools
    concurrency = ENGINE.get(block).concurrency
    if found is None or version is None:
        pools.release(what.arn)
        concurrency.set_ready(what.place, what.qualifier or "", 0)
        await block.store.transact(lambda tx: _forget(tx, key, what))
        return
    ready, reason = 0, ""
    try:
        ready = await pools.keep(what.arn, version, found.requested)
    except InitError as failed:
        log.warning("%s cannot be kept ready: it fails with %s", what.arn, failed.outcome.error)
        reason = _INIT_FAILED
    except AwsError as error:
        log.warning("%s cannot be kept ready: %s", what.arn, error)
        reason = error.message
    concurrency.set_ready(what.place, what.qualifier or "", ready)
    if (ready, reason) != (found.available, found.reason):
        await block.store.transact(lambda tx: _note(tx, what, found, replace(found, available=ready, reason=reason)))


async def _find(tx: Transaction, what: FunctionReference) -> tuple[Provisioned | None, Version | None]:
    found = await PROVISIONED.find(tx, what.place, what.qualifier or "")
    try:
        return found, (await directory.resolve(tx, what)).version
    except AwsError:
        return found, None


async def _note(tx: Transaction, what: FunctionReference, seen: Provisioned, become: Provisioned) -> None:
    """Write down how many are ready, unless something else is wanted by now."""
    if await PROVISIONED.find(tx, what.place, what.qualifier or "") == seen:
        PROVISIONED.save(tx, what.place, what.qualifier or "", become)


async def _forget(tx: Transaction, key: bytes, what: FunctionReference) -> None:
    if None in await _find(tx, what):
        tx.delete(key)


async def of_account(tx: Transaction, what: FunctionReference) -> int:
    """Return how many an account has of functions that have reserved nothing, but for a version or an alias."""
    place = what.place
    space = _WANTED.sub(place.account, place.region)
    count = 0
    for key, _ in await tx.range(space.begin, space.end, limit=_MOST):
        name, qualifier = space.unpack(key)
        other = Place(place.account, place.region, name)
        if (other, qualifier) == (place, what.qualifier):
            continue
        function = await directory.find_function(tx, other)
        found = await PROVISIONED.find(tx, other, qualifier)
        if function is not None and function.reserved_concurrency is None and found is not None:
            count += found.requested
    return count
