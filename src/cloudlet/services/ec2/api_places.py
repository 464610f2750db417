"""The operations on regions, availability zones and the account."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import limits
from cloudlet.services.ec2.defaults import find_default_vpc
from cloudlet.services.ec2.filters import parse_filters
from cloudlet.services.ec2.operations import declare
from cloudlet.services.ec2.zones import OPT_IN_REGIONS, REGIONS, list_zones

_FREE: Final = "opt-in-not-required"


@declare("DescribeRegions")
async def describe_regions(ctx: Context, tx: Transaction, params: Params) -> Result:
    matches = parse_filters(params.get("Filters"), {"endpoint": "", "opt-in-status": "", "region-name": ""}, tags=None)
    wanted = params.get("RegionNames")
    known = {**dict.fromkeys(REGIONS, _FREE), **dict.fromkeys(OPT_IN_REGIONS, "not-opted-in")}
    for each in wanted or ():
        if each not in known:
            raise AwsError("InvalidParameterValue", f"Invalid region name: {each}")
    shown = [
        {"RegionName": name, "Endpoint": f"ec2.{name}.amazonaws.com", "OptInStatus": status}
        for name, status in sorted(known.items())
        if (name in wanted if wanted else status == _FREE or params.get("AllRegions"))
    ]
    return {"Regions": [each for each in shown if matches(each)]}


@declare("DescribeAvailabilityZones")
async def describe_availability_zones(ctx: Context, tx: Transaction, params: Params) -> Result:
    names = (
        "group-long-name", "group-name", "message", "opt-in-status", "parent-zone-id", "parent-zone-name",
        "region-name", "state", "zone-id", "zone-name", "zone-type",
    )  # fmt: skip
    matches = parse_filters(
        params.get("Filters"), {**dict.fromkeys(names, ""), "message": "Messages.Message"}, tags=None
    )
    # All zones are availability zones that need no opt-in: AllAvailabilityZones adds none.
    params.get("AllAvailabilityZones")
    by_name, by_id = params.get("ZoneNames"), params.get("ZoneIds")
    zones = list_zones(ctx.region)
    for each in by_name or ():
        if each not in {zone.name for zone in zones}:
            raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{each}]")
    for each in by_id or ():
        if each not in {zone.id for zone in zones}:
            raise AwsError("InvalidParameterValue", f"Invalid availability zone-id: [{each}]")
    shown = [
        {
            "ZoneName": zone.name,
            "ZoneId": zone.id,
            "RegionName": ctx.region,
            "GroupName": f"{ctx.region}-zg-1",
            "NetworkBorderGroup": ctx.region,
            "State": "available",
            "OptInStatus": _FREE,
            "ZoneType": "availability-zone",
            "Messages": [],
        }
        for zone in zones
        if (not by_name or zone.name in by_name) and (not by_id or zone.id in by_id)
    ]
    return {"AvailabilityZones": [each for each in shown if matches(each)]}


@declare("DescribeAccountAttributes")
async def describe_account_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    vpc = await find_default_vpc(ctx, tx)
    values = {
        "supported-platforms": "VPC",
        "default-vpc": "none" if vpc is None else vpc.name,
        "max-instances": "0",
        "vpc-max-security-groups-per-interface": str(limits.MAX_GROUPS),
        "max-elastic-ips": str(limits.MAX_ADDRESSES),
        "vpc-max-elastic-ips": str(limits.MAX_ADDRESSES),
    }
    wanted = params.get("AttributeNames") or list(values)
    return {
        "AccountAttributes": [
            {"AttributeName": name, "AttributeValues": [{"AttributeValue": value}]}
            for name, value in values.items()
            if name in wanted
        ]
    }
