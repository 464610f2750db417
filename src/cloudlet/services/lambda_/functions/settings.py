"""What is set for a function, or for a version or alias of it, and goes with it: its policy, its URL, and the like.

Each kind of setting has a structure of its own; one of a kind is kept for a qualifier, "" for the function itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.lambda_.functions.function import Place

_SETTINGS = Subspace("setting")
_encode = msgspec.msgpack.Encoder().encode
_KINDS: set[str] = set()
T = TypeVar("T")


class Setting(Generic[T]):
    """One kind of setting."""

    def __init__(self, kind: str, structure: type[T]) -> None:
        self.kind = kind
        _KINDS.add(kind)
        self.decode: Callable[[bytes], T] = msgspec.msgpack.Decoder(structure).decode

    async def find(self, tx: Transaction, place: Place, qualifier: str) -> T | None:
        """Return what is set, None for nothing."""
        raw = await tx.get(self._key(place, qualifier))
        return None if raw is None else self.decode(raw)

    def save(self, tx: Transaction, place: Place, qualifier: str, value: T) -> None:
        """Set it."""
        tx.put(self._key(place, qualifier), _encode(value))

    def remove(self, tx: Transaction, place: Place, qualifier: str) -> None:
        """Unset it."""
        tx.delete(self._key(place, qualifier))

    def of(self, place: Place) -> Subspace:
        """Return where those of a function are, by qualifier."""
        return _SETTINGS.sub(place.account, place.region, place.name, self.kind)

    def _key(self, place: Place, qualifier: str) -> bytes:
        return self.of(place).key(qualifier)


def remove_of(tx: Transaction, place: Place, qualifier: str) -> None:
    """Unset what is set for a version or an alias."""
    for kind in _KINDS:
        tx.delete(_SETTINGS.key(place.account, place.region, place.name, kind, qualifier))


def remove_all(tx: Transaction, place: Place) -> None:
    """Unset everything of a function."""
    space = _SETTINGS.sub(place.account, place.region, place.name)
    tx.delete_range(space.begin, space.end)
