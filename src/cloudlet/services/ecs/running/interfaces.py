"""Networks of tasks: awsvpc, bridge, host and none.

Developer guide, "Amazon ECS task networking options". An interface is one of Amazon EC2, got by its API.
"""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Network
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import AwsError
from cloudlet.core.aws.interface_names import make_private_name
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.services.ecs import tasks
from cloudlet.services.ecs.running import log_sending, metadata, name_forwarding, ports
from cloudlet.services.ecs.running.failures import StartFailure, TaskFailure
from cloudlet.services.ecs.running.runner import Runner, find_network_name, make_container_name
from cloudlet.services.ecs.task_record import Task, TaskContainer
from cloudlet.services.ecs.task_shape import make_runtime_id

_BRIDGE: Final = IPv4Network("172.17.0.0/16")
_FIRST_HOST: Final = 2
_DNS_PORT: Final = 53
_LOOK_SECONDS: Final = 0.03
_BRIDGES: Final = PerBlock(lambda block: asyncio.Lock())


class Place(NamedTuple):
    """The network of a container: one of the keeper, the machine's own (empty), or none."""

    hostname: str
    network: str = ""
    interface: str = ""
    address: str = ""
    has_no_network: bool = False
    resolvers: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()


async def provide(runner: Runner, task: Task) -> float | bool:
    """Have the network interface of a task. True once it can be used. Raises TaskFailure."""
    if task.network_mode != "awsvpc":
        return True
    try:
        found = await _find_interface(runner, task) or await _create_interface(runner, task)
    except AwsError as error:
        if error.status is None or error.status >= 500:
            raise
        subnet = (task.network.get("subnets") or [""])[0]
        text = f"Unexpected EC2 error while attempting to Create Network Interface in subnet '{subnet}': {error.code}"
        raise TaskFailure(text) from None
    is_ready = found["Status"] in ("available", "in-use")
    interface = {
        **task.interface,
        "id": found["NetworkInterfaceId"],
        "network": found["VpcId"],
        "subnet": found["SubnetId"],
        "address": found.get("PrivateIpAddress") or "",
        "mac": found.get("MacAddress") or "",
        "dns": found.get("PrivateDnsName") or "",
        "status": "ATTACHED" if is_ready else "ATTACHING",
    }
    zone = found.get("AvailabilityZone") or task.availability_zone
    await tasks.change(runner.block, task.key, lambda each: replace(each, interface=interface, availability_zone=zone))
    return True if is_ready else _LOOK_SECONDS


async def _find_interface(runner: Runner, task: Task) -> dict[str, Any] | None:
    if "id" not in task.interface:
        return None
    listed = await _call(runner, task, "DescribeNetworkInterfaces", {"NetworkInterfaceIds": [task.interface["id"]]})
    return next(iter(listed["NetworkInterfaces"]), None)


async def _create_interface(runner: Runner, task: Task) -> dict[str, Any]:
    subnets = task.network.get("subnets") or [""]
    given: dict[str, Any] = {
        "SubnetId": subnets[int(task.id[:8], 16) % len(subnets)],
        "Description": task.arn,
        "ClientToken": task.id,
    }
    if task.network.get("securityGroups"):
        given["Groups"] = task.network["securityGroups"]
    made = dict((await _call(runner, task, "CreateNetworkInterface", given))["NetworkInterface"])
    if task.network.get("assignPublicIp") == "ENABLED":
        public = {"NetworkInterfaceId": made["NetworkInterfaceId"], "AssociatePublicIpAddress": True}
        await _call(runner, task, "ModifyNetworkInterfaceAttribute", public)
    return made


async def take_away(runner: Runner, task: Task) -> float | bool:
    """Give up the network of a task whose containers have ended.

    What they have printed is waited for first, for a while.
    """
    if not await log_sending.finish(runner, task):
        return log_sending.LOOK_SECONDS
    ports.close(runner, task)
    if task.network_mode == "bridge":
        await _leave_bridge(runner, task)
    if task.network_mode == "awsvpc" and task.interface.get("status") != "DELETED":
        await _delete_interface(runner, task)
    return True


async def _delete_interface(runner: Runner, task: Task) -> None:
    interface = task.interface.get("id")
    if interface is None:
        # A process that was killed may have made one, and not have written that down.
        filters = [{"Name": "description", "Values": [task.arn]}]
        listed = (await _call(runner, task, "DescribeNetworkInterfaces", {"Filters": filters}))["NetworkInterfaces"]
        interface = listed[0]["NetworkInterfaceId"] if listed else None
    else:
        metadata.leave_network(runner, task)
    if interface is not None:
        try:
            await _call(runner, task, "DeleteNetworkInterface", {"NetworkInterfaceId": interface})
        except AwsError as error:
            if error.status is None or error.status >= 500 or error.code == "InvalidNetworkInterface.InUse":
                raise
    await tasks.change(
        runner.block, task.key, lambda each: replace(each, interface={**each.interface, "status": "DELETED"})
    )


async def _call(runner: Runner, task: Task, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    answer = await runner.block.call("ec2", operation, params, account=task.account, region=task.region)
    return dict(answer or {})


async def open_place(runner: Runner, task: Task, container: str) -> Place:
    """Return where a container of a task is to be. Raises TaskFailure and KeeperError."""
    found = task.find_container(container)
    runtime = "" if found is None else make_runtime_id(task, found)[:12]
    if task.network_mode == "none":
        return Place(runtime, has_no_network=True)
    if task.network_mode == "host" or found is None:
        return Place("localhost")
    if task.network_mode == "bridge":
        return await _join_bridge(runner, task, found, runtime)
    interface = task.interface
    hostname = interface["dns"] or make_private_name(task.region, interface["address"])
    # The resolver of each VPC is at this address, too (VPC user guide, "Amazon DNS server").
    resolvers = ("169.254.169.253",)
    return Place(hostname, interface["network"], interface["id"], interface["address"], False, resolvers)


async def _join_bridge(runner: Runner, task: Task, container: TaskContainer, hostname: str) -> Place:
    network, interface = find_network_name(task), make_container_name(task, container)
    try:
        async with _BRIDGES.get(runner.block):
            if await runner.keeper.call("make_network", network=network, addresses=str(_BRIDGE)):
                await runner.keeper.call("open_way_out", network=network)
            await _serve_names(runner, network)
            taken = (await runner.keeper.call("describe"))["networks"][network]
            if interface not in taken:
                used = set(taken.values())
                address = next(
                    str(_BRIDGE[number])
                    for number in range(_FIRST_HOST + 1, _BRIDGE.num_addresses)
                    if str(_BRIDGE[number]) not in used
                )
                await runner.keeper.call(
                    "attach", network=network, interface=interface, address=address, subnet=str(_BRIDGE)
                )
                taken[interface] = address
    except KeeperError as error:
        raise StartFailure(container.name, f"the network cannot be had: {error}") from None
    return Place(hostname, network, interface, taken[interface], False, (str(_BRIDGE[_FIRST_HOST]),))


async def _serve_names(runner: Runner, network: str) -> None:
    """Answer queries for names in a bridge network, as long as this process runs."""
    name = f"names of {network}"
    if runner.find_beside(name) is None:
        resolver = str(_BRIDGE[_FIRST_HOST])
        listener = await runner.keeper.call_for_socket(
            "listen", network=network, address=resolver, port=_DNS_PORT, datagrams=True
        )
        runner.go_beside(name, name_forwarding.forward(listener))


async def _leave_bridge(runner: Runner, task: Task) -> None:
    """Give up the interfaces of a task; the network goes with the last one."""
    network = find_network_name(task)
    prefix = make_container_name(task, task.containers[0]).rpartition("/")[0].rpartition("/")[0] + "/"
    async with _BRIDGES.get(runner.block):
        attached = (await runner.keeper.call("describe"))["networks"].get(network)
        if attached is None:
            return
        own = [each for each in attached if each.startswith(prefix)]
        for interface in own:
            await runner.keeper.call("detach", network=network, interface=interface)
        if not attached.keys() - {*own}:
            runner.end_listening(network)
            await runner.keeper.call("remove_network", network=network)
    metadata.leave_network(runner, task)


async def bind_ports(runner: Runner, task: Task, described: dict[str, Any], place: Place) -> list[dict[str, Any]]:
    """Return by which ports of the machine a container is reached. Raises TaskFailure."""
    mappings = described.get("portMappings") or []
    if task.network_mode == "bridge":
        return await ports.open_ports(runner, task, described["name"], mappings, place.network, place.address)
    if task.network_mode == "host":
        return [
            {
                "bindIP": "0.0.0.0",  # noqa: S104 - what programs do
                "containerPort": each["containerPort"],
                "hostPort": each["containerPort"],
                "protocol": each.get("protocol") or "tcp",
            }
            for each in mappings
            if "containerPort" in each
        ]
    return []
