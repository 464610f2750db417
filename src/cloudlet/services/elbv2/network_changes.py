"""Changes of load balancers, of which the proxy is told.

It serves all those of a VPC together.
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.services.elbv2 import storing
from cloudlet.services.elbv2.group_record import TargetGroup


async def _serve(block: Block, key: Key) -> float | None:
    # It reads the records of all modules that ask for it.
    from cloudlet.services.elbv2.proxy import serving

    return await serving.reconcile(block, (key[0], key[1], key[2]))


RECONCILER: Final = Reconciler("serve-network", _serve)


def request(tx: Transaction, account: str, region: str, vpc: str) -> None:
    """Have the load balancers of a VPC served anew."""
    RECONCILER.request(tx, account, region, vpc)


async def request_by_group(tx: Transaction, group: TargetGroup) -> None:
    """Have the load balancers served anew that use a target group."""
    for name in await storing.list_using_load_balancers(tx, group.arn):
        found = await storing.LOAD_BALANCERS.find(tx, group.account, group.region, name)
        if found is not None:
            request(tx, found.account, found.region, found.vpc)
