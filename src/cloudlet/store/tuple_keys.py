"""Order-preserving keys: tuples packed into bytes that sort as the tuples do.

The encoding is FoundationDB's tuple layer (https://github.com/apple/foundationdb/blob/main/design/tuple.md), so that
keys mean the same on every engine. Supported elements: None, bytes, str, int (up to 8 bytes), float, bool
and nested tuples.
"""

from __future__ import annotations

import struct
from typing import Any, Final, TypeAlias

Element: TypeAlias = "bytes | str | int | float | bool | tuple[Element, ...] | None"

_NULL: Final = 0x00
_BYTES: Final = 0x01
_STR: Final = 0x02
_TUPLE: Final = 0x05
_ZERO: Final = 0x14
_DOUBLE: Final = 0x21
_FALSE: Final = 0x26
_TRUE: Final = 0x27
_INT_PREFIX: Final = [bytes([code]) for code in range(_ZERO + 9)]
_INT_LIMIT: Final = 1 << 64


def pack(elements: tuple[Element, ...]) -> bytes:
    """Return the key of a tuple. Raises TypeError for an element that cannot be part of a key."""
    return b"".join([_encode(element) for element in elements])


def unpack(key: bytes) -> tuple[Any, ...]:
    """Return the tuple of a key that `pack` made."""
    elements, _ = _decode_until(key, 0, len(key), nested=False)
    return tuple(elements)


def successor(prefix: bytes) -> bytes:
    """Return the first key after all keys that start with `prefix`."""
    stripped = prefix.rstrip(b"\xff")
    if not stripped:
        raise ValueError("no key follows a prefix of 0xff bytes")
    return stripped[:-1] + bytes([stripped[-1] + 1])


def pack_int(value: int) -> bytes:
    """Return the key bytes of one integer: the hot part of most keys."""
    if value > 0:
        size = (value.bit_length() + 7) >> 3
        if size > 8:
            raise TypeError(f"integer out of range for a key: {value}")
        return _INT_PREFIX[_ZERO + size] + value.to_bytes(size, "big")
    if value == 0:
        return b"\x14"
    size = ((-value).bit_length() + 7) >> 3
    if size > 8:
        raise TypeError(f"integer out of range for a key: {value}")
    return _INT_PREFIX[_ZERO - size] + (value + (1 << (8 * size)) - 1).to_bytes(size, "big")


def _encode(element: Any) -> bytes:
    kind = type(element)
    if kind is str:
        return _terminate(b"\x02", element.encode())
    if kind is int:
        return pack_int(element)
    if kind is bytes:
        return _terminate(b"\x01", element)
    if element is None:
        return b"\x00"
    if element is True:
        return b"\x27"
    if element is False:
        return b"\x26"
    if kind is float:
        return b"\x21" + _flip(struct.pack(">d", element))
    if kind is tuple:
        return b"\x05" + b"".join([b"\x00\xff" if e is None else _encode(e) for e in element]) + b"\x00"
    raise TypeError(f"not a key element: {element!r}")


def _terminate(code: bytes, raw: bytes) -> bytes:
    return code + raw.replace(b"\x00", b"\x00\xff") + b"\x00"


def _flip(raw: bytes) -> bytes:
    """Make IEEE 754 sort as bytes: the sign bit inverted, all bits of a negative number inverted."""
    if raw[0] & 0x80:
        return bytes(byte ^ 0xFF for byte in raw)
    return bytes([raw[0] ^ 0x80]) + raw[1:]


def _unflip(raw: bytes) -> bytes:
    if raw[0] & 0x80:
        return bytes([raw[0] ^ 0x80]) + raw[1:]
    return bytes(byte ^ 0xFF for byte in raw)


def _decode_until(key: bytes, at: int, end: int, *, nested: bool) -> tuple[list[Any], int]:
    elements: list[Any] = []
    while at < end:
        code = key[at]
        at += 1
        if code == _NULL:
            if not nested:
                elements.append(None)
            elif key[at : at + 1] == b"\xff":
                elements.append(None)
                at += 1
            else:
                return elements, at
        elif code in (_BYTES, _STR):
            raw, at = _terminated(key, at)
            elements.append(raw if code == _BYTES else raw.decode())
        elif _ZERO - 8 <= code <= _ZERO + 8:
            size = abs(code - _ZERO)
            value = int.from_bytes(key[at : at + size], "big")
            elements.append(value if code >= _ZERO else value - (1 << (8 * size)) + 1)
            at += size
        elif code == _DOUBLE:
            elements.append(struct.unpack(">d", _unflip(key[at : at + 8]))[0])
            at += 8
        elif code in (_FALSE, _TRUE):
            elements.append(code == _TRUE)
        elif code == _TUPLE:
            inner, at = _decode_until(key, at, end, nested=True)
            elements.append(tuple(inner))
        else:
            raise ValueError(f"not a packed key: unknown code 0x{code:02x} at {at - 1}")
    if nested:
        raise ValueError("not a packed key: a nested tuple is not closed")
    return elements, at


def _terminated(key: bytes, at: int) -> tuple[bytes, int]:
    start = at
    while True:
        at = key.index(b"\x00", at)
        if key[at + 1 : at + 2] != b"\xff":
            return key[start:at].replace(b"\x00\xff", b"\x00"), at + 1
        at += 2


class Subspace:
    """All keys that begin with one tuple; the prefix is packed once.

    >>> messages = Subspace("message", "000000000000", "eu-west-1", "orders")
    >>> messages.key(7) == pack(("message", "000000000000", "eu-west-1", "orders", 7))
    True
    """

    __slots__ = ("begin", "end", "prefix")

    def __init__(self, *elements: Element, prefix: bytes = b"") -> None:
        self.prefix = prefix + pack(elements)
        self.begin = self.prefix
        self.end = self.prefix + b"\xff"

    def key(self, *elements: Element) -> bytes:
        """Return the key of `elements` below this subspace."""
        if len(elements) == 1 and type(elements[0]) is int:
            return self.prefix + pack_int(elements[0])
        return self.prefix + pack(elements)

    def unpack(self, key: bytes) -> tuple[Any, ...]:
        """Return the elements of `key` below this subspace. Raises ValueError for a key of another one."""
        if not key.startswith(self.prefix):
            raise ValueError("the key is not in this subspace")
        return unpack(key[len(self.prefix) :])

    def sub(self, *elements: Element) -> Subspace:
        """Return the subspace of `elements` below this one."""
        return Subspace(*elements, prefix=self.prefix)
