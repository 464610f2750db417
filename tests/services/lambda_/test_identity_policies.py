"""Users of the account, whose own policies say what they may do with functions, layers and mappings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.identity import Principal, root
from tests.modes import document
from tests.services.lambda_.cloud import package, role_of
from tests.services.lambda_.test_access import ACCOUNT, OTHER, REGION, StrictCloud

PREFIX = f"arn:aws:lambda:{REGION}:{ACCOUNT}"
ARN = f"{PREFIX}:function:f"
LAYER = f"{PREFIX}:layer:l:1"
NAMED: dict[str, Any] = {"FunctionName": "f"}
OWN_QUEUE: dict[str, Any] = {"QueueName": "q"}
NEW: dict[str, Any] = {
    "FunctionName": "g",
    "Runtime": "python3.13",
    "Role": role_of(ACCOUNT),
    "Handler": "index.handler",
    "Code": {"ZipFile": package()},
}


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[StrictCloud]:
    """A cloud that enforces permissions, with a function, a layer, an alias, and a queue that the function reads."""
    cloud = StrictCloud(tmp_path)
    cloud.wait()
    cloud.call("PublishLayerVersion", LayerName="l", Content={"ZipFile": package()})
    cloud.call("CreateAlias", **NAMED, Name="live", FunctionVersion="1")
    yield cloud
    cloud.close()


def allow(*actions: str, resource: str | list[str] = ARN, effect: str = "Allow", **condition: Any) -> dict[str, Any]:
    """Return a statement; an action without a service is Lambda's."""
    named = [action if ":" in action else f"lambda:{action}" for action in actions]
    statement = {"Effect": effect, "Action": named, "Resource": resource}
    conditions = {name.replace("__", ":"): keys for name, keys in condition.items()}
    return statement | ({"Condition": conditions} if conditions else {})


def user(strict: StrictCloud, *statements: dict[str, Any], account: str = ACCOUNT, name: str = "alice") -> Principal:
    """Make a user with a policy."""
    owner, named = root(account), {"UserName": name}
    made = strict.call("CreateUser", owner, service="iam", **named)["User"]
    policy = {"PolicyName": "own", "PolicyDocument": document(*statements)}
    strict.call("PutUserPolicy", owner, service="iam", **named, **policy)
    return Principal("user", account, made["Arn"], made["UserId"], "AKIAEXAMPLE")


def may(strict: StrictCloud, by: Principal, operation: str, **params: Any) -> bool:
    """Make a call; return whether it was allowed, whatever else came of it."""
    try:
        strict.call(operation, by, **params)
    except AwsError as error:
        if error.code == "InternalFailure":
            raise
        return error.code != "AccessDeniedException"
    return True


def mapping(strict: StrictCloud) -> dict[str, Any]:
    """Have the function read a queue."""
    source = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
    strict.call("CreateQueue", service="sqs", **OWN_QUEUE)
    allowed = document(allow("sqs:*", resource="*"))
    strict.call("PutRolePolicy", service="iam", RoleName="shop", PolicyName="own", PolicyDocument=allowed)
    made: dict[str, Any] = strict.call("CreateEventSourceMapping", **NAMED, EventSourceArn=source)
    return made


CALLS: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "AddLayerVersionPermission",
        "",
        LAYER,
        {"StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": OTHER},
    ),
    ("AddPermission", "", ARN, {**NAMED, "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": OTHER}),
    ("CreateAlias", "", ARN, {**NAMED, "Name": "dev", "FunctionVersion": "1"}),
    (
        "CreateCodeSigningConfig",
        "",
        "*",
        {
            "AllowedPublishers": {
                "SigningProfileVersionArns": [
                    "arn:aws:signer:us-east-1:111111111111:/signing-profiles/profile/abcdefghij"
                ]
            }
        },
    ),
    ("CreateFunctionUrlConfig", "", ARN, {**NAMED, "AuthType": "NONE"}),
    ("DeleteAlias", "", ARN, {**NAMED, "Name": "live"}),
    ("DeleteFunction", "", ARN, NAMED),
    ("DeleteFunctionConcurrency", "", ARN, NAMED),
    ("DeleteFunctionEventInvokeConfig", "", ARN, NAMED),
    ("DeleteFunctionUrlConfig", "", ARN, NAMED),
    ("DeleteLayerVersion", "", LAYER, {}),
    ("GetAccountSettings", "", "*", {}),
    ("GetAlias", "", ARN, {**NAMED, "Name": "live"}),
    ("GetFunction", "", ARN, NAMED),
    ("GetFunction", "", f"{ARN}:live", {**NAMED, "Qualifier": "live"}),
    ("GetFunctionCodeSigningConfig", "", ARN, NAMED),
    ("GetFunctionConcurrency", "", ARN, NAMED),
    ("GetFunctionConfiguration", "", ARN, NAMED),
    ("GetFunctionConfiguration", "", f"{ARN}:1", {"FunctionName": f"{ARN}:1"}),
    ("GetFunctionEventInvokeConfig", "", ARN, NAMED),
    ("GetFunctionRecursionConfig", "", ARN, NAMED),
    ("GetFunctionUrlConfig", "", ARN, NAMED),
    ("GetLayerVersion", "", LAYER, {}),
    ("GetLayerVersionByArn", "GetLayerVersion", LAYER, {"Arn": LAYER}),
    ("GetLayerVersionPolicy", "", LAYER, {}),
    ("GetPolicy", "", ARN, NAMED),
    ("GetRuntimeManagementConfig", "", ARN, NAMED),
    ("Invoke", "InvokeFunction", ARN, {**NAMED, "InvocationType": "DryRun"}),
    ("Invoke", "InvokeFunction", f"{ARN}:live", {**NAMED, "InvocationType": "Event", "Qualifier": "live"}),
    ("InvokeWithResponseStream", "InvokeFunction", ARN, {**NAMED, "InvocationType": "DryRun"}),
    ("ListAliases", "", ARN, NAMED),
    ("ListEventSourceMappings", "", "*", {}),
    ("ListFunctionEventInvokeConfigs", "", ARN, NAMED),
    ("ListFunctionUrlConfigs", "", ARN, NAMED),
    ("ListFunctions", "", "*", {}),
    ("ListLayerVersions", "", "*", {"LayerName": "l"}),
    ("ListLayers", "", "*", {}),
    ("ListProvisionedConcurrencyConfigs", "", ARN, NAMED),
    ("ListTags", "", ARN, {"Resource": ARN}),
    ("ListVersionsByFunction", "", ARN, NAMED),
    ("PublishLayerVersion", "", f"{PREFIX}:layer:m", {"LayerName": "m", "Content": {"ZipFile": package()}}),
    ("PublishVersion", "", ARN, NAMED),
    ("PutFunctionConcurrency", "", ARN, {**NAMED, "ReservedConcurrentExecutions": 1}),
    ("PutFunctionEventInvokeConfig", "", ARN, {**NAMED, "MaximumRetryAttempts": 1}),
    ("PutFunctionRecursionConfig", "", ARN, {**NAMED, "RecursiveLoop": "Allow"}),
    (
        "PutProvisionedConcurrencyConfig",
        "",
        f"{ARN}:live",
        {**NAMED, "Qualifier": "live", "ProvisionedConcurrentExecutions": 1},
    ),
    ("PutRuntimeManagementConfig", "", ARN, {**NAMED, "UpdateRuntimeOn": "Auto"}),
    ("RemovePermission", "", ARN, {**NAMED, "StatementId": "s"}),
    ("TagResource", "", ARN, {"Resource": ARN, "Tags": {"team": "red"}}),
    ("UntagResource", "", ARN, {"Resource": ARN, "TagKeys": ["team"]}),
    ("UpdateAlias", "", ARN, {**NAMED, "Name": "live", "Description": "d"}),
    ("UpdateFunctionCode", "", ARN, {**NAMED, "ZipFile": package()}),
    ("UpdateFunctionConfiguration", "", ARN, {**NAMED, "Description": "d"}),
]


def _params(operation: str, params: dict[str, Any]) -> dict[str, Any]:
    is_of_layer = "LayerVersion" in operation and not {"Arn", "LayerName"} & params.keys()
    return {**({"LayerName": "l", "VersionNumber": 1} if is_of_layer else {}), **params}


@pytest.mark.parametrize(("operation", "action", "resource", "params"), CALLS)
def test_a_user_may_do_what_his_policy_allows(
    strict: StrictCloud, operation: str, action: str, resource: str, params: dict[str, Any]
) -> None:
    given = _params(operation, params)
    other = user(strict, allow("*", resource=f"{PREFIX}:function:other"), name="bob")
    assert not may(strict, other, operation, **given)
    alice = user(strict, allow(action or operation, resource=resource))
    assert may(strict, alice, operation, **given)


def test_a_denial_says_what_is_missing(strict: StrictCloud) -> None:
    alice = user(strict, allow("ListFunctions", resource="*"))
    with pytest.raises(AwsError) as caught:
        strict.call("Invoke", alice, **NAMED)
    assert (caught.value.code, caught.value.status, caught.value.message) == (
        "AccessDeniedException",
        403,
        f"User: {alice.arn} is not authorized to perform: lambda:InvokeFunction on resource: {ARN} because no "
        "identity-based policy allows the lambda:InvokeFunction action",
    )


def test_whether_a_function_exists_is_told_to_who_may_use_it(strict: StrictCloud) -> None:
    alice = user(strict, allow("ListFunctions", resource="*"))
    for operation in ("Invoke", "GetFunction", "DeleteFunction", "GetPolicy"):
        assert not may(strict, alice, operation, FunctionName="none-such")
        with pytest.raises(AwsError, match="Function not found"):
            strict.call(operation, FunctionName="none-such")


def test_the_policy_of_the_function_lets_in_a_user_who_has_none(strict: StrictCloud) -> None:
    alice = user(strict, allow("ListFunctions", resource="*"))
    strict.permit(alice.arn)
    assert may(strict, alice, "Invoke", **NAMED, InvocationType="DryRun")
    assert not may(strict, alice, "GetFunction", **NAMED)


def test_a_denial_by_the_users_policy_counts_all_the_same(strict: StrictCloud) -> None:
    alice = user(strict, allow("InvokeFunction", effect="Deny"))
    strict.permit(alice.arn)
    assert not may(strict, alice, "Invoke", **NAMED, InvocationType="DryRun")


def test_a_user_of_another_account_needs_both(strict: StrictCloud) -> None:
    allowed = user(strict, allow("InvokeFunction"), account=OTHER)
    nobody = user(strict, allow("ListFunctions", resource="*"), account=OTHER, name="bob")
    asked = {"FunctionName": ARN, "InvocationType": "DryRun"}
    assert not may(strict, allowed, "Invoke", **asked)
    strict.permit(OTHER)
    assert may(strict, allowed, "Invoke", **asked)
    assert not may(strict, nobody, "Invoke", **asked)


def test_to_make_a_function_takes_passing_its_role(strict: StrictCloud) -> None:
    create = allow("CreateFunction", resource=f"{PREFIX}:function:g")
    bob = user(strict, create, name="bob")
    with pytest.raises(AwsError, match="not authorized to perform: iam:PassRole on resource"):
        strict.call("CreateFunction", bob, **NEW)
    only = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    alice = user(strict, create, allow("iam:PassRole", resource=role_of(ACCOUNT), **only))
    assert may(strict, alice, "CreateFunction", **NEW)
    assert not may(strict, alice, "CreateFunction", **{**NEW, "FunctionName": "h"})


def test_its_role_has_to_be_there_and_to_trust_lambda(strict: StrictCloud) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    strict.call("CreateRole", service="iam", RoleName="machine", AssumeRolePolicyDocument=document(trust))
    for name in ("machine", "none-such"):
        role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        for operation, params in (("CreateFunction", NEW), ("UpdateFunctionConfiguration", NAMED)):
            with pytest.raises(AwsError) as caught:
                strict.call(operation, **{**params, "Role": role})
            assert (caught.value.code, caught.value.message) == (
                "InvalidParameterValueException",
                "The role defined for the function cannot be assumed by Lambda.",
            )


def test_its_role_has_to_be_allowed_to_send_dead_letters(strict: StrictCloud) -> None:
    dead = {"DeadLetterConfig": {"TargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"}}
    with pytest.raises(AwsError) as caught:
        strict.call("CreateFunction", **NEW, **dead)
    assert (caught.value.code, caught.value.message) == (
        "InvalidParameterValueException",
        "The provided execution role does not have permissions to call SendMessage on SQS",
    )


def test_layers_of_functions_can_be_prescribed(strict: StrictCloud) -> None:
    own = [f"{PREFIX}:layer:l:*"]
    alice = user(
        strict,
        allow("CreateFunction", resource="*", ForAllValues__StringLike={"lambda:Layer": own}),
        allow("GetLayerVersion", resource=[LAYER, f"arn:aws:lambda:{REGION}:{OTHER}:layer:*"]),
        allow("iam:PassRole", resource="*"),
    )
    other = f"arn:aws:lambda:{REGION}:{OTHER}:layer:x:1"
    assert may(strict, alice, "CreateFunction", **NEW, Layers=[LAYER])
    assert not may(strict, alice, "CreateFunction", **{**NEW, "FunctionName": "h"}, Layers=[other])
    bob = user(strict, allow("CreateFunction", resource="*"), allow("iam:PassRole", resource="*"), name="bob")
    with pytest.raises(AwsError, match="not authorized to perform: lambda:GetLayerVersion on resource"):
        strict.call("CreateFunction", bob, **{**NEW, "FunctionName": "h"}, Layers=[LAYER])


def test_who_is_permitted_to_do_what_can_be_prescribed(strict: StrictCloud) -> None:
    only = {"StringEquals": {"lambda:Principal": "s3.amazonaws.com"}}
    alice = user(strict, allow("AddPermission", "RemovePermission", **only))
    permission = {**NAMED, "StatementId": "s", "Action": "lambda:InvokeFunction"}
    assert not may(strict, alice, "AddPermission", **permission, Principal="sns.amazonaws.com")
    assert may(strict, alice, "AddPermission", **permission, Principal="s3.amazonaws.com")
    strict.call("AddPermission", **{**permission, "StatementId": "t"}, Principal="sns.amazonaws.com")
    assert not may(strict, alice, "RemovePermission", **NAMED, StatementId="t")
    assert may(strict, alice, "RemovePermission", **NAMED, StatementId="s")


def test_how_urls_authenticate_can_be_prescribed(strict: StrictCloud) -> None:
    signed = {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM", "lambda:FunctionArn": ARN}}
    alice = user(strict, allow("*FunctionUrlConfig", **signed))
    assert not may(strict, alice, "CreateFunctionUrlConfig", **NAMED, AuthType="NONE")
    assert may(strict, alice, "CreateFunctionUrlConfig", **NAMED, AuthType="AWS_IAM")
    assert may(strict, alice, "GetFunctionUrlConfig", **NAMED)
    assert not may(strict, alice, "UpdateFunctionUrlConfig", **NAMED, AuthType="NONE")


def test_mappings_are_about_their_function(strict: StrictCloud) -> None:
    made = mapping(strict)
    uuid, arn = {"UUID": made["UUID"]}, made["EventSourceMappingArn"]
    own = {"StringEquals": {"lambda:FunctionArn": ARN}}
    alice = user(strict, allow("*EventSourceMapping", resource="*", **own))
    assert may(strict, alice, "GetEventSourceMapping", **uuid)
    assert may(strict, alice, "UpdateEventSourceMapping", **uuid, BatchSize=1)
    assert not may(strict, alice, "UpdateEventSourceMapping", **uuid, FunctionName="g")
    assert not may(strict, alice, "CreateEventSourceMapping", FunctionName="g", EventSourceArn=made["EventSourceArn"])
    assert may(strict, alice, "CreateEventSourceMapping", **NAMED, EventSourceArn=made["EventSourceArn"])
    bob = user(strict, allow("DeleteEventSourceMapping", "ListTags", resource=arn), name="bob")
    assert may(strict, bob, "DeleteEventSourceMapping", **uuid)
    assert may(strict, bob, "ListTags", Resource=arn)
    assert not may(strict, bob, "GetEventSourceMapping", **uuid)
    assert not may(strict, bob, "GetEventSourceMapping", UUID="00000000-0000-4000-8000-000000000000")


def test_a_mapping_needs_a_role_that_may_take_messages(strict: StrictCloud) -> None:
    source = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
    strict.call("CreateQueue", service="sqs", **OWN_QUEUE)
    actions = ["sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    policy = {"RoleName": "shop", "PolicyName": "own", "PolicyDocument": document(allow(*actions, resource="*"))}
    strict.call("PutRolePolicy", service="iam", **policy)
    with pytest.raises(AwsError) as caught:
        strict.call("CreateEventSourceMapping", **NAMED, EventSourceArn=source)
    assert (caught.value.code, caught.value.message) == (
        "InvalidParameterValueException",
        "The provided execution role does not have permissions to call DeleteMessage on SQS",
    )


def test_a_mapping_needs_a_role_that_may_read_the_stream(strict: StrictCloud) -> None:
    keys = {"KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}
    made = strict.call(
        "CreateTable",
        service="dynamodb",
        TableName="orders",
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        **keys,
    )
    stream = made["TableDescription"]["LatestStreamArn"]
    with pytest.raises(AwsError) as caught:
        strict.call("CreateEventSourceMapping", **NAMED, EventSourceArn=stream, StartingPosition="LATEST")
    assert (caught.value.code, caught.value.message) == (
        "InvalidParameterValueException",
        f"Cannot access stream {stream}. Please ensure the role can perform the GetRecords, GetShardIterator, "
        "DescribeStream, and ListStreams Actions on your stream in IAM.",
    )


def test_tags_of_functions_and_of_requests_count(strict: StrictCloud) -> None:
    red = {"team": "red"}
    alice = user(
        strict,
        allow("CreateFunction", "TagResource", resource="*", StringEquals={"aws:RequestTag/team": "red"}),
        allow("GetFunction", resource="*", StringEquals={"aws:ResourceTag/team": "red"}),
        allow("iam:PassRole", resource="*"),
    )
    assert not may(strict, alice, "CreateFunction", **NEW)
    assert not may(strict, alice, "CreateFunction", **NEW, Tags={"team": "blue"})
    assert may(strict, alice, "CreateFunction", **NEW, Tags=red)
    assert may(strict, alice, "GetFunction", FunctionName="g")
    assert not may(strict, alice, "GetFunction", **NAMED)
    assert may(strict, alice, "TagResource", Resource=ARN, Tags=red)
    assert may(strict, alice, "GetFunction", **NAMED)
    assert not may(strict, alice, "TagResource", Resource=ARN, Tags={"team": "blue"})
