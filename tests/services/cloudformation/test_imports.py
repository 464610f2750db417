"""Change sets of the type IMPORT: resources that there are become a stack's, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks, as_text, queue

_QUEUE, _TABLE = "AWS::SQS::Queue", "AWS::DynamoDB::Table"


def _retained(resource: dict[str, Any]) -> dict[str, Any]:
    return {**resource, "DeletionPolicy": "Retain"}


def _import(stacks: Stacks, resources: dict[str, Any], *wanted: tuple[str, str, dict[str, str]], **more: Any) -> Any:
    """Make a change set that imports resources: logical ids, types and identifiers."""
    made = stacks.client.create_change_set(
        StackName="s",
        ChangeSetName="import",
        ChangeSetType="IMPORT",
        TemplateBody=as_text({"Resources": resources, **more}),
        ResourcesToImport=[
            {"LogicalResourceId": name, "ResourceType": kind, "ResourceIdentifier": identifier}
            for name, kind, identifier in wanted
        ],
    )
    return stacks.client.describe_change_set(ChangeSetName=made["Id"])


def _execute(stacks: Stacks) -> dict[str, Any]:
    stacks.client.execute_change_set(StackName="s", ChangeSetName="import")
    return stacks.wait("s")


def test_a_stack_is_made_of_what_there_is(stacks: Stacks) -> None:
    url = stacks.aws.client("sqs").create_queue(QueueName="there", Attributes={"DelaySeconds": "3"})["QueueUrl"]
    resources = {"A": _retained(queue(DelaySeconds=3))}
    found = _import(stacks, resources, ("A", _QUEUE, {"QueueUrl": url}))
    (change,) = (one["ResourceChange"] for one in found["Changes"])
    assert (change["Action"], change["PhysicalResourceId"]) == ("Import", url)
    assert stacks.describe("s")["StackStatus"] == "REVIEW_IN_PROGRESS"

    assert _execute(stacks)["StackStatus"] == "IMPORT_COMPLETE"
    assert stacks.physical_id("s", "A") == url
    events = stacks.events("s")
    assert ("A", "IMPORT_IN_PROGRESS", "Resource import started.") in events
    assert ("A", "IMPORT_COMPLETE", "Resource import completed.") in events
    assert ("s", "IMPORT_IN_PROGRESS", "User Initiated") in events

    # From then on it is a resource like any other.
    assert stacks.update("s", {"Resources": {"A": queue(DelaySeconds=4)}})["StackStatus"] == "UPDATE_COMPLETE"
    attributes = stacks.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["DelaySeconds"] == "4"
    assert stacks.delete("s")["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.queues() == []


def test_a_stack_gets_what_there_is(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"Mine": queue()}})
    dynamodb = stacks.aws.client("dynamodb")
    keys = [{"AttributeName": "id", "KeyType": "HASH"}]
    types = [{"AttributeName": "id", "AttributeType": "S"}]
    dynamodb.create_table(TableName="items", KeySchema=keys, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")
    properties = {"KeySchema": keys, "AttributeDefinitions": types, "BillingMode": "PAY_PER_REQUEST"}
    table = _retained({"Type": _TABLE, "Properties": {"TableName": "items", **properties}})
    _import(stacks, {"Mine": queue(), "T": table}, ("T", _TABLE, {"TableName": "items"}))
    assert _execute(stacks)["StackStatus"] == "IMPORT_COMPLETE"
    assert stacks.physical_id("s", "T") == "items"
    drift = stacks.client.detect_stack_resource_drift(StackName="s", LogicalResourceId="T")["StackResourceDrift"]
    assert drift["StackResourceDriftStatus"] == "IN_SYNC"
    # What is retained stays.
    stacks.delete("s")
    assert dynamodb.list_tables()["TableNames"] == ["items"]
    assert stacks.queues() == []


def test_what_is_imported_gets_the_tags_of_the_stack(stacks: Stacks) -> None:
    sqs = stacks.aws.client("sqs")
    url = sqs.create_queue(QueueName="there", tags={"own": "1"})["QueueUrl"]
    stacks.client.create_change_set(
        StackName="s",
        ChangeSetName="import",
        ChangeSetType="IMPORT",
        TemplateBody=as_text({"Resources": {"A": _retained(queue())}}),
        ResourcesToImport=[{"LogicalResourceId": "A", "ResourceType": _QUEUE, "ResourceIdentifier": {"QueueUrl": url}}],
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    assert _execute(stacks)["StackStatus"] == "IMPORT_COMPLETE"
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"]["team"] == "shop"
    assert ("A", "UPDATE_COMPLETE", "") in stacks.events("s")


def test_an_import_that_fails_is_rolled_back(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"Mine": queue()}})
    url = stacks.aws.client("sqs").create_queue(QueueName="there")["QueueUrl"]
    resources = {"Mine": queue(), "A": _retained(queue()), "B": {**_retained(queue()), "DependsOn": "A"}}
    missing = url.replace("there", "missing")
    _import(stacks, resources, ("A", _QUEUE, {"QueueUrl": url}), ("B", _QUEUE, {"QueueUrl": missing}))
    stack = _execute(stacks)
    assert stack["StackStatus"] == "IMPORT_ROLLBACK_COMPLETE"
    reasons = {status: reason for name, status, reason in stacks.events("s") if name == "B"}
    assert f"with identifier '{missing}' was not found" in reasons["IMPORT_FAILED"]
    summaries = stacks.client.list_stack_resources(StackName="s")["StackResourceSummaries"]
    assert [one["LogicalResourceId"] for one in summaries] == ["Mine"]
    assert url.rpartition("/")[2] in stacks.queues()
    # The stack goes on.
    assert stacks.update("s", {"Resources": {"Mine": queue(DelaySeconds=1)}})["StackStatus"] == "UPDATE_COMPLETE"


def test_an_import_is_checked_before_anything_is_done(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"Mine": queue()}})
    url = stacks.aws.client("sqs").create_queue(QueueName="there")["QueueUrl"]
    mine, new = {"Mine": queue()}, {"A": _retained(queue())}
    wanted = ("A", _QUEUE, {"QueueUrl": url})
    taken = ("A", _QUEUE, {"QueueUrl": stacks.physical_id("s", "Mine")})
    cases: list[tuple[dict[str, Any], tuple[Any, ...], dict[str, Any], str]] = [
        ({**mine, **new}, (), {}, "ResourcesToImport must be specified"),
        (mine, (wanted,), {}, r"Resources \[A\] passed in ResourceToImport are not available in the template"),
        ({**mine, "A": queue()}, (wanted,), {}, r"\[A\] must have DeletionPolicy attribute specified"),
        ({**mine, **new, "C": queue()}, (wanted,), {}, r"You have modified resources \[C\]"),
        (new, (wanted,), {}, r"You have modified resources \[Mine\]"),
        ({**mine, **new}, (("A", _TABLE, {"TableName": "t"}),), {}, "do not match those of the template"),
        ({**mine, **new}, (("A", _QUEUE, {"QueueName": "t"}),), {}, r"exactly the properties \[QueueUrl\]"),
        ({**mine, **new}, (wanted,), {"Outputs": {"O": {"Value": "1"}}}, r"cannot modify or add \[Outputs\]"),
        ({"Mine": _retained(queue())}, (("Mine", _QUEUE, {"QueueUrl": url}),), {}, "already exist in the stack"),
    ]
    for resources, resources_to_import, more, words in cases:
        with pytest.raises(ClientError, match=words):
            _import(stacks, resources, *resources_to_import, **more)
    stacks.create("other", {"Resources": {"Mine": queue()}})
    theirs = ("A", _QUEUE, {"QueueUrl": stacks.physical_id("other", "Mine")})
    with pytest.raises(ClientError, match="Resource A already exists in stack"):
        _import(stacks, {**mine, **new}, theirs)
    assert taken != theirs
    with pytest.raises(ClientError, match="can only be specified for a change set of type IMPORT"):
        stacks.client.create_change_set(
            StackName="s",
            ChangeSetName="c",
            TemplateBody=as_text({"Resources": {**mine, **new}}),
            ResourcesToImport=[
                {"LogicalResourceId": "A", "ResourceType": _QUEUE, "ResourceIdentifier": {"QueueUrl": url}}
            ],
        )


def test_a_summary_tells_how_resources_are_identified(stacks: Stacks) -> None:
    stage = {"Type": "AWS::ApiGateway::Stage", "Properties": {"RestApiId": "a"}}
    summary = stacks.client.get_template_summary(TemplateBody=as_text({"Resources": {"A": queue(), "S": stage}}))
    assert summary["ResourceIdentifierSummaries"] == [
        {
            "ResourceType": "AWS::ApiGateway::Stage",
            "LogicalResourceIds": ["S"],
            "ResourceIdentifiers": ["RestApiId,StageName"],
        },
        {"ResourceType": _QUEUE, "LogicalResourceIds": ["A"], "ResourceIdentifiers": ["QueueUrl"]},
    ]
