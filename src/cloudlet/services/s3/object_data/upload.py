"""Taking in the bytes of an object: hashed, checked and, unless they are few, written to a file as they arrive."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.kernel.block import Block
from cloudlet.services.s3.object_data import checksums
from cloudlet.services.s3.object_data.data_cipher import Cipher, ObjectKey, encrypt_whole
from cloudlet.services.s3.object_data.hashing import Hashing
from cloudlet.services.s3.object_data.objects import Checksum
from cloudlet.services.s3.object_data.pieces import chained, once
from cloudlet.store.blobs import BlobWriter, in_thread
from cloudlet.store.interface import Body, T
from cloudlet.wire import WireError

_DIGITS: Final = 20
INLINE_BYTES: Final = 32 << 10
"""Up to this size an object's bytes are in the store's rows: one synchronisation then makes many of them durable."""
LARGEST_BYTES: Final = 5 << 30
"""What one request may bring."""


class Received:
    """The bytes of a body: `data` where they are few, else the file `blob`."""

    __slots__ = ("also", "blob", "checksum", "data", "md5", "size")

    def __init__(self, size: int, md5: bytes, checksum: Checksum) -> None:
        self.size = size
        self.md5 = md5
        self.checksum = checksum
        self.data = b""
        self.blob = ""
        self.also: Checksum | None = None
        """The checksum that the request stated, where `checksum` had to be another one."""


class Wanted:
    """What a request says about its body, and what is to be computed of it."""

    __slots__ = ("kept", "md5", "size", "stated")

    def __init__(self, stated: checksums.Stated | None, md5: bytes | None, size: int | None, kept: str) -> None:
        self.stated = stated
        self.md5 = md5
        self.size = size
        """The size that it says; None where it does not."""
        self.kept = kept
        """The algorithm of the checksum that is kept."""

    @classmethod
    def of(cls, params: Params, headers: dict[str, str], kept: str | None = None) -> Wanted:
        """Read it from a request; `kept` is an algorithm that is asked for anyway. Raises AwsError."""
        stated = checksums.stated(params, headers)
        algorithm = kept or (stated.algorithm if stated is not None else checksums.DEFAULT)
        size = _size(params, headers)
        if size is not None and size > LARGEST_BYTES:
            raise too_large(size)
        return cls(stated, checksums.content_md5(params.get("ContentMD5")), size, algorithm)


def check_length(ctx: Context) -> None:
    """Raise AwsError unless a PUT tells the length of its body, and of what S3's chunks carry where it is in such.

    API reference, "Transferring Payload in Multiple Chunks": which does not say how one without it is answered.
    """
    headers = ctx.headers
    if ctx.method != "PUT" or "x-amz-decoded-content-length" in headers:
        return
    is_framed = "content-length" in headers or "transfer-encoding" in headers
    if not is_framed or headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", status=411)
    if "content-length" not in headers:
        raise AwsError(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            status=501,
            Header="Transfer-Encoding",
        )


def _size(params: Params, headers: dict[str, str]) -> int | None:
    body = params.get("Body")
    if body is None or isinstance(body, bytes):
        return None
    decoded = headers.get("x-amz-decoded-content-length")
    if decoded is not None:
        if not decoded.isdecimal() or len(decoded) > _DIGITS:
            raise AwsError("InvalidArgument", "x-amz-decoded-content-length is not a number.", status=400)
        return int(decoded)
    length = params.get("ContentLength")
    return None if "x-amz-trailer" in headers or length is None else int(length)


def too_large(size: int, most: int = LARGEST_BYTES) -> AwsError:
    return AwsError(
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size",
        status=400,
        ProposedSize=str(size),
        MaxSizeAllowed=str(most),
    )


def incomplete() -> AwsError:
    return AwsError(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
        status=400,
    )


class _Sums:
    """The hashes of one body."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._kept = checksums.ALGORITHMS[wanted.kept].new()
        stated = wanted.stated
        self._also = (
            checksums.ALGORITHMS[stated.algorithm].new()
            if stated is not None and stated.algorithm != wanted.kept
            else None
        )

    def update(self, data: bytes) -> None:
        self._md5.update(data)
        self._kept.update(data)
        if self._also is not None:
            self._also.update(data)

    @property
    def hashes(self) -> list[checksums.Hash]:
        return [each for each in (self._md5, self._kept, self._also) if each is not None]

    def checked(self, body: Any, size: int) -> Received:
        """Return what was received. Raises AwsError where it is not what the request stated."""
        wanted = self._wanted
        if wanted.size is not None and wanted.size != size:
            raise incomplete()
        md5, kept = self._md5.digest(), self._kept.digest()
        checksums.check_md5(wanted.md5, md5)
        received = Received(size, md5, Checksum(wanted.kept, checksums.text(kept)))
        if wanted.stated is not None:
            algorithm = wanted.stated.algorithm
            value = wanted.stated.value
            if value is None:
                value = checksums.trailing(body, algorithm)
            checksums.check(algorithm, value, kept if self._also is None else self._also.digest())
            received.also = Checksum(algorithm, value)
        return received


def is_small(body: Any) -> bool:
    """Whether a body is kept in the store's rows for certain."""
    return body is None or (isinstance(body, bytes) and len(body) <= INLINE_BYTES)


async def receive(
    block: Block,
    body: Any,
    wanted: Wanted,
    *,
    key: ObjectKey | None = None,
    nonce: str = "",
    inline: int = INLINE_BYTES,
) -> Received:
    """Take in a body (bytes, or a stream of them), encrypted with `key` under `nonce` if there is one.

    Bodies of up to `inline` bytes come back as `data`; larger ones are in a file. Nothing is
    kept of one that raises: AwsError for what the caller has done wrong, StoreError where the disk fails.
    """
    sums = _Sums(wanted)
    if body is None or isinstance(body, bytes):
        data = body or b""
        if len(data) <= inline:
            return _in_memory(data, body, sums, key, nonce)
        return await _to_file(block, once(data), body, sums, key, nonce)
    stream = aiter(body)
    head: list[bytes] = []
    size = 0
    try:
        async for piece in stream:
            head.append(piece)
            size += len(piece)
            if size > inline:
                return await _to_file(block, chained(head, stream), body, sums, key, nonce)
    except ConnectionError:
        raise incomplete() from None
    return _in_memory(b"".join(head), body, sums, key, nonce)


def _in_memory(data: bytes, body: Any, sums: _Sums, key: ObjectKey | None, nonce: str) -> Received:
    sums.update(data)
    received = sums.checked(body, len(data))
    received.data = data if key is None else encrypt_whole(key, nonce, data)
    return received


async def _to_file(
    block: Block, pieces: AsyncIterator[bytes], body: Any, sums: _Sums, key: ObjectKey | None, nonce: str
) -> Received:
    writer = await block.blobs.begin()
    failure: BaseException
    try:
        size = await (_copy if key is None else partial(_copy_encrypted, key.encrypt(nonce)))(writer, pieces, sums)
        received = sums.checked(body, size)
        await writer.keep()
        received.blob = writer.name
        return received
    except ConnectionError:
        failure = incomplete()
    except BaseException as error:
        failure = error
    await writer.discard()
    raise failure


async def _copy(writer: BlobWriter, pieces: AsyncIterator[bytes], sums: _Sums) -> int:
    hashings = [Hashing(each) for each in sums.hashes]
    async for piece in pieces:
        for each in hashings:
            await each.update(piece)
        await writer.write(piece)
        if writer.size > LARGEST_BYTES:
            raise too_large(writer.size)
    for each in hashings:
        await each.settle()
    return writer.size


async def _copy_encrypted(cipher: Cipher, writer: BlobWriter, pieces: AsyncIterator[bytes], sums: _Sums) -> int:
    size = 0

    def encrypted(piece: bytes) -> bytes:
        sums.update(piece)
        return cipher.update(piece)

    async for piece in pieces:
        size += len(piece)
        if size > LARGEST_BYTES:
            raise too_large(size)
        await writer.write(await in_thread(partial(encrypted, piece)))
    await writer.write(cipher.finalize())
    return size


async def keep(ctx: Context, blobs: Sequence[str], body: Body[T]) -> T:
    """Run the transaction that refers to files that were just written; they are removed where it raises AwsError.

    After any other failure it is not known whether it took place: the sweep will see.
    """
    try:
        return await ctx.transact(body)
    except WireError as error:
        refused = error
    await ctx.block.blobs.remove(blob for blob in blobs if blob)
    raise refused
