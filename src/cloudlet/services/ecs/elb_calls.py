"""Calls of Elastic Load Balancing for a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cloudlet.core import Arn
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.ecs.service_record import Service

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

BLOCK: Final = "elbv2"
GONE: Final = ("TargetGroupNotFoundException", "RuleNotFoundException", "ListenerNotFoundException")
"""The errors for what was deleted."""
_SESSION: Final = "ecs-service-scheduler"
_BY: Final = "ecs.amazonaws.com"


async def call(
    block: Block, service: Service, operation: str, params: dict[str, Any], *, role: str = ""
) -> dict[str, Any]:
    """Call by a role, by that of the service, or as ECS itself. Raises AwsError."""
    role = role or service.options.get("role") or ""
    place: dict[str, Any] = {"account": service.account, "region": service.region}
    if not role:
        return dict(await block.call(BLOCK, operation, params, **place) or {})
    session = make_session(make_role_arn(service, role), _SESSION, by=_BY)
    return dict(await block.cloud.call(BLOCK, operation, params, principal=session, **place) or {})


def make_role_arn(service: Service, role: str) -> str:
    """Return the ARN of a role by that, or by its path and name."""
    if role.startswith("arn:"):
        return role
    return str(Arn(partition_of(service.region), "iam", "", service.account, f"role/{role.removeprefix('/')}"))
