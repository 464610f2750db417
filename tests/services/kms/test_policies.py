"""Key policies: the default one, and the check that their author can change them again."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.kms.keys import allow_account, create_key, make_policy

_LOCKED_OUT = (
    "MalformedPolicyDocumentException",
    "The new key policy will not allow you to update the key policy in the future.",
)


def test_the_default_policy(aws: Aws, kms: Any) -> None:
    key = create_key(kms)
    answer = kms.get_key_policy(KeyId=key)
    assert answer["PolicyName"] == "default"
    assert json.loads(answer["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
    listed = kms.list_key_policies(KeyId=key)
    assert (listed["PolicyNames"], listed["Truncated"]) == (["default"], False)


def test_a_policy_comes_back_as_it_was_put(aws: Aws, kms: Any) -> None:
    key = create_key(kms)
    policy = make_policy(allow_account(aws.account)) + " \n"
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    assert kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"] == policy
    made = create_key(kms, Policy=policy)
    assert kms.get_key_policy(KeyId=made)["Policy"] == policy


def test_nobody_locks_himself_out_unless_he_says_so(aws: Aws, kms: Any) -> None:
    policy = make_policy(allow_account(aws.account, "kms:GetKeyPolicy"))
    assert refused(kms.create_key, Policy=policy) == _LOCKED_OUT
    key = create_key(kms)
    assert refused(kms.put_key_policy, KeyId=key, Policy=policy) == _LOCKED_OUT
    kms.put_key_policy(KeyId=key, Policy=policy, BypassPolicyLockoutSafetyCheck=True)
    assert kms.get_key_policy(KeyId=key)["Policy"] == policy
    assert create_key(kms, Policy=policy, BypassPolicyLockoutSafetyCheck=True)


def test_policies_that_are_refused(aws: Aws, kms: Any) -> None:
    key = create_key(kms)
    assert code_of(kms.put_key_policy, KeyId=key, Policy="{}") == "MalformedPolicyDocumentException"
    without = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    assert code_of(kms.put_key_policy, KeyId=key, Policy=without) == "MalformedPolicyDocumentException"
    policy = make_policy(allow_account(aws.account))
    assert code_of(kms.put_key_policy, KeyId=key, Policy=policy + " " * 32_768) == "LimitExceededException"
    assert code_of(kms.put_key_policy, KeyId=key, Policy=policy, PolicyName="other") == "ValidationException"
    assert refused(kms.put_key_policy, KeyId=key, Policy=policy, PolicyName="AWS_RAM") == (
        "ValidationException",
        "The AWS_RAM policy can only be managed by the RAM service.",
    )
    assert refused(kms.get_key_policy, KeyId=key, PolicyName="AWS_RAM") == (
        "NotFoundException",
        "No such policy exists",
    )
    assert code_of(kms.list_key_policies, KeyId=key, Marker="x") == "InvalidMarkerException"
