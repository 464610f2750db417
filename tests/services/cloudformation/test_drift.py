"""Drift: what a stack's resources are is compared with what the stack has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks, parameter, queue
from tests.standing import eventually


def _detect(stacks: Stacks, name: str = "s", **options: Any) -> dict[str, Any]:
    """Detect the drift of a stack; return what is said of the detection."""
    client = stacks.client
    detection = client.detect_stack_drift(StackName=name, **options)["StackDriftDetectionId"]
    return eventually(
        lambda: client.describe_stack_drift_detection_status(StackDriftDetectionId=detection),
        lambda found: found["DetectionStatus"] != "DETECTION_IN_PROGRESS",
    )


def _drifts(stacks: Stacks, **options: Any) -> dict[str, dict[str, Any]]:
    found = stacks.client.describe_stack_resource_drifts(StackName="s", **options)["StackResourceDrifts"]
    return {one["LogicalResourceId"]: one for one in found}


def test_a_stack_that_nobody_has_touched_is_in_sync(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue(DelaySeconds=5), "P": parameter("x")}})
    assert stacks.describe("s")["DriftInformation"] == {"StackDriftStatus": "NOT_CHECKED"}
    found = _detect(stacks)
    assert (found["DetectionStatus"], found["StackDriftStatus"]) == ("DETECTION_COMPLETE", "IN_SYNC")
    assert (found["DriftedStackResourceCount"], found["StackId"]) == (0, stacks.describe("s")["StackId"])
    drift = stacks.describe("s")["DriftInformation"]
    assert drift["StackDriftStatus"] == "IN_SYNC"
    assert drift["LastCheckTimestamp"] == found["Timestamp"]
    assert {name: one["StackResourceDriftStatus"] for name, one in _drifts(stacks).items()} == {
        "A": "IN_SYNC",
        "P": "IN_SYNC",
    }
    (summary,) = stacks.client.list_stacks(StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"]
    assert summary["DriftInformation"]["StackDriftStatus"] == "IN_SYNC"


def test_differences_are_told_by_their_paths(stacks: Stacks) -> None:
    dead = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 5}
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    main = queue(QueueName="q", DelaySeconds=5, RedrivePolicy=dead, Tags=tags, KmsMasterKeyId="alias/aws/sqs")
    stacks.create("s", {"Resources": {"Main": main, "Dead": queue(), "Gone": queue()}})
    sqs = stacks.aws.client("sqs")
    url = stacks.physical_id("s", "Main")
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["RedrivePolicy"])
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={
            "DelaySeconds": "9",
            "VisibilityTimeout": "60",
            "KmsMasterKeyId": "",
            "RedrivePolicy": json.dumps({**policy, "maxReceiveCount": 7}),
        },
    )
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    sqs.tag_queue(QueueUrl=url, Tags={"b": "3", "c": "4"})
    sqs.delete_queue(QueueUrl=stacks.physical_id("s", "Gone"))

    found = _detect(stacks)
    assert (found["StackDriftStatus"], found["DriftedStackResourceCount"]) == ("DRIFTED", 2)
    drifts = _drifts(stacks, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"])
    assert {name: one["StackResourceDriftStatus"] for name, one in drifts.items()} == {
        "Main": "MODIFIED",
        "Gone": "DELETED",
    }
    assert "ActualProperties" not in drifts["Gone"]
    differences = {
        one["PropertyPath"]: (one["DifferenceType"], one["ExpectedValue"], one["ActualValue"])
        for one in drifts["Main"]["PropertyDifferences"]
    }
    # What the template does not say is not looked at: the visibility timeout.
    assert differences == {
        "/DelaySeconds": ("NOT_EQUAL", "5", "9"),
        "/KmsMasterKeyId": ("REMOVE", "alias/aws/sqs", "null"),
        "/RedrivePolicy/maxReceiveCount": ("NOT_EQUAL", "5", "7"),
        "/Tags/0": ("REMOVE", '{"Key":"a","Value":"1"}', "null"),
        "/Tags/1/Value": ("NOT_EQUAL", "2", "3"),
        "/Tags/1": ("ADD", "null", '{"Key":"c","Value":"4"}'),
    }
    assert json.loads(drifts["Main"]["ExpectedProperties"])["DelaySeconds"] == 5
    assert json.loads(drifts["Main"]["ActualProperties"])["DelaySeconds"] == 9
    resources = stacks.client.list_stack_resources(StackName="s")["StackResourceSummaries"]
    shown = {one["LogicalResourceId"]: one["DriftInformation"]["StackResourceDriftStatus"] for one in resources}
    assert shown == {"Main": "MODIFIED", "Dead": "IN_SYNC", "Gone": "DELETED"}
    detail = stacks.client.describe_stack_resource(StackName="s", LogicalResourceId="Main")["StackResourceDetail"]
    assert "LastCheckTimestamp" in detail["DriftInformation"]


def test_one_resource_is_checked_at_once(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"P": parameter("x"), "H": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})
    stacks.aws.client("ssm").put_parameter(Name=stacks.physical_id("s", "P"), Value="y", Overwrite=True)
    client = stacks.client
    drift = client.detect_stack_resource_drift(StackName="s", LogicalResourceId="P")["StackResourceDrift"]
    assert drift["StackResourceDriftStatus"] == "MODIFIED"
    (difference,) = drift["PropertyDifferences"]
    assert difference == {
        "PropertyPath": "/Value",
        "ExpectedValue": "x",
        "ActualValue": "y",
        "DifferenceType": "NOT_EQUAL",
    }
    assert list(_drifts(stacks)) == ["P"]
    with pytest.raises(ClientError, match="not supported for resource type"):
        client.detect_stack_resource_drift(StackName="s", LogicalResourceId="H")
    with pytest.raises(ClientError, match=r"Resource \[No\] does not exist"):
        client.detect_stack_resource_drift(StackName="s", LogicalResourceId="No")


def test_a_detection_may_be_of_some_resources(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue(), "B": queue()}})
    _detect(stacks, LogicalResourceIds=["B"])
    assert list(_drifts(stacks)) == ["B"]
    with pytest.raises(ClientError, match=r"Resource \[C\] does not exist"):
        stacks.client.detect_stack_drift(StackName="s", LogicalResourceIds=["C"])
    with pytest.raises(ClientError, match="Drift detection with id missing does not exist"):
        stacks.client.describe_stack_drift_detection_status(StackDriftDetectionId="missing")


def test_a_stack_that_failed_is_not_checked(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue(DelaySeconds=100_000)}})
    with pytest.raises(ClientError, match="while it is in ROLLBACK_COMPLETE state"):
        stacks.client.detect_stack_drift(StackName="s")


def test_hidden_values_are_shown_nowhere(stacks: Stacks) -> None:
    template = {
        "Parameters": {"Secret": {"Type": "String", "NoEcho": True}},
        "Resources": {"P": parameter({"Ref": "Secret"})},
    }
    stacks.create("s", template, Parameters=[{"ParameterKey": "Secret", "ParameterValue": "hidden!"}])
    stacks.aws.client("ssm").put_parameter(Name=stacks.physical_id("s", "P"), Value="other", Overwrite=True)
    drift = stacks.client.detect_stack_resource_drift(StackName="s", LogicalResourceId="P")["StackResourceDrift"]
    assert drift["StackResourceDriftStatus"] == "MODIFIED"
    assert "hidden!" not in json.dumps(drift, default=str)
