"""The network interfaces of load balancers, one a subnet, and their reconciler.

Amazon EC2 has them.
What is there is asked of EC2 each time, by the description, so that a step can be repeated wherever it was killed.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.elbv2 import network_changes, states
from cloudlet.services.elbv2.balancer_record import LoadBalancer, Placement
from cloudlet.services.elbv2.storing import LOAD_BALANCERS

_LOOK_SECONDS: Final = 0.05
_READY: Final = ("available", "in-use")


async def _reconcile(block: Block, key: Key) -> float | None:
    """Have the interfaces of a load balancer, or of one that was deleted none."""
    account, region, name = key
    found = await block.store.transact(lambda tx: LOAD_BALANCERS.find(tx, account, region, name))
    filters = [{"Name": "description", "Values": [f"ELB {name}"]}]
    listed = await _call(block, key, "DescribeNetworkInterfaces", {"Filters": filters})
    there = {each["SubnetId"]: each for each in listed["NetworkInterfaces"]}
    wanted = {} if found is None else {each.subnet: each for each in found.placements}
    stale = [each["NetworkInterfaceId"] for subnet, each in there.items() if subnet not in wanted]
    if found is None:
        await _delete_all(block, key, stale)
        return None
    failure = ""
    try:
        for subnet, placement in wanted.items():
            await _provide(block, key, found, placement, there.get(subnet))
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        failure = f"A network interface could not be created: {error.message}"
    # The new ones come first: Envoy is where they are, which ends with the last one.
    await _delete_all(block, key, stale)
    if failure:
        await block.store.transact(lambda tx: record_refusal(tx, account, region, name, found.arn, failure))
        return None
    listed = await _call(block, key, "DescribeNetworkInterfaces", {"Filters": filters})
    made = {each["SubnetId"]: each for each in listed["NetworkInterfaces"] if each["Status"] in _READY}
    if not wanted.keys() <= made.keys():
        return _LOOK_SECONDS
    await block.store.transact(lambda tx: _save(tx, found, made))
    return None


async def _provide(
    block: Block, key: Key, found: LoadBalancer, placement: Placement, interface: dict[str, Any] | None
) -> None:
    """Make the interface of a subnet, or give it its security groups."""
    if interface is None:
        given: dict[str, Any] = {
            "SubnetId": placement.subnet,
            "Description": f"ELB {found.name}",
            "ClientToken": f"{found.id}-{placement.subnet}",
            "Groups": list(found.security_groups),
        }
        if placement.wanted_address:
            given["PrivateIpAddress"] = placement.wanted_address
        interface = (await _call(block, key, "CreateNetworkInterface", given))["NetworkInterface"]
    name = interface["NetworkInterfaceId"]
    groups = {each["GroupId"] for each in interface["Groups"]}
    if groups != set(found.security_groups):
        change = {"NetworkInterfaceId": name, "Groups": list(found.security_groups)}
        await _call(block, key, "ModifyNetworkInterfaceAttribute", change)
    if found.scheme == "internal" or interface.get("Association"):
        return
    if placement.allocation:
        associated = {"AllocationId": placement.allocation, "NetworkInterfaceId": name, "AllowReassociation": False}
        await _call(block, key, "AssociateAddress", associated)
    else:
        public = {"NetworkInterfaceId": name, "AssociatePublicIpAddress": True}
        await _call(block, key, "ModifyNetworkInterfaceAttribute", public)


async def _delete_all(block: Block, key: Key, names: list[str]) -> None:
    for name in names:
        try:
            await _call(block, key, "DeleteNetworkInterface", {"NetworkInterfaceId": name})
        except AwsError as error:
            if error.code != "InvalidNetworkInterfaceID.NotFound":
                raise


async def _call(block: Block, key: Key, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    account, region, _ = key
    return dict(await block.call("ec2", operation, params, account=account, region=region) or {})


async def _save(tx: Transaction, before: LoadBalancer, made: dict[str, dict[str, Any]]) -> None:
    """Write down the interfaces of a load balancer, whose proxy is told of them."""
    found = await LOAD_BALANCERS.find(tx, before.account, before.region, before.name)
    if found is None:
        return
    placements = tuple(
        replace(
            each,
            interface=made[each.subnet]["NetworkInterfaceId"],
            address=made[each.subnet]["PrivateIpAddress"],
            public_address=(made[each.subnet].get("Association") or {}).get("PublicIp", ""),
        )
        if each.subnet in made
        else each
        for each in found.placements
    )
    refusals = {arn: text for arn, text in found.refusals.items() if arn != found.arn}
    state = states.PROVISIONING if found.state == states.FAILED and not refusals else found.state
    LOAD_BALANCERS.save(tx, replace(found, placements=placements, refusals=refusals, state=state))
    network_changes.request(tx, found.account, found.region, found.vpc)


async def record_refusal(tx: Transaction, account: str, region: str, name: str, arn: str, text: str) -> None:
    """Write down why something of a load balancer was refused; "" where it was taken."""
    found = await LOAD_BALANCERS.find(tx, account, region, name)
    if found is None:
        return
    refusals = {key: each for key, each in found.refusals.items() if key != arn}
    if text:
        refusals[arn] = text
    # What is said of one listener alone does not mean that the load balancer is served.
    is_told = bool(refusals) or arn == found.arn or found.state == states.ACTIVE_IMPAIRED
    state = states.find_state(found.state, bool(refusals)) if is_told else found.state
    if (state, refusals) != (found.state, found.refusals):
        LOAD_BALANCERS.save(tx, replace(found, state=state, refusals=refusals))


RECONCILER: Final = Reconciler("reconcile-interfaces", _reconcile)


def request(tx: Transaction, found: LoadBalancer) -> None:
    """Have the interfaces of a load balancer made, changed or deleted."""
    RECONCILER.request(tx, found.account, found.region, found.name)


def get_reason(found: LoadBalancer) -> str:
    """Return the reason of the state of a load balancer; "" where all is well."""
    return next(iter(found.refusals.values()), "")
