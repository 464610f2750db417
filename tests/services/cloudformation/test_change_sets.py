"""Change sets say what an operation would do, exactly, and do it when they are executed."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.refused import code_of
from tests.services.cloudformation.deploying import Stacks, as_text, put_template, queue


def _create(stacks: Stacks, template: Any, kind: str = "UPDATE", name: str = "changes") -> dict[str, Any]:
    made = stacks.client.create_change_set(
        StackName="s", ChangeSetName=name, TemplateBody=as_text(template), ChangeSetType=kind
    )
    found: dict[str, Any] = stacks.client.describe_change_set(ChangeSetName=made["Id"], IncludePropertyValues=True)
    return found


def _changes(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"] for one in found["Changes"]}


def test_a_change_set_makes_a_stack(stacks: Stacks) -> None:
    found = _create(stacks, {"Resources": {"A": queue()}}, "CREATE")
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert stacks.describe("s")["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert {name: change["Action"] for name, change in _changes(found).items()} == {"A": "Add"}
    assert stacks.queues() == []

    stacks.client.execute_change_set(ChangeSetName="changes", StackName="s")
    stack = stacks.wait("s")
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["ChangeSetId"] == found["ChangeSetId"]
    assert len(stacks.queues()) == 1


def test_a_change_set_tells_what_is_modified_replaced_and_removed(stacks: Stacks) -> None:
    stacks.create(
        "s",
        {"Resources": {"Mod": queue(DelaySeconds=1), "Rep": queue(QueueName="old"), "Gone": queue(), "Same": queue()}},
    )
    new = {"Mod": queue(DelaySeconds=2), "Rep": queue(QueueName="new"), "Same": queue(), "New": queue()}
    found = _create(stacks, {"Resources": new})
    changes = _changes(found)

    assert {name: change["Action"] for name, change in changes.items()} == {
        "Mod": "Modify",
        "Rep": "Modify",
        "Gone": "Remove",
        "New": "Add",
    }
    assert (changes["Mod"]["Replacement"], changes["Rep"]["Replacement"]) == ("False", "True")
    (detail,) = changes["Mod"]["Details"]
    assert detail == {
        "Target": {
            "Attribute": "Properties",
            "Name": "DelaySeconds",
            "RequiresRecreation": "Never",
            "Path": "/Properties/DelaySeconds",
            "BeforeValue": "1",
            "AfterValue": "2",
        },
        "Evaluation": "Static",
        "ChangeSource": "DirectModification",
    }
    assert changes["Rep"]["Details"][0]["Target"]["RequiresRecreation"] == "Always"
    assert changes["Gone"]["PolicyAction"] == "Delete"


def test_what_refers_to_a_replaced_resource_changes_with_it(stacks: Stacks) -> None:
    def template(name: str) -> dict[str, Any]:
        dead = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 1}
        return {"Resources": {"Dead": queue(QueueName=name), "Main": queue(RedrivePolicy=dead)}}

    stacks.create("s", template("one"))
    changes = _changes(_create(stacks, template("two")))
    (detail,) = changes["Main"]["Details"]
    assert (detail["Evaluation"], detail["ChangeSource"]) == ("Dynamic", "ResourceReference")
    assert "{{changeSet:KNOWN_AFTER_APPLY}}" in detail["Target"]["AfterValue"]


def test_a_change_set_without_changes_fails(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue()}})
    found = _create(stacks, {"Resources": {"A": queue()}})
    assert (found["Status"], found["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert found["StatusReason"] == (
        "The submitted information didn't contain changes. Submit different information to create a change set."
    )
    with pytest.raises(ClientError, match="cannot be executed in its current status") as raised:
        stacks.client.execute_change_set(ChangeSetName=found["ChangeSetId"])
    assert raised.value.response["Error"]["Code"] == "InvalidChangeSetStatus"


def test_an_executed_change_set_takes_the_others_with_it(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue()}})
    _create(stacks, {"Resources": {"A": queue(DelaySeconds=1)}}, name="one")
    _create(stacks, {"Resources": {"A": queue(DelaySeconds=2)}}, name="two")
    names = [one["ChangeSetName"] for one in stacks.client.list_change_sets(StackName="s")["Summaries"]]
    assert names == ["one", "two"]

    stacks.client.execute_change_set(StackName="s", ChangeSetName="one")
    assert stacks.wait("s")["StackStatus"] == "UPDATE_COMPLETE"
    (left,) = stacks.client.list_change_sets(StackName="s")["Summaries"]
    assert (left["ChangeSetName"], left["ExecutionStatus"]) == ("one", "EXECUTE_COMPLETE")


def test_a_deleted_change_set_is_gone(stacks: Stacks) -> None:
    stacks.create("s", {"Resources": {"A": queue()}})
    _create(stacks, {"Resources": {"A": queue(DelaySeconds=1)}})
    stacks.client.delete_change_set(StackName="s", ChangeSetName="changes")
    with pytest.raises(ClientError, match=r"ChangeSet \[changes\] does not exist") as raised:
        stacks.client.describe_change_set(StackName="s", ChangeSetName="changes")
    assert raised.value.response["Error"]["Code"] == "ChangeSetNotFound"


def test_a_change_set_for_a_stack_that_is_not_there_is_refused(stacks: Stacks) -> None:
    with pytest.raises(ClientError, match=r"Stack \[s\] does not exist"):
        _create(stacks, {"Resources": {"A": queue()}})


def test_what_is_there_already_is_imported_where_that_is_asked_for(stacks: Stacks) -> None:
    url = stacks.aws.client("sqs").create_queue(QueueName="there")["QueueUrl"]
    resources = {"A": {**queue(QueueName="there"), "DeletionPolicy": "Retain"}, "B": queue(QueueName="new")}
    made = stacks.client.create_change_set(
        StackName="s",
        ChangeSetName="changes",
        ChangeSetType="CREATE",
        TemplateBody=as_text({"Resources": resources}),
        ImportExistingResources=True,
    )
    found = stacks.client.describe_change_set(ChangeSetName=made["Id"])
    assert {name: change["Action"] for name, change in _changes(found).items()} == {"A": "Import", "B": "Add"}

    stacks.client.execute_change_set(ChangeSetName=made["Id"])
    assert stacks.wait("s")["StackStatus"] == "CREATE_COMPLETE"
    assert stacks.physical_id("s", "A") == url
    assert ("A", "IMPORT_COMPLETE", "Resource import completed.") in stacks.events("s")


def _nested(url: str, delay: int) -> dict[str, Any]:
    properties = {"TemplateURL": url, "Parameters": {"Delay": delay}}
    return {"Resources": {"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": properties}}}


def test_nested_stacks_have_change_sets_of_their_own(stacks: Stacks) -> None:
    client = stacks.client
    innermost = {
        "Parameters": {"Delay": {"Type": "Number"}},
        "Resources": {"Queue": queue(DelaySeconds={"Ref": "Delay"})},
    }
    middle = {
        "Parameters": {"Delay": {"Type": "Number"}},
        "Resources": _nested(put_template(stacks, innermost, "innermost"), 0)["Resources"],
    }
    middle["Resources"]["Inner"]["Properties"]["Parameters"] = {"Delay": {"Ref": "Delay"}}
    url = put_template(stacks, middle, "middle")

    def review(name: str, kind: str, delay: int) -> list[dict[str, Any]]:
        """Make a change set; return it, and those of the stacks below."""
        made = client.create_change_set(
            StackName="outer",
            ChangeSetName=name,
            ChangeSetType=kind,
            TemplateBody=as_text(_nested(url, delay)),
            IncludeNestedStacks=True,
        )
        found = [client.describe_change_set(ChangeSetName=made["Id"])]
        while below := found[-1]["Changes"][0]["ResourceChange"].get("ChangeSetId"):
            found.append(client.describe_change_set(ChangeSetName=below))
        return found

    root, below, lowest = review("first", "CREATE", 1)
    assert [each["Status"] for each in (root, below, lowest)] == ["CREATE_COMPLETE"] * 3
    assert "RootChangeSetId" not in root
    assert (below["ParentChangeSetId"], below["RootChangeSetId"]) == (root["ChangeSetId"], root["ChangeSetId"])
    assert (lowest["ParentChangeSetId"], lowest["RootChangeSetId"]) == (below["ChangeSetId"], root["ChangeSetId"])
    assert lowest["Changes"][0]["ResourceChange"]["LogicalResourceId"] == "Queue"
    reviewed = stacks.describe(lowest["StackId"])
    assert (reviewed["StackStatus"], reviewed["RootId"]) == ("REVIEW_IN_PROGRESS", root["StackId"])
    assert code_of(client.execute_change_set, ChangeSetName=lowest["ChangeSetId"]) == "ValidationError"
    client.execute_change_set(ChangeSetName=root["ChangeSetId"])
    assert stacks.wait("outer")["StackStatus"] == "CREATE_COMPLETE"
    assert stacks.describe(lowest["StackId"])["StackStatus"] == "DELETE_COMPLETE"

    inner = stacks.physical_id("outer", "Inner")
    root, below, lowest = review("second", "UPDATE", 2)
    assert below["StackId"] == inner
    assert lowest["StackId"] == stacks.physical_id(inner, "Inner")
    change = lowest["Changes"][0]["ResourceChange"]
    assert (change["Action"], change["Replacement"]) == ("Modify", "False")
    assert [each["ChangeSetName"] for each in client.list_change_sets(StackName=inner)["Summaries"]] == [
        below["ChangeSetName"]
    ]
    client.delete_change_set(ChangeSetName=lowest["ChangeSetId"])
    for gone in (root, below, lowest):
        assert code_of(client.describe_change_set, ChangeSetName=gone["ChangeSetId"]) == "ChangeSetNotFound"

    wrong = {"Parameters": innermost["Parameters"], "Resources": {"Queue": queue(Unknown=1)}}
    url = put_template(stacks, wrong, "wrong")
    for broken, reason in (
        (_nested(url, 1), "Nested change set arn:"),
        (_nested(url + "x", 1), "Nested change set of Inner"),
    ):
        failed = client.create_change_set(
            StackName="outer", ChangeSetName=f"b{len(reason)}", TemplateBody=as_text(broken), IncludeNestedStacks=True
        )
        told = client.describe_change_set(ChangeSetName=failed["Id"])
        assert told["Status"] == "FAILED"
        assert told["StatusReason"].startswith(reason)
