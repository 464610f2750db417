"""States of REST APIs' VPC links: a link is available once its load balancer is."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.apigateway.rest import store

PENDING: Final = "PENDING"
_AVAILABLE: Final = "AVAILABLE"
_FAILED: Final = "FAILED"
_LOOK_SECONDS: Final = 0.2


async def _reconcile(block: Block, key: Key) -> float | None:
    account, region, id = key
    link = await block.store.transact(lambda tx: store.find_owned_by(tx, account, region, "VpcLink", id))
    if link is None:
        return None
    arn = link["targetArns"][0]
    wanted = {"LoadBalancerArns": [arn]}
    try:
        found = await block.call("elbv2", "DescribeLoadBalancers", wanted, account=account, region=region)
        state = (found or {})["LoadBalancers"][0]["State"]["Code"]
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        state = "failed"
    if state == "provisioning":
        return _LOOK_SECONDS
    if state == "failed":
        status, message = _FAILED, f"Failed to create the VPC link: there is no load balancer {arn} that serves"
    else:
        status, message = _AVAILABLE, "Your vpc link is ready for use"

    async def change(tx: Transaction) -> None:
        current = await store.find_owned_by(tx, account, region, "VpcLink", id)
        if current is not None:
            changed = {**current, "status": status, "statusMessage": message}
            store.save_owned_by(tx, account, region, "VpcLink", id, changed)

    await block.store.transact(change)
    return None


RECONCILER: Final = Reconciler("rest-vpc-links", _reconcile)
