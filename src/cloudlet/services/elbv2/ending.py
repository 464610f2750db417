"""Connections to targets whose deregistration delay has ended.

They are noted with the end, and ended once the proxy makes no new ones. Those of a block that was killed in between are
noted still.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.services.elbv2 import attributes, storing
from cloudlet.services.elbv2.group_record import Target, TargetGroup

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_ENDED: Final = Subspace("ended-target")
"""Targets to which connections are to be ended, by VPC; each leads to its address."""
_MAX_READ_ROWS: Final = 10_000
_TERMINATION: Final = "deregistration_delay.connection_termination.enabled"


class EndedTarget(NamedTuple):
    """A target that is registered no more."""

    group: str
    """The record name of its target group."""
    id: str
    port: int
    address: str


async def note(tx: Transaction, group: TargetGroup, target: Target) -> None:
    """Have connections to a target ended, where its group wants it."""
    known = attributes.list_group_attributes(group.type, group.protocol, group.version)
    # Application Load Balancers end connections always.
    if group.protocol not in ("HTTP", "HTTPS") and attributes.fill(known, group.attributes).get(_TERMINATION) != "true":
        return
    address = await storing.find_address(tx, group, target)
    if address:
        key = _ENDED.key(group.account, group.region, group.vpc, group.name, target.id, target.port)
        tx.put(key, address.encode())


async def list_ended(block: Block, key: tuple[str, str, str]) -> list[EndedTarget]:
    """Return the targets of a VPC that were noted."""
    space = _ENDED.sub(*key)

    async def read(tx: Transaction) -> list[EndedTarget]:
        rows = await tx.range(space.begin, space.end, limit=_MAX_READ_ROWS)
        names = ((*space.unpack(row), raw) for row, raw in rows)
        return [EndedTarget(group, target, port, raw.decode()) for *_, group, target, port, raw in names]

    return await block.store.transact(read)


async def forget(block: Block, key: tuple[str, str, str], ended: list[EndedTarget]) -> None:
    """Forget targets to which no connections are left."""
    await block.store.transact(partial(_forget, key=key, ended=ended))


async def _forget(tx: Transaction, key: tuple[str, str, str], ended: list[EndedTarget]) -> None:
    for each in ended:
        tx.delete(_ENDED.key(*key, each.group, each.id, each.port))
