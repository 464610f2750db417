"""Whether anything selects data events: blocks note none of them as long as nothing does."""

from __future__ import annotations

from cloudlet.core import Subspace, Transaction

_WANTING = Subspace("trail-data")
"""The keys of the trails and event data stores that select data events → nothing."""


def note(tx: Transaction, key: bytes, *, wants: bool) -> None:
    """Note whether what is kept under a key selects data events."""
    if wants:
        tx.put(_WANTING.key(key), b"")
    else:
        tx.delete(_WANTING.key(key))


async def any_at_all(tx: Transaction) -> bool:
    """Whether something, of whatever account, selects data events."""
    return bool(await tx.range(_WANTING.begin, _WANTING.end, limit=1))
