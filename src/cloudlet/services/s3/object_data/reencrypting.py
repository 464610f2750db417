"""Encrypting what is stored under another key, in rows or files of its own."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.s3.object_data import annotating
from cloudlet.services.s3.object_data.annotating import Carried
from cloudlet.services.s3.object_data.contents import ObjectData, of_one_piece
from cloudlet.services.s3.object_data.data_cipher import ObjectKey, encrypt_whole
from cloudlet.services.s3.object_data.objects import Part, Version
from cloudlet.services.s3.object_data.pieces import stored
from cloudlet.store.blobs import in_thread

_NONCE_BYTES: Final = 16


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
            own = random_bytes(_NONCE_BYTES).hex() if version.parts else nonce
            blob = await _copy(block, part, before, key, own)
            parts.append(msgspec.structs.replace(part, blob=blob, nonce=own))
    except BaseException:
        await block.blobs.remove([part.blob for part in parts])
        raise
    finally:
        release()
    return ObjectData(contents.size, parts=tuple(parts))


async def copy_annotations(
    block: Block, loaded: list[Carried], before: ObjectKey | None, key: ObjectKey | None
) -> list[Carried]:
    """Return the annotations of an object for one with another key.

    `before` is the object's own key, if it has one. The annotations are in files of their own, which have yet to be
    claimed. Raises StoreError.
    """
    copied: list[Carried] = []
    try:
        for each in loaded:
            copied.append(await _copy_annotation(block, each, before, key))
    except BaseException:
        await block.blobs.remove(annotating.blobs_of(copied))
        raise
    return copied


async def _copy_annotation(block: Block, carried: Carried, before: ObjectKey | None, key: ObjectKey | None) -> Carried:
    annotation = carried.annotation
    if key is None and not annotation.nonce:
        blob = await block.blobs.link(annotation.blob) if annotation.blob else ""
        return msgspec.structs.replace(carried, annotation=msgspec.structs.replace(annotation, blob=blob))
    nonce = "" if key is None else random_bytes(_NONCE_BYTES).hex()
    whole = of_one_piece(annotation.size, carried.data, annotation.blob, annotation.nonce)
    opened = before if annotation.nonce else None
    payload = b"".join([piece async for piece in stored(block, whole, 0, annotation.size, opened)])
    if key is not None:
        payload = await in_thread(partial(encrypt_whole, key, nonce, payload))
    if not annotation.blob:
        return Carried(carried.name, msgspec.structs.replace(annotation, nonce=nonce), payload)
    writer = await block.blobs.begin()
    try:
        await writer.write(payload)
        await writer.keep()
    except BaseException:
        await writer.discard()
        raise
    return Carried(carried.name, msgspec.structs.replace(annotation, blob=writer.name, nonce=nonce), b"")


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
