"""The rules for gateways: what requests may ask for.

API reference, CreateGateway and UpdateGateway; the pattern of names is CloudFormation's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params
from cloudlet.services.ecs import errors
from cloudlet.services.ecs.gateway_changing import PORT

NAME: Final = re.compile(r"[A-Za-z0-9-]{1,255}", re.ASCII)
MAX_BALANCERS: Final = 10
"""The load balancers of a gateway, where a request says nothing else."""
_SETTINGS: Final = ("accessLogs", "httpDesync", "testTrafficRules")


def get_configuration(params: Params) -> Mapping[str, Any]:
    """Return the configuration of a gateway of load balancers. Raises AwsError."""
    configuration = (params.get("configuration") or {}).get("hostSharedAlb")
    if configuration is None:
        raise errors.InvalidParameter("Exactly one configuration variant must be set: hostSharedAlb.")
    return dict(configuration)


def check_configuration(configuration: Mapping[str, Any]) -> None:
    """Raise AwsError for what makes no sense, and for what Cloudlet does not have."""
    if configuration.get("port") not in (None, PORT) or configuration.get("protocol") not in (None, "HTTPS"):
        raise errors.InvalidParameter("A gateway supports only the protocol HTTPS at port 443.")
    if configuration.get("maxAlbCount") is not None and configuration["maxAlbCount"] < 1:
        raise errors.InvalidParameter("maxAlbCount must be at least 1.")
    network = configuration.get("networkConfiguration") or {}
    if network.get("ipAddressType") not in (None, "ipv4"):
        raise errors.NotBuilt("IPv6 for load balancers (ipAddressType)")
    if configuration.get("webACLArn"):
        raise errors.NotBuilt("AWS WAF (webACLArn)")
    if configuration.get("httpDesync") == "monitor":
        raise errors.NotBuilt("load balancers that let ambiguous requests through (httpDesync: monitor)")
    header = (configuration.get("testTrafficRules") or {}).get("header")
    if header is not None and not header["values"]:
        raise errors.InvalidParameter("The header of testTrafficRules must have values.")


def read_settings(configuration: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of load balancers, as a request gives or changes them."""
    given = {name: configuration[name] for name in _SETTINGS if configuration.get(name) is not None}
    inbound = (configuration.get("networkConfiguration") or {}).get("inboundSecurityGroup")
    if inbound is not None:
        given["inboundSecurityGroup"] = inbound
    # What is empty is to be no more.
    return {name: value for name, value in {**known, **given}.items() if value}


async def check_group(ctx: Context, configuration: Mapping[str, Any], vpc: str) -> None:
    """Raise InvalidParameterException for a security group that is not there, or in another VPC."""
    group = (configuration.get("networkConfiguration") or {}).get("inboundSecurityGroup")
    if not group:
        return
    try:
        answer = await ctx.call("ec2", "DescribeSecurityGroups", {"GroupIds": [group]}) or {}
    except AwsError as error:
        if error.status is None or error.status >= 500:
            raise
        raise errors.InvalidParameter(error.message) from None
    if answer["SecurityGroups"][0]["VpcId"] != vpc:
        raise errors.InvalidParameter(f"The security group {group} is not in the VPC of the gateway.")
