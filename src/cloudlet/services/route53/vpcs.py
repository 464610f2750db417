"""The VPCs that private zones answer for, and who may associate them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.services.route53 import zones
from cloudlet.services.route53.errors import InvalidInput
from cloudlet.services.route53.zone_record import Vpc, Zone

AUTHORIZATIONS: Final = Subspace("authorization")
"""The VPCs that others may associate, by the zone's account and id."""
_MISSING: Final = ("InvalidVpcID.NotFound", "InvalidVpcId.Malformed", "InvalidVpcID.Malformed")


def parse_vpc(given: Mapping[str, Any]) -> Vpc:
    """Return the VPC that a request names. Raises InvalidInput."""
    region, identifier = given.get("VPCRegion"), given.get("VPCId")
    if not region or not identifier:
        raise InvalidInput("A VPC is told by its VPCRegion and its VPCId.")
    return Vpc(region, identifier)


def to_api(vpc: Vpc) -> dict[str, str]:
    """Return a VPC as the API has it."""
    return {"VPCRegion": vpc.region, "VPCId": vpc.id}


async def check_vpc(ctx: Context, vpc: Vpc) -> None:
    """Raise InvalidVPCId for a missing VPC, where this Cloudlet has VPCs."""
    if not ctx.block.cloud.has("ec2"):
        return
    try:
        await ctx.block.call("ec2", "DescribeVpcs", {"VpcIds": [vpc.id]}, account=ctx.account, region=vpc.region)
    except AwsError as error:
        if error.code in _MISSING:
            raise AwsError(
                "InvalidVPCId", f"The VPC: {vpc.id} in region {vpc.region} that you provided is not valid."
            ) from None
        raise


async def check_conflict(tx: Transaction, zone: Zone, vpc: Vpc) -> None:
    """Raise ConflictingDomainExists where a VPC has a zone of the name already."""
    for _, other in await zones.list_served(tx, vpc.id, zone.domain):
        if other != zone.name:
            raise AwsError(
                "ConflictingDomainExists",
                f"The VPC {vpc.id} in region {vpc.region} has already been associated with the hosted zone "
                f"{other} with "
                "the same domain name.",
            )
