"""From Pending to Active, and from InProgress to Successful: the code of versions is unpacked.

Developer guide, "Lambda function states".
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.block import Block
from cloudlet.core.moments import notified
from cloudlet.services.lambda_ import directory, images, unpacking
from cloudlet.services.lambda_.execution.engine import ENGINE
from cloudlet.services.lambda_.function import Place, Version

_SETTLING = Subspace("settling")
_TOPIC = b"settling"
_AT_ONCE = 8
_CREATING = ("The function is being created.", "Creating")
"""What is said of updates, too."""


def created(version: Version) -> Version:
    """Return a version as it is when it has just been made."""
    return replace(version, state="Pending", state_reason=_CREATING[0], state_reason_code=_CREATING[1])


def updated(version: Version) -> Version:
    """Return a version as it is when it has just been changed."""
    return replace(
        version,
        last_update="InProgress",
        last_update_reason=_CREATING[0],
        last_update_reason_code=_CREATING[1],
    )


def settle(tx: Transaction, version: Version) -> None:
    """Have a version become what it is to be, once this is committed."""
    place = version.place
    tx.put(_SETTLING.key(place.account, place.region, place.name, version.number), b"")
    tx.notify(_TOPIC)


async def run(block: Block) -> None:
    """Unpack the code of versions that are new or changed, until the block ends."""
    under_way: set[bytes] = set()
    async with notified(block, _TOPIC) as changed, asyncio.TaskGroup() as group:

        async def settle_one(key: bytes) -> None:
            version = await _settle(block, key)
            under_way.discard(key)
            # There may be others that there was no room for, or this one was changed meanwhile.
            changed.set()
            if version is not None:
                await ENGINE.of(block).pools.expect(version)

        while True:
            changed.clear()
            for key in await block.store.transact(_waiting):
                if key not in under_way:
                    under_way.add(key)
                    group.create_task(settle_one(key))
            await changed.wait()


async def _waiting(tx: Transaction) -> list[bytes]:
    return [key for key, _ in await tx.range(_SETTLING.begin, _SETTLING.end, limit=_AT_ONCE)]


async def _settle(block: Block, key: bytes) -> Version | None:
    """Settle a version; return it where it can be invoked now."""
    account, region, name, number = _SETTLING.unpack(key)
    place = Place(account, region, name)
    version = await block.store.transact(lambda tx: directory.find_version(tx, place, number))
    failed = None if version is None else await _unpack(block, version)

    async def finish(tx: Transaction) -> None:
        now = await directory.find_version(tx, place, number)
        if now is not None and version is not None and now.codes != version.codes:
            # It was changed meanwhile, and is settled again.
            return
        if now is not None:
            await directory.save_version(tx, _settled(now, failed), block.clock.now())
        tx.delete(key)

    await block.store.transact(finish)
    return None if failed else version


class _Failure(NamedTuple):
    code: str
    reason: str


async def _unpack(block: Block, version: Version) -> _Failure | None:
    """Unpack what a version runs from; return why that does not go, None where it does."""
    try:
        if version.image is not None:
            await images.unpacked(block, version, version.image)
        else:
            for code in sorted(version.codes):
                await unpacking.unpacked(block, code)
    except unpacking.BadPackage as error:
        return _Failure("InvalidZipFileException", f"The package cannot be unpacked: {error}")
    except images.Unavailable as error:
        return _Failure(error.code, f"The image cannot be unpacked: {error}")
    return None


def _settled(version: Version, failed: _Failure | None) -> Version:
    code, reason = failed or ("", "")
    result = "Failed" if failed else "Successful"
    if version.state == "Pending":
        state = "Failed" if failed else "Active"
        version = replace(version, state=state, state_reason=reason, state_reason_code=code)
    return replace(version, last_update=result, last_update_reason=reason, last_update_reason_code=code)
