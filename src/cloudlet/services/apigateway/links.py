"""VPC links of HTTP APIs: network interfaces in a VPC, for private integrations.

Developer guide, "Set up VPC links V2 in API Gateway".
"""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.documents import Document, decode, encode

MOST = 10
PENDING: Final = "PENDING"
AVAILABLE: Final = "AVAILABLE"
FAILED: Final = "FAILED"
_LINKS = Subspace("link")
_LOOK_SECONDS: Final = 0.05
_DESCRIPTION: Final = "VPC Link Interface"
_OWN: Final = ("Interfaces", "Vpc")
"""The members that the API does not show."""


def of_account(account: str, region: str) -> Subspace:
    return _LINKS.sub(account, region)


async def get(ctx: Context, tx: Transaction, id: str) -> Document:
    """Return a VPC link of the caller's. Raises NotFoundException."""
    found = await find(tx, ctx.account, ctx.region, id)
    if found is None:
        raise errors.no_such("VpcLink", id)
    return found


async def find(tx: Transaction, account: str, region: str, id: str) -> Document | None:
    """Return a VPC link, or None."""
    raw = await tx.get(of_account(account, region).key(id))
    return None if raw is None else decode(raw)


def save(ctx: Context, tx: Transaction, link: Document) -> None:
    tx.put(of_account(ctx.account, ctx.region).key(link["VpcLinkId"]), encode(link))
    RECONCILER.request(tx, ctx.account, ctx.region, link["VpcLinkId"])


def remove(ctx: Context, tx: Transaction, id: str) -> None:
    tx.delete(of_account(ctx.account, ctx.region).key(id))
    RECONCILER.request(tx, ctx.account, ctx.region, id)


def to_api(link: Document) -> Document:
    """Return a VPC link as the API has it."""
    return {name: value for name, value in link.items() if name not in _OWN}


async def _reconcile(block: Block, key: Key) -> float | None:
    """Have the network interfaces of a link, or of one that was deleted none."""
    account, region, id = key
    link = await block.store.transact(lambda tx: find(tx, account, region, id))
    filters = [{"Name": "description", "Values": [f"{_DESCRIPTION} {id}"]}]
    listed = await _call(block, key, "DescribeNetworkInterfaces", {"Filters": filters})
    there = {each["SubnetId"]: each for each in listed["NetworkInterfaces"]}
    if link is None:
        for each in there.values():
            await _call(block, key, "DeleteNetworkInterface", {"NetworkInterfaceId": each["NetworkInterfaceId"]})
        return None
    try:
        for subnet in link["SubnetIds"]:
            if subnet not in there:
                there[subnet] = await _create(block, key, link, subnet)
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        await _change(block, key, {"VpcLinkStatus": FAILED, "VpcLinkStatusMessage": error.message})
        return None
    if any(each["Status"] not in ("available", "in-use") for each in there.values()):
        return _LOOK_SECONDS
    interfaces = [each["NetworkInterfaceId"] for each in there.values()]
    vpc = next(iter(there.values()))["VpcId"]
    state = {"VpcLinkStatus": AVAILABLE, "VpcLinkStatusMessage": "VPC link is ready to route traffic"}
    await _change(block, key, {**state, "Interfaces": interfaces, "Vpc": vpc})
    return None


async def _create(block: Block, key: Key, link: Document, subnet: str) -> dict[str, Any]:
    given: dict[str, Any] = {
        "SubnetId": subnet,
        "Description": f"{_DESCRIPTION} {link['VpcLinkId']}",
        "ClientToken": f"{link['VpcLinkId']}-{subnet}",
    }
    if link["SecurityGroupIds"]:
        given["Groups"] = link["SecurityGroupIds"]
    return dict((await _call(block, key, "CreateNetworkInterface", given))["NetworkInterface"])


async def _call(block: Block, key: Key, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    account, region, _ = key
    return dict(await block.call("ec2", operation, params, account=account, region=region) or {})


async def _change(block: Block, key: Key, changes: dict[str, Any]) -> None:
    account, region, id = key

    async def change(tx: Transaction) -> None:
        link = await find(tx, account, region, id)
        if link is not None:
            tx.put(of_account(account, region).key(id), encode({**link, **changes}))

    await block.store.transact(change)


RECONCILER: Final = Reconciler("vpc-links", _reconcile)
