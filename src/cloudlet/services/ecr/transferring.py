"""Images on their way to another repository."""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecr import encryption, images, layers, uploads
from cloudlet.services.ecr.encryption import Sealer
from cloudlet.services.ecr.image_record import Content, Image, Part
from cloudlet.services.ecr.repository_record import Repository


def can_share(source: Repository, target: Repository) -> bool:
    """Whether two repositories can have the same files: neither encrypts them."""
    return not source.kms_key and not target.kms_key


class Transfer(NamedTuple):
    """All of an image but its layers, for another repository."""

    manifests: dict[str, bytes]
    """The manifests of the image and of those that it names, by digest."""
    sealer: Sealer | None
    """The means to encrypt them over there."""


async def prepare(block: Block, source: Repository, target: Repository, image: Image) -> Transfer:
    """Copy the layers of an image, and return the rest of it. Raises KmsError, StoreError."""
    await _copy_layers(block, source, target, image)

    async def load(tx: Transaction) -> dict[str, bytes]:
        digests = await _list_digests(tx, source, image)
        return {digest: await images.load_manifest(tx, source, digest) for digest in digests}

    stored = await block.store.transact(load)
    texts = {digest: await encryption.decrypt_manifest(block, source, raw) for digest, raw in stored.items()}
    return Transfer(texts, await encryption.make_sealer(block, target))


async def _copy_layers(block: Block, source: Repository, target: Repository, image: Image) -> None:
    if can_share(source, target):
        return
    for digest in await block.store.transact(lambda tx: _list_layers(tx, source, image)):

        async def look(tx: Transaction, digest: str = digest) -> Content | None:
            if await layers.find(tx, target.id, digest) is not None:
                return None
            return await layers.find_content(tx, source.id, digest)

        content = await block.store.transact(look)
        if content is not None:
            part = await uploads.write(block, target, encryption.read(block, source, content))
            await add(block, target, digest, part)


async def add(block: Block, target: Repository, digest: str, part: Part) -> None:
    """Make a layer of a file, unless the repository has it by now."""
    files = [part.piece.file]

    async def body(tx: Transaction) -> None:
        layers.claim_files(tx, files)
        if await layers.find(tx, target.id, digest) is None:
            await layers.add(tx, target.id, digest, Content((part.piece,)), block.clock.now())
        else:
            layers.release_files(tx, files, block.clock.now())

    await block.store.transact(body)


async def _list_digests(tx: Transaction, source: Repository, image: Image) -> list[str]:
    """Return the digests of an image and of those that it names."""
    found = [image.digest]
    for digest in image.children:
        child = await images.find(tx, source, digest)
        if child is not None:
            found += await _list_digests(tx, source, child)
    return list(dict.fromkeys(found))


async def _list_layers(tx: Transaction, source: Repository, image: Image) -> list[str]:
    """Return the digests of an image's layers, and of those of images that it names."""
    found = list(image.layers)
    for digest in image.children:
        child = await images.find(tx, source, digest)
        if child is not None:
            found += await _list_layers(tx, source, child)
    return list(dict.fromkeys(found))
