"""The bytes of a request's body."""

from __future__ import annotations

import zlib

from cloudlet.wire.errors import InvalidRequest
from cloudlet.wire.http import HttpRequest

MAX_BODY = 128 * 1024 * 1024
"""How many bytes a compressed body may become."""


def too_large(limit: int) -> InvalidRequest:
    """Return the error about a body of more than `limit` bytes."""
    return InvalidRequest("RequestEntityTooLarge", f"The request is larger than {limit} bytes", status=413)


def decode_body(request: HttpRequest, limit: int = MAX_BODY) -> bytes:
    """Return a complete body, decompressed if it is gzip; raise `InvalidRequest` beyond `limit` bytes."""
    body = request.body
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError("the body of this operation must have been read before it is parsed")
    encodings = [name.strip().lower() for name in request.headers.get("content-encoding", "").split(",")]
    # SDKs append gzip to whatever encoding the caller declared; the rest is about the content.
    if encodings[-1] != "gzip":
        return bytes(body)
    decompressor = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        data = decompressor.decompress(body, limit + 1)
        if decompressor.unconsumed_tail or len(data) > limit:
            raise too_large(limit)
        if not decompressor.eof:
            raise InvalidRequest("SerializationException", "The compressed body is incomplete")
    except zlib.error:
        raise InvalidRequest("SerializationException", "The body is not in gzip format") from None
    return data
