"""The compiled APIs of a block: loaded when they are first asked for, dropped when they change.

So a request needs no look at the store. Each type of API says how one of it is compiled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.web import Answer, DataPlaneRequest
from cloudlet.services.apigateway import documents, domains
from cloudlet.services.apigateway.documents import Document, Place
from cloudlet.services.apigateway.domains import Mapped

_MOST = 2000
T = TypeVar("T")


class Gateway(Protocol):
    """A compiled API."""

    async def answer(self, visit: DataPlaneRequest, mapped: Mapped | None) -> Answer:
        """Answer a request to it; `mapped` says where it goes if it came to a custom domain."""


Compile = Callable[[Block, Transaction, Place, str], Awaitable[Gateway | None]]
compilers: dict[str, Compile] = {}
"""By the types of APIs: what reads one, by its id, and compiles it."""


class Cache(Generic[T]):
    """Values by names, each until a topic of its name is notified; the oldest go where there are too many."""

    def __init__(self, topic: Callable[[str], bytes], *, keeps_absent: bool) -> None:
        """`keeps_absent`: also that there is nothing of some name is kept."""
        self._topic = topic
        self._keeps_absent = keeps_absent
        self._known: dict[str, tuple[T | None, Callable[[], None]]] = {}

    async def get(self, block: Block, name: str, read: Callable[[Transaction], Awaitable[T | None]]) -> T | None:
        known = self._known.get(name)
        if known is not None:
            return known[0]
        is_stale = False

        def drop() -> None:
            nonlocal is_stale
            is_stale = True
            end()
            self._known.pop(name, None)

        # Watched before it is read: a change meanwhile must not be missed.
        end = block.store.watch(self._topic(name), drop)

        async def body(tx: Transaction) -> T | None:
            return await read(tx)

        try:
            value = await block.store.transact(body)
        except BaseException:
            end()
            raise
        other = self._known.get(name)
        if is_stale or other is not None or (value is None and not self._keeps_absent):
            end()
            return value if other is None else other[0]
        if len(self._known) >= _MOST:
            _, end_oldest = self._known.pop(next(iter(self._known)))
            end_oldest()
        self._known[name] = (value, end)
        return value


_APIS: PerBlock[Cache[Gateway]] = PerBlock(lambda _: Cache(documents.topic, keeps_absent=False))
_HOSTS: PerBlock[Cache[list[Document]]] = PerBlock(lambda _: Cache(domains.topic, keeps_absent=True))


async def find(block: Block, api_id: str) -> Gateway | None:
    """Return an API, compiled; None where there is none of this id."""

    async def read(tx: Transaction) -> Gateway | None:
        place = await documents.place_of(tx, api_id)
        return None if place is None else await compilers[place.protocol](block, tx, place, api_id)

    return await _APIS.get(block).get(block, api_id, read)


async def domain_of(block: Block, host: str) -> tuple[str, list[Document]] | None:
    """Return the domain that answers for a host, and what is mapped to it."""
    for name in domains.candidates(host):
        mapped = await _mappings(block, name)
        if mapped is not None:
            return name, mapped
    return None


async def _mappings(block: Block, domain: str) -> list[Document] | None:
    """Return what is mapped to a domain; None where there is no such domain."""

    async def read(tx: Transaction) -> list[Document] | None:
        return await domains.mappings(tx, domain) if await domains.is_taken(tx, domain) else None

    return await _HOSTS.get(block).get(block, domain, read)
