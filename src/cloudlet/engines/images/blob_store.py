"""The blobs of pulled images, kept once: layers that several images share."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import BinaryIO, Final

from cloudlet.engines.images.documents import ImageError

_DIGEST: Final = re.compile("sha256:([0-9a-f]{64})", re.ASCII)


async def give_once(content: bytes) -> AsyncIterator[bytes]:
    """Yield one piece."""
    yield content


class BlobStore:
    """A folder of blobs by their digests. They are verified when they are read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _find(self, digest: str) -> Path:
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise ImageError(f"{digest[:200]!r} is no digest")
        return self._folder / match[1]

    async def keep(self, digest: str, content: AsyncIterator[bytes], size: int | None = None) -> None:
        """Write a blob, unless it is there. Raises what `content` does, and ImageError."""
        path = self._find(digest)
        if await asyncio.to_thread(_touch, path, size):
            return
        fresh = path.with_name(f".fresh-{os.urandom(8).hex()}")
        try:
            with await asyncio.to_thread(_open, fresh) as file:
                async for piece in content:
                    await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(fresh.rename, path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise

    def remove(self, digests: Iterable[str]) -> None:
        """Remove blobs. Waits for the disk."""
        for digest in digests:
            self._find(digest).unlink(missing_ok=True)


def _touch(path: Path, size: int | None) -> bool:
    """Whether a file is there and whole; it is known as used then."""
    try:
        if size is not None and path.stat().st_size != size:
            return False
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _open(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb")
