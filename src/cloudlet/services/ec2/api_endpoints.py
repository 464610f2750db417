"""The operations on VPC endpoints.

Cloudlet's services are reachable from VPCs without them: gateway endpoints are entries in route tables, interface
endpoints are addresses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import limits
from cloudlet.services.ec2.endpoint import ALLOWING_ALL, ENDPOINTS, GATEWAY, INTERFACE, Endpoint
from cloudlet.services.ec2.errors import InvalidCombination, MissingParameter, QuotaError, UnsupportedFeature
from cloudlet.services.ec2.filters import parse_filters
from cloudlet.services.ec2.interface import ENDPOINT, INTERFACES, delete_interface, make_interface
from cloudlet.services.ec2.managers import find_service
from cloudlet.services.ec2.operations import declare, describe, find_repeated, read_page
from cloudlet.services.ec2.prefix_list import GATEWAY_SERVICES, make_service_list
from cloudlet.services.ec2.route_table import ROUTE_TABLES, Route
from cloudlet.services.ec2.security_group import GROUPS
from cloudlet.services.ec2.subnet import SUBNETS
from cloudlet.services.ec2.tagging import read_specifications
from cloudlet.services.ec2.vpc import VPCS, Vpc
from cloudlet.services.ec2.zones import list_zones

_SERVICES: Final = (
    "acm", "cloudformation", "cloudtrail", "dynamodb", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry",
    "events", "execute-api", "kms", "lambda", "logs", "monitoring", "pipes-data", "s3", "scheduler", "secretsmanager",
    "sns", "sqs", "ssm", "sts", "xray",
)  # fmt: skip
"""The services that endpoints are for: those that Cloudlet has."""
_UNSUPPORTED: Final = ("SubnetConfigurations", "ServiceNetworkArn", "ResourceConfigurationArn")

describe(ENDPOINTS, "DescribeVpcEndpoints")


def _find_service(region: str, name: str) -> str:
    """Return the short name of a service. Raises AwsError."""
    short = name.removeprefix(f"com.amazonaws.{region}.")
    if short == name or short not in _SERVICES:
        raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")
    return short


def _check_policy(text: str | None) -> None:
    if text is None:
        return
    try:
        policy = json.loads(text)
    except ValueError:
        policy = None
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    given = [statements] if isinstance(statements, dict) else statements
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise AwsError("InvalidPolicyDocument", "Policy document is malformed")
    if not any(map(_allows_all, given)) or any(each.get("Effect") == "Deny" for each in given):
        raise UnsupportedFeature("policies of endpoints that do not allow everything: nothing enforces them")


def _allows_all(statement: Mapping[str, Any]) -> bool:
    return (
        statement.get("Effect") == "Allow"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and statement.get("Action") in ("*", ["*"])
        and statement.get("Resource") in ("*", ["*"])
        and not statement.get("Condition")
    )


@declare("CreateVpcEndpoint", _UNSUPPORTED)
async def create_vpc_endpoint(ctx: Context, tx: Transaction, params: Params) -> Result:
    endpoint, token = await find_repeated(ctx, tx, ENDPOINTS, "CreateVpcEndpoint", params)
    if endpoint is None:
        endpoint = await _make_endpoint(ctx, tx, params, token)
    return {"VpcEndpoint": await ENDPOINTS.show(ctx, tx, endpoint), "ClientToken": params.get("ClientToken")}


async def _make_endpoint(ctx: Context, tx: Transaction, params: Params, token: str) -> Endpoint:
    vpc = await VPCS.get(ctx, tx, params["VpcId"])
    if "ServiceName" not in params:
        raise MissingParameter("ServiceName")
    service = _find_service(ctx.region, params["ServiceName"])
    kind = params.get("VpcEndpointType", GATEWAY)
    if kind not in (GATEWAY, INTERFACE):
        raise UnsupportedFeature(f"endpoints of the type {kind}")
    if kind == GATEWAY and service not in GATEWAY_SERVICES:
        text = "Endpoint type (Gateway) does not match available service types ([Interface])."
        raise AwsError("InvalidParameter", text)
    if params.get("ServiceRegion", ctx.region) != ctx.region:
        raise UnsupportedFeature("endpoints of services in other regions")
    _check_addresses(params)
    _check_policy(params.get("PolicyDocument"))
    known = [each for each in await ENDPOINTS.list_all(ctx, tx) if each.type == kind]
    limit = limits.MAX_GATEWAY_ENDPOINTS if kind == GATEWAY else limits.MAX_INTERFACE_ENDPOINTS
    if len([each for each in known if kind == GATEWAY or each.vpc == vpc.name]) >= limit:
        raise QuotaError("VpcEndpointLimitExceeded", "VPC endpoints")
    endpoint = Endpoint(
        account=ctx.account,
        region=ctx.region,
        name=ENDPOINTS.make_id(),
        vpc=vpc.name,
        type=kind,
        service=params["ServiceName"],
        created=ctx.now(),
        policy=params.get("PolicyDocument", ALLOWING_ALL),
        requester=find_service(ctx),
        tags=read_specifications(params, ENDPOINTS.resource_type),
        token=token,
    )
    await _change(ctx, tx, endpoint, params, "")
    if kind == INTERFACE and not endpoint.groups:
        endpoint.groups = [vpc.default_group]
    await _set_groups(ctx, tx, endpoint)
    endpoint.has_private_names = params.get("PrivateDnsEnabled", kind == INTERFACE)
    _check_private_names(vpc, endpoint)
    ENDPOINTS.save(tx, endpoint)
    return endpoint


def _check_private_names(vpc: Vpc, endpoint: Endpoint) -> None:
    """Raise AwsError where a VPC does not let an endpoint have private names."""
    if not endpoint.has_private_names:
        return
    if endpoint.type == GATEWAY:
        raise AwsError("InvalidParameter", "Private DNS can't be enabled because the service is of the type Gateway.")
    if not (vpc.dns_support and vpc.dns_hostnames):
        text = "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true"
        raise AwsError("InvalidParameter", f"{text} for {vpc.name}")


def _check_addresses(params: Params) -> None:
    options = params.get("DnsOptions") or {}
    if params.get("IpAddressType", "ipv4") != "ipv4":
        raise UnsupportedFeature("IPv6")
    if options.get("DnsRecordIpType", "ipv4") not in ("ipv4", "service-defined"):
        raise UnsupportedFeature("IPv6")
    for name in ("PrivateDnsOnlyForInboundResolverEndpoint", "PrivateDnsPreference", "PrivateDnsSpecifiedDomains"):
        if options.get(name):
            raise UnsupportedFeature(f"{name} of endpoints")


async def _change(ctx: Context, tx: Transaction, endpoint: Endpoint, params: Params, prefix: str) -> None:
    """Add to an endpoint what a request names."""
    tables = params.get(f"{prefix}RouteTableIds") or []
    subnets = params.get(f"{prefix}SubnetIds") or []
    groups = params.get(f"{prefix}SecurityGroupIds") or []
    if endpoint.type == GATEWAY and (subnets or groups):
        raise InvalidCombination("Gateway endpoints have neither subnets nor security groups")
    if endpoint.type == INTERFACE and tables:
        raise InvalidCombination("Interface endpoints have no route tables")
    await _add_tables(ctx, tx, endpoint, tables)
    for name in groups:
        if (await GROUPS.get(ctx, tx, name)).vpc != endpoint.vpc:
            raise AwsError("InvalidParameter", f"The security group {name} does not belong to VPC {endpoint.vpc}.")
    endpoint.groups = list(dict.fromkeys([*endpoint.groups, *groups]))
    for name in subnets:
        await _add_subnet(ctx, tx, endpoint, name)


async def _add_tables(ctx: Context, tx: Transaction, endpoint: Endpoint, names: Sequence[str]) -> None:
    if not names:
        return
    destination = make_service_list(ctx, _find_service(ctx.region, endpoint.service)).name
    for name in names:
        table = await ROUTE_TABLES.get(ctx, tx, name)
        if table.vpc != endpoint.vpc:
            text = f"Route table {name} and VPC {endpoint.vpc} belong to different networks"
            raise AwsError("InvalidParameter", text)
        if table.find_route(destination) is not None:
            if name in endpoint.tables:
                continue
            text = f"route table {name} already has a route with destination-prefix-list-id {destination}"
            raise AwsError("RouteAlreadyExists", text)
        table.routes.append(Route(destination, "GatewayId", endpoint.name))
        ROUTE_TABLES.save(tx, table)
        endpoint.tables.append(name)


async def _remove_tables(ctx: Context, tx: Transaction, endpoint: Endpoint, names: Sequence[str]) -> None:
    for name in names:
        if name not in endpoint.tables:
            raise AwsError("InvalidRouteTableId.NotFound", f"The endpoint {endpoint.name} has no route table {name}")
        endpoint.tables.remove(name)
        table = await ROUTE_TABLES.get(ctx, tx, name)
        table.routes = [each for each in table.routes if each.target != endpoint.name]
        ROUTE_TABLES.save(tx, table)


async def _add_subnet(ctx: Context, tx: Transaction, endpoint: Endpoint, name: str) -> None:
    subnet = await SUBNETS.get(ctx, tx, name)
    if subnet.vpc != endpoint.vpc:
        raise AwsError("InvalidParameter", f"The subnet {name} does not belong to VPC {endpoint.vpc}.")
    if name in endpoint.subnets:
        return
    zones = [(await SUBNETS.get(ctx, tx, each)).zone for each in endpoint.subnets]
    if subnet.zone in zones:
        text = f"Found another VPC endpoint subnet in the availability zone of {name}."
        raise AwsError("DuplicateSubnetsInSameZone", text)
    interface = await make_interface(
        ctx, tx, subnet, endpoint.groups, description=f"VPC Endpoint Interface {endpoint.name}", type_name=ENDPOINT,
        requester=ENDPOINT,
    )  # fmt: skip
    endpoint.subnets.append(name)
    endpoint.interfaces.append(interface.name)


async def _set_groups(ctx: Context, tx: Transaction, endpoint: Endpoint) -> None:
    """Have the interfaces of an endpoint be members of its groups."""
    for name in endpoint.interfaces:
        interface = await INTERFACES.get(ctx, tx, name)
        interface.groups = list(endpoint.groups)
        INTERFACES.save(tx, interface)


async def _remove_subnets(ctx: Context, tx: Transaction, endpoint: Endpoint, names: Sequence[str]) -> None:
    for name in names:
        if name not in endpoint.subnets:
            raise AwsError("InvalidSubnetId.NotFound", f"The endpoint {endpoint.name} has no subnet {name}")
        index = endpoint.subnets.index(name)
        await delete_interface(ctx, tx, await INTERFACES.get(ctx, tx, endpoint.interfaces[index]))
        del endpoint.subnets[index], endpoint.interfaces[index]


@declare("ModifyVpcEndpoint", ("SubnetConfigurations",))
async def modify_vpc_endpoint(ctx: Context, tx: Transaction, params: Params) -> Result:
    endpoint = await ENDPOINTS.get(ctx, tx, params["VpcEndpointId"])
    _check_addresses(params)
    _check_policy(params.get("PolicyDocument"))
    if params.get("ResetPolicy"):
        endpoint.policy = ALLOWING_ALL
    endpoint.policy = params.get("PolicyDocument", endpoint.policy)
    await _remove_tables(ctx, tx, endpoint, params.get("RemoveRouteTableIds") or [])
    await _remove_subnets(ctx, tx, endpoint, params.get("RemoveSubnetIds") or [])
    removed = params.get("RemoveSecurityGroupIds") or []
    endpoint.groups = [each for each in endpoint.groups if each not in removed]
    added = {
        "RouteTableIds": params.get("AddRouteTableIds"),
        "SubnetIds": params.get("AddSubnetIds"),
        "SecurityGroupIds": params.get("AddSecurityGroupIds"),
    }
    await _change(ctx, tx, endpoint, added, "")
    await _set_groups(ctx, tx, endpoint)
    endpoint.has_private_names = params.get("PrivateDnsEnabled", endpoint.has_private_names)
    if params.get("PrivateDnsEnabled"):
        _check_private_names(await VPCS.get(ctx, tx, endpoint.vpc), endpoint)
    ENDPOINTS.save(tx, endpoint)
    return {"Return": True}


@declare("DeleteVpcEndpoints")
async def delete_vpc_endpoints(ctx: Context, tx: Transaction, params: Params) -> Result:
    failed = []
    for name in params["VpcEndpointIds"]:
        try:
            endpoint = await ENDPOINTS.get(ctx, tx, name)
        except AwsError as error:
            failed.append({"ResourceId": name, "Error": {"Code": error.code, "Message": error.message}})
            continue
        await _remove_tables(ctx, tx, endpoint, list(endpoint.tables))
        await _remove_subnets(ctx, tx, endpoint, list(endpoint.subnets))
        ENDPOINTS.remove(tx, endpoint)
    return {"Unsuccessful": failed}


@declare("DescribeVpcEndpointServices")
async def describe_vpc_endpoint_services(ctx: Context, tx: Transaction, params: Params) -> Result:
    names = {
        "owner": "Owner",
        "service-name": "ServiceName",
        "service-region": "ServiceRegion",
        "service-type": "ServiceType.ServiceType",
        "supported-ip-address-types": "SupportedIpAddressTypes",
    }
    matches = parse_filters(params.get("Filters"), names)
    if any(each != ctx.region for each in params.get("ServiceRegions") or ()):
        raise UnsupportedFeature("services of other regions")
    wanted = params.get("ServiceNames")
    for each in wanted or ():
        _find_service(ctx.region, each)
    found = [each for each in _list_services(ctx) if matches(each) and (not wanted or each["ServiceName"] in wanted)]
    page, token = read_page(found, params)
    return {"ServiceNames": [each["ServiceName"] for each in page], "ServiceDetails": page, "NextToken": token}


def _list_services(ctx: Context) -> list[dict[str, Any]]:
    found = []
    for service in _SERVICES:
        for kind in (GATEWAY, INTERFACE) if service in GATEWAY_SERVICES else (INTERFACE,):
            domain = ".".join(reversed(service.split(".")))
            found.append(
                {
                    "ServiceName": f"com.amazonaws.{ctx.region}.{service}",
                    "ServiceType": [{"ServiceType": kind}],
                    "ServiceRegion": ctx.region,
                    "AvailabilityZones": [each.name for each in list_zones(ctx.region)],
                    "Owner": "amazon",
                    "BaseEndpointDnsNames": [f"{domain}.{ctx.region}.vpce.amazonaws.com"],
                    "VpcEndpointPolicySupported": True,
                    "AcceptanceRequired": False,
                    "ManagesVpcEndpoints": False,
                    "SupportedIpAddressTypes": ["ipv4"],
                    "Tags": [],
                }
            )
    return found
