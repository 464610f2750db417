"""The operations on DHCP options sets."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2.dhcp_options import DHCP_OPTIONS, DhcpOptions
from cloudlet.services.ec2.operations import declare, describe
from cloudlet.services.ec2.tagging import read_specifications
from cloudlet.services.ec2.vpc import DEFAULT_OPTIONS, VPCS

_KEYS: Final = {
    "domain-name": 1,
    "domain-name-servers": 4,
    "ntp-servers": 4,
    "netbios-name-servers": 4,
    "netbios-node-type": 1,
    "ipv6-address-preferred-lease-time": 1,
}
"""The number of values that each option can have."""

describe(DHCP_OPTIONS, "DescribeDhcpOptions")


@declare("CreateDhcpOptions")
async def create_dhcp_options(ctx: Context, tx: Transaction, params: Params) -> Result:
    configurations: dict[str, list[str]] = {}
    for each in params["DhcpConfigurations"]:
        key, values = each.get("Key", ""), each.get("Values") or []
        if key not in _KEYS or not values or len(values) > _KEYS[key]:
            text = f"Value ({', '.join(values)}) for parameter value is invalid. Invalid DHCP option {key}"
            raise AwsError("InvalidParameterValue", text)
        configurations[key] = values
    options = DhcpOptions(
        account=ctx.account,
        region=ctx.region,
        name=DHCP_OPTIONS.make_id(),
        configurations=configurations,
        tags=read_specifications(params, DHCP_OPTIONS.resource_type),
    )
    DHCP_OPTIONS.save(tx, options)
    return {"DhcpOptions": await DHCP_OPTIONS.show(ctx, tx, options)}


@declare("DeleteDhcpOptions")
async def delete_dhcp_options(ctx: Context, tx: Transaction, params: Params) -> Result:
    options = await DHCP_OPTIONS.get(ctx, tx, params["DhcpOptionsId"])
    await DHCP_OPTIONS.check_free(ctx, tx, options.name)
    DHCP_OPTIONS.remove(tx, options)
    return None


@declare("AssociateDhcpOptions")
async def associate_dhcp_options(ctx: Context, tx: Transaction, params: Params) -> Result:
    vpc = await VPCS.get(ctx, tx, params["VpcId"])
    name = params["DhcpOptionsId"]
    vpc.dhcp_options = name if name == DEFAULT_OPTIONS else (await DHCP_OPTIONS.get(ctx, tx, name)).name
    VPCS.save(tx, vpc)
    return None
