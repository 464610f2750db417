"""Resource scans find what an account has, and generated templates say it as templates do."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks, as_text, queue
from tests.standing import eventually

_QUEUE, _TOPIC = "AWS::SQS::Queue", "AWS::SNS::Topic"


def _scan(stacks: Stacks, **options: Any) -> str:
    """Scan the account; return the scan's id once it has ended."""
    client = stacks.client
    scan: str = client.start_resource_scan(**options)["ResourceScanId"]
    found = eventually(
        lambda: client.describe_resource_scan(ResourceScanId=scan), lambda one: one["Status"] != "IN_PROGRESS"
    )
    assert found["Status"] == "COMPLETE", found
    return scan


def _list(stacks: Stacks, scan: str, **options: Any) -> list[tuple[str, dict[str, str]]]:
    pages = stacks.client.get_paginator("list_resource_scan_resources").paginate(ResourceScanId=scan, **options)
    return [(one["ResourceType"], one["ResourceIdentifier"]) for page in pages for one in page["Resources"]]


def test_a_scan_finds_what_there_is(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"Mine": queue()}})
    sqs, logs = stacks.aws.client("sqs"), stacks.aws.client("logs")
    url = sqs.create_queue(QueueName="there", tags={"team": "shop"})["QueueUrl"]
    logs.create_log_group(logGroupName="/app")
    logs.create_log_stream(logGroupName="/app", logStreamName="one")
    scan = _scan(stacks)
    found = _list(stacks, scan)
    assert (_QUEUE, {"QueueUrl": url}) in found
    # What belongs to something else is found by that.
    assert ("AWS::Logs::LogStream", {"LogGroupName": "/app", "LogStreamName": "one"}) in found

    (page,) = stacks.client.get_paginator("list_resource_scan_resources").paginate(
        ResourceScanId=scan, ResourceTypePrefix=_QUEUE
    )
    managed = {one["ResourceIdentifier"]["QueueUrl"]: one["ManagedByStack"] for one in page["Resources"]}
    assert managed == {url: False, stacks.physical_id("s", "Mine"): True}
    assert _list(stacks, scan, TagKey="team", TagValue="shop") == [(_QUEUE, {"QueueUrl": url})]
    assert _list(stacks, scan, TagKey="team", TagValue="x") == []
    assert _list(stacks, scan, ResourceIdentifier="/app", ResourceTypePrefix="AWS::Logs::LogGroup") == [
        ("AWS::Logs::LogGroup", {"LogGroupName": "/app"})
    ]
    described = stacks.client.describe_resource_scan(ResourceScanId=scan)
    assert described["ResourcesScanned"] >= described["ResourcesRead"] == len(found)
    assert _QUEUE in described["ResourceTypes"]


def test_a_scan_may_be_of_some_types(stacks: Stacks) -> None:
    stacks.aws.client("sqs").create_queue(QueueName="q")
    topic = stacks.aws.client("sns").create_topic(Name="t")["TopicArn"]
    scan = _scan(stacks, ScanFilters=[{"Types": ["AWS::SNS::*"]}], ClientRequestToken="once")
    assert _list(stacks, scan) == [(_TOPIC, {"TopicArn": topic})]
    assert stacks.client.start_resource_scan(ClientRequestToken="once")["ResourceScanId"] == scan
    assert stacks.client.list_resource_scans()["ResourceScanSummaries"] == []
    (summary,) = stacks.client.list_resource_scans(ScanTypeFilter="PARTIAL")["ResourceScanSummaries"]
    assert (summary["ResourceScanId"], summary["ScanType"], summary["Status"]) == (scan, "PARTIAL", "COMPLETE")
    with pytest.raises(ClientError, match="can be scanned"):
        stacks.client.start_resource_scan(ScanFilters=[{"Types": ["AWS::Nope::Nope"]}])
    with pytest.raises(stacks.client.exceptions.ResourceScanNotFoundException):
        stacks.client.describe_resource_scan(ResourceScanId=scan[:-4] + "0000")


def _make_subscribed(stacks: Stacks) -> tuple[str, str, str]:
    """Make a queue that a topic sends to; return its URL, the topic and the subscription."""
    sqs, sns = stacks.aws.client("sqs"), stacks.aws.client("sns")
    url = sqs.create_queue(QueueName="orders", Attributes={"DelaySeconds": "2"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="events")["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    return url, topic, subscription["SubscriptionArn"]


def test_related_resources_are_those_that_name_each_other(stacks: Stacks) -> None:
    url, topic, subscription = _make_subscribed(stacks)
    scan = _scan(stacks, ScanFilters=[{"Types": ["AWS::SNS::*", _QUEUE]}])
    asked = [{"ResourceType": "AWS::SNS::Subscription", "ResourceIdentifier": {"Arn": subscription}}]
    related = stacks.client.list_resource_scan_related_resources(ResourceScanId=scan, Resources=asked)
    found = [(one["ResourceType"], one["ResourceIdentifier"]) for one in related["RelatedResources"]]
    assert found == [(_TOPIC, {"TopicArn": topic}), (_QUEUE, {"QueueUrl": url})]


def _generate(stacks: Stacks, name: str) -> dict[str, Any]:
    client = stacks.client
    return eventually(
        lambda: client.describe_generated_template(GeneratedTemplateName=name),
        lambda one: not one["Status"].endswith("_IN_PROGRESS"),
    )


def test_a_template_is_generated_and_imported(stacks: Stacks) -> None:
    url, topic, subscription = _make_subscribed(stacks)
    made = stacks.client.create_generated_template(
        GeneratedTemplateName="t",
        Resources=[
            {"ResourceType": _QUEUE, "LogicalResourceId": "Orders", "ResourceIdentifier": {"QueueUrl": url}},
            {"ResourceType": _TOPIC, "LogicalResourceId": "Events", "ResourceIdentifier": {"TopicArn": topic}},
            {"ResourceType": "AWS::SNS::Subscription", "ResourceIdentifier": {"Arn": subscription}},
        ],
    )
    found = _generate(stacks, made["GeneratedTemplateId"])
    assert (found["Status"], found["Progress"]["ResourcesSucceeded"]) == ("COMPLETE", 3), found
    body = json.loads(stacks.client.get_generated_template(GeneratedTemplateName="t")["TemplateBody"])
    orders = body["Resources"]["Orders"]
    assert (orders["Type"], orders["DeletionPolicy"], orders["UpdateReplacePolicy"]) == (_QUEUE, "Retain", "Retain")
    assert (orders["Properties"]["QueueName"], orders["Properties"]["DelaySeconds"]) == ("orders", 2)
    (name,) = set(body["Resources"]) - {"Orders", "Events"}
    assert body["Resources"][name]["Properties"]["Endpoint"] == {"Fn::GetAtt": ["Orders", "Arn"]}

    as_yaml = stacks.client.get_generated_template(GeneratedTemplateName="t", Format="YAML")["TemplateBody"]
    assert yaml.safe_load(as_yaml) == body

    identifiers = {"Orders": {"QueueUrl": url}, "Events": {"TopicArn": topic}, name: {"Arn": subscription}}
    stacks.client.create_change_set(
        StackName="s",
        ChangeSetName="import",
        ChangeSetType="IMPORT",
        TemplateBody=as_text(body),
        ResourcesToImport=[
            {
                "LogicalResourceId": one,
                "ResourceType": body["Resources"][one]["Type"],
                "ResourceIdentifier": identifier,
            }
            for one, identifier in identifiers.items()
        ],
    )
    stacks.client.execute_change_set(StackName="s", ChangeSetName="import")
    assert stacks.wait("s")["StackStatus"] == "IMPORT_COMPLETE", stacks.events("s")
    for one in identifiers:
        drift = stacks.client.detect_stack_resource_drift(StackName="s", LogicalResourceId=one)["StackResourceDrift"]
        assert drift["StackResourceDriftStatus"] == "IN_SYNC", drift


def test_a_generated_template_is_changed_and_deleted(stacks: Stacks) -> None:
    client = stacks.client
    url = stacks.aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    one = {"ResourceType": _QUEUE, "ResourceIdentifier": {"QueueUrl": url}}
    client.create_generated_template(GeneratedTemplateName="t", Resources=[one])
    with pytest.raises(client.exceptions.AlreadyExistsException):
        client.create_generated_template(GeneratedTemplateName="t")
    (first,) = _generate(stacks, "t")["Resources"]
    assert first["LogicalResourceId"] == "SQSQueue00q"

    stacks.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "8"})
    missing = {**one, "ResourceIdentifier": {"QueueUrl": url + "x"}}
    client.update_generated_template(
        GeneratedTemplateName="t",
        NewGeneratedTemplateName="u",
        RefreshAllResources=True,
        AddResources=[missing],
        TemplateConfiguration={"DeletionPolicy": "DELETE", "UpdateReplacePolicy": "RETAIN"},
    )
    found = _generate(stacks, "u")
    assert (found["Status"], found["Progress"]["ResourcesFailed"]) == ("FAILED", 1)
    body = json.loads(client.get_generated_template(GeneratedTemplateName="u")["TemplateBody"])
    (only,) = body["Resources"].values()
    assert (only["DeletionPolicy"], only["Properties"]["DelaySeconds"]) == ("Delete", 8)

    client.update_generated_template(GeneratedTemplateName="u", RemoveResources=["SQSQueue00qx"])
    assert _generate(stacks, "u")["Status"] == "COMPLETE"
    (summary,) = client.list_generated_templates()["Summaries"]
    assert (summary["GeneratedTemplateName"], summary["NumberOfResources"]) == ("u", 1)
    client.delete_generated_template(GeneratedTemplateName="u")
    for call in (client.describe_generated_template, client.delete_generated_template):
        with pytest.raises(client.exceptions.GeneratedTemplateNotFoundException):
            call(GeneratedTemplateName="u")


def test_what_cannot_be_read_is_a_warning(stacks: Stacks) -> None:
    secret = stacks.aws.client("secretsmanager").create_secret(Name="s", SecretString="hidden")["ARN"]
    one = {"ResourceType": "AWS::SecretsManager::Secret", "ResourceIdentifier": {"Id": secret}}
    stacks.client.create_generated_template(GeneratedTemplateName="t", Resources=[one])
    found = _generate(stacks, "t")
    (warning,) = found["Resources"][0]["Warnings"]
    assert warning["Type"] == "UNSUPPORTED_PROPERTIES"
    assert [one["PropertyPath"] for one in warning["Properties"]] == ["GenerateSecretString", "SecretString"]
    assert "hidden" not in stacks.client.get_generated_template(GeneratedTemplateName="t")["TemplateBody"]
