"""The VPCs of functions: which they are to be in, and whether they may.

Developer guide, "Giving Lambda functions access to resources in an Amazon VPC". EC2 is asked for who configures the
function; the role of the function has to allow what is done with network interfaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.background.retrying import is_transient
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.functions.function import Place, Version, Vpc
from cloudlet.services.lambda_.functions.roles import make_lambda_session

_DENIED: Final = "UnauthorizedOperation"
_OF_ROLES: Final = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")


async def find(ctx: Context, params: Params) -> Vpc | None:
    """Return the VPC that a request names, None where it names none. Raises AwsError."""
    given = params.get("VpcConfig")
    if given is None:
        return None
    subnets, groups = given.get("SubnetIds") or (), given.get("SecurityGroupIds") or ()
    if bool(subnets) != bool(groups):
        raise errors.invalid("SubnetIds and SecurityIds must coexist or be both empty list.")
    if not subnets:
        return Vpc()
    found = await _describe(ctx, "Subnets", {"SubnetIds": list(dict.fromkeys(subnets))})
    found += await _describe(ctx, "SecurityGroups", {"GroupIds": list(dict.fromkeys(groups))})
    networks = {each["VpcId"] for each in found}
    if len(networks) > 1:
        raise errors.invalid("All subnets and security groups of a function must be in the same VPC.")
    return Vpc(networks.pop(), tuple(dict.fromkeys(subnets)), tuple(dict.fromkeys(groups)))


async def _describe(ctx: Context, kind: str, params: Params) -> list[dict[str, Any]]:
    """Return what EC2 tells the caller of some resources. Raises AwsError."""
    operation = f"Describe{kind}"
    try:
        answer = await ctx.call_as_caller("ec2", operation, params)
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        said = f"EC2 Error Code: {error.code}. EC2 Error Message: {error.message}"
        if error.code == _DENIED:
            names = ", ".join(next(iter(params.values())))
            text = "Your access has been denied by EC2, please make sure your request credentials have permission to"
            raise AwsError("AccessDeniedException", f"{text} {operation} for {names}. {said}", status=403) from None
        raise errors.invalid(f"Error occurred while {operation}. {said}") from None
    return list((answer or {})[kind])


def list_keys(vpc: Vpc | None) -> Mapping[str, str | Sequence[str]]:
    """Return the condition keys of a request that names a VPC."""
    if vpc is None or not vpc.subnets:
        return {}
    return {"lambda:VpcIds": [vpc.id], "lambda:SubnetIds": vpc.subnets, "lambda:SecurityGroupIds": vpc.groups}


def put(version: Version, vpc: Vpc | None) -> Version:
    """Return a version in a VPC that a request names, or as it was."""
    has_none = version.vpc is None and vpc == Vpc()
    return version if vpc is None or has_none else replace(version, vpc=vpc)


async def check_role(ctx: Context, version: Version) -> None:
    """Raise AwsError unless a function's role lets Lambda have network interfaces."""
    if not (ctx.strict and version.vpc and version.vpc.subnets):
        return
    session = make_lambda_session(version.place, version.role)
    permissions = await ctx.block.cloud.permissions.load(session)
    as_role = ctx.act_as(session, session.account)
    for operation in _OF_ROLES:
        if not permissions.allows(as_role, f"ec2:{operation}", _make_pattern(version.place), session.account):
            text = f"The provided execution role does not have permissions to call {operation} on EC2"
            raise errors.invalid(text)


def _make_pattern(place: Place) -> str:
    """Return the ARN of any network interface."""
    return f"arn:{partition_of(place.region)}:ec2:{place.region}:{place.account}:network-interface/*"
