"""Custom resources are made by functions and topics; wait conditions by signals."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks, as_text, parameter
from tests.standing import eventually

_CODE = """
import json, urllib.request

def handler(event, context):
    properties = event["ResourceProperties"]
    failed = properties.get("Fail") == event["RequestType"]
    answer = {
        "Status": "FAILED" if failed else "SUCCESS",
        "Reason": "as it was asked",
        "PhysicalResourceId": properties.get("Id", "made"),
        "StackId": event["StackId"], "RequestId": event["RequestId"], "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Said": f"{event['RequestType']} {properties.get('Word')} of {event['ResourceType']}",
                 "Was": str(event.get("OldResourceProperties", {}).get("Word"))},
    }
    body = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT"))
"""
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
_CAPABILITIES = ["CAPABILITY_IAM"]


def _template(**properties: Any) -> dict[str, Any]:
    return {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": _TRUST}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Code": {"ZipFile": _CODE},
                },
            },
            "Made": {
                "Type": "Custom::Thing",
                "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, **properties},
            },
        },
        "Outputs": {
            "Id": {"Value": {"Ref": "Made"}},
            "Said": {"Value": {"Fn::GetAtt": ["Made", "Said"]}},
            "Was": {"Value": {"Fn::GetAtt": "Made.Was"}},
        },
    }


def test_a_function_makes_updates_and_deletes_a_resource(stacks: Stacks) -> None:
    stack = stacks.create("s", _template(Word="one"), Capabilities=_CAPABILITIES)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.events("s")
    assert stacks.outputs("s") == {"Id": "made", "Said": "Create one of Custom::Thing", "Was": "None"}

    stacks.update("s", _template(Word="two"), Capabilities=_CAPABILITIES)
    assert stacks.outputs("s") == {"Id": "made", "Said": "Update two of Custom::Thing", "Was": "one"}

    # Another id is another resource: the former one is deleted afterwards.
    stacks.update("s", _template(Word="two", Id="other"), Capabilities=_CAPABILITIES)
    assert stacks.outputs("s")["Id"] == "other"
    assert ("Made", "DELETE_COMPLETE", "") in stacks.events("s")
    assert stacks.delete("s")["StackStatus"] == "DELETE_COMPLETE"


def test_a_function_that_fails_fails_the_stack(stacks: Stacks) -> None:
    stack = stacks.create("s", _template(Fail="Create"), Capabilities=_CAPABILITIES)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = "Received response status [FAILED] from custom resource. Message returned: as it was asked"
    assert ("Made", "CREATE_FAILED", reason) in stacks.events("s")


def test_a_custom_resource_needs_a_service_token(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"Made": {"Type": "Custom::Thing", "Properties": {}}}})
    assert ("Made", "CREATE_FAILED", "Missing required ServiceToken property") in stacks.events("s")


def _waiting(count: int = 2, timeout: int = 3600) -> dict[str, Any]:
    return {
        "Resources": {
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Wait": {
                "Type": "AWS::CloudFormation::WaitCondition",
                "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": timeout, "Count": count},
            },
            "After": parameter({"Fn::GetAtt": ["Wait", "Data"]}),
        }
    }


def _send(url: str, status: str, unique_id: str) -> None:
    body = {"Status": status, "UniqueId": unique_id, "Data": f"of {unique_id}", "Reason": "so"}
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), method="PUT"))


def _begin(stacks: Stacks, **options: Any) -> str:
    """Begin a stack; return the URL of its handle once it waits."""
    stacks.client.create_stack(StackName="s", TemplateBody=as_text(_waiting(**options)))
    eventually(lambda: ("Wait", "CREATE_IN_PROGRESS", "Resource creation Initiated") in stacks.events("s"))
    return stacks.physical_id("s", "Handle")


def test_a_wait_condition_waits_for_its_signals(stacks: Stacks) -> None:
    url = _begin(stacks)
    _send(url, "SUCCESS", "a")
    assert stacks.describe("s")["StackStatus"] == "CREATE_IN_PROGRESS"
    stacks.client.signal_resource(StackName="s", LogicalResourceId="Wait", UniqueId="b", Status="SUCCESS")

    assert stacks.wait("s")["StackStatus"] == "CREATE_COMPLETE"
    name = stacks.physical_id("s", "After")
    value = stacks.aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    assert json.loads(value) == {"a": "of a", "b": ""}


def test_a_signal_of_failure_fails_the_stack(stacks: Stacks) -> None:
    _send(_begin(stacks), "FAILURE", "a")
    assert stacks.wait("s")["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = "WaitCondition received failed message: 'so' for uniqueId: a"
    assert ("Wait", "CREATE_FAILED", reason) in stacks.events("s")


def test_a_wait_condition_times_out(stacks: Stacks) -> None:
    assert stacks.create("s", _waiting(timeout=1))["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = "WaitCondition timed out. Received 0 conditions when expecting 2"
    assert ("Wait", "CREATE_FAILED", reason) in stacks.events("s")


def test_a_stack_that_waits_can_be_deleted(stacks: Stacks) -> None:
    _begin(stacks)
    assert stacks.delete("s")["StackStatus"] == "DELETE_COMPLETE"


def test_an_update_that_waits_can_be_cancelled(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"P": parameter("v")}})
    with pytest.raises(ClientError, match="CancelUpdateStack cannot be called from current stack status"):
        stacks.client.cancel_update_stack(StackName="s")
    stacks.client.update_stack(StackName="s", TemplateBody=as_text(_waiting()))
    eventually(lambda: ("Wait", "CREATE_IN_PROGRESS", "Resource creation Initiated") in stacks.events("s"))
    stacks.client.cancel_update_stack(StackName="s", ClientRequestToken="once")
    assert stacks.wait("s")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    # The same request again is no other one.
    stacks.client.cancel_update_stack(StackName="s", ClientRequestToken="once")
    summaries = stacks.client.list_stack_resources(StackName="s")["StackResourceSummaries"]
    assert [one["LogicalResourceId"] for one in summaries] == ["P"]


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"ServiceToken": "no-arn"}, "Invalid ServiceToken no-arn"),
        (
            {"ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:f", "ServiceTimeout": "soon"},
            "ServiceTimeout must be a number of seconds between 1 and 3600",
        ),
    ],
)
def test_a_custom_resource_that_cannot_be_sent_fails(stacks: Stacks, properties: dict[str, str], reason: str) -> None:
    stacks.create("s", {"Resources": {"C": {"Type": "Custom::C", "Properties": properties}}})
    assert ("C", "CREATE_FAILED", reason) in stacks.events("s")
