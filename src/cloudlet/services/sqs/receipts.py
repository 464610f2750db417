"""Receipt handles: which delivery of which message a consumer speaks of.

A handle names the queue, the message's place in it, the delivery (a nonce) and its time, with a checksum: what was
never issued is told apart from what is no longer valid.
"""

from __future__ import annotations

import struct
from binascii import Error, a2b_base64, b2a_base64, crc32
from typing import Final, NamedTuple

from cloudlet.services.sqs import errors
from cloudlet.services.sqs.flights import visibility_of

_MAGIC: Final = b"\x01\x01\x01"
_SUM_AT: Final = 3
_TEXT_AT: Final = 7
_PLACE_AT: Final = 31
_DELIVERY: Final = struct.Struct(">QQ8s")


class Receipt(NamedTuple):
    """`place` is the message's in its queue; `received` and `due` are in milliseconds since the epoch."""

    place: bytes
    nonce: bytes
    received: int
    due: int
    """When the flight ends that the message was received in."""


def issue(queue: int, place: bytes, nonce: bytes, received: int) -> str:
    """Return the handle of one delivery."""
    text = _DELIVERY.pack(queue, received, nonce) + place
    return b2a_base64(_MAGIC + crc32(text).to_bytes(4, "big") + text, newline=False).decode()


def read(handle: str, queue: int) -> Receipt:
    """Return what a handle says. Raises AwsError for one that was not issued for this queue."""
    try:
        raw = a2b_base64(handle, strict_mode=True)
        owner, received, nonce = _DELIVERY.unpack_from(raw, _TEXT_AT)
    except (Error, ValueError, struct.error):
        raise errors.invalid_handle(handle) from None
    is_issued = raw[:_SUM_AT] == _MAGIC and int.from_bytes(raw[_SUM_AT:_TEXT_AT], "big") == crc32(raw[_TEXT_AT:])
    if not is_issued or owner != queue:
        raise errors.invalid_handle(handle)
    return Receipt(raw[_PLACE_AT:], nonce, received, received + visibility_of(nonce))
