"""The request to make the real network of a VPC what its records say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_PATIENCE_SECONDS: Final = 1.0


async def _reconcile(block: Block, key: Key) -> float | None:
    # All records ask for this, and it reads them all.
    from cloudlet.services.ec2 import networks

    return await networks.reconcile(block, key)


NETWORKS: Final = Reconciler("network", _reconcile, patience_seconds=_PATIENCE_SECONDS)


def request(tx: Transaction, account: str, region: str, vpc: str) -> None:
    """Have the network of a VPC reconciled."""
    NETWORKS.request(tx, account, region, vpc)
