"""What is in a result's body, whichever of its forms it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from cloudlet.wire.http import FileBody, FilePart

_PIECE_BYTES = 1 << 20


async def pieces_of(body: bytes | FileBody | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Return a body piece by piece; its files are let go of at the end. Raises OSError."""
    if isinstance(body, bytes):
        yield body
    elif isinstance(body, FileBody):
        try:
            for part in body.parts:
                for begin in range(0, part.size, _PIECE_BYTES):
                    yield await asyncio.to_thread(_read, part, begin)
        finally:
            body.close()
    else:
        async for piece in body:
            yield piece


def _read(part: FilePart, begin: int) -> bytes:
    wanted = min(_PIECE_BYTES, part.size - begin)
    with part.path.open("rb") as file:
        file.seek(part.offset + begin)
        data = file.read(wanted)
    if len(data) < wanted:
        raise OSError(f"{part.path} ends before its part does")
    return data
