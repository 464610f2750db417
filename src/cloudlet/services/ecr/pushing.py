"""Pushes of images: here, and on to where they are replicated."""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.services.ecr import adding, image_events, replicating
from cloudlet.services.ecr.adding import Push
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.repository_record import Repository


async def push(tx: Transaction, repository: Repository, wanted: Push, now: float) -> Image:
    """Add an image, or a tag, and tell of it. Raises AwsError."""
    image = await adding.put(tx, repository, wanted, now)
    image_events.add(tx, repository, "PUSH", image.digest, wanted.tag, now)
    return await replicating.request(tx, repository, image, wanted.tag)
