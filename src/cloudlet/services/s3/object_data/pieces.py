"""The bytes of a body, piece by piece."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any

from cloudlet.services.s3.object_data.data_cipher import decrypt_part
from cloudlet.store.blobs import MissingBlob, in_thread

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block
    from cloudlet.services.s3.object_data.contents import ObjectData
    from cloudlet.services.s3.object_data.data_cipher import ObjectKey

_READ_BYTES = 1 << 20


def pieces_of(body: Any) -> AsyncIterator[bytes]:
    """Return the pieces of a body: bytes, or a stream of them."""
    return once(body or b"") if body is None or isinstance(body, bytes) else aiter(body)


async def once(data: bytes) -> AsyncIterator[bytes]:
    """Yield bytes as one piece."""
    yield data


async def chained(head: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces of `head`, which is empty then, and the rest."""
    for piece in head:
        yield piece
    head.clear()
    async for piece in rest:
        yield piece


async def stored(
    block: Block, contents: ObjectData, start: int, end: int, key: ObjectKey | None
) -> AsyncIterator[bytes]:
    """Yield the stored bytes from `start` to `end`, decrypted. Raises StoreError, MissingBlob too, and DamagedData."""
    if not contents.parts:
        data = contents.data
        yield data[start:end] if key is None else decrypt_part(key, contents.nonce, data, start, end, contents.size)
        return
    for part, offset, size in contents.pieces(start, end):
        if key is None:
            async for piece in _read(block, part.blob, offset, size):
                yield piece
            continue
        cipher = key.decrypt(part.nonce, offset, size)
        async for piece in _read(block, part.blob, *key.get_range(offset, size, part.size)):
            if plain := await in_thread(partial(cipher.update, piece)):
                yield plain
        if plain := cipher.finalize():
            yield plain


async def _read(block: Block, blob: str, offset: int, size: int) -> AsyncIterator[bytes]:
    """Yield `size` bytes of a file from `offset` on."""
    file = await in_thread(partial(os.open, block.blobs.path(blob), os.O_RDONLY))
    try:
        while size:
            piece = await in_thread(partial(os.pread, file, min(_READ_BYTES, size), offset))
            if not piece:
                raise MissingBlob(f"the file of {blob} is shorter than it was")
            offset += len(piece)
            size -= len(piece)
            yield piece
    finally:
        os.close(file)
