"""Encryption, resource policies, indexing rules and where segments go."""

from __future__ import annotations

import json
from typing import Any

from tests.refused import code_of

BAD = "InvalidRequestException"


def policy(effect: str = "Allow", action: str = "xray:PutTraceSegments") -> str:
    statement = {"Effect": effect, "Principal": "*", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_traces_are_not_encrypted_with_a_key(xray: Any) -> None:
    none = {"Type": "NONE", "Status": "ACTIVE"}
    assert xray.put_encryption_config(Type="NONE")["EncryptionConfig"] == none
    for wrong in ({"Type": "KMS", "KeyId": "alias/mine"}, {"Type": "KMS"}, {"Type": "NONE", "KeyId": "k"}):
        assert code_of(xray.put_encryption_config, **wrong) == BAD
    assert xray.get_encryption_config()["EncryptionConfig"] == none


def test_a_policy_is_put_changed_and_deleted(xray: Any) -> None:
    first = xray.put_resource_policy(PolicyName="p", PolicyDocument=policy(), PolicyRevisionId="0")["ResourcePolicy"]
    wrong = "InvalidPolicyRevisionIdException"
    assert code_of(xray.put_resource_policy, PolicyName="p", PolicyDocument=policy(), PolicyRevisionId="0") == wrong
    second = xray.put_resource_policy(
        PolicyName="p", PolicyDocument=policy(action="xray:*"), PolicyRevisionId=first["PolicyRevisionId"]
    )["ResourcePolicy"]
    assert xray.list_resource_policies()["ResourcePolicies"] == [second]
    assert code_of(xray.delete_resource_policy, PolicyName="p", PolicyRevisionId=first["PolicyRevisionId"]) == wrong
    xray.delete_resource_policy(PolicyName="p")
    assert xray.list_resource_policies()["ResourcePolicies"] == []
    assert code_of(xray.delete_resource_policy, PolicyName="p") == BAD


def test_policies_that_are_refused(xray: Any) -> None:
    put = xray.put_resource_policy
    assert code_of(put, PolicyName="p", PolicyDocument="{}") == "MalformedPolicyDocumentException"
    assert code_of(put, PolicyName="p", PolicyDocument=" " * 5121) == "PolicySizeLimitExceededException"
    shut = policy("Deny", "xray:*")
    assert code_of(put, PolicyName="p", PolicyDocument=shut) == "LockoutPreventionException"
    put(PolicyName="p", PolicyDocument=shut, BypassPolicyLockoutCheck=True)
    for index in range(4):
        put(PolicyName=f"p{index}", PolicyDocument=policy())
    assert code_of(put, PolicyName="more", PolicyDocument=policy()) == "PolicyCountLimitExceededException"


def test_everything_is_indexed(xray: Any) -> None:
    def rule(percentage: float) -> dict[str, Any]:
        return {"Probabilistic": {"DesiredSamplingPercentage": percentage}}

    everything = {"Probabilistic": {"DesiredSamplingPercentage": 100.0, "ActualSamplingPercentage": 100.0}}
    assert xray.update_indexing_rule(Name="Default", Rule=rule(100))["IndexingRule"]["Rule"] == everything
    for percentage in (20, 101):
        assert code_of(xray.update_indexing_rule, Name="Default", Rule=rule(percentage)) == BAD
    assert code_of(xray.update_indexing_rule, Name="Other", Rule=rule(100)) == "ResourceNotFoundException"
    (found,) = xray.get_indexing_rules()["IndexingRules"]
    assert (found["Name"], found["Rule"]) == ("Default", everything)


def test_where_segments_go(xray: Any) -> None:
    here = {"Destination": "XRay", "Status": "ACTIVE"}
    assert {key: xray.get_trace_segment_destination()[key] for key in here} == here
    assert {key: xray.update_trace_segment_destination(Destination="XRay")[key] for key in here} == here
    assert code_of(xray.update_trace_segment_destination, Destination="CloudWatchLogs") == BAD
