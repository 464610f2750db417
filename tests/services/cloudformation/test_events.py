"""DescribeEvents: operations of stacks, with what failed, and what early validation has found."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import BROKEN, Stacks, as_text, queue


def describe(stacks: Stacks, **wanted: Any) -> list[dict[str, Any]]:
    """Return events, the oldest first."""
    pages = stacks.client.get_paginator("describe_events").paginate(**wanted)
    return [event for page in pages for event in page["OperationEvents"]][::-1]


def tell(events: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (one["EventType"], one.get("OperationType", ""), one["LogicalResourceId"], one.get("ResourceStatus", ""))
        for one in events
    ]


def test_an_operation_has_its_events(stacks: Stacks) -> None:
    created = stacks.client.create_stack(StackName="s", TemplateBody=as_text({"Resources": {"Q": queue()}}))
    stacks.wait("s")
    assert stacks.describe("s")["LastOperations"] == [
        {"OperationType": "CREATE_STACK", "OperationId": created["OperationId"]}
    ]
    stacks.update("s", {"Resources": {"Q": queue(DelaySeconds=5)}})

    events = describe(stacks, OperationId=created["OperationId"])
    assert tell(events) == [
        ("STACK_EVENT", "CREATE_STACK", "s", "CREATE_IN_PROGRESS"),
        ("PROGRESS_EVENT", "CREATE_STACK", "Q", "CREATE_IN_PROGRESS"),
        ("PROGRESS_EVENT", "CREATE_STACK", "Q", "CREATE_IN_PROGRESS"),
        ("PROGRESS_EVENT", "CREATE_STACK", "Q", "CREATE_COMPLETE"),
        ("STACK_EVENT", "CREATE_STACK", "s", "CREATE_COMPLETE"),
    ]
    assert [one["OperationStatus"] for one in events if "OperationStatus" in one] == ["IN_PROGRESS", "SUCCEEDED"]
    assert events[0]["StartTime"] == events[-1]["StartTime"] <= events[-1]["EndTime"]
    all_events = describe(stacks, StackName="s")
    assert {one["OperationType"] for one in all_events} == {"CREATE_STACK", "UPDATE_STACK"}
    assert describe(stacks, StackName="s", Filters={"FailedEvents": True}) == []


def test_a_rollback_is_an_operation_of_its_own(stacks: Stacks) -> None:
    created = stacks.client.create_stack(StackName="s", TemplateBody=as_text({"Resources": {"Bad": BROKEN}}))
    stack = stacks.wait("s")
    rollback, first = stack["LastOperations"]
    assert (rollback["OperationType"], first["OperationType"]) == ("ROLLBACK", "CREATE_STACK")
    assert first["OperationId"] == created["OperationId"]

    failed = describe(stacks, OperationId=created["OperationId"], Filters={"FailedEvents": True})
    assert tell(failed) == [
        ("PROVISIONING_ERROR", "CREATE_STACK", "Bad", "CREATE_FAILED"),
        ("STACK_EVENT", "CREATE_STACK", "s", "CREATE_FAILED"),
    ]
    assert "PatternMismatch" in failed[0]["ResourceStatusReason"]
    assert tell(describe(stacks, OperationId=rollback["OperationId"]))[-1][2:] == ("s", "ROLLBACK_COMPLETE")
    # DescribeStackEvents has no event that the operation has failed, only that it is rolled back.
    assert ("s", "CREATE_FAILED") not in [event[:2] for event in stacks.events("s")]


def test_a_change_set_fails_early(stacks: Stacks) -> None:
    stacks.create("other", {"Resources": {"Q": queue(QueueName="taken")}})
    template = {
        "Resources": {
            "Taken": queue(QueueName="taken"),
            "Topic": {"Type": "AWS::SNS::Subscription", "Properties": {"Colour": "red", "TopicArn": {"Ref": "T"}}},
            "T": {"Type": "AWS::SNS::Topic"},
        }
    }
    named = {"StackName": "s", "ChangeSetName": "c"}
    made = stacks.client.create_change_set(**named, ChangeSetType="CREATE", TemplateBody=as_text(template))
    described = stacks.client.describe_change_set(**named)
    assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert described["StatusReason"] == (
        "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck, "
        "AWS::EarlyValidation::PropertyValidation]. To troubleshoot Early Validation errors, use the DescribeEvents "
        "API for detailed failure information."
    )

    events = describe(stacks, **named, Filters={"FailedEvents": True})
    errors = [one for one in events if one["EventType"] == "VALIDATION_ERROR"]
    assert [(one["ValidationName"], one["ValidationStatusReason"], one["ValidationPath"]) for one in errors] == [
        ("PROPERTY_VALIDATION", "Unsupported property [Colour]", "/Resources/Topic/Properties"),
        ("PROPERTY_VALIDATION", "Required property [Protocol] not found", "/Resources/Topic/Properties"),
        (
            "NAME_CONFLICT_VALIDATION",
            "Resource of type 'AWS::SQS::Queue' with identifier 'taken' already exists.",
            "/Resources/Taken",
        ),
    ]
    assert {one["ValidationFailureMode"] for one in errors} == {"FAIL"}
    assert {one["OperationType"] for one in errors} == {"CREATE_CHANGESET"}
    assert (events[-1]["OperationStatus"], events[-1]["DetailedStatus"]) == ("FAILED", "VALIDATION_FAILED")
    assert describe(stacks, ChangeSetName=made["Id"], Filters={"FailedEvents": True}) == events

    unchecked = {**named, "ChangeSetName": "d", "DisableValidation": True}
    stacks.client.create_change_set(**unchecked, ChangeSetType="CREATE", TemplateBody=as_text(template))
    assert stacks.client.describe_change_set(StackName="s", ChangeSetName="d")["Status"] == "CREATE_COMPLETE"


def test_a_bucket_with_objects_is_warned_of(stacks: Stacks) -> None:
    template = {"Resources": {"B": {"Type": "AWS::S3::Bucket"}, "Q": queue()}}
    stacks.create("s", template)
    stacks.aws.client("s3").put_object(Bucket=stacks.physical_id("s", "B"), Key="k", Body=b"")
    del template["Resources"]["B"]
    named = {"StackName": "s", "ChangeSetName": "c"}
    stacks.client.create_change_set(**named, TemplateBody=as_text(template))
    assert stacks.client.describe_change_set(**named)["Status"] == "CREATE_COMPLETE"
    warned = [one for one in describe(stacks, **named) if one["EventType"] == "VALIDATION_ERROR"]
    assert [(one["ValidationName"], one["ValidationFailureMode"]) for one in warned] == [
        ("BUCKET_EMPTINESS_VALIDATION", "WARN")
    ]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "One of ChangeSetName, OperationId or StackName must be specified"),
        ({"OperationId": "none"}, "Operation ID does not exist"),
        ({"StackName": "none"}, r"Stack \[none\] does not exist"),
    ],
)
def test_what_is_not_there_has_no_events(stacks: Stacks, wanted: dict[str, str], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        stacks.client.describe_events(**wanted)
