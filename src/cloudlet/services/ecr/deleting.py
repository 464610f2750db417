"""Deletion of images, here and where they are replicated to."""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.services.ecr import image_events, images, replicating
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.repository_record import Repository


async def remove(tx: Transaction, repository: Repository, image: Image, now: float) -> None:
    """Delete an image with its tags, and tell of it."""
    await images.remove(tx, repository, image, now)
    for tag in image.tags or (None,):
        image_events.add(tx, repository, "DELETE", image.digest, tag, now)
    await replicating.request_deletion(tx, repository, image.digest)


async def remove_tag(tx: Transaction, repository: Repository, image: Image, tag: str, now: float) -> None:
    """Take a tag from an image, which is deleted with its last one."""
    if image.tags == (tag,):
        await remove(tx, repository, image, now)
        return
    await images.remove_tag(tx, repository, image, tag)
    image_events.add(tx, repository, "DELETE", image.digest, tag, now)
    await replicating.request_deletion(tx, repository, image.digest, tag)
