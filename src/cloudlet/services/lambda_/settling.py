"""From Pending to Active, and from InProgress to Successful: the code of versions is unpacked.

Developer guide, "Lambda function states".
"""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.block import Block
from cloudlet.core.moments import notified
from cloudlet.services.lambda_ import directory, unpacking
from cloudlet.services.lambda_.execution.engine import engine
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
                await engine(block).pools.expect(version)

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
    reason = ""
    if version is not None:
        try:
            for code in sorted(version.codes):
                await unpacking.unpacked(block, code)
        except unpacking.BadPackage as error:
            reason = f"The package cannot be unpacked: {error}"

    async def finish(tx: Transaction) -> None:
        now = await directory.find_version(tx, place, number)
        if now is not None and version is not None and now.codes != version.codes:
            # It was changed meanwhile, and is settled again.
            return
        if now is not None:
            await directory.save_version(tx, _settled(now, reason), block.clock.now())
        tx.delete(key)

    await block.store.transact(finish)
    return None if reason else version


def _settled(version: Version, reason: str) -> Version:
    code = "InvalidZipFileException" if reason else ""
    result = "Failed" if reason else "Successful"
    if version.state == "Pending":
        state = "Failed" if reason else "Active"
        version = replace(version, state=state, state_reason=reason, state_reason_code=code)
    return replace(version, last_update=result, last_update_reason=reason, last_update_reason_code=code)
