"""The operations that associate VPCs with private zones, and let other accounts do so."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Subspace, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.route53 import errors, limits, pages, record_sets, vpcs, zones
from cloudlet.services.route53.block import REGION, service
from cloudlet.services.route53.linked_services import check_manager
from cloudlet.services.route53.zone_record import Vpc, Zone
from cloudlet.services.route53.zones import ZONES, get_zone

_OWNERS: Final = Subspace("owner")
"""The accounts of zones that others may associate VPCs with, by the zones' ids."""


@service.direct("AssociateVPCWithHostedZone")
async def associate_vpc_with_hosted_zone(ctx: Context, params: Params) -> Result:
    vpc = vpcs.parse_vpc(params["VPC"])
    await vpcs.check_vpc(ctx, vpc)
    return await ctx.transact(lambda tx: _add_vpc(ctx, tx, params, vpc))


async def _add_vpc(ctx: Context, tx: Transaction, params: Params, vpc: Vpc) -> dict[str, Any]:
    zone = await _get_associable(ctx, tx, params["HostedZoneId"], vpc)
    if not zone.is_private:
        raise AwsError(
            "PublicZoneVPCAssociation",
            "You're trying to associate a VPC with a public hosted zone. Amazon Route 53 doesn't support "
            "associating a VPC "
            "with a public hosted zone.",
        )
    if vpc in zone.vpcs:
        raise AwsError(
            "ConflictingDomainExists",
            f"The VPC {vpc.id} in region {vpc.region} has already been associated with the hosted zone "
            f"{zone.name} with "
            "the same domain name.",
        )
    await vpcs.check_conflict(tx, zone, vpc)
    if len(zone.vpcs) >= limits.MAX_VPCS:
        raise errors.QuotaExcess(f"A hosted zone is associated with at most {limits.MAX_VPCS} VPCs.")
    ZONES.save(tx, replace(zone, vpcs=(*zone.vpcs, vpc)))
    zones.enter(tx, zone, [vpc])
    return {"ChangeInfo": zones.begin_change(ctx, tx, params.get("Comment"))}


async def _get_associable(ctx: Context, tx: Transaction, given: str, vpc: Vpc) -> Zone:
    """Return a zone of the caller's, or another account's that has authorized it. Raises AwsError."""
    identifier = record_sets.to_id(given)
    own = await ZONES.find(tx, ctx.account, REGION, identifier)
    if own is not None:
        check_manager(ctx, own)
        return own
    owner = await tx.get(_OWNERS.key(identifier))
    if owner is None:
        raise errors.NoSuchHostedZone(identifier)
    row = vpcs.AUTHORIZATIONS.key(owner.decode(), identifier, vpc.region, vpc.id)
    if await tx.get(row) is None:
        raise AwsError(
            "NotAuthorizedException",
            f"The VPC: {vpc.id} has not authorized to associate with your hosted zone.",
        )
    return await ZONES.get(tx, owner.decode(), REGION, identifier)


@service.operation("DisassociateVPCFromHostedZone")
async def disassociate_vpc_from_hosted_zone(ctx: Context, tx: Transaction, params: Params) -> Result:
    vpc, identifier = vpcs.parse_vpc(params["VPC"]), record_sets.to_id(params["HostedZoneId"])
    zone = await ZONES.find(tx, ctx.account, REGION, identifier)
    if zone is None:
        owner = await tx.get(_OWNERS.key(identifier))
        if owner is None:
            raise errors.NoSuchHostedZone(identifier)
        zone = await ZONES.get(tx, owner.decode(), REGION, identifier)
    else:
        check_manager(ctx, zone)
    if vpc not in zone.vpcs:
        raise AwsError(
            "VPCAssociationNotFound",
            f"The VPC: {vpc.id} in region {vpc.region} is not associated with the hosted zone.",
        )
    if len(zone.vpcs) == 1:
        raise AwsError(
            "LastVPCAssociation",
            "The VPC that you are trying to disassociate from the private hosted zone is the last VPC that is "
            "associated "
            "with the hosted zone.",
        )
    ZONES.save(tx, replace(zone, vpcs=tuple(each for each in zone.vpcs if each != vpc)))
    zones.withdraw(tx, zone, [vpc])
    return {"ChangeInfo": zones.begin_change(ctx, tx, params.get("Comment"))}


@service.operation("CreateVPCAssociationAuthorization")
async def create_vpc_association_authorization(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone, vpc = await get_zone(ctx, tx, params["HostedZoneId"]), vpcs.parse_vpc(params["VPC"])
    if not zone.is_private:
        raise errors.InvalidInput("The specified hosted zone is not a private hosted zone.")
    space = vpcs.AUTHORIZATIONS.sub(zone.account, zone.name)
    if len(await tx.range(space.begin, space.end, limit=limits.MAX_AUTHORIZATIONS)) == limits.MAX_AUTHORIZATIONS:
        raise AwsError(
            "TooManyVPCAssociationAuthorizations",
            f"A hosted zone has at most {limits.MAX_AUTHORIZATIONS} authorizations.",
        )
    tx.put(vpcs.AUTHORIZATIONS.key(zone.account, zone.name, vpc.region, vpc.id), b"")
    tx.put(_OWNERS.key(zone.name), zone.account.encode())
    return {"HostedZoneId": zone.name, "VPC": vpcs.to_api(vpc)}


@service.operation("DeleteVPCAssociationAuthorization")
async def delete_vpc_association_authorization(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone, vpc = await get_zone(ctx, tx, params["HostedZoneId"]), vpcs.parse_vpc(params["VPC"])
    row = vpcs.AUTHORIZATIONS.key(zone.account, zone.name, vpc.region, vpc.id)
    if await tx.get(row) is None:
        raise AwsError(
            "VPCAssociationAuthorizationNotFound",
            "The VPC that you specified is not authorized to be associated with the hosted zone.",
        )
    tx.delete(row)
    return {}


@service.operation("ListVPCAssociationAuthorizations")
async def list_vpc_association_authorizations(ctx: Context, tx: Transaction, params: Params) -> Result:
    zone, limit = await get_zone(ctx, tx, params["HostedZoneId"]), pages.read_limit(params, 50, "MaxResults")
    wrong = AwsError("InvalidPaginationToken", "The value that you specified to get the second page is not valid.")
    space = vpcs.AUTHORIZATIONS.sub(zone.account, zone.name)
    rows, token = await listing.list_rows(tx, space, params.get("NextToken"), limit, wrong)
    found = [vpcs.AUTHORIZATIONS.unpack(key) for key, _ in rows]
    shown = [{"VPCRegion": region, "VPCId": vpc} for _, _, region, vpc in found]
    return {"HostedZoneId": zone.name, "VPCs": shown, "NextToken": token}
