"""Load balancers that ECS makes, and the routes through them: written and found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.ecs.ingress_record import Balancer, Group, Route

_BALANCERS: Final = Subspace("ingress-balancer")
_ROUTES: Final = Subspace("ingress-route")
_MAX_ROWS: Final = 1000
"""More rows than an account has load balancers, or a service routes."""
_encode = msgspec.msgpack.Encoder().encode
decode_balancer: Final = msgspec.msgpack.Decoder(Balancer).decode
decode_route: Final = msgspec.msgpack.Decoder(Route).decode
_ServiceKey = tuple[str, str, str, str]


def get_route_space(account: str, region: str) -> Subspace:
    """Return the subspace of routes, by cluster, service and id."""
    return _ROUTES.sub(account, region)


async def find_balancer(tx: Transaction, account: str, region: str, id: str) -> Balancer | None:
    """Return a load balancer, or None."""
    raw = await tx.get(_BALANCERS.key(account, region, id))
    return None if raw is None else decode_balancer(raw)


def save_balancer(tx: Transaction, balancer: Balancer) -> None:
    """Write a load balancer."""
    tx.put(_BALANCERS.key(*balancer.key), _encode(balancer))


def remove_balancer(tx: Transaction, balancer: Balancer) -> None:
    """Forget a load balancer."""
    tx.delete(_BALANCERS.key(*balancer.key))


async def list_balancers(tx: Transaction, account: str, region: str, gateway: str) -> list[Balancer]:
    """Return the load balancers of a gateway, or of Express Mode."""
    space = _BALANCERS.sub(account, region)
    found = [decode_balancer(raw) for _, raw in await tx.range(space.begin, space.end, limit=_MAX_ROWS)]
    return [each for each in found if each.gateway == gateway]


async def find_route(tx: Transaction, key: tuple[str, str, str, str, str]) -> Route | None:
    """Return a route, or None."""
    raw = await tx.get(_ROUTES.key(*key))
    return None if raw is None else decode_route(raw)


def save_route(tx: Transaction, route: Route) -> None:
    """Write a route."""
    tx.put(_ROUTES.key(*route.key), _encode(route))


async def list_routes(tx: Transaction, key: _ServiceKey) -> list[Route]:
    """Return the routes to a service."""
    space = _ROUTES.sub(*key)
    return [decode_route(raw) for _, raw in await tx.range(space.begin, space.end, limit=_MAX_ROWS)]


def make_group(port: int, check: Mapping[str, Any]) -> Group:
    """Return a target group that is not made yet."""
    return Group(random_bytes(9).hex()[:17], port, dict(check))


def remove_route(tx: Transaction, route: Route) -> None:
    """Forget a route."""
    tx.delete(_ROUTES.key(*route.key))
