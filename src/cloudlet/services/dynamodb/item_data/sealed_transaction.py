"""A transaction that encrypts what is put through it, and decrypts what is read.

Keys are not encrypted: they put rows in order. What was stored before its table was encrypted is read as it is.
"""

from __future__ import annotations

from typing import Final

from cloudlet.core.kernel.vault import Vault
from cloudlet.store.transaction import Row, Transaction

_MARK: Final = b"\xff\x8cSEAL\x1f\x97"
"""The first bytes of an encrypted value: those of no item."""


class SealedTransaction(Transaction):
    """Encrypts the values below some prefixes; all else passes through."""

    __slots__ = ("_below", "_prefixes", "_vault")

    def __init__(self, below: Transaction, prefixes: tuple[bytes, ...], vault: Vault) -> None:
        self._below = below
        self._prefixes = prefixes
        self._vault = vault

    async def get(self, key: bytes) -> bytes | None:
        value = await self._below.get(key)
        return None if value is None else self._open(key, value)

    async def range(self, begin: bytes, end: bytes, *, limit: int, reverse: bool = False) -> list[Row]:
        rows = await self._below.range(begin, end, limit=limit, reverse=reverse)
        return [(key, self._open(key, value)) for key, value in rows]

    async def counter(self, key: bytes) -> int:
        return await self._below.counter(key)

    def put(self, key: bytes, value: bytes) -> None:
        if key.startswith(self._prefixes):
            value = _MARK + self._vault.encrypt(value, key.hex())
        self._below.put(key, value)

    def delete(self, key: bytes) -> None:
        self._below.delete(key)

    def delete_range(self, begin: bytes, end: bytes) -> None:
        self._below.delete_range(begin, end)

    def add(self, key: bytes, delta: int) -> None:
        self._below.add(key, delta)

    def notify(self, topic: bytes) -> None:
        self._below.notify(topic)

    def _open(self, key: bytes, value: bytes) -> bytes:
        if not value.startswith(_MARK) or not key.startswith(self._prefixes):
            return value
        return self._vault.decrypt(value[len(_MARK) :], key.hex())


def is_sealed(value: bytes) -> bool:
    """Whether a stored value is encrypted."""
    return value.startswith(_MARK)
