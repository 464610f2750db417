"""Policies of resources, and of accounts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import Principal
from tests.refused import code_of
from tests.services.logs.conftest import ACCOUNT, REGION, LocalLogs
from tests.services.logs.test_subscriptions import FUNCTION, KINESIS, ROLE, envelope, messages, played, put, refused

__all__ = ["played"]

_EVENTS = {"Service": "events.amazonaws.com"}


def document(effect: str = "Allow", action: str = "logs:*", resource: str = "*", principal: Any = _EVENTS) -> str:
    """Return a policy of resources."""
    statement = {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# -- of resources


def test_resource_policies_are_put_listed_and_deleted(logs: Any) -> None:
    made = logs.put_resource_policy(policyName="a", policyDocument=document())["resourcePolicy"]
    assert (made["policyName"], made["policyDocument"], made["policyScope"]) == ("a", document(), "ACCOUNT")
    logs.put_resource_policy(policyName="b", policyDocument=document())
    logs.put_resource_policy(policyName="a", policyDocument=document("Deny"))
    page = logs.describe_resource_policies(limit=1)
    rest = logs.describe_resource_policies(nextToken=page["nextToken"])
    assert [one["policyName"] for one in page["resourcePolicies"] + rest["resourcePolicies"]] == ["a", "b"]
    assert page["resourcePolicies"][0]["policyDocument"] == document("Deny")
    for number in range(8):
        logs.put_resource_policy(policyName=str(number), policyDocument=document())
    put_one = {"policyName": "more", "policyDocument": document()}
    assert code_of(logs.put_resource_policy, **put_one) == "LimitExceededException"
    logs.delete_resource_policy(policyName="a")
    assert code_of(logs.delete_resource_policy, policyName="a") == "ResourceNotFoundException"
    logs.put_resource_policy(**put_one)


def test_a_log_group_has_one_policy_with_revisions(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    arn = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    first = logs.put_resource_policy(resourceArn=arn, policyDocument=document())["revisionId"]
    again = {"resourceArn": arn, "policyDocument": document("Deny")}
    assert code_of(logs.put_resource_policy, **again) == "OperationAbortedException"
    second = logs.put_resource_policy(**again, expectedRevisionId=first)["revisionId"]
    (found,) = logs.describe_resource_policies(resourceArn=arn)["resourcePolicies"]
    assert (found["resourceArn"], found["policyScope"], found["revisionId"]) == (arn, "RESOURCE", second)
    assert logs.describe_resource_policies(policyScope="RESOURCE")["resourcePolicies"] == [found]
    assert logs.describe_resource_policies()["resourcePolicies"] == []
    code = "OperationAbortedException"
    assert code_of(logs.delete_resource_policy, resourceArn=arn, expectedRevisionId=first) == code
    logs.delete_resource_policy(resourceArn=arn, expectedRevisionId=second)
    assert logs.describe_resource_policies(resourceArn=arn)["resourcePolicies"] == []


@pytest.mark.parametrize("text", ["{", "{}", "[]", document() * 2, document(resource="x" * 5200)])
def test_what_is_no_policy_is_refused(logs: Any, text: str) -> None:
    assert code_of(logs.put_resource_policy, policyName="a", policyDocument=text) == "InvalidParameterException"


def test_a_policy_without_a_name_or_of_nothing_is_refused(logs: Any) -> None:
    assert code_of(logs.put_resource_policy, policyDocument=document()) == "InvalidParameterException"
    assert code_of(logs.put_resource_policy, policyName="a") == "InvalidParameterException"
    arn = "arn:aws:logs:us-east-1:{}:log-group:none"
    params = {"resourceArn": arn, "policyDocument": document()}
    assert code_of(logs.put_resource_policy, **params) == "ResourceNotFoundException"


def test_services_need_a_policy_where_permissions_are_enforced(tmp_path: Path) -> None:
    logs = LocalLogs(tmp_path, Config(data=tmp_path, services=frozenset({"logs"}), durable=False, auth="strict"))
    try:
        logs.call("CreateLogGroup", logGroupName="g")

        def write(service: str = "events", stream: str = "s") -> str:
            principal = Principal("service", ACCOUNT, f"{service}.amazonaws.com", service)
            name = {"logGroupName": "g", "logStreamName": stream}
            try:
                logs.call_as(principal, "CreateLogStream", name)
            except AwsError as error:
                return error.code
            event = {"timestamp": logs.millis, "message": "m"}
            logs.call_as(principal, "PutLogEvents", {**name, "logEvents": [event]})
            return ""

        denied = "AccessDeniedException"
        assert write() == denied
        logs.call(
            "PutResourcePolicy", policyName="r", policyDocument=document(principal={"Service": "a.amazonaws.com"})
        )
        assert write() == denied
        group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:g"
        logs.call("PutResourcePolicy", policyName="p", policyDocument=document(resource=f"{group}:*"))
        assert write() == ""
        assert write("other", "t") == denied
        assert write("lambda", "function") == ""
        logs.call("PutResourcePolicy", resourceArn=group, policyDocument=document("Deny"))
        assert write(stream="u") == denied
    finally:
        logs.close()


# -- of accounts


def put_policy(logs: LocalLogs, selection: str | None = None, name: str = "p", **members: Any) -> dict[str, Any]:
    text = json.dumps({"DestinationArn": FUNCTION, "FilterPattern": "ERROR", **members})
    params = {"policyName": name, "policyType": "SUBSCRIPTION_FILTER_POLICY", "policyDocument": text, "scope": "ALL"}
    if selection is not None:
        params["selectionCriteria"] = selection
    made: dict[str, Any] = logs.call("PutAccountPolicy", **params)["accountPolicy"]
    logs.cloud.calls.clear()
    return made


def test_an_account_subscribes_to_all_its_log_groups_but_some(played: LocalLogs) -> None:
    for name in ("h", "/aws/lambda/f", "i"):
        played.call("CreateLogGroup", logGroupName=name)
        played.call("CreateLogStream", logGroupName=name, logStreamName="s")
    put_policy(played, 'LogGroupName NOT IN ["h"]')
    for name in ("h", "/aws/lambda/f", "i", "g"):
        event = {"timestamp": played.millis, "message": f"ERROR {name}"}
        played.call("PutLogEvents", logGroupName=name, logStreamName="s", logEvents=[event])
    played.until(lambda: len(messages(played)) == 2)
    assert sorted(messages(played)) == ["ERROR g", "ERROR i"]
    found = envelope(played.cloud.calls[0])
    assert (found["policyLevel"], found["subscriptionFilters"]) == ("ACCOUNT_LEVEL_POLICY", ["p"])
    played.call("DeleteAccountPolicy", policyName="p", policyType="SUBSCRIPTION_FILTER_POLICY")
    played.cloud.calls.clear()
    put(played, "ERROR later")
    played.advance(0)
    assert played.cloud.calls == []


def test_account_policies_are_described_updated_and_deleted(played: LocalLogs) -> None:
    of_kind = {"policyType": "SUBSCRIPTION_FILTER_POLICY"}
    assert played.call("DescribeAccountPolicies", **of_kind)["accountPolicies"] == []
    made = put_policy(played)
    assert (made["policyName"], made["accountId"], made["scope"]) == ("p", ACCOUNT, "ALL")
    made = put_policy(played, DestinationArn=KINESIS, RoleArn=ROLE)
    assert played.call("DescribeAccountPolicies", **of_kind)["accountPolicies"] == [made]
    assert played.call("DescribeAccountPolicies", **of_kind, policyName="q")["accountPolicies"] == []
    assert refused(put_policy, played, name="q") == "LimitExceededException"
    code = "ResourceNotFoundException"
    assert refused(played.call, "DeleteAccountPolicy", policyName="q", **of_kind) == code
    played.call("DeleteAccountPolicy", policyName="p", **of_kind)
    assert played.call("DescribeAccountPolicies", **of_kind)["accountPolicies"] == []


def test_an_account_policy_that_makes_no_sense_is_refused(played: LocalLogs) -> None:
    code = "InvalidParameterException"
    assert refused(put_policy, played, FilterPattern="{ $.a") == code
    assert refused(put_policy, played, DestinationArn="x") == code
    assert refused(put_policy, played, Distribution="Some") == code
    assert refused(put_policy, played, Other="x") == code
    assert refused(put_policy, played, FilterPattern=5) == code
    assert refused(put_policy, played, 'LogGroupName IN ["a"]') == code
    assert refused(put_policy, played, "LogGroupName NOT IN [5]") == code
    assert refused(put_policy, played, name="aws/p") == code
    params = {"policyName": "p", "policyDocument": "{}", "policyType": "TRANSFORMER_POLICY"}
    assert refused(played.call, "PutAccountPolicy", **params) == "NotImplemented"
