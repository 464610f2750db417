"""Encrypting what is stored under another key: the same bytes, in rows or files of their own."""

from __future__ import annotations

from functools import partial

import msgspec

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.s3.object_data.contents import ObjectData
from cloudlet.services.s3.object_data.data_cipher import ObjectKey, encrypt_whole
from cloudlet.services.s3.object_data.objects import Part, Version
from cloudlet.services.s3.object_data.pieces import stored
from cloudlet.store.blobs import in_thread


async def reencrypt(
    block: Block, version: Version, contents: ObjectData, before: ObjectKey | None, key: ObjectKey, nonce: str
) -> ObjectData:
    """Return a version's contents under a key; the files have yet to be claimed. Raises StoreError.

    `before` is the key that they are under now, if any; `nonce` is for what has no parts.
    """
    if not contents.parts:
        data = b"".join([piece async for piece in stored(block, contents, 0, contents.size, before)])
        return ObjectData(contents.size, encrypt_whole(key, nonce, data), nonce=nonce)
    release = block.blobs.read([part.blob for part in contents.parts])
    parts: list[Part] = []
    try:
        for part in contents.parts:
            own = random_bytes(16).hex() if version.parts else nonce
            blob = await _copy(block, part, before, key, own)
            parts.append(msgspec.structs.replace(part, blob=blob, nonce=own))
    except BaseException:
        await block.blobs.remove([part.blob for part in parts])
        raise
    finally:
        release()
    return ObjectData(contents.size, parts=tuple(parts))


async def _copy(block: Block, part: Part, before: ObjectKey | None, key: ObjectKey, nonce: str) -> str:
    """Write the bytes of a part to another file; return its name."""
    writer = await block.blobs.begin()
    cipher = key.encrypt(nonce)
    try:
        async for piece in stored(block, ObjectData(part.size, parts=(part,)), 0, part.size, before):
            await writer.write(await in_thread(partial(cipher.update, piece)))
        await writer.write(cipher.finalize())
        await writer.keep()
    except BaseException:
        await writer.discard()
        raise
    return writer.name
