"""Restores of archived images: an image can be pulled again when its time has come."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import Row, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecr import adding, images, replicating, repository
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.repository_record import Repository

_TOPIC: Final = b"image-restore"
_DUE: Final = Subspace("image-restore")
"""Time in milliseconds, account, region, name and id of a repository, digest → nothing.

It counts where the image says the same.
"""


def schedule(tx: Transaction, about: Repository, image: Image) -> None:
    """Let an image be pulled again at the time that it names."""
    tx.put(_DUE.key(image.restore_due, about.account, about.region, about.name, about.id, image.digest), b"")
    tx.notify(_TOPIC)


async def _activate(tx: Transaction, row: Row, now: float) -> None:
    due, account, region, name, id, digest = row
    found = await repository.find(tx, account, region, name)
    image = None if found is None else await images.find(tx, found, digest)
    if found is None or found.id != id or image is None or image.restore_due != due:
        return
    active = await adding.activate(tx, found, image, now)
    for tag in active.tags or (None,):
        active = await replicating.request(tx, found, active, tag)


async def run(block: Block) -> None:
    """End restores as they fall due, until the block ends."""
    await run_timers(block, _TOPIC, _DUE, "restoring an image:", _activate)
