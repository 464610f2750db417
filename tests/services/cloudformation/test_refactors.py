"""Refactors: resources move between stacks and get other logical ids, and stay what they are."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks, as_text, parameter, queue


def _create(
    stacks: Stacks,
    templates: dict[str, dict[str, Any]],
    *mappings: tuple[tuple[str, str], tuple[str, str]],
    **options: Any,
) -> str:
    """Make a refactor of stacks, by their templates, and mappings of sources to destinations; return its id."""
    definitions = [{"StackName": name, "TemplateBody": as_text(template)} for name, template in templates.items()]
    told = [
        {
            end: {"StackName": pair[0], "LogicalResourceId": pair[1]}
            for end, pair in zip(("Source", "Destination"), both, strict=True)
        }
        for both in mappings
    ]
    answer = stacks.client.create_stack_refactor(StackDefinitions=definitions, ResourceMappings=told, **options)
    made: str = answer["StackRefactorId"]
    return made


def _describe(stacks: Stacks, refactor: str) -> dict[str, Any]:
    found: dict[str, Any] = stacks.client.describe_stack_refactor(StackRefactorId=refactor)
    return found


def _names(stacks: Stacks, stack: str) -> list[str]:
    found = stacks.client.list_stack_resources(StackName=stack)["StackResourceSummaries"]
    return [one["LogicalResourceId"] for one in found]


def test_a_resource_moves_to_another_stack(stacks: Stacks) -> None:
    stacks.create("one", {"Resources": {"A": queue(DelaySeconds=1), "B": queue()}})
    stacks.create("two", {"Resources": {"C": queue()}})
    url = stacks.physical_id("one", "A")
    refactor = _create(
        stacks,
        {
            "one": {"Resources": {"B": queue()}},
            "two": {"Resources": {"C": queue(), "D": queue(DelaySeconds=1)}, "Outputs": {"O": {"Value": {"Ref": "D"}}}},
        },
        (("one", "A"), ("two", "D")),
        Description="tidy up",
    )
    found = _describe(stacks, refactor)
    assert (found["Status"], found["ExecutionStatus"], found["Description"]) == (
        "CREATE_COMPLETE",
        "AVAILABLE",
        "tidy up",
    )
    assert len(found["StackIds"]) == 2
    (action,) = stacks.client.list_stack_refactor_actions(StackRefactorId=refactor)["StackRefactorActions"]
    assert (action["Action"], action["Detection"], action["PhysicalResourceId"]) == ("MOVE", "MANUAL", url)
    assert action["ResourceMapping"]["Destination"] == {"StackName": "two", "LogicalResourceId": "D"}

    stacks.client.execute_stack_refactor(StackRefactorId=refactor)
    assert _describe(stacks, refactor)["ExecutionStatus"] == "EXECUTE_COMPLETE"
    assert (_names(stacks, "one"), _names(stacks, "two")) == (["B"], ["C", "D"])
    assert stacks.physical_id("two", "D") == url
    assert stacks.outputs("two") == {"O": url}
    assert stacks.describe("one")["StackStatus"] == "UPDATE_COMPLETE"
    assert ("A", "EXPORT_COMPLETE", "") in stacks.events("one")
    assert ("D", "IMPORT_COMPLETE", "") in stacks.events("two")

    # From then on it is the other stack's.
    stacks.delete("one")
    assert len(stacks.queues()) == 2
    stacks.delete("two")
    assert stacks.queues() == []


def test_a_stack_is_made_of_another_ones_resources(stacks: Stacks) -> None:
    stacks.create("one", {"Resources": {"A": queue(), "P": parameter("x")}})
    templates = {"one": {"Resources": {"P": parameter("x")}}, "new": {"Resources": {"A": queue()}}}
    with pytest.raises(ClientError, match=r"Stack \[new\] does not exist"):
        _create(stacks, templates)
    refactor = _create(stacks, templates, EnableStackCreation=True)
    actions = stacks.client.list_stack_refactor_actions(StackRefactorId=refactor)["StackRefactorActions"]
    assert [(one["Action"], one["Entity"], one["Detection"]) for one in actions] == [
        ("CREATE", "STACK", "MANUAL"),
        ("MOVE", "RESOURCE", "AUTO"),
    ]
    stacks.client.execute_stack_refactor(StackRefactorId=refactor)
    assert stacks.describe("new")["StackStatus"] == "CREATE_COMPLETE"
    assert _names(stacks, "new") == ["A"]
    assert stacks.update("new", {"Resources": {"A": queue(DelaySeconds=1)}})["StackStatus"] == "UPDATE_COMPLETE"


def test_a_logical_id_is_changed(stacks: Stacks) -> None:
    stacks.create("one", {"Resources": {"A": queue(), "P": parameter({"Ref": "A"})}})
    refactor = _create(stacks, {"one": {"Resources": {"Better": queue(), "P": parameter({"Ref": "Better"})}}})
    url = stacks.physical_id("one", "A")
    stacks.client.execute_stack_refactor(StackRefactorId=refactor)
    assert stacks.physical_id("one", "Better") == url


def test_a_reference_becomes_an_import(stacks: Stacks) -> None:
    stacks.create("one", {"Resources": {"A": queue(), "P": parameter({"Ref": "A"})}})
    stacks.create("two", {"Resources": {"C": queue()}})
    export = {"Outputs": {"O": {"Value": {"Ref": "A"}, "Export": {"Name": "url"}}}}
    refactor = _create(
        stacks,
        {
            "one": {"Resources": {"P": parameter({"Fn::ImportValue": "url"})}},
            "two": {"Resources": {"A": queue(), "C": queue()}, **export},
        },
    )
    assert _describe(stacks, refactor)["Status"] == "CREATE_COMPLETE", _describe(stacks, refactor)
    stacks.client.execute_stack_refactor(StackRefactorId=refactor)
    assert stacks.client.list_imports(ExportName="url")["Imports"] == ["one"]
    with pytest.raises(ClientError, match="cannot be executed in its current execution status of"):
        stacks.client.execute_stack_refactor(StackRefactorId=refactor)


def test_a_refactor_changes_nothing_else(stacks: Stacks) -> None:
    stacks.create("one", {"Resources": {"A": queue(), "B": queue()}})
    stacks.create("two", {"Resources": {"C": queue()}})
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"B": queue()}, {"A": queue(DelaySeconds=9), "C": queue()}, "the properties of [A] differ"),
        ({"B": queue()}, {"C": queue()}, "[A] are in no template any more"),
        ({"A": queue(), "B": queue()}, {"C": queue(), "N": queue()}, "no resource that becomes [N]"),
        ({"A": queue(), "B": queue()}, {"C": queue()}, "moves no resource"),
    ]
    for one, two, reason in cases:
        found = _describe(stacks, _create(stacks, {"one": {"Resources": one}, "two": {"Resources": two}}))
        assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_FAILED", "UNAVAILABLE")
        assert reason in found["StatusReason"]
    listed = stacks.client.list_stack_refactors(ExecutionStatusFilter=["UNAVAILABLE"])["StackRefactorSummaries"]
    assert len(listed) == 4
    assert stacks.client.list_stack_refactors(ExecutionStatusFilter=["AVAILABLE"])["StackRefactorSummaries"] == []


def test_an_update_makes_a_refactor_obsolete(stacks: Stacks) -> None:
    stacks.create("one", {"Resources": {"A": queue(), "B": queue()}})
    refactor = _create(stacks, {"one": {"Resources": {"Z": queue(), "B": queue()}}})
    stacks.update("one", {"Resources": {"A": queue(DelaySeconds=1), "B": queue()}})
    assert _describe(stacks, refactor)["ExecutionStatus"] == "OBSOLETE"
    with pytest.raises(ClientError, match="OBSOLETE"):
        stacks.client.execute_stack_refactor(StackRefactorId=refactor)
    with pytest.raises(ClientError) as raised:
        _describe(stacks, "missing")
    assert raised.value.response["Error"]["Code"] == "StackRefactorNotFoundException"
