"""The subnets, addresses and security groups of load balancers, which Amazon EC2 has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.background.retrying import is_transient
from cloudlet.services.elbv2 import limits
from cloudlet.services.elbv2.balancer_record import APPLICATION, NETWORK, Placement
from cloudlet.services.elbv2.errors import InvalidConfiguration, UnsupportedFeature, ValidationError

_INTERNET_FACING: Final = "internet-facing"
_MAX_GROUPS: Final = 5


class SubnetNotFound(AwsError):
    def __init__(self, subnet: str) -> None:
        super().__init__("SubnetNotFoundException", f"The subnet ID '{subnet}' does not exist")


class InvalidSubnet(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidSubnetException", message)


class InvalidSecurityGroup(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidSecurityGroupException", message)


async def call(ctx: Context, operation: str, params: Mapping[str, Any], wrong: AwsError) -> dict[str, Any]:
    """Return what EC2 answers. Raises `wrong` where it knows no such thing."""
    try:
        return dict(await ctx.call("ec2", operation, dict(params)) or {})
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        raise wrong from None


def read_mappings(params: Params) -> list[dict[str, Any]]:
    """Return the subnets of a request, as SubnetMapping has them. Raises ValidationError."""
    subnets, mappings = params.get("Subnets") or [], params.get("SubnetMappings") or []
    if subnets and mappings:
        raise ValidationError("You can specify either subnets or subnet mappings, but not both")
    for each in mappings:
        for member in ("IPv6Address", "SourceNatIpv6Prefix"):
            if each.get(member):
                raise UnsupportedFeature(f"{member} of subnets")
    return mappings or [{"SubnetId": each} for each in subnets]


async def find_places(
    ctx: Context, mappings: Sequence[Mapping[str, Any]], type_name: str, scheme: str
) -> tuple[str, tuple[Placement, ...]]:
    """Return the VPC of subnets, and where a load balancer is in it. Raises AwsError."""
    names = [each.get("SubnetId", "") for each in mappings]
    if not names:
        least = "two subnets in two different Availability Zones" if type_name == APPLICATION else "one subnet"
        raise ValidationError(f"At least {least} must be specified")
    found = [await _get_subnet(ctx, name) for name in names]
    zones = [each["AvailabilityZone"] for each in found]
    if len(set(zones)) < len(zones):
        text = "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        raise InvalidConfiguration(text)
    if type_name == APPLICATION and len(zones) < 2:
        raise ValidationError("At least two subnets in two different Availability Zones must be specified")
    vpcs = list(dict.fromkeys(each["VpcId"] for each in found))
    if len(vpcs) > 1:
        listed = ", ".join(f"'{each}'" for each in vpcs)
        raise InvalidConfiguration(f"All subnets must belong to the same VPC: {listed}")
    if scheme == _INTERNET_FACING:
        await _check_gateway(ctx, vpcs[0])
    placements = [
        await _make_placement(ctx, subnet, mapping, type_name, scheme)
        for subnet, mapping in zip(found, mappings, strict=True)
    ]
    return vpcs[0], tuple(sorted(placements, key=lambda each: each.zone))


async def _get_subnet(ctx: Context, name: str) -> dict[str, Any]:
    answer = await call(ctx, "DescribeSubnets", {"SubnetIds": [name]}, SubnetNotFound(name))
    return dict(answer["Subnets"][0])


async def _check_gateway(ctx: Context, vpc: str) -> None:
    wrong = InvalidSubnet(f"VPC {vpc} has no internet gateway")
    filters = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    if not (await call(ctx, "DescribeInternetGateways", {"Filters": filters}, wrong))["InternetGateways"]:
        raise wrong


async def _make_placement(
    ctx: Context, subnet: Mapping[str, Any], mapping: Mapping[str, Any], type_name: str, scheme: str
) -> Placement:
    allocation, address = mapping.get("AllocationId", ""), mapping.get("PrivateIPv4Address", "")
    if (allocation or address) and type_name != NETWORK:
        raise InvalidConfiguration(f"Addresses cannot be specified for load balancers with type '{type_name}'")
    if allocation and scheme != _INTERNET_FACING:
        raise InvalidConfiguration("Allocation IDs can be specified for internet-facing load balancers only")
    if address and scheme == _INTERNET_FACING:
        raise InvalidConfiguration("Private IPv4 addresses can be specified for internal load balancers only")
    if allocation:
        wrong = AwsError("AllocationIdNotFoundException", f"The allocation ID '{allocation}' does not exist")
        await call(ctx, "DescribeAddresses", {"AllocationIds": [allocation]}, wrong)
    if address and not is_in_block(address, subnet["CidrBlock"]):
        raise InvalidConfiguration(f"The private IPv4 address '{address}' is not in subnet '{subnet['SubnetId']}'")
    return Placement(subnet["SubnetId"], subnet["AvailabilityZone"], allocation, address)


async def check_free_addresses(ctx: Context, placements: Sequence[Placement]) -> None:
    """Raise InvalidSubnet where a subnet has not enough free addresses for a load balancer."""
    for each in placements:
        subnet = await _get_subnet(ctx, each.subnet)
        if subnet["AvailableIpAddressCount"] < limits.MIN_FREE_ADDRESSES:
            raise InvalidSubnet(
                f"Not enough IP space available in {each.subnet}. "
                f"ELB requires at least {limits.MIN_FREE_ADDRESSES} free IP addresses in each subnet."
            )


def is_in_block(address: str, block: str) -> bool:
    """Whether an IPv4 address is in a CIDR block."""
    try:
        return IPv4Address(address) in IPv4Network(block)
    except ValueError:
        return False


async def check_groups(ctx: Context, vpc: str, groups: Sequence[str]) -> tuple[str, ...]:
    """Return security groups of a VPC, each once. Raises AwsError."""
    wrong = InvalidSecurityGroup("One or more security groups are invalid")
    if len(groups) > _MAX_GROUPS:
        raise InvalidConfiguration(f"A load balancer can have {_MAX_GROUPS} security groups at most")
    found = (await call(ctx, "DescribeSecurityGroups", {"GroupIds": list(groups)}, wrong))["SecurityGroups"]
    if any(each["VpcId"] != vpc for each in found):
        raise wrong
    return tuple(dict.fromkeys(groups))


async def get_default_group(ctx: Context, vpc: str) -> str:
    """Return the default security group of a VPC. Raises AwsError."""
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    wrong = InvalidSecurityGroup("One or more security groups are invalid")
    found = (await call(ctx, "DescribeSecurityGroups", {"Filters": filters}, wrong))["SecurityGroups"]
    if not found:
        raise wrong
    return str(found[0]["GroupId"])


async def list_subnets(ctx: Context, vpc: str) -> list[dict[str, Any]]:
    """Return the subnets of a VPC. Raises ValidationError where there is no such VPC."""
    wrong = ValidationError(f"The VPC ID '{vpc}' is not found")
    await call(ctx, "DescribeVpcs", {"VpcIds": [vpc]}, wrong)
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    return list((await call(ctx, "DescribeSubnets", {"Filters": filters}, wrong))["Subnets"])
