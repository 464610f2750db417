"""Addresses on this machine that load balancers have.

One of a load balancer that was deleted is free again once it leads nowhere any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.ids import random_below
from cloudlet.engines.network.endpoint_addresses import RANGE
from cloudlet.services.elbv2.balancer_record import LoadBalancer
from cloudlet.services.elbv2.errors import QuotaExcess

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_TAKEN: Final = Subspace("machine-address")
_LEFT: Final = Subspace("left-machine-address")
"""Addresses of load balancers that were deleted, by VPC."""
_TRIES: Final = 100
_MAX_READ_ROWS: Final = 10_000


async def take(tx: Transaction, arn: str) -> str:
    """Return a free address for a load balancer, which has it from now on. Raises QuotaExcess."""
    for _ in range(_TRIES):
        # The last one but one is the machine itself.
        address = str(RANGE[1 + random_below(RANGE.num_addresses - 3)])
        if await tx.get(_TAKEN.key(address)) is None:
            tx.put(_TAKEN.key(address), arn.encode())
            return address
    raise QuotaExcess("TooManyLoadBalancersException", "The machine has no free address for a load balancer.")


def leave(tx: Transaction, found: LoadBalancer) -> None:
    """Have the address of a load balancer that is deleted lead nowhere, and be free."""
    if found.machine_address:
        tx.put(_LEFT.key(found.account, found.region, found.vpc, found.machine_address), b"")


async def list_left(block: Block, key: tuple[str, str, str]) -> list[str]:
    """Return the addresses of load balancers of a VPC that were deleted."""
    space = _LEFT.sub(*key)

    async def read(tx: Transaction) -> list[str]:
        rows = await tx.range(space.begin, space.end, limit=_MAX_READ_ROWS)
        return [str(space.unpack(row)[-1]) for row, _ in rows]

    return await block.store.transact(read)


async def release(block: Block, key: tuple[str, str, str], addresses: Sequence[str]) -> None:
    """Have addresses be free that lead nowhere any more."""
    if addresses:
        await block.store.transact(partial(_release, key=key, addresses=addresses))


async def _release(tx: Transaction, key: tuple[str, str, str], addresses: Sequence[str]) -> None:
    for each in addresses:
        tx.delete(_LEFT.key(*key, each))
        tx.delete(_TAKEN.key(each))
