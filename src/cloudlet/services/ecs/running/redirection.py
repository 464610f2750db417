"""The redirection of a task's traffic to the proxy among its containers, by packet filters.

App Mesh user guide, "Proxy configuration"; what AWS's `ecs-appmesh` plugin does by iptables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cloudlet.engines.containers import users
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.services.ecs import proxy_rules
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.running import mesh_envoys
from cloudlet.services.ecs.running.failures import InitializationFailure
from cloudlet.services.ecs.running.runner import Runner
from cloudlet.services.ecs.task_record import Task

_TABLE: Final = "table ip appmesh"
_OWN: Final = "169.254.0.0/16"
"""Metadata, names, and Cloudlet's own endpoint."""


async def provide(runner: Runner, task: Task, definition: Definition) -> None:
    """Redirect the traffic of a task, if it is to be. Raises TaskFailure."""
    configuration = definition.shape.get("proxyConfiguration")
    if configuration is None:
        return
    proxy = next(each for each in definition.containers if each["name"] == configuration["containerName"])
    if not users.have_ranges() and not mesh_envoys.is_envoy(proxy):
        raise InitializationFailure("a proxy needs a user of its own, which containers of an ordinary user do not have")
    rules = write_rules(proxy_rules.read_properties(configuration))
    network, interface = task.interface["network"], task.interface["id"]
    try:
        await runner.keeper.call("filter", network=network, interface=interface, commands=rules)
    except KeeperError as error:
        raise InitializationFailure(f"the traffic of the task cannot be redirected: {error}") from None


def write_rules(properties: Mapping[str, list[str]]) -> str:
    """Return the commands for packet filters. What the proxy sends by itself goes on."""
    ids = [
        f"meta {kind} {users.to_machine(int(value))} accept"
        for name, kind in (("IgnoredUID", "skuid"), ("IgnoredGID", "skgid"))
        for value in properties.get(name, ())
    ]
    if not users.have_ranges():
        # All containers have one user: our own Envoy marks its connections.
        ids = [f"ip dscp {mesh_envoys.CODE_POINT} accept"]
    ports = ", ".join(properties.get("EgressIgnoredPorts", ()))
    outgoing = [
        "type nat hook output priority -100",
        *ids,
        "fib daddr type local accept",
        *(f"ip daddr {each} accept" for each in (_OWN, *properties.get("EgressIgnoredIPs", ()))),
        *([f"tcp dport {{ {ports} }} accept"] if ports else []),
        f"ip protocol tcp redirect to :{properties['ProxyEgressPort'][0]}",
    ]
    incoming = [
        "type nat hook prerouting priority -100",
        f"tcp dport {{ {', '.join(properties['AppPorts'])} }} redirect to :{properties['ProxyIngressPort'][0]}",
    ]
    chains = "".join(
        f"chain {name} {{\n{chr(10).join(rules)}\n}}\n" for name, rules in (("out", outgoing), ("before", incoming))
    )
    return f"{_TABLE}\ndelete {_TABLE}\n{_TABLE} {{\n{chains}}}\n"
