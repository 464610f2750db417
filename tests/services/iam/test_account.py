"""The whole account: its summary, its details, and the services that were accessed last."""

from __future__ import annotations

import json
from typing import Any

from tests.refused import code_of
from tests.services.iam.documents import LAMBDA, READ, allow, policy


def test_the_summary_counts(iam: Any) -> None:
    iam.create_user(UserName="Ann")
    iam.create_user(UserName="Bob")
    iam.delete_user(UserName="Bob")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA)
    arn = iam.create_policy(PolicyName="p", PolicyDocument=READ)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=READ)
    summary = iam.get_account_summary()["SummaryMap"]
    expected = {
        "Users": 1,
        "UsersQuota": 5000,
        "Groups": 0,
        "Roles": 1,
        "RolesQuota": 1000,
        "Policies": 1,
        "PolicyVersionsInUse": 2,
        "InstanceProfiles": 0,
        "AccessKeysPerUserQuota": 2,
        "AttachedPoliciesPerRoleQuota": 10,
        "RolePolicySizeQuota": 10240,
        "AssumeRolePolicySizeQuota": 2048,
    }
    assert {name: summary[name] for name in expected} == expected


def test_the_details_have_everything(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="p", PolicyDocument=READ)["Policy"]["Arn"]
    iam.create_user(UserName="Ann", PermissionsBoundary=arn, Tags=[{"Key": "k", "Value": "v"}])
    iam.create_group(GroupName="G")
    iam.add_user_to_group(GroupName="G", UserName="Ann")
    iam.put_group_policy(GroupName="G", PolicyName="in", PolicyDocument=READ)
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA)
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    iam.create_instance_profile(InstanceProfileName="i")
    iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")
    details = iam.get_account_authorization_details()
    (user,), (group,), (role,) = (details[f"{noun}DetailList"] for noun in ("User", "Group", "Role"))
    assert user["GroupList"] == ["G"]
    assert user["Tags"] == [{"Key": "k", "Value": "v"}]
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    assert group["GroupPolicyList"] == [{"PolicyName": "in", "PolicyDocument": json.loads(READ)}]
    assert role["AttachedManagedPolicies"] == [{"PolicyName": "p", "PolicyArn": arn}]
    assert role["AssumeRolePolicyDocument"] == json.loads(LAMBDA)
    assert [each["InstanceProfileName"] for each in role["InstanceProfileList"]] == ["i"]
    (shown,) = details["Policies"]
    assert shown["PolicyVersionList"][0]["Document"] == json.loads(READ)
    assert (shown["AttachmentCount"], shown["PermissionsBoundaryUsageCount"]) == (1, 1)
    filtered = iam.get_account_authorization_details(Filter=["Group"])
    assert (len(filtered["GroupDetailList"]), filtered["UserDetailList"], filtered["Policies"]) == (1, [], [])


def test_policies_grant_services(iam: Any) -> None:
    user = iam.create_user(UserName="Ann")["User"]["Arn"]
    iam.put_user_policy(UserName="Ann", PolicyName="in", PolicyDocument=policy(allow("s3:Get*"), allow("SQS:Send*")))
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy(allow("quicksight:*")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="Ann", PolicyArn=arn)
    answer = iam.list_policies_granting_service_access(Arn=user, ServiceNamespaces=["s3", "quicksight", "sns"])
    assert answer["PoliciesGrantingServiceAccess"] == [
        {
            "ServiceNamespace": "s3",
            "Policies": [{"PolicyName": "in", "PolicyType": "INLINE", "EntityType": "USER", "EntityName": "Ann"}],
        },
        {
            "ServiceNamespace": "quicksight",
            "Policies": [{"PolicyName": "p", "PolicyType": "MANAGED", "PolicyArn": arn}],
        },
        {"ServiceNamespace": "sns", "Policies": []},
    ]
    job = iam.generate_service_last_accessed_details(Arn=user)["JobId"]
    report = iam.get_service_last_accessed_details(JobId=job)
    assert report["JobStatus"] == "COMPLETED"
    assert [each["ServiceNamespace"] for each in report["ServicesLastAccessed"]] == ["quicksight", "s3", "sqs"]
    assert report["ServicesLastAccessed"][2] == {
        "ServiceName": "SQS",
        "ServiceNamespace": "sqs",
        "TotalAuthenticatedEntities": 0,
    }
    assert code_of(iam.get_service_last_accessed_details, JobId="x" * 36) == "NoSuchEntity"
    call = iam.generate_service_last_accessed_details
    assert code_of(call, Arn=user, Granularity="ACTION_LEVEL") == "NotImplemented"
    assert code_of(call, Arn=user + "x") == "NoSuchEntity"
