"""Receipt handles: which delivery of which message a consumer speaks of.

A handle names the queue, the message's place in it, the delivery (a nonce) and its time, with a checksum: what was
never issued is told apart from what is no longer valid.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from binascii import crc32
from typing import NamedTuple

from cloudlet.services.sqs import errors
from cloudlet.services.sqs.flights import visibility_of
from cloudlet.store.keys import pack_int

_LAYOUT = struct.Struct(">3sIQQQ8s")
_MAGIC = b"\x01\x01\x01"


class Receipt(NamedTuple):
    """`place` is the message's sequence number as a packed key; `received` is in milliseconds."""

    queue: int
    place: bytes
    nonce: bytes
    received: int

    @property
    def due(self) -> int:
        """When the flight ends that the message was received in."""
        return self.received + visibility_of(self.nonce)


def issue(queue: int, seq: int, nonce: bytes, received: int) -> str:
    """Return the handle of one delivery."""
    checksum = crc32(b"%d/%d/%d/%b" % (queue, seq, received, nonce))
    return b64encode(_LAYOUT.pack(_MAGIC, checksum, queue, seq, received, nonce)).decode()


def read(handle: str, queue: int) -> Receipt:
    """Return what a handle says. Raises AwsError for one that was not issued for this queue."""
    try:
        magic, checksum, owner, seq, received, nonce = _LAYOUT.unpack(b64decode(handle, validate=True))
    except (ValueError, struct.error):
        raise errors.invalid_handle(handle) from None
    if magic != _MAGIC or owner != queue or checksum != crc32(b"%d/%d/%d/%b" % (owner, seq, received, nonce)):
        raise errors.invalid_handle(handle)
    return Receipt(owner, pack_int(seq), nonce, received)
