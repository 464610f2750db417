"""The policy simulator."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.iam.statement_places import locate_statements
from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.iam.documents import LAMBDA, READ, allow, deny, policy

BUCKET = "arn:aws:s3:::b/k"


def _simulate(iam: Any, *documents: str, action: str = "s3:GetObject", **more: Any) -> dict[str, Any]:
    answer = iam.simulate_custom_policy(PolicyInputList=list(documents), ActionNames=[action], **more)
    result: dict[str, Any] = answer["EvaluationResults"][0]
    return result


def test_awss_own_example(iam: Any) -> None:
    """The example of simulate-custom-policy in the AWS CLI's reference."""
    document = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
        '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
    )
    time = {"ContextKeyName": "aws:CurrentTime", "ContextKeyType": "date"}
    call = {"action": "dynamodb:CreateBackup"}
    late = _simulate(iam, document, **call, ContextEntries=[{**time, "ContextKeyValues": ["2019-04-25T11:00:00Z"]}])
    assert late == {
        "EvalActionName": "dynamodb:CreateBackup",
        "EvalResourceName": "*",
        "EvalDecision": "allowed",
        "MatchedStatements": [
            {
                "SourcePolicyId": "PolicyInputList.1",
                "SourcePolicyType": "IAM Policy",
                "StartPosition": {"Line": 1, "Column": 38},
                "EndPosition": {"Line": 1, "Column": 167},
            }
        ],
        "MissingContextValues": [],
    }
    early = _simulate(iam, document, **call, ContextEntries=[{**time, "ContextKeyValues": ["2014-04-25T11:00:00Z"]}])
    assert (early["EvalDecision"], early["MatchedStatements"]) == ("implicitDeny", [])
    without = _simulate(iam, document, **call)
    assert (without["EvalDecision"], without["MissingContextValues"]) == ("implicitDeny", ["aws:CurrentTime"])


def test_a_denial_is_told_by_the_statements_that_deny(iam: Any) -> None:
    document = policy(allow("s3:*"), deny("s3:GetObject"), deny("s3:PutObject"))
    result = _simulate(iam, READ, document)
    assert result["EvalDecision"] == "explicitDeny"
    assert [each["SourcePolicyId"] for each in result["MatchedStatements"]] == ["PolicyInputList.2"]


def test_each_resource_has_its_result(iam: Any) -> None:
    document = policy(allow("s3:GetObject", "arn:aws:s3:::b/*"))
    result = _simulate(iam, document, ResourceArns=[BUCKET, "arn:aws:s3:::c/k"])
    decisions = {each["EvalResourceName"]: each["EvalResourceDecision"] for each in result["ResourceSpecificResults"]}
    assert decisions == {BUCKET: "allowed", "arn:aws:s3:::c/k": "implicitDeny"}
    assert result["EvalDecision"] == "implicitDeny"
    assert result["EvalDecisionDetails"] == {}


def test_a_boundary_limits(iam: Any) -> None:
    wide = policy(allow("*"))
    for boundary, decision in ((READ, "allowed"), (policy(allow("sqs:*")), "implicitDeny")):
        result = _simulate(iam, wide, PermissionsBoundaryPolicyInputList=[boundary])
        assert result["EvalDecision"] == decision
        is_allowed = result["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]
        assert is_allowed == (decision == "allowed")
    code = refused(_simulate, iam, wide, PermissionsBoundaryPolicyInputList=[READ, READ])[0]
    assert code == "InvalidInput"


def test_the_organization_limits(iam: Any) -> None:
    wide, narrow = policy(allow("*")), policy(allow("sqs:*"))
    for levels, is_allowed in (([wide], True), ([wide, narrow], False)):
        organization = [{"ServiceControlPolicyInputList": [each]} for each in levels]
        result = _simulate(iam, READ, OrderedOrganizationPolicyInputList=organization)
        assert result["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": is_allowed}
        assert (result["EvalDecision"] == "allowed") == is_allowed


def test_a_resource_policy_counts(aws: Aws, iam: Any) -> None:
    caller = f"arn:aws:iam::{aws.account}:user/Ann"
    document = policy({**allow("s3:GetObject", "arn:aws:s3:::b/*"), "Principal": {"AWS": caller}})
    assert refused(_simulate, iam, READ, ResourcePolicy=document)[0] == "InvalidInput"
    more = {"ResourcePolicy": document, "CallerArn": caller, "ResourceArns": [BUCKET]}
    nothing = policy(allow("sqs:*"))
    same = _simulate(iam, nothing, **more)
    assert same["EvalDecision"] == "allowed"
    assert same["MatchedStatements"][0]["SourcePolicyId"] == "ResourcePolicy"
    # Across accounts both sides must allow.
    cross = _simulate(iam, nothing, **more, ResourceOwner="123456789012")
    assert cross["EvalDecision"] == "implicitDeny"
    assert cross["EvalDecisionDetails"] == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}
    assert _simulate(iam, READ, **more, ResourceOwner="123456789012")["EvalDecision"] == "allowed"


def test_a_principal_has_all_that_applies_to_it(iam: Any) -> None:
    user = iam.create_user(UserName="Ann")["User"]["Arn"]
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="Ann")
    iam.put_group_policy(GroupName="g", PolicyName="of-group", PolicyDocument=READ)
    iam.put_user_policy(UserName="Ann", PolicyName="own", PolicyDocument=policy(allow("sqs:*")))
    boundary = iam.create_policy(PolicyName="b", PolicyDocument=policy(allow("s3:*")))["Policy"]["Arn"]
    managed = iam.create_policy(PolicyName="m", PolicyDocument=policy(allow("sns:*")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="Ann", PolicyArn=managed)

    def simulate(**more: Any) -> dict[str, tuple[str, list[str]]]:
        actions = ["s3:GetObject", "sqs:SendMessage", "sns:Publish"]
        answer = iam.simulate_principal_policy(PolicySourceArn=user, ActionNames=actions, **more)
        return {
            each["EvalActionName"].partition(":")[0]: (
                each["EvalDecision"],
                [statement["SourcePolicyId"] for statement in each["MatchedStatements"]],
            )
            for each in answer["EvaluationResults"]
        }

    all_allowed = {"s3": ("allowed", ["of-group"]), "sqs": ("allowed", ["own"]), "sns": ("allowed", ["m"])}
    denied = ("implicitDeny", [])
    assert simulate() == all_allowed
    assert simulate(PolicyInputList=[policy(deny("sns:*"))])["sns"] == ("explicitDeny", ["PolicyInputList.1"])
    iam.put_user_permissions_boundary(UserName="Ann", PermissionsBoundary=boundary)
    assert simulate() == {**all_allowed, "sqs": denied, "sns": denied}
    exclusions: list[tuple[dict[str, Any], dict[str, tuple[str, list[str]]]]] = [
        ({"PolicyType": "permission-boundary"}, all_allowed),
        ({"PolicyType": "inline"}, {"s3": denied, "sqs": denied, "sns": denied}),
        ({"PolicyArn": boundary}, all_allowed),
    ]
    for excluded, expected in exclusions:
        assert simulate(PolicyExclusionList=[excluded]) == expected
    meant = {"PolicyName": "of-group", "AttachmentType": "group", "AttachmentName": "g"}
    assert simulate(PolicyExclusionList=[{"InlinePolicyIdentifier": meant}])["s3"] == denied
    assert refused(simulate, PolicyExclusionList=[{"PolicyArn": "x" * 20}])[0] == "InvalidInput"


def test_resource_policies_are_not_simulated_for_roles(iam: Any) -> None:
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA)["Role"]["Arn"]
    params = {"PolicySourceArn": role, "ActionNames": ["s3:GetObject"]}
    assert iam.simulate_principal_policy(**params)["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"
    document = policy({**allow("s3:GetObject"), "Principal": "*"})
    assert refused(iam.simulate_principal_policy, **params, ResourcePolicy=document)[0] == "InvalidInput"


def test_results_come_in_pages(iam: Any) -> None:
    actions = [f"s3:Get{number}" for number in range(5)]
    first = iam.simulate_custom_policy(PolicyInputList=[READ], ActionNames=actions, MaxItems=3)
    assert first["IsTruncated"]
    rest = iam.simulate_custom_policy(PolicyInputList=[READ], ActionNames=actions, Marker=first["Marker"])
    names = [each["EvalActionName"] for each in first["EvaluationResults"] + rest["EvaluationResults"]]
    assert names == actions


def test_context_keys_are_found(iam: Any) -> None:
    document = policy(
        allow("s3:Get*", "arn:aws:s3:::b/${aws:username}", Condition={"Bool": {"aws:SecureTransport": "true"}}),
        allow("s3:Put*", Condition={"StringEquals": {"AWS:securetransport": "${aws:PrincipalTag/team, 'x'}"}}),
    )
    expected = ["aws:SecureTransport", "aws:username", "aws:PrincipalTag/team"]
    answer = iam.get_context_keys_for_custom_policy(PolicyInputList=[document])
    assert answer["ContextKeyNames"] == expected
    user = iam.create_user(UserName="Ann")["User"]["Arn"]
    iam.put_user_policy(UserName="Ann", PolicyName="p", PolicyDocument=document)
    answer = iam.get_context_keys_for_principal_policy(PolicySourceArn=user)
    assert answer["ContextKeyNames"] == expected


@pytest.mark.parametrize(
    "more",
    [
        {"action": "GetObject"},
        {"CallerArn": "arn:aws:sts::123456789012:assumed-role/r/s"},
        {"ResourceOwner": "me"},
        {"ResourceHandlingOption": "EC2-VPC-EBS"},
        {"ResourceHandlingOption": "other"},
        {"ContextEntries": [{"ContextKeyName": "a:bcd", "ContextKeyType": "numeric", "ContextKeyValues": ["x"]}]},
        {"ContextEntries": [{"ContextKeyName": "a:bcd", "ContextKeyType": "string", "ContextKeyValues": ["x", "y"]}]},
    ],
)
def test_what_makes_no_sense_is_refused(iam: Any, more: dict[str, Any]) -> None:
    assert refused(_simulate, iam, READ, **more)[0] == "InvalidInput"


def test_input_is_a_policy(iam: Any) -> None:
    assert refused(_simulate, iam, "{")[0] == "InvalidInput"


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2), min_size=1, max_size=4),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_statements_are_found_in_the_text(
    statements: list[dict[str, str]], indent: str | int | None, is_last: bool
) -> None:
    written: dict[str, Any] = {"Id": "]}", "Statement": statements, "Version": "x"}
    if is_last:
        written["Statement"] = written.pop("Statement")
    text = json.dumps(written, indent=indent)
    assert [json.loads(text[begin:end]) for begin, end in locate_statements(text)] == statements
    single = json.dumps({**written, "Statement": statements[0]}, indent=indent)
    assert [json.loads(single[begin:end]) for begin, end in locate_statements(single)] == statements[:1]
