"""The rules for the network configuration of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params
from cloudlet.services.ecs import errors
from cloudlet.services.ecs.definition_record import Definition

_MAX_SUBNETS: Final = 16
_MAX_GROUPS: Final = 5


def check_network(definition: Definition, network: Mapping[str, Any] | None, launch_type: str = "") -> None:
    """Raise InvalidParameterException unless a network configuration goes with a task definition."""
    configuration = (network or {}).get("awsvpcConfiguration")
    if definition.network_mode != "awsvpc":
        if configuration is not None:
            raise errors.InvalidParameter(
                "Network Configuration is not valid for the given networkMode of this task definition."
            )
        return
    if configuration is None:
        raise errors.InvalidParameter("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if not configuration["subnets"]:
        raise errors.InvalidParameter("subnets can not be empty.")
    if len(configuration["subnets"]) > _MAX_SUBNETS:
        raise errors.InvalidParameter(f"subnets can have at most {_MAX_SUBNETS} items.")
    if len(configuration.get("securityGroups") or ()) > _MAX_GROUPS:
        raise errors.InvalidParameter(f"securityGroups can have at most {_MAX_GROUPS} items.")
    if launch_type == "EC2" and configuration.get("assignPublicIp") == "ENABLED":
        raise errors.InvalidParameter("Assign public IP is not supported for this launch type.")


async def check_subnets(ctx: Context, params: Params) -> None:
    """Raise InvalidParameterException for subnets that Amazon EC2 does not have."""
    network = (params.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if not network or not network["subnets"] or not ctx.block.cloud.has("ec2"):
        return
    try:
        await ctx.call("ec2", "DescribeSubnets", {"SubnetIds": network["subnets"]})
    except AwsError as error:
        if error.status is None or error.status >= 500:
            raise
        named = ", ".join(network["subnets"])
        text = f"Error retrieving subnet information for [{named}]: {error.message} (ErrorCode: {error.code})"
        raise errors.InvalidParameter(text) from None
