"""Networks where permissions are enforced."""

from __future__ import annotations

from typing import Any

from tests.refused import code_of, refused
from tests.services.ec2.cloud import make_interface, make_subnet, make_vpc, tag
from tests.strict_accounts import Account, allow


def _arn(account: Account, kind: str, name: str) -> str:
    return f"arn:aws:ec2:us-east-1:{account.number}:{kind}/{name}"


def test_a_denial_is_worded_as_aws_words_it(strict_account: Account) -> None:
    nobody = strict_account.user(name="nobody").client("ec2")
    code, message = refused(nobody.describe_vpcs)
    assert code == "UnauthorizedOperation"
    assert message.startswith("You are not authorized to perform this operation. User: arn:aws:iam::")
    assert "is not authorized to perform: ec2:DescribeVpcs" in message
    assert code_of(nobody.describe_vpcs, DryRun=True) == "UnauthorizedOperation"
    reader = strict_account.user(allow("ec2:Describe*"), name="reader").client("ec2")
    assert code_of(reader.describe_vpcs, DryRun=True) == "DryRunOperation"


def test_subnets_of_one_vpc_alone(strict_account: Account) -> None:
    root = strict_account.client("ec2")
    mine, other = make_vpc(root), make_vpc(root)
    resources = [_arn(strict_account, "vpc", mine), _arn(strict_account, "subnet", "*")]
    user: Any = strict_account.user(allow("ec2:CreateSubnet", resources)).client("ec2")
    make_subnet(user, mine)
    assert code_of(make_subnet, user, other) == "UnauthorizedOperation"
    # Tags need a permission of their own.
    tags = tag("subnet", team="shop")
    assert code_of(make_subnet, user, mine, "10.0.2.0/24", TagSpecifications=tags) == "UnauthorizedOperation"


def test_interfaces_with_some_groups_alone(strict_account: Account) -> None:
    root = strict_account.client("ec2")
    vpc = make_vpc(root)
    subnet = make_subnet(root, vpc)
    group = root.create_security_group(GroupName="mine", Description="mine", VpcId=vpc)["GroupId"]
    (default,) = [
        each["GroupId"]
        for each in root.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
        if each["GroupName"] == "default"
    ]
    resources = [
        _arn(strict_account, "subnet", "*"),
        _arn(strict_account, "network-interface", "*"),
        _arn(strict_account, "security-group", group),
    ]
    user: Any = strict_account.user(allow("ec2:CreateNetworkInterface", resources)).client("ec2")
    make_interface(user, subnet, Groups=[group])
    assert code_of(make_interface, user, subnet, Groups=[default]) == "UnauthorizedOperation"


def test_tags_decide(strict_account: Account) -> None:
    root = strict_account.client("ec2")
    mine = make_vpc(root, TagSpecifications=tag("vpc", team="shop"))
    other = make_vpc(root)
    statement = {
        **allow(["ec2:DeleteVpc", "ec2:CreateTags", "ec2:DeleteTags"]),
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "shop"}},
    }
    user: Any = strict_account.user(statement).client("ec2")
    user.create_tags(Resources=[mine], Tags=[{"Key": "a", "Value": "b"}])
    user.delete_tags(Resources=[mine], Tags=[{"Key": "a"}])
    assert code_of(user.create_tags, Resources=[mine, other], Tags=[{"Key": "a", "Value": "b"}]) == (
        "UnauthorizedOperation"
    )
    assert code_of(user.delete_vpc, VpcId=other) == "UnauthorizedOperation"
    user.delete_vpc(VpcId=mine)
