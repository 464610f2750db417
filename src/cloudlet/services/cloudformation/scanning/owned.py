"""Resources that stacks own already."""

from __future__ import annotations

from cloudlet.core import Context, Transaction
from cloudlet.services.cloudformation import stacks, states
from cloudlet.services.cloudformation.compiling import get_schema
from cloudlet.services.cloudformation.scanning.scan_record import make_key

OwnedKeys = frozenset[tuple[str, tuple[tuple[str, str], ...]]]


async def list_owned(ctx: Context, tx: Transaction) -> OwnedKeys:
    """Return the resources of all stacks of the caller's."""
    found = set()
    space = stacks.get_space(ctx.account, ctx.region)
    for _, raw in await tx.range(space.begin, space.end, limit=stacks.MAX_ROWS):
        stack = stacks.decode_stack(raw)
        if stack.status == states.DELETED:
            continue
        for resource in (await stacks.list_resources(tx, ctx.block.cloud.vault, stack)).values():
            if resource.instance is not None:
                known = {**resource.instance.properties, **resource.instance.attributes}
                names = get_schema(resource.type).identifier
                found.add(make_key(resource.type, {name: str(known.get(name, "")) for name in names}))
    return frozenset(found)
