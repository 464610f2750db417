"""Hashes that are computed in a thread."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time

import pytest

from cloudlet.services.s3.object_data.hashing import Hashing

PIECE = 256 << 10


def test_all_is_hashed_in_order() -> None:
    pieces = [os.urandom(PIECE) for _ in range(64)]
    expected = hashlib.sha256(b"".join(pieces)).digest()

    async def main() -> bytes:
        hashed = hashlib.sha256()
        hashing = Hashing(hashed)
        for number, piece in enumerate(pieces):
            await hashing.update(piece)
            if number % 20 == 0:
                # Whoever has nothing to do for a while goes on with what comes then.
                await hashing.settle()
        await hashing.settle()
        return hashed.digest()

    assert asyncio.run(main()) == expected


class _Slow:
    """A hash that takes its time."""

    def __init__(self) -> None:
        self.seen = 0

    def update(self, data: bytes, /) -> None:
        time.sleep(0.001)
        self.seen += len(data)

    def digest(self) -> bytes:
        return b""


def test_who_brings_more_than_can_be_hashed_has_to_wait() -> None:
    async def main() -> int:
        slow = _Slow()
        hashing = Hashing(slow)
        most = 0
        for number in range(1, 65):
            await hashing.update(bytes(PIECE))
            most = max(most, number * PIECE - slow.seen)
        await hashing.settle()
        assert slow.seen == 64 * PIECE
        return most

    # What one update has brought, and what is being hashed, comes on top of what may wait.
    assert asyncio.run(main()) <= (2 << 20) + 2 * PIECE


class _Failing(_Slow):
    def update(self, data: bytes, /) -> None:
        raise MemoryError("as asked")


def test_a_hash_that_fails_is_no_hash() -> None:
    async def main() -> None:
        hashing = Hashing(_Failing())
        await hashing.update(bytes(PIECE))
        with pytest.raises(MemoryError):
            await hashing.settle()

    asyncio.run(main())
