"""Images as OCI image layouts, which other programs read. OCI image specification, "Image Layout"."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecr import encryption, images, layers
from cloudlet.services.ecr.image_record import Content, Image
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.store.blobs import MissingBlob, in_thread
from cloudlet.store.hard_links import link_or_copy


async def write(block: Block, about: Repository, image: Image, folder: Path) -> None:
    """Write an image, in the clear, into a new folder. Raises KmsError, StoreError."""

    async def load(tx: Transaction) -> tuple[bytes, dict[str, Content | None]]:
        contents = {digest: await layers.find_content(tx, about.id, digest) for digest in image.layers}
        return await images.load_manifest(tx, about, image.digest), contents

    stored, contents = await block.store.transact(load)
    manifest = await encryption.decrypt_manifest(block, about, stored)
    await in_thread(partial(_begin, folder, image, manifest))
    for digest, content in contents.items():
        if content is None:
            raise MissingBlob(f"the layer {digest} is gone")
        await _write_blob(block, about, content, _find_place(folder, digest))


def _find_place(folder: Path, digest: str) -> Path:
    return folder / "blobs" / digest.replace(":", "/")


def _begin(folder: Path, image: Image, manifest: bytes) -> None:
    """Write all but the layers and the configuration."""
    for digest in (image.digest, *image.layers):
        _find_place(folder, digest).parent.mkdir(parents=True, exist_ok=True)
    _find_place(folder, image.digest).write_bytes(manifest)
    described = {"mediaType": image.media_type, "digest": image.digest, "size": len(manifest)}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))


async def _write_blob(block: Block, about: Repository, content: Content, place: Path) -> None:
    if len(content.pieces) == 1 and not content.is_sealed:
        # Its file is as it is to be: it takes no room to name it here, too.
        source = block.blobs.path(content.pieces[0].file)
        await in_thread(partial(link_or_copy, source, place, durable=False))
        return
    with await in_thread(lambda: place.open("wb")) as file:
        async for data in encryption.read(block, about, content):
            await in_thread(partial(file.write, data))
