"""Security groups and their rules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.services.ec2.cloud import MISSING, make_filters, make_group, make_interface, make_subnet, make_vpc, tag

SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}


def _find(ec2: Any, group: str) -> dict[str, Any]:
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    made: dict[str, Any] = found
    return made


def test_a_group_lets_all_out_and_nothing_in(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    made = ec2.create_security_group(
        GroupName="web", Description="servers", VpcId=vpc, TagSpecifications=tag("security-group", team="shop")
    )
    group = _find(ec2, made["GroupId"])
    assert made["SecurityGroupArn"] == group["SecurityGroupArn"]
    assert (group["GroupName"], group["Description"], group["VpcId"]) == ("web", "servers", vpc)
    assert group["IpPermissions"] == []
    (everything,) = group["IpPermissionsEgress"]
    assert (everything["IpProtocol"], everything["IpRanges"]) == ("-1", [{"CidrIp": "0.0.0.0/0"}])
    assert "FromPort" not in everything


def test_names_are_unique_in_a_vpc(ec2: Any) -> None:
    vpc, other = make_vpc(ec2), make_vpc(ec2)
    make_group(ec2, vpc, "web")
    make_group(ec2, other, "web")
    assert refused(make_group, ec2, vpc, "web") == (
        "InvalidGroup.Duplicate",
        f"The security group 'web' already exists for VPC '{vpc}'",
    )
    assert code_of(make_group, ec2, vpc, "default") == "InvalidParameterValue"
    assert code_of(make_group, ec2, vpc, "sg-web") == "InvalidParameterValue"
    assert code_of(make_group, ec2, vpc, "grüppe") == "InvalidParameterValue"


def test_rules_come_and_go_by_what_they_say(ec2: Any) -> None:
    group = make_group(ec2, make_vpc(ec2), "web")
    ranges = [{"CidrIp": "192.0.2.0/24", "Description": "office"}, {"CidrIp": "198.51.100.1/24"}]
    permission = {"IpProtocol": "6", "FromPort": 22, "ToPort": 23, "IpRanges": ranges}
    made = ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[permission], TagSpecifications=tag("security-group-rule", a="b")
    )["SecurityGroupRules"]
    assert [(each["CidrIpv4"], each["IpProtocol"], each["IsEgress"]) for each in made] == [
        ("192.0.2.0/24", "tcp", False),
        ("198.51.100.0/24", "tcp", False),
    ]
    assert made[0]["Tags"] == [{"Key": "a", "Value": "b"}]
    (shown,) = _find(ec2, group)["IpPermissions"]
    assert {each["CidrIp"]: each.get("Description") for each in shown["IpRanges"]} == {
        "192.0.2.0/24": "office",
        "198.51.100.0/24": None,
    }
    assert refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[permission]) == (
        "InvalidPermission.Duplicate",
        'the specified rule "peer: 192.0.2.0/24, TCP, from port: 22, to port: 23, ALLOW" already exists',
    )
    revoked = ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])
    assert len(revoked["RevokedSecurityGroupRules"]) == 2
    assert _find(ec2, group)["IpPermissions"] == []
    assert refused(ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=[permission]) == (
        "InvalidPermission.NotFound",
        "The specified rule does not exist in this security group.",
    )


def test_rules_have_ids(ec2: Any) -> None:
    group = make_group(ec2, make_vpc(ec2), "web")
    (rule,) = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[SSH])["SecurityGroupRules"]
    name = rule["SecurityGroupRuleId"]
    rules = ec2.describe_security_group_rules(Filters=make_filters({"group-id": group}))["SecurityGroupRules"]
    assert {each["IsEgress"] for each in rules} == {True, False}
    wanted = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv4": "0.0.0.0/0", "Description": "web"}
    changed = [{"SecurityGroupRuleId": name, "SecurityGroupRule": wanted}]
    ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=changed)
    (found,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[name])["SecurityGroupRules"]
    assert (found["FromPort"], found["CidrIpv4"], found["Description"]) == (80, "0.0.0.0/0", "web")
    descriptions = [{"SecurityGroupRuleId": name, "Description": "the web"}]
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, SecurityGroupRuleDescriptions=descriptions)
    (found,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[name])["SecurityGroupRules"]
    assert found["Description"] == "the web"
    wrong = {"GroupId": group, "SecurityGroupRuleIds": [name]}
    assert code_of(ec2.revoke_security_group_egress, **wrong) == "InvalidSecurityGroupRuleId.NotFound"
    ec2.revoke_security_group_ingress(**wrong)
    assert _find(ec2, group)["IpPermissions"] == []


def test_groups_refer_to_groups(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    web, database = make_group(ec2, vpc, "web"), make_group(ec2, vpc, "database")
    pair = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": web}]}
    ec2.authorize_security_group_ingress(GroupId=database, IpPermissions=[pair])
    (shown,) = _find(ec2, database)["IpPermissions"]
    assert shown["UserIdGroupPairs"][0]["GroupId"] == web
    found = ec2.describe_security_groups(Filters=make_filters({"ip-permission.group-id": web}))["SecurityGroups"]
    assert [each["GroupId"] for each in found] == [database]
    assert refused(ec2.delete_security_group, GroupId=web) == (
        "DependencyViolation",
        f"resource {web} has a dependent object",
    )
    ec2.delete_security_group(GroupId=database)
    ec2.delete_security_group(GroupId=web)
    assert refused(ec2.delete_security_group, GroupId=web) == (
        "InvalidGroup.NotFound",
        f"The security group '{web}' does not exist",
    )


def test_a_group_of_an_interface_stays(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    group = make_group(ec2, vpc, "web")
    interface = make_interface(ec2, make_subnet(ec2, vpc), Groups=[group])["NetworkInterfaceId"]
    assert code_of(ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_security_group(GroupId=group)


def test_the_default_group_stays_and_is_found_by_its_name(ec2: Any) -> None:
    (group,) = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    assert refused(ec2.delete_security_group, GroupId=group["GroupId"]) == (
        "CannotDelete",
        f'the specified group: "{group["GroupId"]}" name: "default" cannot be deleted by a user',
    )
    ec2.authorize_security_group_ingress(
        GroupName="default", IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0"
    )
    # In the default VPC rules that are not there are named, and are no error.
    unknown = ec2.revoke_security_group_ingress(GroupName="default", IpPermissions=[SSH])["UnknownIpPermissions"]
    assert [each["FromPort"] for each in unknown] == [22]
    assert code_of(ec2.describe_security_groups, GroupNames=["mine"]) == "InvalidGroup.NotFound"


@pytest.mark.parametrize(
    ("permission", "code"),
    [
        ({**SSH, "IpProtocol": "tcpp"}, "InvalidParameterValue"),
        ({**SSH, "FromPort": 70_000}, "InvalidParameterValue"),
        ({**SSH, "FromPort": 23}, "InvalidParameterValue"),
        ({"IpProtocol": "tcp", "IpRanges": SSH["IpRanges"]}, "InvalidParameterValue"),
        ({**SSH, "IpRanges": [{"CidrIp": "office"}]}, "InvalidParameterValue"),
        ({**SSH, "IpRanges": []}, "InvalidParameterValue"),
        ({**SSH, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "<b>"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": f"sg-{MISSING}"}]}, "InvalidGroup.NotFound"),
        ({"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": f"pl-{MISSING}"}]}, "InvalidPrefixListID.NotFound"),
        ({"FromPort": 80, "ToPort": 80, "IpRanges": SSH["IpRanges"]}, "MissingParameter"),
        ({"IpProtocol": "icmp", "FromPort": -1, "ToPort": 3, "IpRanges": SSH["IpRanges"]}, "InvalidParameterValue"),
    ],
)
def test_what_is_no_rule(ec2: Any, permission: dict[str, Any], code: str) -> None:
    group = make_group(ec2, make_vpc(ec2), "web")
    assert code_of(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[permission]) == code


def test_a_group_has_sixty_rules_at_most(ec2: Any) -> None:
    group = make_group(ec2, make_vpc(ec2), "web")

    def make_rules(count: int, first: int) -> list[dict[str, Any]]:
        return [{**SSH, "FromPort": port, "ToPort": port} for port in range(first, first + count)]

    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=make_rules(60, 1))
    assert code_of(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=make_rules(1, 100)) == (
        "RulesPerSecurityGroupLimitExceeded"
    )
    # Those of IPv6 count by themselves.
    everywhere = {**SSH, "IpRanges": [], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everywhere])
    assert code_of(ec2.authorize_security_group_egress, GroupId=group, IpPermissions=[SSH, SSH]) == (
        "InvalidParameterValue"
    )


def test_the_groups_of_a_vpc(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    group = make_group(ec2, vpc, "web")
    found = ec2.get_security_groups_for_vpc(VpcId=vpc, Filters=make_filters({"group-name": "w*"}))
    assert [(each["GroupId"], each["PrimaryVpcId"]) for each in found["SecurityGroupForVpcs"]] == [(group, vpc)]
    assert ec2.describe_security_group_references(GroupId=[group])["SecurityGroupReferenceSet"] == []


def test_groups_are_found_by_the_names_of_those_that_rules_refer_to(ec2: Any) -> None:
    vpc = make_vpc(ec2)
    web, database = make_group(ec2, vpc, "web"), make_group(ec2, vpc, "database")
    allow = [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": web}]}]
    ec2.authorize_security_group_ingress(GroupId=database, IpPermissions=allow)
    filters = make_filters({"ip-permission.group-name": "we?", "ip-permission.group-id": web})
    (found,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    assert found["GroupId"] == database
    assert "GroupName" not in found["IpPermissions"][0]["UserIdGroupPairs"][0]
    filters = make_filters({"egress.ip-permission.group-name": "web"})
    assert ec2.describe_security_groups(Filters=filters)["SecurityGroups"] == []
