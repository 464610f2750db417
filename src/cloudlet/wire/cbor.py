"""CBOR, as far as Smithy's RPC protocol has it: no references, no big numbers, no tags but timestamps.

Requests come from anyone, so they are read here and not by a library that builds what a tag names. What is read are
plain values; a timestamp is its epoch seconds.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

MAX_DEPTH = 128

_HALF = struct.Struct(">e")
_SINGLE = struct.Struct(">f")
_DOUBLE = struct.Struct(">d")
_DOUBLE_ITEM = struct.Struct(">xd")
_INDEFINITE = 31
_BREAK = object()


class MalformedCbor(ValueError):
    """Bytes that are no CBOR of Smithy's kind."""


def decode(data: bytes) -> Any:
    """Return the value of a complete item; raise `MalformedCbor` if it is none, or is followed by something."""
    try:
        value, position = _item(data, 0, 0)
    except (IndexError, struct.error):
        raise MalformedCbor("unexpected end of input") from None
    if value is _BREAK or position != len(data):
        raise MalformedCbor("unexpected bytes after the end")
    return value


def _length(data: bytes, position: int, info: int) -> tuple[int, int]:
    """Return the argument of an item and where its content starts."""
    if info < 24:
        return info, position
    if info > 27:
        raise MalformedCbor("reserved length")
    end = position + (1 << (info - 24))
    if end > len(data):
        raise MalformedCbor("unexpected end of input")
    return int.from_bytes(data[position:end], "big"), end


def _item(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    initial = data[position]
    position += 1
    major, info = initial >> 5, initial & 31
    if info < 24:
        if major == 0:
            return info, position
        if major == 3:
            end = position + info
            if end > len(data):
                raise MalformedCbor("unexpected end of input")
            return _text(data[position:end]), end
    if major == 7:
        return _simple(data, position, info)
    if major == 3 or major == 2:
        return _string(data, position, major, info)
    if depth > MAX_DEPTH:
        raise MalformedCbor("nested too deeply")
    if major >= 4:
        return _CONTAINERS[major](data, position, info, depth)
    value, position = _length(data, position, info)
    return (value if major == 0 else -1 - value), position


def _string(data: bytes, position: int, major: int, info: int) -> tuple[Any, int]:
    if info == _INDEFINITE:
        chunks = []
        while data[position] != 0xFF:
            initial = data[position]
            if initial >> 5 != major or initial & 31 == _INDEFINITE:
                raise MalformedCbor("a string is made of other things")
            chunk, position = _raw(data, position + 1, initial & 31)
            chunks.append(chunk)
        raw, position = b"".join(chunks), position + 1
    else:
        raw, position = _raw(data, position, info)
    return (raw if major == 2 else _text(raw)), position


def _raw(data: bytes, position: int, info: int) -> tuple[bytes, int]:
    length, position = _length(data, position, info)
    end = position + length
    if end > len(data):
        raise MalformedCbor("unexpected end of input")
    return data[position:end], end


def _array(data: bytes, position: int, info: int, depth: int) -> tuple[Any, int]:
    items: list[Any] = []
    if info == _INDEFINITE:
        while True:
            item, position = _item(data, position, depth + 1)
            if item is _BREAK:
                return items, position
            items.append(item)
    count, position = _length(data, position, info)
    if count > len(data) - position:
        raise MalformedCbor("unexpected end of input")
    end = position + count * _DOUBLE_ITEM.size
    is_double = data[position : position + 1] == b"\xfb" and end <= len(data)
    if is_double and data[position : end : _DOUBLE_ITEM.size] == b"\xfb" * count:
        # Doubles alone, of which PutMetricData brings 100,000 and more.
        return [value for (value,) in _DOUBLE_ITEM.iter_unpack(data[position:end])], end
    for _ in range(count):
        item, position = _item(data, position, depth + 1)
        if item is _BREAK:
            raise MalformedCbor("unexpected break")
        items.append(item)
    return items, position


def _map(data: bytes, position: int, info: int, depth: int) -> tuple[Any, int]:
    entries: dict[str, Any] = {}
    count = -1
    if info != _INDEFINITE:
        count, position = _length(data, position, info)
        if count * 2 > len(data) - position:
            raise MalformedCbor("unexpected end of input")
    while count:
        initial = data[position]
        if 0x60 <= initial < 0x78:
            # Nearly all keys are short texts; reading them here saves two calls each.
            end = position + initial - 0x5F
            key: Any = _text(data[position + 1 : end])
            position = end
        else:
            key, position = _item(data, position, depth + 1)
            if key is _BREAK and count < 0:
                return entries, position
            if not isinstance(key, str):
                raise MalformedCbor("a key is not text")
        value, position = _item(data, position, depth + 1)
        if value is _BREAK:
            raise MalformedCbor("unexpected break")
        entries[key] = value
        count -= 1
    return entries, position


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedCbor("text is not UTF-8") from None


def _tag(data: bytes, position: int, info: int, depth: int) -> tuple[Any, int]:
    tag, position = _length(data, position, info)
    value, position = _item(data, position, depth + 1)
    if tag != 1 or not isinstance(value, int | float) or isinstance(value, bool):
        raise MalformedCbor(f"tag {tag} is not accepted")
    return value, position


_CONTAINERS: dict[int, Callable[[bytes, int, int, int], tuple[Any, int]]] = {4: _array, 5: _map, 6: _tag}


def _simple(data: bytes, position: int, info: int) -> tuple[Any, int]:
    if info == 27:
        return _DOUBLE.unpack_from(data, position)[0], position + 8
    if info == 20 or info == 21:
        return info == 21, position
    if info == 22 or info == 23:
        return None, position
    if info == 26:
        return _SINGLE.unpack_from(data, position)[0], position + 4
    if info == 25:
        return _HALF.unpack_from(data, position)[0], position + 2
    if info == _INDEFINITE:
        return _BREAK, position
    raise MalformedCbor("an unknown simple value")


class Timestamp(float):
    """Epoch seconds that are to be written as a timestamp."""

    __slots__ = ()


def encode(value: Any) -> bytes:
    """Return a plain value as CBOR: what JSON has, and bytes and `Timestamp`."""
    out: list[bytes] = []
    _encode(value, out)
    return b"".join(out)


async def with_stream(document: bytes, name: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Return a map, which is encoded already, with one more member: bytes that come piece by piece."""
    _, content = _length(document, 1, document[0] & 31)
    yield b"\xbf" + document[content:] + encode(name) + b"\x5f"
    async for piece in pieces:
        yield _head(2, len(piece)) + piece
    yield b"\xff\xff"


def _head(major: int, argument: int) -> bytes:
    initial = major << 5
    if argument < 24:
        return bytes((initial | argument,))
    if argument < 0x100:
        return bytes((initial | 24, argument))
    if argument < 0x10000:
        return bytes((initial | 25,)) + argument.to_bytes(2, "big")
    if argument < 0x100000000:
        return bytes((initial | 26,)) + argument.to_bytes(4, "big")
    return bytes((initial | 27,)) + argument.to_bytes(8, "big")


def _encode(value: Any, out: list[bytes]) -> None:
    if isinstance(value, str):
        raw = value.encode()
        out.append(_head(3, len(raw)))
        out.append(raw)
    elif value is None:
        out.append(b"\xf6")
    elif isinstance(value, bool):
        out.append(b"\xf5" if value else b"\xf4")
    elif isinstance(value, int):
        out.append(_head(0, value) if value >= 0 else _head(1, -1 - value))
    elif isinstance(value, float):
        if isinstance(value, Timestamp):
            out.append(b"\xc1")
        out.append(b"\xfb" + _DOUBLE.pack(value))
    elif isinstance(value, bytes | bytearray | memoryview):
        out.append(_head(2, len(value)))
        out.append(bytes(value))
    elif isinstance(value, dict):
        out.append(_head(5, len(value)))
        for key, item in value.items():
            _encode(key, out)
            _encode(item, out)
    elif isinstance(value, list | tuple):
        out.append(_head(4, len(value)))
        for item in value:
            _encode(item, out)
    else:
        raise TypeError(f"{type(value).__name__} has no CBOR form")
