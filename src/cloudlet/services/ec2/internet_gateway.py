"""Internet gateways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cloudlet.core import Transaction
from cloudlet.services.ec2.resource import Kind, Resource, Scope, to_tag_list


class InternetGateway(Resource, kw_only=True):
    vpc: str = ""
    """The VPC that it is attached to, if any."""

    def list_parents(self) -> Iterable[str]:
        return (self.vpc,)

    @property
    def network(self) -> str:
        return self.vpc


async def _show(scope: Scope, tx: Transaction, gateway: InternetGateway) -> dict[str, Any]:
    return {
        "InternetGatewayId": gateway.name,
        "OwnerId": gateway.account,
        "Attachments": [{"VpcId": gateway.vpc, "State": "available"}] if gateway.vpc else [],
        "Tags": to_tag_list(gateway),
    }


GATEWAYS: Final = Kind(
    InternetGateway, "igw", "internet-gateway", "internetGateway", "InvalidInternetGatewayID", _show,
    "InternetGateways", "InternetGatewayIds",
    {
        "attachment.state": "Attachments.State",
        "attachment.vpc-id": "Attachments.VpcId",
        "internet-gateway-id": "",
        "owner-id": "",
    },
    malformed="InvalidInternetGatewayId.Malformed",
)  # fmt: skip
