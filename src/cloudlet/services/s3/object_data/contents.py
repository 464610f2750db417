"""The bytes of a version as they are stored, and the ways to get at them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import msgspec

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import versions
from cloudlet.services.s3.object_data.data_cipher import ObjectKey, decrypt_part
from cloudlet.services.s3.object_data.objects import Part, Version, decode_parts
from cloudlet.services.s3.object_data.pieces import stored
from cloudlet.wire.http import FileBody, FilePart


class ObjectData:
    """What a version's bytes are in: `data`, or the files of `parts`; an object of one piece has one part."""

    __slots__ = ("data", "nonce", "parts", "size")

    def __init__(self, size: int, data: bytes = b"", parts: tuple[Part, ...] = (), nonce: str = "") -> None:
        self.size = size
        self.data = data
        self.parts = parts
        self.nonce = nonce
        """What `data` is encrypted under, where it is."""

    def pieces(self, start: int, end: int) -> list[tuple[Part, int, int]]:
        """Return the parts with bytes `start` to `end`, with the offset and the number of those bytes in each."""
        pieces = []
        begin = 0
        for part in self.parts:
            first, last = max(start, begin), min(end, begin + part.size)
            if first < last:
                pieces.append((part, first - begin, last - first))
            begin += part.size
        return pieces


def of_one_piece(size: int, data: bytes, blob: str, nonce: str) -> ObjectData:
    """Return contents that are either `data` or in the file `blob`."""
    if blob:
        return ObjectData(size, parts=(Part(1, blob, size, nonce=nonce),))
    return ObjectData(size, data, nonce=nonce)


async def load(tx: Transaction, bucket: Bucket, key: str, version: Version) -> ObjectData:
    """Return the contents of a version."""
    nonce = nonce_of(version)
    if version.blob:
        return of_one_piece(version.size, b"", version.blob, nonce)
    raw = await versions.contents(tx, bucket, key, version)
    if version.parts:
        return ObjectData(version.size, parts=decode_parts(raw) if raw else ())
    return of_one_piece(version.size, raw, "", nonce)


def nonce_of(version: Version) -> str:
    """Return what a version that has no parts is encrypted under, "" where it is not."""
    return "" if version.encryption is None else version.encryption.salt.hex()


def body(
    block: Block, contents: ObjectData, start: int, end: int, key: ObjectKey | None
) -> bytes | FileBody | AsyncIterator[bytes]:
    """Return bytes `start` to `end` as the body of an answer; its files stay while it is sent.

    Raises MissingBlob: once the answer has begun, it could only break off.
    """
    if not contents.parts:
        if key is None:
            return contents.data if start == 0 and end == contents.size else contents.data[start:end]
        return decrypt_part(key, contents.nonce, contents.data, start, end, contents.size)
    pieces = contents.pieces(start, end)
    block.blobs.check((part.blob, offset + size) for part, offset, size in pieces)
    hold = _Hold(block.blobs.read([part.blob for part, _, _ in pieces]))
    if key is None:
        files = [FilePart(block.blobs.path(part.blob), offset, size) for part, offset, size in pieces]
        return FileBody(files, hold)
    return _Decrypted(stored(block, contents, start, end, key), hold)


async def linked(block: Block, contents: ObjectData) -> ObjectData:
    """Return the same contents in files of their own, without copying; they have yet to be claimed. Raises StoreError.

    Encrypted contents keep their key and their nonces.
    """
    parts = [
        msgspec.structs.replace(part, blob=await block.blobs.link(part.blob)) for part in contents.parts if part.blob
    ]
    return ObjectData(contents.size, contents.data, tuple(parts), contents.nonce)


class _Hold:
    """Keeps files until it is called, or nobody has it any more: an answer may never be sent."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def __call__(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()

    def __del__(self) -> None:
        self()


class _Decrypted:
    """A body that is decrypted while it is sent."""

    def __init__(self, pieces: AsyncIterator[bytes], hold: _Hold) -> None:
        self._pieces = pieces
        self._hold = hold

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._pieces)
        except BaseException:
            self._hold()
            raise
