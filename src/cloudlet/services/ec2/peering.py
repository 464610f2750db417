"""VPC peering connections (VPC Peering Guide, "VPC peering connection lifecycle").

Each side has a record of its own, with its own tags, where the sides are of different accounts or Regions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.services.ec2 import reconciling
from cloudlet.services.ec2.resource import Kind, Place, Resource, Scope, to_tag_list
from cloudlet.services.ec2.vpc import VPCS, Vpc

PENDING: Final = "pending-acceptance"
ACTIVE: Final = "active"
REJECTED: Final = "rejected"
DELETED: Final = "deleted"
FAILED: Final = "failed"
_EXPIRED: Final = "expired"
_PASSED: Final = {ACTIVE: "provisioning", DELETED: "deleting"}
"""States that are passed on the way to others."""
_BEFORE: Final = {ACTIVE: (PENDING,), REJECTED: (PENDING,), DELETED: (PENDING, ACTIVE)}
"""The states that each state can follow."""
EXPIRY_SECONDS: Final = 7 * 86400
_SHOWN_SECONDS: Final = 2 * 3600
_SHOWN_EXPIRED_SECONDS: Final = 2 * 86400


class Side(msgspec.Struct, frozen=True):
    """A VPC at one end."""

    account: str
    region: str
    vpc: str


class PeeringConnection(Resource, kw_only=True):
    requester: Side
    accepter: Side
    status: str
    message: str
    expires: float
    ended: float = 0.0
    resolving: tuple[Side, ...] = ()
    """The sides whose public names the other one is to resolve to private addresses."""

    def list_parents(self) -> Iterable[str]:
        own = (self.account, self.region)
        sides = (self.requester, self.accepter) if self.status in (PENDING, ACTIVE) else ()
        return [each.vpc for each in sides if (each.account, each.region) == own]

    def find_status(self, now: float) -> str:
        """Return the state at a time."""
        return _EXPIRED if self.status == PENDING and now >= self.expires else self.status

    def find_peer(self, vpc: str) -> Side | None:
        """Return the side opposite to a VPC, None where that is at neither end."""
        if vpc == self.requester.vpc:
            return self.accepter
        return self.requester if vpc == self.accepter.vpc else None


async def find_vpc(scope: Scope, tx: Transaction, side: Side) -> Vpc | None:
    """Return the VPC at one end, None where it is gone."""
    return await VPCS.find(Place(side.account, side.region, scope.block), tx, side.vpc)


async def _show(scope: Scope, tx: Transaction, peering: PeeringConnection) -> dict[str, Any]:
    status = peering.find_status(scope.block.clock.now())
    shown = {
        "VpcPeeringConnectionId": peering.name,
        "Status": {"Code": status, "Message": "Expired" if status == _EXPIRED else peering.message},
        "RequesterVpcInfo": await _show_side(scope, tx, peering, peering.requester, status in (PENDING, ACTIVE)),
        "AccepterVpcInfo": await _show_side(scope, tx, peering, peering.accepter, status == ACTIVE),
        "Tags": to_tag_list(peering),
    }
    return {**shown, "ExpirationTime": peering.expires} if status == PENDING else shown


async def _show_side(
    scope: Scope, tx: Transaction, peering: PeeringConnection, side: Side, has_ranges: bool
) -> dict[str, Any]:
    shown: dict[str, Any] = {"OwnerId": side.account, "VpcId": side.vpc, "Region": side.region}
    vpc = await find_vpc(scope, tx, side) if has_ranges else None
    if vpc is None:
        return shown
    return {
        **shown,
        "CidrBlock": vpc.ranges[0],
        "CidrBlockSet": [{"CidrBlock": each} for each in vpc.ranges],
        "PeeringOptions": {
            "AllowDnsResolutionFromRemoteVpc": side in peering.resolving,
            "AllowEgressFromLocalClassicLinkToRemoteVpc": False,
            "AllowEgressFromLocalVpcToRemoteClassicLink": False,
        },
    }


def _is_visible(scope: Scope, peering: PeeringConnection) -> bool:
    now = scope.block.clock.now()
    if peering.status in (PENDING, _EXPIRED):
        return now < peering.expires + _SHOWN_EXPIRED_SECONDS
    return peering.status == ACTIVE or now < peering.ended + _SHOWN_SECONDS


_SIDE: Final = {"cidr-block": "CidrBlockSet.CidrBlock", "owner-id": "OwnerId", "vpc-id": "VpcId"}
PEERINGS: Final = Kind(
    PeeringConnection, "pcx", "vpc-peering-connection", "vpcPeeringConnection", "InvalidVpcPeeringConnectionID", _show,
    "VpcPeeringConnections", "VpcPeeringConnectionIds",
    {
        **{f"accepter-vpc-info.{name}": f"AccepterVpcInfo.{path}" for name, path in _SIDE.items()},
        **{f"requester-vpc-info.{name}": f"RequesterVpcInfo.{path}" for name, path in _SIDE.items()},
        "expiration-time": "",
        "status-code": "Status.Code",
        "status-message": "Status.Message",
        "vpc-peering-connection-id": "",
    },
    malformed="InvalidVpcPeeringConnectionId.Malformed", is_visible=_is_visible,
)  # fmt: skip


def write(tx: Transaction, peering: PeeringConnection, sides: Iterable[Side]) -> None:
    """Write a new one, for its own side or for both."""
    for account, region in {(each.account, each.region) for each in sides}:
        tags = peering.tags if (account, region) == (peering.account, peering.region) else {}
        PEERINGS.save(tx, msgspec.structs.replace(peering, account=account, region=region, tags=tags, parents=[]))


async def change(scope: Scope, tx: Transaction, peering: PeeringConnection, status: str, message: str) -> None:
    """Have one be in another state, on both sides. Raises AwsError where it cannot."""
    now = scope.block.clock.now()
    before = peering.find_status(now)
    if before not in _BEFORE[status]:
        text = f"attempted to transition from {before} to {_PASSED.get(status, status)}"
        raise AwsError("InvalidStateTransition", f"Invalid state transition for {peering.name}, {text}")
    for found in await _read_sides(scope, tx, peering):
        found.status, found.message = status, message
        found.ended = 0.0 if status == ACTIVE else now
        PEERINGS.save(tx, found)
    for side in (peering.requester, peering.accepter):
        reconciling.request(tx, side.account, side.region, side.vpc)


async def _read_sides(scope: Scope, tx: Transaction, peering: PeeringConnection) -> list[PeeringConnection]:
    """Return the records of both sides, one where they are of one place."""
    places = {(each.account, each.region) for each in (peering.requester, peering.accepter)}
    found = [await PEERINGS.find(Place(*each, scope.block), tx, peering.name) for each in sorted(places)]
    return [each for each in found if each is not None]


async def set_resolving(
    scope: Scope, tx: Transaction, peering: PeeringConnection, options: Iterable[tuple[Side, bool]]
) -> None:
    """Have the public names of some sides resolved on the other one, or no longer."""
    for found in await _read_sides(scope, tx, peering):
        for side, is_resolving in options:
            found.resolving = (*(each for each in found.resolving if each != side), *[side] * is_resolving)
        PEERINGS.save(tx, found)


async def list_active(scope: Scope, tx: Transaction, vpc: str) -> list[tuple[PeeringConnection, Side]]:
    """Return the active ones of a VPC, with the opposite side of each."""
    found = [(each, each.find_peer(vpc)) for each in await PEERINGS.list_dependent(scope, tx, vpc)]
    return [(each, side) for each, side in found if each.status == ACTIVE and side is not None]


async def request_peers(scope: Scope, tx: Transaction, vpc: str) -> None:
    """Have the networks know that a VPC is linked with that its ranges have changed."""
    for _, side in await list_active(scope, tx, vpc):
        reconciling.request(tx, side.account, side.region, side.vpc)


async def forget_ended(scope: Scope, tx: Transaction) -> None:
    """Forget those that are not shown any more. VPCs do not need those that have expired."""
    space, now = PEERINGS.get_space(scope), scope.block.clock.now()
    for _, raw in await tx.range(space.begin, space.end, limit=1000):
        peering = PEERINGS.decode(raw)
        if not _is_visible(scope, peering):
            PEERINGS.remove(tx, peering)
        elif peering.status != peering.find_status(now):
            peering.status = _EXPIRED
            PEERINGS.save(tx, peering)
