"""Records that are kept by account, region and name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from cloudlet.core.kernel.errors import AwsError
from cloudlet.store import Subspace, Transaction

_encode = msgspec.msgpack.Encoder().encode


class Record(Protocol):
    @property
    def account(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def name(self) -> str: ...


R = TypeVar("R", bound=Record)


class Records(Generic[R]):
    """The records of one type in a subspace."""

    def __init__(self, space: Subspace, record: type[R], absent: Callable[[str], AwsError]) -> None:
        """`absent` makes the error for a name that no record has."""
        self._space = space
        self._absent = absent
        self.decode = msgspec.msgpack.Decoder(record).decode

    def get_space(self, account: str, region: str) -> Subspace:
        """Return the subspace of an account in a region, by name."""
        return self._space.sub(account, region)

    async def find(self, tx: Transaction, account: str, region: str, name: str) -> R | None:
        """Return a record, or None where there is none."""
        raw = await tx.get(self._space.key(account, region, name))
        return None if raw is None else self.decode(raw)

    async def get(self, tx: Transaction, account: str, region: str, name: str) -> R:
        """Return a record. Raises AwsError where there is none."""
        found = await self.find(tx, account, region, name)
        if found is None:
            raise self._absent(name)
        return found

    def save(self, tx: Transaction, record: R) -> None:
        """Write a record."""
        tx.put(self._space.key(record.account, record.region, record.name), _encode(record))

    def remove(self, tx: Transaction, record: R) -> None:
        """Delete a record."""
        tx.delete(self._space.key(record.account, record.region, record.name))
