"""Services that manage resources for their users, who do not change these."""

from __future__ import annotations

from cloudlet.core import Context
from cloudlet.services.ec2.errors import ForeignResource
from cloudlet.services.ec2.interface import NetworkInterface


def find_service(ctx: Context) -> str:
    """Return the principal of the service that calls, empty for users."""
    return ctx.principal.arn if ctx.principal.kind == "service" else ""


def check_manager(ctx: Context, interface: NetworkInterface) -> None:
    """Raise AwsError unless the caller may change an interface."""
    if interface.requester and find_service(ctx) != interface.requester:
        raise ForeignResource
