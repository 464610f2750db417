"""Signals from outside: those of wait conditions, and answers of custom resources.

Both come to an address that says, in a form nobody else can make, which resource it is for.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.block import Block

_SIGNALS: Final = Subspace("signal")
_ADDRESSES: Final = Subspace("address")
MAX_SIGNALS: Final = 1000

_encode = msgspec.msgpack.Encoder().encode


class Signal(msgspec.Struct, frozen=True):
    """A signal, as it was sent."""

    status: str
    """SUCCESS or FAILURE, FAILED for custom resources."""
    reason: str = ""
    data: Any = None
    physical_id: str = ""
    is_hidden: bool = False


class Address(msgspec.Struct, frozen=True):
    """The resource that an address is for, and what signals are kept under."""

    account: str
    region: str
    stack: str
    signals: str


_decode = msgspec.msgpack.Decoder(Signal).decode
_decode_address = msgspec.msgpack.Decoder(Address).decode


def add_signal(tx: Transaction, key: str, unique_id: str, signal: Signal) -> None:
    """Keep a signal; one of the same id replaces it."""
    tx.put(_SIGNALS.key(key, unique_id), _encode(signal))


async def list_signals(tx: Transaction, key: str) -> dict[str, Signal]:
    """Return the signals that are kept under a key, by their ids."""
    space = _SIGNALS.sub(key)
    rows = await tx.range(space.begin, space.end, limit=MAX_SIGNALS)
    return {space.unpack(row)[-1]: _decode(raw) for row, raw in rows}


def remove_signals(tx: Transaction, key: str) -> None:
    space = _SIGNALS.sub(key)
    tx.delete_range(space.begin, space.end)


def save_address(tx: Transaction, secret: str, address: Address) -> None:
    """Keep what an address is for; `secret` is its last part."""
    tx.put(_ADDRESSES.key(secret), _encode(address))


async def find_address(tx: Transaction, secret: str) -> Address | None:
    """Return what an address is for."""
    raw = await tx.get(_ADDRESSES.key(secret))
    return None if raw is None else _decode_address(raw)


def remove_address(tx: Transaction, secret: str) -> None:
    tx.delete(_ADDRESSES.key(secret))


def make_url(block: Block, secret: str) -> str:
    """Return the URL of an address."""
    return f"{block.cloud.config.endpoint}/_aws/cloudformation-response/{secret}/"
