"""From Pending to Active, and from InProgress to Successful: the code of versions is unpacked, and initialised.

Developer guide, "Lambda function states", "Activating and managing Lambda SnapStart".
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.lambda_.code import images, unpacking
from cloudlet.services.lambda_.execution.engine import ENGINE
from cloudlet.services.lambda_.execution.invocation import error_message
from cloudlet.services.lambda_.execution.worker import InitError
from cloudlet.services.lambda_.functions import directory, interfaces
from cloudlet.services.lambda_.functions.function import UPDATED, UPDATING, Place, Version

log = logging.getLogger("cloudlet.lambda")

_PATIENCE_SECONDS = 1.0
_LOOK_SECONDS = 0.02
_CREATING = ("The function is being created.", "Creating")
"""What is said of updates, too."""
_INIT_ERRORS = {
    "Sandbox.Timedout": "FunctionError.InitTimeout",
    "Runtime.OutOfMemory": "FunctionError.InitResourceExhausted",
}
"""The reason's code for errors that no function reports itself."""


def created(version: Version) -> Version:
    """Return a version as it is when it has just been made."""
    return replace(
        version,
        state="Pending",
        state_reason=_CREATING[0],
        state_reason_code=_CREATING[1],
        last_update="",
        last_update_reason="",
        last_update_reason_code="",
    )


def updated(version: Version) -> Version:
    """Return a version as it is when it has just been changed."""
    return replace(
        version,
        settled_revision="",
        last_update=UPDATING,
        last_update_reason=_CREATING[0],
        last_update_reason_code=_CREATING[1],
    )


def settle(tx: Transaction, version: Version) -> None:
    """Have a version become what it is to be, or what runs for it end where it is deleted, once this is committed."""
    _request(tx, _UNPACKING, version)


def _request(tx: Transaction, reconciler: Reconciler, version: Version) -> None:
    place = version.place
    reconciler.request(tx, place.account, place.region, place.name, version.number)


async def run(block: Block) -> None:
    """Unpack the code of versions that are new or changed, initialise those with SnapStart, until the block ends.

    Those in VPCs get their network interfaces.
    """
    async with asyncio.TaskGroup() as group:
        # Apart from each other: code of users is initialised for as long as a quarter of an hour.
        group.create_task(_UNPACKING.run(block))
        group.create_task(_INITIALISING.run(block))
        group.create_task(interfaces.INTERFACES.run(block))


async def _settle(block: Block, key: Key) -> float | None:
    """Unpack a version's code, once it has its interfaces.

    It can be invoked then, or is initialised first.
    """
    account, region, name, number = key
    place = Place(account, region, name)
    version = await block.store.transact(lambda tx: directory.find_version(tx, place, number))
    if version is None:
        ENGINE.get(block).pools.snapshots.forget(place.qualified(str(number)))
    missing = None if version is None else await block.store.transact(lambda tx: interfaces.find_missing(tx, version))
    if missing is not None and not missing.error:
        return _LOOK_SECONDS
    failed = None if missing is None else _Failure(missing.error, missing.reason)
    if version is not None and failed is None:
        failed = await _unpack(block, version) or await _find_runtime(block, version)

    async def finish(tx: Transaction) -> None:
        now = await directory.find_version(tx, place, number)
        if now is not None and version is not None and now.codes != version.codes:
            # It was changed meanwhile, and is settled again.
            return
        if now is not None and now.starts_from_snapshot and now.state == "Pending" and not failed:
            _request(tx, _INITIALISING, now)
        elif now is not None:
            former = None if now.number else await directory.take_former(tx, place, block.clock.now())
            # An update that fails leaves all as it was.
            stays = former if failed and former is not None else now
            await directory.save_version(tx, _settled(stays, failed), block.clock.now())
            tx.notify(directory.REPLACED)

    await block.store.transact(finish)
    return None


async def _initialise(block: Block, key: Key) -> None:
    """Initialise a version that starts from there."""
    account, region, name, number = key
    place = Place(account, region, name)
    version = await block.store.transact(lambda tx: directory.find_version(tx, place, number))
    failed = None if version is None else await _make_snapshot(block, version)

    async def finish(tx: Transaction) -> bool:
        now = await directory.find_version(tx, place, number)
        if now is not None:
            await directory.save_version(tx, _settled(now, failed), block.clock.now())
        return now is not None

    if not await block.store.transact(finish):
        # It was deleted meanwhile.
        ENGINE.get(block).pools.snapshots.forget(place.qualified(str(number)))


class _Failure(NamedTuple):
    code: str
    reason: str


async def _make_snapshot(block: Block, version: Version) -> _Failure | None:
    """Have something initialised ready; return why that does not go, None where it does."""
    try:
        await ENGINE.get(block).pools.snapshots.make(version)
    except InitError as failed:
        error = failed.outcome.error
        other = (
            "FunctionError.ExtensionInitError" if error.startswith("Extension.") else "FunctionError.RuntimeInitError"
        )
        said = error_message(failed.outcome.payload)
        return _Failure(_INIT_ERRORS.get(error, other), f"The function could not be initialised: {error}: {said}")
    except AwsError as error:
        code = "InvalidRuntime" if error.code == "InvalidRuntimeException" else "InternalError"
        return _Failure(code, error.message)
    return None


async def _unpack(block: Block, version: Version) -> _Failure | None:
    """Unpack what a version runs from; return why that does not go, None where it does."""
    try:
        if version.image is not None:
            await images.unpacked(block, version, version.image)
        else:
            for code in sorted(version.codes):
                await unpacking.unpacked(block, version.place.account, code)
    except unpacking.BadPackage as error:
        return _Failure("InvalidZipFileException", f"The package cannot be unpacked: {error}")
    except images.Unavailable as error:
        return _Failure(error.code, f"The image cannot be unpacked: {error}")
    return None


async def _find_runtime(block: Block, version: Version) -> _Failure | None:
    """Find what runs a version; return why that does not go, None where it does."""
    try:
        await ENGINE.get(block).pools.expect(version)
    except AwsError as error:
        log.warning("%s cannot run: %s", version.arn, error.message)
        return _Failure("InvalidRuntime", error.message)
    return None


def _settled(version: Version, failed: _Failure | None) -> Version:
    code, reason = failed or ("", "")
    result = "Failed" if failed else UPDATED
    # A function that could not be made is there once an update has succeeded; one that was, stays.
    if version.state == "Pending" or (version.state == "Failed" and not failed):
        state = "Failed" if failed else "Active"
        version = replace(version, state=state, state_reason=reason, state_reason_code=code)
    if not failed or version.state == "Failed":
        version = replace(version, settled_revision=uuid4())
    return replace(version, last_update=result, last_update_reason=reason, last_update_reason_code=code)


_UNPACKING = Reconciler("settling", _settle, patience_seconds=_PATIENCE_SECONDS)
_INITIALISING = Reconciler("initialising", _initialise, patience_seconds=_PATIENCE_SECONDS)
"""Of versions with SnapStart, whose code is there already."""
