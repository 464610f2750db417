"""Changes of the load balancers of gateways. Express Mode's have none."""

from __future__ import annotations

from typing import Any

from cloudlet.services.ecs.ingress_calls import Calling
from cloudlet.services.ecs.ingress_record import Balancer


async def change(calling: Calling, found: Balancer) -> dict[str, Any] | None:
    """Have a load balancer as its gateway wants it; return what was changed, or None."""
    return None


async def unprotect(calling: Calling, found: Balancer) -> None:
    """Let a load balancer be deleted. Raises AwsError."""
