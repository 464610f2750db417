"""What tells the files of a store that is elsewhere from those of others in the same data folder.

A block whose rows are in a PostgreSQL has its large values in the data folder all the same. Another database may be
used with that folder, and so may the store in the folder itself, where `--store` was forgotten once.
"""

from __future__ import annotations

from cloudlet.core.ids import random_bytes
from cloudlet.store import Store, Transaction, pack

_KEY = pack(("file-mark",))
_BYTES = 4


async def mark_of(store: Store) -> str:
    """Return a store's mark, which it gets once and for all. Raises StoreError."""

    async def body(tx: Transaction) -> bytes:
        mark = await tx.get(_KEY)
        if mark is None:
            mark = random_bytes(_BYTES).hex().encode()
            tx.put(_KEY, mark)
        return mark

    return f"-{(await store.transact(body)).decode()}"
