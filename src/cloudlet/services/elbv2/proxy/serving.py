"""Envoys that serve the load balancers of VPCs, each those of one.

The keeper runs them. A block that is killed finds them running when it comes back. What an Envoy is to be is made anew
of the records.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from cloudlet.core.background.jobs import best_effort
from cloudlet.core.kernel.timing import sleep_until
from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.program import EnvoyMissingError
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.services.elbv2 import ending, machine_addresses, network_changes, views
from cloudlet.services.elbv2.block import service
from cloudlet.services.elbv2.ending import EndedTarget
from cloudlet.services.elbv2.proxy import (
    address_changes,
    balancing,
    health_reports,
    log_files,
    network_listeners,
    refusals,
    user_claims,
)
from cloudlet.services.elbv2.proxy.forwarding import list_listener_groups
from cloudlet.services.elbv2.proxy.proxies import PROXIES, EnvoyProcess, Proxies, ServedVpc, VpcKey
from cloudlet.services.elbv2.proxy.view import View

if TYPE_CHECKING:
    from cloudlet.core import Transaction
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.elbv2")

_APPLY_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.2
_NO_NETWORK: Final = "UnknownNetwork"
_BIND_ATTEMPTS: Final = 5
_MINUTE: Final = 60


async def reconcile(block: Block, key: VpcKey) -> float | None:
    """Have an Envoy serve the load balancers of a VPC as their records say."""
    proxies = PROXIES.get(block)
    # Those that are noted after the view was read are in it still: the next step ends their connections.
    ended = await ending.list_ended(block, key)
    view = await views.load_view(block, key)
    if not view.load_balancers:
        await _end(block, proxies, key)
        return None
    served = await proxies.serve(key)
    try:
        await _set_endpoints(block, proxies, served, view)
        if served.loses(view):
            await _measure(block, proxies, served)
        moved = address_changes.list_moved(served.view, view)
        proxies.set_view(served, _add_ports(view, served.ports), moved)
        for each in served.envoys:
            await _run(proxies, served, each)
        await balancing.apply(proxies, served)
    except EnvoyMissingError as error:
        await refusals.record_all(block, view, str(error))
        return None
    except KeeperError as error:
        if not str(error).startswith(_NO_NETWORK):
            raise
        # Amazon EC2 is about to make it.
        return _LOOK_SECONDS
    nodes = [each.node for each in served.envoys if each.is_wanted]
    is_applied = await _bind(proxies, served, nodes, moved)
    # Where listeners are on this machine shows once Envoy has asked for them.
    if served.set_ports(await _find_ports(proxies, view)):
        proxies.set_view(served, _add_ports(view, served.ports))
        is_applied = await _wait_until_applied(proxies, nodes)
    refused = _list_refusals(proxies, nodes)
    if refused or is_applied:
        await refusals.record(block, view, refused)
        await _end_connections(block, proxies, view, ended)
    await health_reports.record(block, served, view.target_groups)
    await health_reports.record_unchecked(block, view)
    if address_changes.list_unbound(view, refused):
        return _APPLY_SECONDS
    return None if is_applied else _LOOK_SECONDS


def _list_refusals(proxies: Proxies, nodes: list[str]) -> list[str]:
    return [text for each in nodes for text in proxies.server.list_refusals(each).values()]


async def _bind(proxies: Proxies, served: ServedVpc, nodes: list[str], left_out: set[str]) -> bool:
    """Have listeners that were left out, and once more those that lack an address. Return whether all is applied."""
    is_applied = await _wait_until_applied(proxies, nodes)
    for _ in range(_BIND_ATTEMPTS):
        if left_out:
            proxies.set_view(served, served.view)
            is_applied = await _wait_until_applied(proxies, nodes)
        left_out = address_changes.list_unbound(served.view, _list_refusals(proxies, nodes))
        if not left_out:
            break
        proxies.set_view(served, served.view, left_out)
        await _wait_until_applied(proxies, nodes)
        await asyncio.sleep(_LOOK_SECONDS)
    else:
        proxies.set_view(served, served.view)
        is_applied = await _wait_until_applied(proxies, nodes)
    return is_applied


async def _wait_until_applied(proxies: Proxies, nodes: list[str]) -> bool:
    return all([await proxies.server.wait_until_applied(each, _APPLY_SECONDS) for each in nodes])


async def _find_ports(proxies: Proxies, view: View) -> dict[str, dict[int, int]]:
    """Return the ports that listeners have on this machine, where they are others, by addresses."""
    found: dict[str, dict[int, int]] = {}
    for each in view.load_balancers:
        address = each.machine_address
        ports = [listener.description["Port"] for listener in each.listeners if address]
        moved = [(port, await proxies.keeper.call("find_endpoint_port", address=address, port=port)) for port in ports]
        if others := {port: real for port, real in moved if real not in (None, port)}:
            found[address] = others
    return found


def _add_ports(view: View, ports: dict[str, dict[int, int]]) -> View:
    """Return a view with the ports that listeners have on this machine."""
    balancers = (replace(each, machine_ports=ports.get(each.machine_address, {})) for each in view.load_balancers)
    return replace(view, load_balancers=tuple(balancers))


async def _set_endpoints(block: Block, proxies: Proxies, served: ServedVpc, view: View) -> None:
    """Have the addresses of load balancers on this machine lead to them."""
    await _remove_endpoints(block, proxies, served.key)
    for each in view.load_balancers:
        address = each.machine_address
        if not address or not each.addresses:
            continue
        is_public = each.description.get("Scheme") == "internet-facing"
        target = {"network": served.key[2], "target": each.addresses[0]}
        await proxies.keeper.call("set_endpoint", address=address, is_public=is_public, **target)
        if not each.is_application:
            ports = [one.description["Port"] for one in each.listeners if network_listeners.has_datagrams(one)]
            await proxies.keeper.call("take_datagrams", address=address, ports=ports)


async def _remove_endpoints(block: Block, proxies: Proxies, key: VpcKey) -> None:
    """Have the addresses of load balancers that were deleted lead nowhere."""
    left = await machine_addresses.list_left(block, key)
    for each in left:
        await proxies.keeper.call("remove_endpoint", address=each)
    await machine_addresses.release(block, key, left)


async def _end_connections(block: Block, proxies: Proxies, view: View, ended: list[EndedTarget]) -> None:
    """End connections to targets whose deregistration delay has ended."""
    for each in ended:
        place = {"address": each.address, "port": each.port}
        sources = _list_sources(view, each)
        if len(sources) == len(view.load_balancers):
            await proxies.keeper.call("forget_flows", network=view.vpc, **place)
        if sources:
            await proxies.keeper.call("end_connections", network=view.vpc, sources=sources, **place)
    if ended:
        await ending.forget(block, (view.account, view.region, view.vpc), ended)


def _list_sources(view: View, ended: EndedTarget) -> list[str]:
    """Return the addresses of load balancers whose connections to a target are to end.

    Some may use it still, by another target group.
    """
    found = []
    for balancer in view.load_balancers:
        arns = {arn for listener in balancer.listeners for arn in list_listener_groups(listener)}
        groups = [group for arn in arns if (group := view.target_groups.get(arn)) is not None]
        places = {(target.address, target.port) for group in groups for target in group.targets}
        if balancer.addresses and (ended.address, ended.port) not in places:
            found.append(balancer.addresses[0])
    return found


async def _run(proxies: Proxies, served: ServedVpc, envoy: EnvoyProcess) -> None:
    """Have an Envoy run if it is wanted. Raises EnvoyMissingError, KeeperError and OSError."""
    call = proxies.keeper.call
    containers = (await call("describe"))["containers"]
    is_known = envoy.container in containers
    is_running = is_known and containers[envoy.container] is None
    if is_running and not envoy.is_wanted:
        with suppress(KeeperError):
            await call("kill", name=envoy.container)
    elif is_known and not is_running:
        await call("forget", name=envoy.container)
    if is_running or not envoy.is_wanted:
        return
    await asyncio.to_thread(program.prepare_folder, envoy.folder)
    await asyncio.to_thread(envoy.readings.forget)
    takes = not envoy.has_datagrams
    describe = partial(program.describe, has_machine_sockets=takes)
    spec = await asyncio.to_thread(describe, envoy.folder, envoy.node, served.key[2], "")
    if takes:
        await call("hand_over_sockets", folder=str(envoy.shared))
    await call("run", name=envoy.container, spec=msgspec.to_builtins(spec))


async def _end(block: Block, proxies: Proxies, key: VpcKey) -> None:
    """Have no Envoy for a VPC any more."""
    served = await proxies.serve(key)
    await _measure(block, proxies, served)
    for each in served.envoys:
        each.is_wanted = False
        await _run(proxies, served, each)
    served.set_view(View(*key))
    await balancing.apply(proxies, served)
    if ended := await ending.list_ended(block, key):
        await ending.forget(block, key, ended)
    await _remove_endpoints(block, proxies, key)
    await proxies.stop(key)


async def _measure(block: Block, proxies: Proxies, served: ServedVpc) -> None:
    await best_effort(block, f"metrics of {served.key[2]}", partial(proxies.measure, served))


async def _request_all(tx: Transaction, keys: list[VpcKey]) -> None:
    for key in keys:
        network_changes.request(tx, *key)


@service.job
async def watch_envoys(block: Block) -> None:
    """Have all VPCs served at the start, and where an Envoy has ended."""
    proxies = PROXIES.get(block)
    try:
        while True:
            proxies.ended.clear()
            keys = await views.list_vpcs(block)
            await block.store.transact(partial(_request_all, keys=keys))
            await proxies.ended.wait()
    finally:
        await proxies.close()


@service.job
async def follow_health(block: Block) -> None:
    """Write down what health checks find, as Envoys tell."""
    proxies = PROXIES.get(block)
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        for served in list(proxies.served.values()):
            for envoy in served.envoys:
                follow = partial(health_reports.follow, block, served, envoy)
                await best_effort(block, f"health checks of {envoy.node}", follow)
            if served.balancing:
                await best_effort(block, f"targets of {served.key[2]}", partial(balancing.apply, proxies, served))


@service.job
async def report_traffic(block: Block) -> None:
    """Send metrics each minute, and write logs each five minutes."""
    proxies = PROXIES.get(block)
    while True:
        minute = block.clock.now() // _MINUTE
        await sleep_until(block, (minute + 1) * _MINUTE)
        proxies.measure_hosts(minute * _MINUTE)
        await asyncio.gather(*(_measure(block, proxies, served) for served in list(proxies.served.values())))
        await proxies.meters.report(block)
        if block.clock.now() // log_files.PERIOD_SECONDS != minute * _MINUTE // log_files.PERIOD_SECONDS:
            await proxies.logs.write(block)


@service.page("user-claims-key")
async def show_key(block: Block) -> tuple[str, bytes]:
    """Return the key by which targets verify claims of users, as a page to read."""
    return "application/x-pem-file", user_claims.show_public_key(block).encode()
