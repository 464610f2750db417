"""Deleted stacks, which can be looked at by their ids for 90 days.

API reference, "ListStacks".
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import Transaction
from cloudlet.services.cloudformation import change_sets, stacks, states

KEPT_SECONDS: Final = 90 * 86_400.0


async def remove(tx: Transaction, row: bytes) -> None:
    """Remove all that is kept of the deleted stack that a row of `stacks.DELETIONS` names."""
    _, account, region, stack_id = stacks.DELETIONS.unpack(row)
    stack = await stacks.find(tx, account, region, stack_id)
    if stack is None or stack.status != states.DELETED:
        return
    await change_sets.remove_all(tx, stack)
    await stacks.remove_rows(tx, stack)
