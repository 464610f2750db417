"""Stacks are resources of other stacks."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from cloudlet.core.aws.resources.provisioner import Instance
from cloudlet.services.cloudformation.provisioning.handlers import Work
from cloudlet.services.cloudformation.provisioning.nested_stack import NestedStack
from cloudlet.services.cloudformation.stack_record import Stack
from tests.services.cloudformation.deploying import BROKEN, Stacks, parameter, put_template, queue
from tests.services.cloudformation.drifting import list_drifts

_INNER = {
    "Parameters": {"Delay": {"Type": "Number"}},
    "Resources": {"Queue": queue(DelaySeconds={"Ref": "Delay"})},
    "Outputs": {"Url": {"Value": {"Ref": "Queue"}}},
}


def _outer(url: str, delay: int) -> dict[str, Any]:
    properties = {"TemplateURL": url, "Parameters": {"Delay": delay}}
    return {
        "Resources": {"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": properties}},
        "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.Url"]}}},
    }


def test_a_nested_stack_lives_with_its_parent(stacks: Stacks) -> None:
    url = put_template(stacks, _INNER)
    parent = stacks.create("outer", _outer(url, 1), Tags=[{"Key": "a", "Value": "b"}])
    assert parent["StackStatus"] == "CREATE_COMPLETE", stacks.events("outer")
    inner = stacks.describe(stacks.physical_id("outer", "Inner"))
    assert inner["StackName"].startswith("outer-Inner-")
    assert inner["ParentId"] == inner["RootId"] == parent["StackId"]
    assert inner["Tags"] == [{"Key": "a", "Value": "b"}]
    assert stacks.outputs("outer")["Url"].rpartition("/")[2] == stacks.queues()[0]

    stacks.update("outer", _outer(url, 2), Tags=[{"Key": "a", "Value": "b"}])
    queue_url = stacks.outputs("outer")["Url"]
    attributes = stacks.aws.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    assert attributes["DelaySeconds"] == "2"

    assert stacks.delete("outer")["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.queues() == []
    assert stacks.describe(inner["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_a_nested_stack_that_fails_fails_its_parent(stacks: Stacks) -> None:
    url = put_template(stacks, {**_INNER, "Resources": {**_INNER["Resources"], "Bad": BROKEN}})
    assert stacks.create("outer", _outer(url, 1))["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stacks.queues() == []
    (reason,) = [
        reason for name, status, reason in stacks.events("outer") if (name, status) == ("Inner", "CREATE_FAILED")
    ]
    assert reason.startswith("Embedded stack arn:aws:cloudformation:us-east-1:")
    assert reason.endswith("was not successfully created: The following resource(s) failed to create: [Bad].")


def test_the_drift_of_a_nested_stack_is_its_own(stacks: Stacks) -> None:
    """API reference, "DetectStackDrift": it is detected where that is asked of the nested stack itself."""
    stacks.create("outer", _outer(put_template(stacks, _INNER), 1))
    inner = stacks.physical_id("outer", "Inner")
    url = stacks.outputs("outer")["Url"]
    stacks.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "9"})
    assert list_drifts(stacks, "outer") == {}
    assert stacks.describe("outer")["DriftInformation"]["StackDriftStatus"] == "IN_SYNC"
    assert list_drifts(stacks, inner)["Queue"][0] == "MODIFIED"
    assert stacks.describe(inner)["DriftInformation"]["StackDriftStatus"] == "DRIFTED"


def test_a_nested_stack_that_cannot_be_deleted_fails_as_a_resource(stacks: Stacks) -> None:
    exporting = {**_INNER, "Outputs": {"Url": {"Value": {"Ref": "Queue"}, "Export": {"Name": "inner"}}}}
    stacks.create("outer", _outer(put_template(stacks, exporting), 1))
    stacks.create("user", {"Resources": {"P": parameter({"Fn::ImportValue": "inner"})}})
    assert stacks.delete("outer")["StackStatus"] == "DELETE_FAILED"
    reasons = [
        reason for name, status, reason in stacks.events("outer") if (name, status) == ("Inner", "DELETE_FAILED")
    ]
    refusal = "Delete canceled. Cannot delete export inner as it is in use by user."
    assert [reason.partition("was not successfully deleted: ")[2] for reason in reasons] == [refusal]
    stacks.delete("user")
    assert stacks.delete("outer")["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.queues() == []


def test_a_nested_update_is_rolled_back_with_its_parent_and_deletes_nothing_before(stacks: Stacks) -> None:
    def inner(name: str) -> dict[str, Any]:
        outputs = {"Name": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}, "Export": {"Name": "orders"}}}
        return {"Resources": {"Queue": queue(QueueName=name)}, "Outputs": outputs}

    def middle(url: str) -> dict[str, Any]:
        nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, "Parameters": {}}}
        return {"Resources": {"Leaf": nested}, "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Leaf", "Outputs.Name"]}}}}

    def outer(url: str, **others: Any) -> dict[str, Any]:
        nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
        outputs = {"Name": {"Value": {"Fn::GetAtt": ["Middle", "Outputs.Name"]}}}
        return {"Resources": {"Middle": nested, **others}, "Outputs": outputs}

    urls = {
        name: put_template(stacks, middle(put_template(stacks, inner(name), f"leaf-{name}")), f"middle-{name}")
        for name in ("before", "after", "last")
    }
    stacks.create("outer", outer(urls["before"]))
    queue_url = stacks.aws.client("sqs").get_queue_url(QueueName="before")["QueueUrl"]
    stacks.aws.client("sqs").send_message(QueueUrl=queue_url, MessageBody="kept")
    failed = stacks.update("outer", outer(urls["after"], Bad={**BROKEN, "DependsOn": "Middle"}))
    assert failed["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.queues() == ["before"]
    assert stacks.aws.client("sqs").receive_message(QueueUrl=queue_url)["Messages"][0]["Body"] == "kept"
    middle_id = stacks.physical_id("outer", "Middle")
    leaf_id = stacks.physical_id(middle_id, "Leaf")
    for stack_id in (middle_id, leaf_id):
        assert stacks.describe(stack_id)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        assert stacks.outputs(stack_id)["Name"] == "before"
    assert stacks.outputs("outer")["Name"] == "before"
    assert [one["Value"] for one in stacks.client.list_exports()["Exports"]] == ["before"]

    assert stacks.update("outer", outer(urls["last"]))["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.describe(leaf_id)["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.queues() == ["last"]
    assert stacks.outputs("outer")["Name"] == "last"
    ended = [status for name, status, _ in stacks.events(leaf_id) if name == leaf_id.split("/")[1]][-2:]
    assert ended == ["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"]


def test_a_nested_stack_that_ends_while_it_is_looked_at_is_deleted() -> None:
    statuses = ["DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]

    async def answer(model: str, operation: str, params: dict[str, Any], **options: Any) -> dict[str, Any]:
        if operation == "DescribeStackEvents":
            return {"StackEvents": [{"ClientRequestToken": "own"}]}
        assert operation == "DescribeStacks"
        return {"Stacks": [{"StackId": "arn", "StackStatus": statuses.pop(0) if statuses else "DELETE_COMPLETE"}]}

    stack = Stack("123456789012", "us-east-1", "i", "s", "DELETE_IN_PROGRESS", 0.0)
    work = Work(cast(Any, None), stack, "Inner", "AWS::CloudFormation::Stack", cast(Any, answer), 0.0)
    properties = {"TemplateURL": "https://b.s3.amazonaws.com/k"}
    nested = NestedStack(work)
    assert asyncio.run(nested.delete(Instance(properties, {"StackId": "arn"}), "own")) is None
