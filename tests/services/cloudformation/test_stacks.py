"""Stacks are made, updated and deleted, with all that their resources need."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import BROKEN, Stacks, as_text, parameter, queue

ONE = {"Resources": {"Queue": queue()}}


def test_a_stack_makes_its_resources(stacks: Stacks) -> None:
    stack = stacks.create("one", ONE)

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["StackId"].startswith(f"arn:aws:cloudformation:us-east-1:{stacks.aws.account}:stack/one/")
    (name,) = stacks.queues()
    assert name.startswith("one-Queue-")
    assert stacks.physical_id("one", "Queue").endswith(name)


def test_events_tell_what_was_done_in_order(stacks: Stacks) -> None:
    template = {"Resources": {"First": queue(), "Second": {**queue(), "DependsOn": "First"}}}
    stacks.create("s", template)

    assert stacks.events("s") == [
        ("s", "CREATE_IN_PROGRESS", "User Initiated"),
        ("First", "CREATE_IN_PROGRESS", ""),
        ("First", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ("First", "CREATE_COMPLETE", ""),
        ("Second", "CREATE_IN_PROGRESS", ""),
        ("Second", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ("Second", "CREATE_COMPLETE", ""),
        ("s", "CREATE_COMPLETE", ""),
    ]


def test_references_and_attributes_lead_to_other_resources(stacks: Stacks) -> None:
    dead = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}
    stacks.create(
        "s",
        {
            "Resources": {"Main": queue(RedrivePolicy=dead), "Dead": queue(QueueName="dead")},
            "Outputs": {"Url": {"Value": {"Ref": "Main"}}, "Arn": {"Value": {"Fn::GetAtt": ["Main", "Arn"]}}},
        },
    )

    outputs = stacks.outputs("s")
    sqs = stacks.aws.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=outputs["Url"], AttributeNames=["All"])["Attributes"]
    assert attributes["QueueArn"] == outputs["Arn"]
    assert f":{stacks.aws.account}:dead" in attributes["RedrivePolicy"]


def test_an_update_changes_what_differs_and_leaves_the_rest(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue(DelaySeconds=1), "B": queue()}})
    first = stacks.physical_id("s", "A")

    stack = stacks.update("s", {"Resources": {"A": queue(DelaySeconds=2), "B": queue()}})

    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.physical_id("s", "A") == first
    attributes = stacks.aws.client("sqs").get_queue_attributes(QueueUrl=first, AttributeNames=["All"])["Attributes"]
    assert attributes["DelaySeconds"] == "2"
    assert ("B", "UPDATE_IN_PROGRESS", "") not in stacks.events("s")


def test_a_property_that_is_not_given_any_more_goes_back_to_its_default(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue(DelaySeconds=5)}})
    stacks.update("s", ONE | {"Resources": {"A": queue()}})
    url = stacks.physical_id("s", "A")
    attributes = stacks.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["DelaySeconds"] == "0"


def test_a_create_only_property_replaces_the_resource(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue(QueueName="before")}})
    stacks.update("s", {"Resources": {"A": queue(QueueName="after")}})

    assert stacks.queues() == ["after"]
    reasons = [reason for _, _, reason in stacks.events("s")]
    assert "Requested update requires the creation of a new physical resource; hence creating one." in reasons


def test_what_a_template_has_no_more_is_deleted_last(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue(QueueName="a"), "B": queue(QueueName="b")}})
    stacks.update("s", {"Resources": {"A": queue(QueueName="a")}})

    assert stacks.queues() == ["a"]
    events = stacks.events("s")
    cleanup = events.index(("s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""))
    assert events.index(("B", "DELETE_COMPLETE", "")) > cleanup


def test_an_update_without_changes_is_refused(stacks: Stacks) -> None:
    stacks.create("s", ONE)
    with pytest.raises(ClientError, match=r"No updates are to be performed\."):
        stacks.client.update_stack(StackName="s", TemplateBody=as_text(ONE))


def test_deleting_a_stack_deletes_its_resources(stacks: Stacks) -> None:
    stacks.create("s", ONE)
    stack = stacks.delete("s")

    assert stack["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.queues() == []
    with pytest.raises(ClientError, match="Stack with id s does not exist"):
        stacks.describe("s")


def test_resources_are_deleted_before_those_they_depend_on(stacks: Stacks) -> None:
    template = {"Resources": {"First": queue(), "Second": {**queue(), "DependsOn": "First"}}}
    stacks.create("s", template)
    stack_id = stacks.delete("s")["StackId"]
    deleted = [name for name, status, _ in stacks.events(stack_id) if status == "DELETE_COMPLETE"]
    assert deleted == ["Second", "First", "s"]


def test_a_retained_resource_outlives_its_stack(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": {**queue(QueueName="kept"), "DeletionPolicy": "Retain"}}})
    stack_id = stacks.delete("s")["StackId"]

    assert stacks.queues() == ["kept"]
    assert ("A", "DELETE_SKIPPED", "") in stacks.events(stack_id)


def test_a_replaced_resource_is_kept_by_its_update_replace_policy(stacks: Stacks) -> None:
    def template(name: str) -> dict[str, object]:
        return {"Resources": {"A": {**queue(QueueName=name), "UpdateReplacePolicy": "Retain"}}}

    stacks.create("s", template("old"))
    stacks.update("s", template("new"))
    assert sorted(stacks.queues()) == ["new", "old"]


def test_tags_of_a_stack_are_those_of_its_resources(stacks: Stacks) -> None:
    stacks.create("s", ONE, Tags=[{"Key": "team", "Value": "a"}])
    url = stacks.physical_id("s", "Queue")
    sqs = stacks.aws.client("sqs")
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "a"}

    stacks.update("s", ONE, Tags=[{"Key": "team", "Value": "b"}])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "b"}


def test_a_name_is_taken_once(stacks: Stacks) -> None:
    stacks.create("s", ONE)
    with pytest.raises(ClientError, match=r"Stack \[s\] already exists") as raised:
        stacks.client.create_stack(StackName="s", TemplateBody=as_text(ONE))
    assert raised.value.response["Error"]["Code"] == "AlreadyExistsException"


def test_a_request_that_is_sent_again_is_the_same_one(stacks: Stacks) -> None:
    request = {"StackName": "s", "TemplateBody": as_text(ONE), "ClientRequestToken": "token"}
    first = stacks.client.create_stack(**request)
    assert stacks.client.create_stack(**request)["StackId"] == first["StackId"]
    stacks.wait("s")
    assert len(stacks.queues()) == 1


def test_a_protected_stack_is_not_deleted(stacks: Stacks) -> None:
    stacks.create("s", ONE, EnableTerminationProtection=True)
    with pytest.raises(ClientError, match=r"Stack \[s\] cannot be deleted while TerminationProtection is enabled"):
        stacks.client.delete_stack(StackName="s")

    stacks.client.update_termination_protection(StackName="s", EnableTerminationProtection=False)
    assert stacks.delete("s")["StackStatus"] == "DELETE_COMPLETE"


def test_deleting_what_is_not_there_is_no_error(stacks: Stacks) -> None:
    stacks.client.delete_stack(StackName="nothing")


def test_stacks_are_listed_the_newest_first(stacks: Stacks) -> None:
    for name in ("a", "b", "c"):
        stacks.create(name, ONE)
    stacks.delete("b")
    assert [one["StackName"] for one in stacks.client.describe_stacks()["Stacks"]] == ["c", "a"]
    listed = stacks.client.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert [one["StackName"] for one in listed] == ["b"]


def test_a_hundred_queues_are_made_quickly(stacks: Stacks) -> None:
    template = {"Resources": {f"Queue{number}": queue() for number in range(100)}}
    started = time.monotonic()
    stacks.create("s", template)
    assert time.monotonic() - started < 20  # 0.2 s on a quiet machine; this one is shared.
    assert len(stacks.queues()) == 100
    summaries = stacks.client.get_paginator("list_stack_resources").paginate(StackName="s")
    assert sum(len(page["StackResourceSummaries"]) for page in summaries) == 100


def test_resources_are_looked_up(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"P": {**parameter("v"), "Metadata": {"a": "b"}}}})
    name = stacks.physical_id("s", "P")
    detail = stacks.client.describe_stack_resource(StackName="s", LogicalResourceId="P")["StackResourceDetail"]
    assert detail["Metadata"] == '{"a": "b"}'
    found = stacks.client.describe_stack_resources(PhysicalResourceId=name)["StackResources"]
    assert [(one["StackName"], one["LogicalResourceId"]) for one in found] == [("s", "P")]
    with pytest.raises(ClientError, match="Resource X does not exist for stack s"):
        stacks.client.describe_stack_resource(StackName="s", LogicalResourceId="X")


def test_a_given_name_that_is_taken_is_not_taken_over(stacks: Stacks) -> None:
    stacks.aws.client("sqs").create_queue(QueueName="mine")
    stack = stacks.create("s", {"Resources": {"A": queue(QueueName="mine")}})

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stacks.queues() == ["mine"]
    reason = (
        "Validation failed with 1 error(s). Call DescribeEvents to retrieve the full list of issues with resource and "
        "property details, resolve each error, then retry the operation."
    )
    assert stacks.events("s")[1:] == [("s", "ROLLBACK_IN_PROGRESS", reason), ("s", "ROLLBACK_COMPLETE", reason)]

    unchecked = stacks.create("t", {"Resources": {"A": queue(QueueName="mine")}}, DisableValidation=True)
    assert unchecked["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stacks.queues() == ["mine"]
    assert any("'mine' already exists" in reason for _, _, reason in stacks.events("t"))


def _make_filter(pattern: str) -> dict[str, Any]:
    transformation = {"MetricName": "m", "MetricNamespace": "n", "MetricValue": "1"}
    properties = {"FilterName": "errors", "FilterPattern": pattern, "LogGroupName": "/shop"}
    properties |= {"MetricTransformations": [transformation]}
    return {"Resources": {"Filter": {"Type": "AWS::Logs::MetricFilter", "Properties": properties}}}


def test_what_would_be_put_over_what_is_there_is_not(stacks: Stacks) -> None:
    """The operations that make filters and policies change those that have their names already."""
    logs = stacks.aws.client("logs")
    logs.create_log_group(logGroupName="/shop")
    transformation = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    logs.put_metric_filter(
        logGroupName="/shop", filterName="errors", filterPattern="theirs", metricTransformations=[transformation]
    )
    assert stacks.create("s", _make_filter("ours"))["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("'errors' already exists" in reason for _, _, reason in stacks.events("s"))
    (found,) = logs.describe_metric_filters(logGroupName="/shop")["metricFilters"]
    assert found["filterPattern"] == "theirs"
    logs.delete_metric_filter(logGroupName="/shop", filterName="errors")
    assert stacks.create("t", _make_filter("ours"))["StackStatus"] == "CREATE_COMPLETE"
    assert stacks.update("t", _make_filter("others"))["StackStatus"] == "UPDATE_COMPLETE"
    (found,) = logs.describe_metric_filters(logGroupName="/shop")["metricFilters"]
    assert found["filterPattern"] == "others"


@pytest.mark.parametrize(
    ("option", "status", "left"),
    [("ROLLBACK", "ROLLBACK_COMPLETE", 0), ("DO_NOTHING", "CREATE_FAILED", 1), ("DELETE", "DELETE_COMPLETE", 0)],
)
def test_what_is_done_when_a_stack_cannot_be_made(stacks: Stacks, option: str, status: str, left: int) -> None:
    template = {"Resources": {"Good": queue(), "Bad": {**BROKEN, "DependsOn": "Good"}}}
    stack_id = stacks.client.create_stack(StackName="s", TemplateBody=as_text(template), OnFailure=option)["StackId"]

    assert stacks.wait(stack_id)["StackStatus"] == status
    assert len(stacks.queues()) == left
    events = stacks.events(stack_id)
    assert any(event[:2] == ("Bad", "CREATE_FAILED") and "PatternMismatch" in event[2] for event in events), events
    reason = "The following resource(s) failed to create: [Bad]. "
    if option == "ROLLBACK":
        assert ("s", "ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.") in events


def test_a_stack_that_was_rolled_back_can_only_be_deleted(stacks: Stacks) -> None:
    stack = stacks.create("s", {"Resources": {"Bad": BROKEN}})
    message = f"Stack:{stack['StackId']} is in ROLLBACK_COMPLETE state and can not be updated."
    with pytest.raises(ClientError, match=message):
        stacks.client.update_stack(StackName="s", TemplateBody=as_text(ONE))
    assert stacks.delete("s")["StackStatus"] == "DELETE_COMPLETE"


def test_a_failed_update_leaves_all_as_it_was(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue(DelaySeconds=1), "B": queue(QueueName="b"), "Gone": queue()}})
    before = sorted(stacks.queues())
    url = stacks.physical_id("s", "A")
    broken = {
        "A": queue(DelaySeconds=2),
        "B": queue(QueueName="b2"),
        "New": queue(),
        "Bad": {**BROKEN, "DependsOn": ["A", "B", "New"]},
    }
    stack = stacks.update("s", {"Resources": broken})

    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert sorted(stacks.queues()) == before
    attributes = stacks.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["DelaySeconds"] == "1"
    names = {
        one["LogicalResourceId"] for one in stacks.client.list_stack_resources(StackName="s")["StackResourceSummaries"]
    }
    assert names == {"A", "B", "Gone"}
    # And what it is now can be updated.
    assert stacks.update("s", {"Resources": {"A": queue(DelaySeconds=3)}})["StackStatus"] == "UPDATE_COMPLETE"


def test_an_update_that_failed_can_be_rolled_back_later(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue(DelaySeconds=1)}})
    url = stacks.physical_id("s", "A")
    broken = {"A": queue(DelaySeconds=2), "Bad": {**BROKEN, "DependsOn": "A"}}
    assert stacks.update("s", {"Resources": broken}, DisableRollback=True)["StackStatus"] == "UPDATE_FAILED"

    stacks.client.rollback_stack(StackName="s")
    assert stacks.wait("s")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    attributes = stacks.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["DelaySeconds"] == "1"


def test_a_stack_that_failed_is_mended_by_an_update(stacks: Stacks) -> None:
    broken = {"Resources": {"Good": queue(QueueName="good"), "Bad": {**BROKEN, "DependsOn": "Good"}}}
    assert stacks.create("s", broken, DisableRollback=True)["StackStatus"] == "CREATE_FAILED"
    good = {"Resources": {"Good": queue(QueueName="good"), "Bad": parameter("v")}}
    assert stacks.update("s", good)["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.queues() == ["good"]


@pytest.mark.parametrize(
    ("given", "status"), [({}, "CREATE_FAILED"), ({"DisableRollback": False}, "ROLLBACK_COMPLETE")]
)
def test_express_mode_rolls_back_only_where_it_is_told_to(stacks: Stacks, given: dict[str, bool], status: str) -> None:
    config = {"Mode": "EXPRESS", **given}
    assert stacks.create("good", ONE, DeploymentConfig=config)["StackStatus"] == "CREATE_COMPLETE"
    assert stacks.create("s", {"Resources": {"Bad": BROKEN}}, DeploymentConfig=config)["StackStatus"] == status


def test_topics_are_notified_of_events(stacks: Stacks) -> None:
    aws = stacks.aws
    topic = aws.client("sns").create_topic(Name="t")["TopicArn"]
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    stacks.create("s", ONE, NotificationARNs=[topic])

    told: list[str] = []
    while not any("LogicalResourceId='s'" in text and "ResourceStatus='CREATE_COMPLETE'" in text for text in told):
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5).get("Messages", [])
        assert messages
        told += [one["Body"].replace("\\n", "\n") for one in messages]
    assert any("LogicalResourceId='Queue'" in text for text in told)


def test_what_is_deleted_already_does_not_hold_up_a_deletion(stacks: Stacks) -> None:
    """Neither by others nor by a call whose answer a crash has lost."""
    vpcs = {f"Vpc{one}": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": f"10.{one}.0.0/16"}} for one in (1, 2)}
    attachment = {"VpcId": {"Ref": "Vpc1"}, "InternetGatewayId": {"Ref": "Gateway"}}
    stacks.create(
        "s",
        {
            "Resources": {
                **vpcs,
                "Key": {"Type": "AWS::KMS::Key"},
                "Group": {"Type": "AWS::XRay::Group", "Properties": {"GroupName": "g"}},
                "Gateway": {"Type": "AWS::EC2::InternetGateway"},
                "Attachment": {"Type": "AWS::EC2::VPCGatewayAttachment", "Properties": attachment},
                "Peering": {
                    "Type": "AWS::EC2::VPCPeeringConnection",
                    "Properties": {"VpcId": {"Ref": "Vpc1"}, "PeerVpcId": {"Ref": "Vpc2"}},
                },
                "Store": {
                    "Type": "AWS::CloudTrail::EventDataStore",
                    "Properties": {"TerminationProtectionEnabled": False},
                },
            }
        },
    )
    listed = stacks.client.describe_stack_resources(StackName="s")["StackResources"]
    made = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in listed}
    ec2 = stacks.aws.client("ec2")
    stacks.aws.client("kms").schedule_key_deletion(KeyId=made["Key"])
    stacks.aws.client("xray").delete_group(GroupName="g")
    ec2.detach_internet_gateway(VpcId=made["Vpc1"], InternetGatewayId=made["Gateway"])
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=made["Peering"])
    stacks.aws.client("cloudtrail").delete_event_data_store(EventDataStore=made["Store"])

    assert stacks.delete("s")["StackStatus"] == "DELETE_COMPLETE", stacks.events("s")
