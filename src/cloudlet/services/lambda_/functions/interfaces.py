"""The network interfaces of functions in VPCs, made and given up by EC2's API.

Developer guide, "Understanding Hyperplane elastic network interfaces". The first version that needs one
has it made. The last that gives it up has it deleted, once nothing runs there any more.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.lambda_.execution.engine import ENGINE
from cloudlet.services.lambda_.functions import interface_record
from cloudlet.services.lambda_.functions.function import Version
from cloudlet.services.lambda_.functions.interface_record import Connection, Interface, list_connections

_LOOK_SECONDS: Final = 0.02
_LOOK_LATER_SECONDS: Final = 1.0
_QUICK_SECONDS: Final = 5.0
"""The time that an interface takes at most where the machine is well."""
_MAX_PENDING_SECONDS: Final = 120.0
_IN_USE_SECONDS: Final = 0.5
_ERRORS: Final = {
    "InsufficientFreeAddressesInSubnet": "SubnetOutOfIPAddresses",
    "InvalidGroup.NotFound": "InvalidSecurityGroup",
    "InvalidSubnetID.NotFound": "InvalidSubnet",
    "NetworkInterfaceLimitExceeded": "EniLimitExceeded",
}
"""Errors of EC2 → the codes of a function's state."""


async def change(tx: Transaction, user: str, before: Version | None, after: Version | None) -> None:
    """Note which version's connections `user`, an ARN, needs from now on."""
    for connection in interface_record.set_user(tx, user, list_connections(before), list_connections(after)):
        found = await interface_record.find(tx, connection)
        if found is not None and found.error:
            # It is tried again.
            interface_record.save(tx, connection, None)
        INTERFACES.request(tx, *connection)


async def find_missing(tx: Transaction, version: Version) -> Interface | None:
    """Return an interface of a version that is not there, None where all are."""
    for connection in list_connections(version):
        found = await interface_record.find(tx, connection)
        if found is None or not found.is_ready:
            return found or Interface("")
    return None


async def _reconcile(block: Block, key: Key) -> float | None:
    """Do one step for the interface of a connection."""
    connection = Connection(*key)
    user = await block.store.transact(lambda tx: interface_record.find_user(tx, connection))
    interface = await block.store.transact(lambda tx: interface_record.find(tx, connection))
    if user is None:
        return await _give_up(block, connection, interface)
    if interface is None or interface.error:
        interface = await _save(block, connection, _make(block))
    try:
        shown = await _describe(block, connection, interface)
        if shown is None and interface.id:
            await _save(block, connection, _make(block))
            return 0
        shown = shown or await _create(block, connection, interface, user)
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        code = _ERRORS.get(error.code, "InternalError")
        await _save(block, connection, replace(interface, error=code, reason=error.message))
        return None
    is_ready = shown["Status"] == "in-use"
    interface = replace(interface, id=shown["NetworkInterfaceId"], vpc=shown["VpcId"], is_ready=is_ready)
    waited = block.clock.now() - (interface.since or block.clock.now())
    if is_ready or waited < _MAX_PENDING_SECONDS:
        await _save(block, connection, interface)
        return None if is_ready else _LOOK_SECONDS if waited < _QUICK_SECONDS else _LOOK_LATER_SECONDS
    # The machine may not let its user have networks, say.
    await _call(block, connection, "DeleteNetworkInterface", {"NetworkInterfaceId": interface.id})
    reason = f"The network interface {interface.id} was not there in time. The log of Cloudlet says why."
    await _save(block, connection, replace(interface, error="InternalError", reason=reason))
    return None


def _make(block: Block) -> Interface:
    return Interface(uuid4(), since=block.clock.now())


async def _give_up(block: Block, connection: Connection, interface: Interface | None) -> float | None:
    shown = None if interface is None else await _describe(block, connection, interface)
    if shown is not None:
        name = shown["NetworkInterfaceId"]
        if not ENGINE.get(block).pools.leave_network(name):
            return _IN_USE_SECONDS
        await _call(block, connection, "DeleteNetworkInterface", {"NetworkInterfaceId": name})
    await _save(block, connection, None)
    return None if await block.store.transact(lambda tx: interface_record.find_user(tx, connection)) is None else 0


async def _describe(block: Block, connection: Connection, interface: Interface) -> dict[str, Any] | None:
    """Return what EC2 tells of an interface, None where there is none. Raises AwsError."""
    name, value = ("network-interface-id", interface.id) if interface.id else ("description", f"*-{interface.token}")
    params = {"Filters": [{"Name": name, "Values": [value]}]}
    listed = await _call(block, connection, "DescribeNetworkInterfaces", params)
    return next(iter(listed["NetworkInterfaces"]), None)


async def _create(block: Block, connection: Connection, interface: Interface, user: str) -> dict[str, Any]:
    """Have EC2 make an interface, once for a token. Raises AwsError."""
    params = {
        "SubnetId": connection.subnet,
        "Groups": connection.groups.split(","),
        "Description": f"AWS Lambda VPC ENI-{user.split(':')[6]}-{interface.token}",
        "ClientToken": interface.token,
    }
    return dict((await _call(block, connection, "CreateNetworkInterface", params))["NetworkInterface"])


async def _call(block: Block, connection: Connection, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    answer = await block.call("ec2", operation, params, account=connection.account, region=connection.region)
    return dict(answer or {})


async def _save(block: Block, connection: Connection, interface: Interface | None) -> Interface:
    async def body(tx: Transaction) -> None:
        interface_record.save(tx, connection, interface)

    await block.store.transact(body)
    return interface or Interface("")


INTERFACES: Final = Reconciler("network-interfaces", _reconcile)
