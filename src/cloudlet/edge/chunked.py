"""The aws-chunked content coding: chunks with sizes, signatures and trailers of their own.

Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in
Multiple Chunks" and "... with trailing headers".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Callable

from cloudlet.edge.back_pressure import read_all
from cloudlet.wire import WireError, sigv4
from cloudlet.wire.claims import Claim
from cloudlet.wire.http import BodyStream

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
MODES = frozenset((SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER))

_LONGEST_LINE = 8192
_LARGEST_CHUNK = 64 << 20
_SIZE = re.compile("[0-9a-fA-F]+")
_SMALLEST_CHUNK = 8192
"""Of all but the last one (API reference, as above)."""


class ChunkError(WireError):
    """The body is not what it says; `tampered` where a chunk's signature is wrong."""

    def __init__(self, reason: str, *, tampered: bool = False) -> None:
        message = f"The body is not what was signed: {reason}."
        if tampered:
            super().__init__("SignatureDoesNotMatch", message, status=403)
        else:
            super().__init__("IncompleteBody", message, status=400)


def sha256_mismatch(stated: str, computed: str) -> WireError:
    """The error for a body whose SHA-256 is not the one that was signed for it."""
    return WireError(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        status=400,
        fields={"ClientComputedContentSHA256": stated, "S3ComputedContentSHA256": computed},
    )


def _too_small(number: int, size: int) -> WireError:
    """The error for a chunk that is not the last one and too small; `number` is that of the next."""
    return WireError(
        "InvalidChunkSizeError",
        f"Only the last chunk is allowed to have a size less than {_SMALLEST_CHUNK} bytes",
        status=400,
        fields={"Chunk": str(number), "BadChunkSize": str(size)},
    )


class ChunkSigner:
    """Computes the chain of signatures, each over the one before."""

    def __init__(self, claim: Claim, secret: str) -> None:
        self._claim = claim
        self._secret = secret
        self._previous = claim.signature

    def accept(self, signature: str, digest: str) -> bool:
        return self._accept(signature, "AWS4-HMAC-SHA256-PAYLOAD", (sigv4.EMPTY_SHA256, digest))

    def accept_trailers(self, signature: str, digest: str) -> bool:
        return self._accept(signature, "AWS4-HMAC-SHA256-TRAILER", (digest,))

    def _accept(self, signature: str, kind: str, hashes: tuple[str, ...]) -> bool:
        text = sigv4.chunk_string_to_sign(self._claim, self._previous, kind, hashes)
        expected = sigv4.signature(self._secret, self._claim, text)
        self._previous = expected
        return signature.isascii() and hmac.compare_digest(expected, signature)


class ChunkDecoder:
    """Takes the coded body piece by piece and gives out the payload; verifies where it has a `signer`.

    `trailers` (names in lower case) is filled once the end was seen.
    """

    def __init__(self, mode: str, signer: ChunkSigner | None) -> None:
        self._signed = mode != UNSIGNED_TRAILER
        self._has_trailers = mode != SIGNED
        self._signer = signer
        self._buffer = bytearray()
        self._left = 0
        self._size = _SMALLEST_CHUNK
        """How large the chunk before was."""
        self._number = 0
        self._step: Callable[[], bytes | None] = self._chunk_head
        self._hash = hashlib.sha256()
        self._signature = ""
        self._trailers_size = 0
        self._trailers_signature = ""
        self.trailers: dict[str, str] = {}
        self.complete = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return what `data` adds to the payload. Raises WireError."""
        self._buffer += data
        payload: list[bytes] = []
        while not self.complete:
            before = (len(self._buffer), self._step)
            part = self._step()
            if part:
                payload.append(part)
            if (len(self._buffer), self._step) == before:
                break
        return payload

    def end(self) -> None:
        """Note that nothing more comes. Raises ChunkError where something is missing."""
        if not self.complete:
            raise ChunkError("the body ended before its last chunk")

    def _line(self) -> str | None:
        at = self._buffer.find(b"\n")
        if at < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise ChunkError("a chunk's head is too long")
            return None
        line = bytes(self._buffer[:at]).rstrip(b"\r")
        del self._buffer[: at + 1]
        return line.decode("latin-1")

    def _chunk_head(self) -> None:
        line = self._line()
        if line is None:
            return
        size, _, extension = line.partition(";")
        if _SIZE.fullmatch(size) is None:
            raise ChunkError(f"not a chunk size: {size[:20]!r}")
        self._left = int(size, 16)
        if self._left > _LARGEST_CHUNK:
            raise ChunkError("a chunk is too large")
        self._number += 1
        if self._left and self._size < _SMALLEST_CHUNK:
            raise _too_small(self._number, self._size)
        self._size = self._left
        self._signature = ""
        if self._signed:
            name, _, self._signature = extension.partition("=")
            if name != "chunk-signature" or not self._signature:
                raise ChunkError("a chunk has no signature", tampered=True)
        self._hash = hashlib.sha256()
        if self._left:
            self._step = self._chunk_data
        else:
            self._check_chunk()
            self._step = self._trailer

    def _chunk_data(self) -> bytes | None:
        if not self._buffer:
            return None
        part = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(part)
        if self._signer is not None and self._signed:
            self._hash.update(part)
        if not self._left:
            self._step = self._chunk_end
        return part

    def _chunk_end(self) -> None:
        line = self._line()
        if line is None:
            return
        if line:
            raise ChunkError("a chunk is longer than it says")
        self._check_chunk()
        self._step = self._chunk_head

    def _check_chunk(self) -> None:
        if (
            self._signed
            and self._signer is not None
            and not self._signer.accept(self._signature, self._hash.hexdigest())
        ):
            raise ChunkError("a chunk's signature does not match", tampered=True)

    def _trailer(self) -> None:
        line = self._line()
        if line is None:
            return
        if line:
            self._trailers_size += len(line)
            if self._trailers_size > _LONGEST_LINE:
                raise ChunkError("too many trailers")
            self._note_trailer(line)
        elif self._trailers_signature or not (self._signed and self._has_trailers):
            self._finish()
        # Otherwise the signature is still to come: minio-go has an empty line before it.

    def _note_trailer(self, line: str) -> None:
        name, separator, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not separator:
            raise ChunkError(f"not a trailer: {line[:20]!r}")
        if not self._has_trailers:
            raise ChunkError("trailers were not announced")
        if name == "x-amz-trailer-signature":
            self._trailers_signature = value
        else:
            self.trailers[name] = value

    def _finish(self) -> None:
        if self._signed and self._has_trailers and self._signer is not None:
            signed = "".join(f"{name}:{value}\n" for name, value in self.trailers.items())
            digest = hashlib.sha256(signed.encode("latin-1")).hexdigest()
            if not self._signer.accept_trailers(self._trailers_signature, digest):
                raise ChunkError("the trailers' signature does not match", tampered=True)
        self.complete = True


class DecodedBody:
    """The payload of an aws-chunked body, as a stream."""

    def __init__(self, coded: BodyStream, decoder: ChunkDecoder) -> None:
        self._coded = coded
        self._decoder = decoder

    @property
    def trailers(self) -> dict[str, str]:
        """The trailing headers; complete once the body was read to its end."""
        return self._decoder.trailers

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._coded:
            for part in self._decoder.feed(data):
                yield part
        self._decoder.end()

    async def read(self, limit: int) -> bytes:
        """Return the whole payload; raise ValueError once it exceeds `limit` bytes."""
        return await read_all(self, limit)


class HashedBody:
    """A body as a stream, checked against the SHA-256 (hexadecimal) that was signed for it."""

    def __init__(self, body: BodyStream, expected: str) -> None:
        self._body = body
        self._expected = expected

    async def __aiter__(self) -> AsyncIterator[bytes]:
        digest = hashlib.sha256()
        async for part in self._body:
            digest.update(part)
            yield part
        if digest.hexdigest() != self._expected:
            raise sha256_mismatch(self._expected, digest.hexdigest())

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raise ValueError once it exceeds `limit` bytes."""
        return await read_all(self, limit)


class WholeBody:
    """A body that is complete, read as a stream."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raise ValueError where it exceeds `limit` bytes."""
        return await read_all(self, limit)
