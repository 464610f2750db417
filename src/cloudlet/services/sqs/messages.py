"""The records of a message: itself, its state, and what a flight says of it."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core.aws.data_keys import Envelope

_SEQUENCE_BASE, _SEQUENCE_STEP = 18_850_000_000_000_000_000, 256
"""SequenceNumbers are large and not consecutive (API reference, SendMessage): 20 digits, as those of AWS."""


class Message(msgspec.Struct, array_like=True, omit_defaults=True):
    """A message as it is stored; times are in milliseconds since the epoch."""

    id: str
    body: str
    md5: str
    sender: str
    sent: int
    group: str | None = None
    attributes: dict[str, dict[str, Any]] | None = None
    attributes_md5: str | None = None
    trace: str | None = None
    dedup: str | None = None
    due: int = 0
    """When its delay ends; 0 for a message that was not delayed."""
    source: str | None = None
    """ARN of the queue that gave it up to this dead-letter queue."""
    receives: int = 0
    """How often it was received from queues it was in before."""
    envelope: Envelope | None = None
    """The encrypted body, where that is done by a key of KMS.

    It goes with the message to other queues.
    """


class State(msgspec.Struct, array_like=True, omit_defaults=True):
    """What changes about a message; times are in milliseconds since the epoch."""

    receives: int = 0
    first: int = 0
    """When it was first received."""
    nonce: bytes = b""
    """Tells the latest delivery from those before."""
    received: int = 0
    due: int = 0
    """When it becomes visible again."""
    sent: int = 0
    group: str | None = None


class Member(msgspec.Struct, array_like=True, omit_defaults=True):
    """What a flight says of one message; see `State`."""

    receives: int
    first: int
    sent: int = 0
    group: str | None = None


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Message).decode
_decode_state = msgspec.msgpack.Decoder(State).decode


def state_of(raw: bytes) -> State:
    """Return a stored state; that of a message never received is empty."""
    return _decode_state(raw) if raw else State()


def sequence_number(seq: int) -> str:
    """Return the SequenceNumber of the message in this place of a FIFO queue."""
    return str(_SEQUENCE_BASE + seq * _SEQUENCE_STEP)
