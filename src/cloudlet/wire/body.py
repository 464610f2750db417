"""The bytes of a request's body."""

from __future__ import annotations

import zlib
from typing import Final

from cloudlet.wire.errors import InvalidRequest, Undecodable
from cloudlet.wire.http import HttpRequest

MAX_BODY: Final = 128 * 1024 * 1024
"""How many bytes a body may have."""
_MOST_UNPACKED: Final = 16 * 1024 * 1024
"""How many bytes a compressed body may become."""


def too_large(limit: int) -> InvalidRequest:
    """Return the error about a body of more than `limit` bytes."""
    return InvalidRequest("RequestEntityTooLarge", f"The request is larger than {limit} bytes", status=413)


_WINDOWS: Final = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""What zlib calls the codings (RFC 9110, 8.4.1; "deflate" is what zlib itself writes)."""

_PIECE: Final = 64 * 1024
_MOST_MEMBERS: Final = 1000
"""How many compressed pieces may follow each other (RFC 1952, 2.2)."""


def decode_body(request: HttpRequest, limit: int = MAX_BODY) -> bytes:
    """Return a complete body, decompressed if it is gzip or deflate; raise `InvalidRequest` beyond `limit` bytes."""
    body = request.body
    if type(body) is bytes and "content-encoding" not in request.headers:
        return body
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError("the body of this operation must have been read before it is parsed")
    encodings = [name.strip().lower() for name in request.headers.get("content-encoding", "").split(",")]
    # SDKs append gzip to whatever encoding the caller declared; the rest is about the content.
    coding = encodings[-1]
    if coding not in _WINDOWS:
        return bytes(body)
    limit = min(limit, _MOST_UNPACKED)
    parts: list[bytes] = []
    size = at = 0
    for _ in range(_MOST_MEMBERS):
        decompressor = zlib.decompressobj(wbits=_WINDOWS[coding])
        while not decompressor.eof:
            # Piece by piece: what lies behind a member is copied, and there may be many small members before much else.
            piece = body[at : at + _PIECE]
            if not piece:
                raise Undecodable("The compressed body is incomplete")
            try:
                parts.append(decompressor.decompress(piece, limit + 1 - size))
            except zlib.error:
                raise Undecodable(f"The body is not in {coding} format") from None
            size += len(parts[-1])
            if decompressor.unconsumed_tail or size > limit:
                raise too_large(limit)
            at += len(piece) - len(decompressor.unused_data)
        if at == len(body):
            return b"".join(parts)
    raise too_large(limit)
