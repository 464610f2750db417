"""VPC peering connections: between VPCs of one account, of two, and of two Regions."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws, fresh_account
from tests.refused import code_of, refused
from tests.services.ec2.cloud import MISSING, find_main_table, make_filters, make_group, make_vpc, tag
from tests.standing import Standing


def _ask(ec2: Any, vpc: str, peer: str, **options: Any) -> str:
    made = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer, **options)["VpcPeeringConnection"]
    assert made["Status"]["Code"] == "initiating-request"
    name: str = made["VpcPeeringConnectionId"]
    return name


def _find(ec2: Any, name: str) -> dict[str, Any]:
    (found,) = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[name])["VpcPeeringConnections"]
    made: dict[str, Any] = found
    return made


def _status(ec2: Any, name: str) -> tuple[str, str]:
    status = _find(ec2, name)["Status"]
    return status["Code"], status["Message"]


def test_a_peering_connection_is_asked_for_accepted_and_deleted(aws: Aws, ec2: Any) -> None:
    one, other = make_vpc(ec2, "10.0.0.0/16"), make_vpc(ec2, "10.1.0.0/16")
    name = _ask(ec2, one, other, TagSpecifications=tag("vpc-peering-connection", team="shop"))
    found = _find(ec2, name)
    assert found["Status"] == {"Code": "pending-acceptance", "Message": f"Pending Acceptance by {aws.account}"}
    assert (found["RequesterVpcInfo"]["CidrBlock"], found["Tags"]) == (
        "10.0.0.0/16",
        [{"Key": "team", "Value": "shop"}],
    )
    assert "CidrBlock" not in found["AccepterVpcInfo"]
    assert "ExpirationTime" in found
    again = {"VpcId": one, "PeerVpcId": other}
    assert code_of(ec2.create_vpc_peering_connection, **again) == "VpcPeeringConnectionAlreadyExists"
    back = {"VpcId": other, "PeerVpcId": one}
    assert code_of(ec2.create_vpc_peering_connection, **back) == "VpcPeeringConnectionAlreadyExists"
    accepted = ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=name)["VpcPeeringConnection"]
    assert accepted["Status"]["Code"] == "provisioning"
    assert _find(ec2, name)["AccepterVpcInfo"]["CidrBlockSet"] == [{"CidrBlock": "10.1.0.0/16"}]
    filters = make_filters({"status-code": "active", "accepter-vpc-info.cidr-block": "10.1.0.0/16"})
    overlapping = {"VpcId": one, "CidrBlock": "10.1.0.0/24"}
    assert code_of(ec2.associate_vpc_cidr_block, **overlapping) == "InvalidVpc.Range"
    listed = ec2.describe_vpc_peering_connections(Filters=filters)["VpcPeeringConnections"]
    assert [each["VpcPeeringConnectionId"] for each in listed] == [name]
    assert refused(ec2.delete_vpc, VpcId=other) == (
        "DependencyViolation",
        f"The vpc '{other}' has dependencies and cannot be deleted.",
    )
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=name)
    assert _status(ec2, name) == ("deleted", f"Deleted by {aws.account}")
    ec2.delete_vpc(VpcId=other)


def test_states_follow_each_other(aws: Aws, ec2: Any) -> None:
    one, other = make_vpc(ec2, "10.0.0.0/16"), make_vpc(ec2, "10.1.0.0/16")
    name = {"VpcPeeringConnectionId": _ask(ec2, one, other)}
    ec2.reject_vpc_peering_connection(**name)
    assert _status(ec2, *name.values()) == ("rejected", f"Rejected by {aws.account}")
    assert refused(ec2.delete_vpc_peering_connection, **name) == (
        "InvalidStateTransition",
        f"Invalid state transition for {name['VpcPeeringConnectionId']}, "
        "attempted to transition from rejected to deleting",
    )
    assert code_of(ec2.accept_vpc_peering_connection, **name) == "InvalidStateTransition"
    missing = {"VpcPeeringConnectionId": f"pcx-{MISSING}"}
    assert refused(ec2.accept_vpc_peering_connection, **missing) == (
        "InvalidVpcPeeringConnectionID.NotFound",
        f"The vpcPeeringConnection ID 'pcx-{MISSING}' does not exist",
    )
    wrong = {"VpcPeeringConnectionId": "mine"}
    assert code_of(ec2.delete_vpc_peering_connection, **wrong) == "InvalidVpcPeeringConnectionId.Malformed"


@pytest.mark.parametrize("peer", [f"vpc-{MISSING}", "overlapping"])
def test_a_peering_connection_fails(ec2: Any, peer: str) -> None:
    one = make_vpc(ec2, "10.0.0.0/16")
    other = make_vpc(ec2, "10.0.128.0/17") if peer == "overlapping" else peer
    name = _ask(ec2, one, other)
    assert _status(ec2, name) == (
        "failed",
        "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range",
    )
    assert code_of(ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=name) == "InvalidStateTransition"
    ec2.delete_vpc(VpcId=one)


def test_another_account_accepts(aws: Aws, ec2: Any) -> None:
    stranger = Aws(aws.endpoint, fresh_account())
    other = stranger.client("ec2")
    one, peer = make_vpc(ec2, "10.0.0.0/16"), make_vpc(other, "10.1.0.0/16")
    name = _ask(ec2, one, peer, PeerOwnerId=stranger.account, TagSpecifications=tag("vpc-peering-connection", a="b"))
    assert _status(other, name) == ("pending-acceptance", f"Pending Acceptance by {stranger.account}")
    assert _find(other, name)["Tags"] == []
    asked = {"VpcPeeringConnectionId": name}
    assert refused(ec2.accept_vpc_peering_connection, **asked) == (
        "OperationNotPermitted",
        f"User {aws.account} cannot accept peering {name}",
    )
    assert code_of(other.delete_vpc_peering_connection, **asked) == "OperationNotPermitted"
    other.accept_vpc_peering_connection(**asked)
    assert _status(ec2, name) == ("active", "Active")
    other.delete_vpc_peering_connection(**asked)
    assert _status(ec2, name) == ("deleted", f"Deleted by {stranger.account}")


def test_another_region_accepts(aws: Aws, ec2: Any) -> None:
    away = aws.client("ec2", region_name="eu-west-1")
    one, peer = make_vpc(ec2, "10.0.0.0/16"), make_vpc(away, "10.1.0.0/16")
    options = {"AllowMultipathResilience": True}
    wanted = {"VpcId": one, "PeerVpcId": peer, "RequesterPeeringConnectionOptions": options}
    assert code_of(ec2.create_vpc_peering_connection, **wanted) == "UnsupportedOperation"
    off = {"AllowMultipathResilience": False}
    name = _ask(ec2, one, peer, PeerRegion="eu-west-1", RequesterPeeringConnectionOptions=off)
    code, message = refused(ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=name)
    assert code == "OperationNotPermitted"
    assert message.endswith(f"VPC peering connection {name} must be accepted in region eu-west-1")
    away.accept_vpc_peering_connection(VpcPeeringConnectionId=name)
    assert _find(ec2, name)["AccepterVpcInfo"]["Region"] == "eu-west-1"


def test_routes_lead_to_peers(ec2: Any) -> None:
    one, other, third = make_vpc(ec2, "10.0.0.0/16"), make_vpc(ec2, "10.1.0.0/16"), make_vpc(ec2, "10.2.0.0/16")
    name = {"VpcPeeringConnectionId": _ask(ec2, one, other)}
    table = find_main_table(ec2, one)
    route = {"RouteTableId": table, "DestinationCidrBlock": "10.1.0.0/16"}
    ec2.create_route(**route, **name)

    def find_state() -> str:
        filters = make_filters({"route.vpc-peering-connection-id": name["VpcPeeringConnectionId"]})
        (found,) = ec2.describe_route_tables(Filters=filters)["RouteTables"]
        state: str = found["Routes"][-1]["State"]
        return state

    assert find_state() == "blackhole"
    ec2.accept_vpc_peering_connection(**name)
    assert find_state() == "active"
    ec2.delete_vpc_peering_connection(**name)
    assert find_state() == "blackhole"
    foreign = {"RouteTableId": find_main_table(ec2, third), "DestinationCidrBlock": "10.1.0.0/16"}
    assert code_of(ec2.create_route, **foreign, **name) == "InvalidParameterValue"
    missing = {"VpcPeeringConnectionId": f"pcx-{MISSING}"}
    assert code_of(ec2.replace_route, **route, **missing) == "InvalidVpcPeeringConnectionID.NotFound"


def test_rules_refer_to_groups_of_peers(aws: Aws, ec2: Any) -> None:
    stranger = Aws(aws.endpoint, fresh_account())
    other = stranger.client("ec2")
    one, peer = make_vpc(ec2, "10.0.0.0/16"), make_vpc(other, "10.1.0.0/16")
    group, foreign = make_group(ec2, one, "web"), make_group(other, peer, "clients")
    pair = {"GroupId": foreign, "UserId": stranger.account}
    allow = {"GroupId": group, "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [pair]}]}
    assert code_of(ec2.authorize_security_group_ingress, **allow) == "InvalidGroup.NotFound"
    name = {"VpcPeeringConnectionId": _ask(ec2, one, peer, PeerOwnerId=stranger.account)}
    assert code_of(ec2.authorize_security_group_ingress, **allow) == "InvalidGroup.NotFound"
    other.accept_vpc_peering_connection(**name)
    (rule,) = ec2.authorize_security_group_ingress(**allow)["SecurityGroupRules"]
    assert rule["ReferencedGroupInfo"] == {**pair, "VpcId": peer, **name}
    shown = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert shown[0]["UserIdGroupPairs"] == [{**pair, "VpcId": peer, **name}]
    references = other.describe_security_group_references(GroupId=[foreign])["SecurityGroupReferenceSet"]
    assert references == [{"GroupId": foreign, "ReferencingVpcId": one, **name}]
    assert code_of(ec2.authorize_security_group_ingress, **allow) == "InvalidPermission.Duplicate"
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=shown)
    ec2.authorize_security_group_ingress(**allow)
    # Its owner may delete a group that others refer to.
    other.delete_security_group(GroupId=foreign)


def test_each_side_has_options(aws: Aws, ec2: Any) -> None:
    away = aws.client("ec2", region_name="eu-west-1")
    one, other, far = make_vpc(ec2, "10.0.0.0/16"), make_vpc(ec2, "10.1.0.0/16"), make_vpc(away, "10.2.0.0/16")
    peering = _ask(ec2, one, other)
    name = {"VpcPeeringConnectionId": peering}
    on = {"AllowDnsResolutionFromRemoteVpc": True}
    modify = ec2.modify_vpc_peering_connection_options
    assert refused(modify, AccepterPeeringConnectionOptions=on, **name) == (
        "OperationNotPermitted",
        f"Peering {peering} is not active. Peering options can be added only to active peerings.",
    )
    ec2.accept_vpc_peering_connection(**name)
    changed = modify(AccepterPeeringConnectionOptions=on, **name)
    assert changed["AccepterPeeringConnectionOptions"] == on
    assert "RequesterPeeringConnectionOptions" not in changed
    found = _find(ec2, *name.values())
    sides = [found[f"{side}VpcInfo"]["PeeringOptions"] for side in ("Accepter", "Requester")]
    assert [each["AllowDnsResolutionFromRemoteVpc"] for each in sides] == [True, False]
    assert code_of(modify, **name) == "MissingParameter"
    old = {"AllowEgressFromLocalClassicLinkToRemoteVpc": True}
    assert code_of(modify, RequesterPeeringConnectionOptions=old, **name) == "UnsupportedOperation"
    between = {"VpcPeeringConnectionId": _ask(ec2, one, far, PeerRegion="eu-west-1")}
    away.accept_vpc_peering_connection(**between)
    assert code_of(modify, AccepterPeeringConnectionOptions=on, **between) == "OperationNotPermitted"
    away.modify_vpc_peering_connection_options(AccepterPeeringConnectionOptions=on, **between)
    shown = _find(ec2, *between.values())["AccepterVpcInfo"]["PeeringOptions"]
    assert shown["AllowDnsResolutionFromRemoteVpc"] is True


def test_requests_expire(standing: Standing) -> None:
    ec2 = standing.account().client("ec2")
    one, other = make_vpc(ec2, "10.0.0.0/16"), make_vpc(ec2, "10.1.0.0/16")
    name = _ask(ec2, one, other)
    filters = [{"Name": "expiration-time", "Values": [f"{_find(ec2, name)['ExpirationTime']:%Y-%m-%dT%H:%M:}*"]}]
    assert len(ec2.describe_vpc_peering_connections(Filters=filters)["VpcPeeringConnections"]) == 1
    standing.advance("7d1s")
    assert _status(ec2, name) == ("expired", "Expired")
    assert code_of(ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=name) == "InvalidStateTransition"
    ec2.delete_vpc(VpcId=other)
    assert _status(ec2, name) == ("expired", "Expired")
    standing.advance("2d")
    assert code_of(_find, ec2, name) == "InvalidVpcPeeringConnectionID.NotFound"
