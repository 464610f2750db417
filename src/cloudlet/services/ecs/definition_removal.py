"""Removes task definitions that were deleted, once no service or daemon needs them any more.

Developer guide, "Deleting an Amazon ECS task definition revision": they are DELETE_IN_PROGRESS until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cloudlet.core import Transaction
from cloudlet.core.aws import tags
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.services.ecs import daemons, definitions, services
from cloudlet.services.ecs.definition_record import OF_DAEMONS, OF_TASKS

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_LOOK_SECONDS: Final = 60.0


async def _remove(block: Block, key: Key) -> float | None:
    account, region, family, revision, *kinds = key
    kind = kinds[0] if kinds else OF_TASKS
    has_definition = daemons.has_definition if kind == OF_DAEMONS else services.has_definition

    async def remove(tx: Transaction) -> float | None:
        found = await definitions.get_revision(tx, account, region, family, revision, kind=kind)
        if found is None:
            return None
        if await has_definition(tx, account, region, found.arn):
            return _LOOK_SECONDS
        definitions.remove(tx, found)
        tags.save(tx, found.arn, {})
        return None

    return await block.store.transact(remove)


REMOVALS: Final = Reconciler("definition-removal", _remove)
