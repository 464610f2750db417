"""Layers as they are when they are not compressed. How they are compressed, their first bytes tell."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from cloudlet.engines.images.documents import ImageError

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PIECE = 1 << 18
_ZSTD_MODULES = ("compression.zstd", "backports.zstd")


def decompress(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Give what is compressed in some pieces, in others that are small, however well it was. Raises ImageError."""
    first = next(pieces, b"")
    while 0 < len(first) < len(_ZSTD) and (more := next(pieces, b"")):
        first += more
    if first.startswith(_GZIP):
        return _gunzipped(first, pieces)
    if first.startswith(_ZSTD):
        return _unzstd(first, pieces)
    return _joined(first, pieces)


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _gunzipped(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    decoder = zlib.decompressobj(wbits=31)
    try:
        for piece in _joined(first, rest):
            while piece:
                if decoder.eof:
                    # Members of a file follow one another.
                    decoder = zlib.decompressobj(wbits=31)
                yield decoder.decompress(piece, _PIECE)
                piece = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
        yield decoder.flush()
    except zlib.error as error:
        raise ImageError(f"a layer cannot be decompressed: {error}") from None
    if not decoder.eof:
        raise ImageError("a layer cannot be decompressed: it breaks off")


def _unzstd(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    zstd = _zstd()
    decoder = zstd.ZstdDecompressor()
    try:
        for piece in _joined(first, rest):
            while piece or not (decoder.eof or decoder.needs_input):
                if decoder.eof:
                    decoder = zstd.ZstdDecompressor()
                yield decoder.decompress(piece, _PIECE)
                piece = decoder.unused_data if decoder.eof else b""
    except zstd.ZstdError as error:
        raise ImageError(f"a layer cannot be decompressed: {error}") from None
    if not decoder.eof:
        raise ImageError("a layer cannot be decompressed: it breaks off")


def _zstd() -> Any:
    for name in _ZSTD_MODULES:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImageError("layers compressed by zstd need Python 3.14, or the package backports.zstd")
