"""Functions in VPCs where permissions are enforced: the caller's on networks, and the role's on interfaces."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import refused
from tests.services.ec2.cloud import make_group, make_subnet, make_vpc
from tests.services.lambda_.cloud import RUNTIME, package
from tests.standing import eventually
from tests.strict_accounts import Account, allow, is_denied

ENI = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"]
LOOK = ["ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"]


@pytest.fixture
def given(strict_account: Account) -> dict[str, Any]:
    """The parameters of a function in a VPC."""
    ec2 = strict_account.client("ec2")
    vpc = make_vpc(ec2)
    config = {"SubnetIds": [make_subnet(ec2, vpc)], "SecurityGroupIds": [make_group(ec2, vpc, "web")]}
    return {
        "FunctionName": "f",
        "Runtime": RUNTIME,
        "Handler": "index.handler",
        "Code": {"ZipFile": package()},
        "VpcConfig": config,
    }


@pytest.mark.parametrize("missing", ENI)
def test_the_role_has_to_allow_interfaces(strict_account: Account, given: dict[str, Any], missing: str) -> None:
    role = strict_account.service_role("lambda", allow([each for each in ENI if each != missing]))
    client = strict_account.client("lambda")
    operation = missing.removeprefix("ec2:")
    assert refused(client.create_function, **given, Role=role) == (
        "InvalidParameterValueException",
        f"The provided execution role does not have permissions to call {operation} on EC2",
    )
    strict_account.let_role(allow(ENI))
    made = eventually(lambda: client.create_function(**given, Role=role))
    assert made["VpcConfig"]["VpcId"]


def test_the_caller_has_to_see_the_network(strict_account: Account, given: dict[str, Any]) -> None:
    role = strict_account.service_role("lambda", allow(ENI))
    may = allow(["lambda:*", "iam:PassRole"])
    blind = strict_account.user(may, name="blind").client("lambda")
    code, message = refused(blind.create_function, **given, Role=role)
    assert code == "AccessDeniedException"
    assert message.startswith(
        "Your access has been denied by EC2, please make sure your request credentials have permission to "
        f"DescribeSubnets for {given['VpcConfig']['SubnetIds'][0]}. EC2 Error Code: UnauthorizedOperation. "
    )
    seeing = strict_account.user(may, allow(LOOK), name="seeing").client("lambda")
    assert seeing.create_function(**given, Role=role)["State"] == "Pending"


@pytest.mark.parametrize("key", ["VpcIds", "SubnetIds", "SecurityGroupIds"])
def test_policies_tell_which_network(strict_account: Account, given: dict[str, Any], key: str) -> None:
    role = strict_account.service_role("lambda", allow(ENI))
    config = given["VpcConfig"]
    (vpc,) = {
        each["VpcId"]
        for each in strict_account.client("ec2").describe_subnets(SubnetIds=config["SubnetIds"])["Subnets"]
    }
    known = {**config, "VpcIds": [vpc]}
    only = {"ForAllValues:StringEquals": {f"lambda:{key}": known[key]}, "Null": {f"lambda:{key}": "false"}}
    more = [allow("iam:PassRole"), allow(LOOK)]
    alice = strict_account.user(allow("lambda:CreateFunction", Condition=only), *more).client("lambda")
    assert is_denied(alice.create_function, **{**given, "VpcConfig": {}}, Role=role)
    alice.create_function(**given, Role=role)
