"""Gateways and their routes as answers have them."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Transaction
from cloudlet.services.ecs.ingress_record import Route


async def describe_connection(tx: Transaction, route: Route) -> dict[str, Any]:
    """Return the connection of a service with a gateway."""
    return {}
