"""KMS grants of functions, which are retired once no version needs them."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.background.keyed_queues import drain
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions.function import Place, Version

log = logging.getLogger("cloudlet.lambda")

_RELEASED: Final = Subspace("released-grant")
"""Account, region, function, the ARN of a key and the id of a grant."""
_TOPIC: Final = b"lambda-grants"
_PAGE: Final = 100


def release(tx: Transaction, version: Version) -> None:
    """Have the grant of a deleted or changed version retired, unless another one has it."""
    if version.grant:
        place = version.place
        tx.put(_RELEASED.key(place.account, place.region, place.name, version.kms_key, version.grant), b"")
        tx.notify(_TOPIC)


async def retire(block: Block) -> None:
    """Retire grants that were released, until the block ends."""
    await drain(block, _TOPIC, _list_released, partial(_retire, block))


async def _list_released(tx: Transaction, after: bytes | None, count: int) -> list[bytes]:
    begin = _RELEASED.begin if after is None else after + b"\x00"
    return [key for key, _ in await tx.range(begin, _RELEASED.end, limit=count)]


async def _retire(block: Block, row: bytes) -> None:
    account, region, name, key, grant = _RELEASED.unpack(row)
    place = Place(account, region, name)
    if not await block.store.transact(lambda tx: _is_used(tx, place, grant)):
        try:
            params = {"KeyId": key, "GrantId": grant}
            await block.call("kms", "RetireGrant", params, account=account, region=region, source_arn=place.arn)
        except AwsError as error:
            if is_transient(error.code, error.status):
                raise
            # The key is deleted, or somebody else has retired it.
            log.info("the grant %s on %s is not retired: %s", grant, key, error.message)

    async def forget(tx: Transaction) -> None:
        tx.delete(row)

    await block.store.transact(forget)


async def _is_used(tx: Transaction, place: Place, grant: str) -> bool:
    """Whether a version of a function has a grant."""
    space = directory.versions_of(place)
    begin = space.begin
    while True:
        rows = await tx.range(begin, space.end, limit=_PAGE)
        if any(directory.decode_version(raw).grant == grant for _, raw in rows):
            return True
        if len(rows) < _PAGE:
            return False
        begin = rows[-1][0] + b"\x00"
