"""Rules of ports between resources.

Where something has several listeners, what leads to it must name one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from cloudlet.core import Transaction
from cloudlet.services.appmesh import storing
from cloudlet.services.appmesh.errors import BadRequest
from cloudlet.services.appmesh.kinds import (
    ROUTE,
    VIRTUAL_GATEWAY,
    VIRTUAL_NODE,
    VIRTUAL_ROUTER,
    VIRTUAL_SERVICE,
    Spec,
    get_route,
)
from cloudlet.services.appmesh.resource_record import Place, Resource

_NO_PORT: Final = "Route must define a port match criteria if the Virtual Router has multiple listeners"


def get_listeners(spec: Spec) -> dict[int, str]:
    """Return the protocols of listeners by their ports."""
    mappings = [each["portMapping"] for each in spec.get("listeners") or ()]
    return {each["port"]: each["protocol"] for each in mappings}


async def check_ports(tx: Transaction, place: Place, spec: Spec) -> None:
    """Raise BadRequest where the ports of a specification and of others do not fit."""
    check = _CHECKS.get(place.kind)
    if check is not None:
        await check(tx, place, spec)


def _find_sibling(place: Place, kind: str, name: str) -> Place:
    return Place(place.account, place.region, place.mesh, kind, "", name)


def _check_match(match: Mapping[str, Any], listeners: Mapping[int, str], route: str, what: str) -> None:
    port = match.get("port")
    if port is None and len(listeners) > 1:
        raise BadRequest(_NO_PORT if what == "Virtual Router" else _NO_PORT.replace("Virtual Router", what))
    if port is not None and port not in listeners:
        raise BadRequest(f"The {what} has no listener with the port {port}.")
    protocols = set(listeners.values()) if port is None else {listeners[port]}
    if protocols and (route == "tcpRoute") != (protocols == {"tcp"}):
        raise BadRequest(f"A {route} cannot be used with the protocol {protocols.pop()} of the {what}'s listener.")


def _check_target(port: int | None, listeners: Mapping[int, str], what: str) -> None:
    if port is None and len(listeners) > 1:
        raise BadRequest(f"A target must define a port if the {what} has multiple listeners")
    if port is not None and port not in listeners:
        raise BadRequest(f"The {what} has no listener with the port {port}.")


async def _check_route(tx: Transaction, place: Place, spec: Spec) -> None:
    name, route = get_route(spec)
    router = await storing.get(tx, _find_sibling(place, VIRTUAL_ROUTER.title, place.owner))
    _check_match(route.get("match") or {}, get_listeners(router.spec), name, "Virtual Router")
    for target in route["action"]["weightedTargets"]:
        node = await storing.get(tx, _find_sibling(place, VIRTUAL_NODE.title, target["virtualNode"]))
        _check_target(target.get("port"), get_listeners(node.spec), f"Virtual Node {node.place.name}")


async def _check_gateway_route(tx: Transaction, place: Place, spec: Spec) -> None:
    name, route = get_route(spec)
    gateway = await storing.get(tx, _find_sibling(place, VIRTUAL_GATEWAY.title, place.owner))
    _check_match(route["match"], get_listeners(gateway.spec), name, "Virtual Gateway")
    target = route["action"]["target"]
    service = _find_sibling(place, VIRTUAL_SERVICE.title, target["virtualService"]["virtualServiceName"])
    listeners = await _find_provider_listeners(tx, await storing.get(tx, service))
    if listeners is not None:
        _check_target(target.get("port"), listeners, f"provider of the Virtual Service {service.name}")


async def _find_provider_listeners(tx: Transaction, service: Resource) -> dict[int, str] | None:
    for title, name in VIRTUAL_SERVICE.list_references(service.spec):
        provider = await storing.get(tx, _find_sibling(service.place, title, name))
        return get_listeners(provider.spec)
    return None


async def _check_router(tx: Transaction, place: Place, spec: Spec) -> None:
    """Check the routes of a router whose listeners change."""
    listeners = get_listeners(spec)
    for route in await storing.list_resources(tx, place, ROUTE, place.name):
        name, said = get_route(route.spec)
        match = said.get("match") or {}
        if match.get("port") is None and len(listeners) > 1:
            raise BadRequest(
                "All Routes for this Virtual Router must define a port match criteria"
                " if the Virtual Router has multiple listeners"
            )
        _check_match(match, listeners, name, "Virtual Router")


async def _check_node(tx: Transaction, place: Place, spec: Spec) -> None:
    """Check the routes to a node whose listeners change."""
    listeners = get_listeners(spec)
    for referrer in await storing.list_referrers(tx, place):
        if referrer.kind == ROUTE.title:
            route = await storing.get(tx, referrer)
            for target in get_route(route.spec)[1]["action"]["weightedTargets"]:
                if target["virtualNode"] == place.name:
                    _check_target(target.get("port"), listeners, f"Virtual Node {place.name}")


_CHECKS: Final[Mapping[str, Callable[[Transaction, Place, Spec], Awaitable[None]]]] = {
    "Route": _check_route,
    "GatewayRoute": _check_gateway_route,
    "VirtualRouter": _check_router,
    "VirtualNode": _check_node,
}
