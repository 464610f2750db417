"""The request to have the load balancers of a VPC served as their records say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_PATIENCE_SECONDS: Final = 2.0


async def _reconcile(block: Block, key: Key) -> float | None:
    # All records ask for this, and it reads them all.
    from cloudlet.services.elbv2.proxy import serving

    return await serving.reconcile(block, key)


LOAD_BALANCERS: Final = Reconciler("served-vpc", _reconcile, patience_seconds=_PATIENCE_SECONDS)


def request(tx: Transaction, account: str, region: str, vpc: str) -> None:
    """Have the load balancers of a VPC served anew."""
    LOAD_BALANCERS.request(tx, account, region, vpc)
