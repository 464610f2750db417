"""The bytes of a body, piece by piece."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any

from cloudlet.store.blobs import MissingBlob, in_thread

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block
    from cloudlet.services.s3.object_data.contents import ObjectData
    from cloudlet.services.s3.permissions.encryption import CustomerKey

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
    block: Block, contents: ObjectData, start: int, end: int, key: CustomerKey | None
) -> AsyncIterator[bytes]:
    """Yield the stored bytes from `start` to `end`, decrypted. Raises StoreError, MissingBlob too."""
    if not contents.parts:
        data = contents.data[start:end]
        yield data if key is None else key.cipher(contents.nonce, start).update(data)
        return
    for part, offset, size in contents.pieces(start, end):
        file = await in_thread(partial(os.open, block.blobs.path(part.blob), os.O_RDONLY))
        cipher = None if key is None else key.cipher(part.nonce, offset)
        try:
            left = size
            while left:
                piece = await in_thread(partial(os.pread, file, min(_READ_BYTES, left), offset))
                if not piece:
                    raise MissingBlob(f"the file of {part.blob} is shorter than it was")
                offset += len(piece)
                left -= len(piece)
                yield piece if cipher is None else await in_thread(partial(cipher.update, piece))
        finally:
            os.close(file)
