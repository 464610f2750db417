"""The operations on VPC peering connections."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import limits, peering
from cloudlet.services.ec2.cidr import find_overlap, parse_network
from cloudlet.services.ec2.errors import ForbiddenOperation, MissingParameter, QuotaError, UnsupportedFeature
from cloudlet.services.ec2.operations import declare, describe
from cloudlet.services.ec2.peering import ACTIVE, DELETED, FAILED, PEERINGS, PENDING, REJECTED, PeeringConnection, Side
from cloudlet.services.ec2.tagging import read_specifications
from cloudlet.services.ec2.vpc import VPCS, Vpc

describe(PEERINGS, "DescribeVpcPeeringConnections")


@declare("CreateVpcPeeringConnection", ("RequesterPeeringConnectionOptions",))
async def create_vpc_peering_connection(ctx: Context, tx: Transaction, params: Params) -> Result:
    if "PeerVpcId" not in params:
        raise MissingParameter("PeerVpcId")
    await peering.forget_ended(ctx, tx)
    vpc = await VPCS.get(ctx, tx, params["VpcId"])
    requester = Side(ctx.account, ctx.region, vpc.name)
    owner = params.get("PeerOwnerId", ctx.account)
    accepter = Side(owner, params.get("PeerRegion", ctx.region), params["PeerVpcId"])
    known = await PEERINGS.list_dependent(ctx, tx, vpc.name)
    if any(each.find_peer(vpc.name) == accepter for each in known):
        text = f"A VPC peering connection between {vpc.name} and {accepter.vpc} already exists."
        raise AwsError("VpcPeeringConnectionAlreadyExists", text)
    _check_quotas(known)
    is_possible = _can_link(vpc, await peering.find_vpc(ctx, tx, accepter))
    wrong = "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"
    made = PeeringConnection(
        account=ctx.account,
        region=ctx.region,
        name=PEERINGS.make_id(),
        requester=requester,
        accepter=accepter,
        status=PENDING if is_possible else FAILED,
        message=f"Pending Acceptance by {owner}" if is_possible else wrong,
        expires=ctx.now() + peering.EXPIRY_SECONDS,
        ended=0.0 if is_possible else ctx.now(),
        tags=read_specifications(params, PEERINGS.resource_type),
    )
    # The account that one asked for in vain hears nothing of it.
    peering.write(tx, made, (requester, accepter) if is_possible else (requester,))
    status = {"Code": "initiating-request", "Message": f"Initiating Request to {owner}"}
    return {"VpcPeeringConnection": {**await PEERINGS.show(ctx, tx, made), "Status": status}}


def _can_link(vpc: Vpc, other: Vpc | None) -> bool:
    """Whether there is another VPC, which has none of the same addresses."""
    if other is None:
        return False
    return all(find_overlap(parse_network(each, "cidrBlock"), other.ranges) is None for each in vpc.ranges)


def _check_quotas(known: list[PeeringConnection]) -> None:
    """Raise AwsError where a VPC has as many as it may."""
    if len([each for each in known if each.status == ACTIVE]) >= limits.MAX_PEERINGS:
        raise QuotaError("VpcPeeringConnectionsPerVpcLimitExceeded", "VPC peering connections of the VPC")
    if len([each for each in known if each.status == PENDING]) >= limits.MAX_PENDING_PEERINGS:
        raise QuotaError("OutstandingVpcPeeringConnectionLimitExceeded", "outstanding VPC peering connections")


@declare("AcceptVpcPeeringConnection")
async def accept_vpc_peering_connection(ctx: Context, tx: Transaction, params: Params) -> Result:
    if "VpcPeeringConnectionId" not in params:
        raise MissingParameter("VpcPeeringConnectionId")
    found = await _get_asked(ctx, tx, params["VpcPeeringConnectionId"], "accept")
    await peering.change(ctx, tx, found, ACTIVE, "Active")
    found = await PEERINGS.get(ctx, tx, found.name)
    status = {"Code": "provisioning", "Message": "Provisioning"}
    return {"VpcPeeringConnection": {**await PEERINGS.show(ctx, tx, found), "Status": status}}


async def _get_asked(ctx: Context, tx: Transaction, name: str, verb: str) -> PeeringConnection:
    """Return one that the caller's account is asked to accept, in its Region. Raises AwsError."""
    found = await PEERINGS.get(ctx, tx, name)
    if found.accepter.account != ctx.account:
        raise ForbiddenOperation(f"User {ctx.account} cannot {verb} peering {name}")
    if found.accepter.region != ctx.region:
        raise ForbiddenOperation(
            f"Incorrect region ({ctx.region}) specified for this request. VPC peering connection {name} must be"
            f" {verb}ed in region {found.accepter.region}"
        )
    return found


@declare("RejectVpcPeeringConnection")
async def reject_vpc_peering_connection(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_asked(ctx, tx, params["VpcPeeringConnectionId"], "reject")
    await peering.change(ctx, tx, found, REJECTED, f"Rejected by {ctx.account}")
    return {"Return": True}


@declare("DeleteVpcPeeringConnection")
async def delete_vpc_peering_connection(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await PEERINGS.get(ctx, tx, params["VpcPeeringConnectionId"])
    if found.status == PENDING and found.requester.account != ctx.account:
        raise ForbiddenOperation(f"User {ctx.account} cannot delete peering {found.name}")
    await peering.change(ctx, tx, found, DELETED, f"Deleted by {ctx.account}")
    return {"Return": True}


_REQUESTER: Final = "RequesterPeeringConnectionOptions"
_ACCEPTER: Final = "AccepterPeeringConnectionOptions"
_DNS: Final = "AllowDnsResolutionFromRemoteVpc"
_OTHER_OPTIONS: Final = (
    "AllowEgressFromLocalClassicLinkToRemoteVpc",
    "AllowEgressFromLocalVpcToRemoteClassicLink",
    "AllowMultipathResilience",
    "MultipathResilienceMode",
)


@declare("ModifyVpcPeeringConnectionOptions")
async def modify_vpc_peering_connection_options(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await PEERINGS.get(ctx, tx, params["VpcPeeringConnectionId"])
    if found.status != ACTIVE:
        raise ForbiddenOperation(
            f"Peering {found.name} is not active. Peering options can be added only to active peerings."
        )
    sides = {_REQUESTER: found.requester, _ACCEPTER: found.accepter}
    given = {name: params[name] for name in sides if params.get(name)}
    if not given:
        raise MissingParameter(_ACCEPTER)
    for name, options in given.items():
        for member in _OTHER_OPTIONS:
            if options.get(member):
                raise UnsupportedFeature(f"{member} of ModifyVpcPeeringConnectionOptions")
        side = sides[name]
        if (side.account, side.region) != (ctx.account, ctx.region):
            place = f"User {ctx.account}" if side.account != ctx.account else f"Region {ctx.region}"
            raise ForbiddenOperation(f"{place} cannot modify {name} of peering {found.name}")
    resolving = [(sides[name], options[_DNS]) for name, options in given.items() if _DNS in options]
    await peering.set_resolving(ctx, tx, found, resolving)
    return dict(given)
