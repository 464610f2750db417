"""Stacks hand values to each other, which stay as long as somebody imports them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks, parameter, queue

USER = {"Resources": {"P": parameter({"Fn::ImportValue": "shared"})}}


def _exporting(value: Any = "v", name: str = "shared") -> dict[str, Any]:
    return {"Resources": {"Q": queue()}, "Outputs": {"O": {"Value": value, "Export": {"Name": name}}}}


def test_a_value_is_exported_and_imported(stacks: Stacks) -> None:
    exporting = stacks.create("a", _exporting())
    stacks.create("b", USER)

    name = stacks.physical_id("b", "P")
    assert stacks.aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == "v"
    assert stacks.client.list_exports()["Exports"] == [
        {"ExportingStackId": exporting["StackId"], "Name": "shared", "Value": "v"}
    ]
    assert stacks.client.list_imports(ExportName="shared")["Imports"] == ["b"]


def test_what_is_imported_can_be_neither_changed_nor_deleted(stacks: Stacks) -> None:
    stacks.create("a", _exporting())
    stacks.create("b", USER)

    assert stacks.update("a", _exporting("w"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert any("Cannot update export shared as it is in use by b." in reason for _, _, reason in stacks.events("a"))
    deleted = stacks.delete("a")
    # It goes back to the state that it had.
    assert deleted["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert deleted["StackStatusReason"] == "Delete canceled. Cannot delete export shared as it is in use by b."
    assert len(stacks.queues()) == 1

    stacks.delete("b")
    with pytest.raises(ClientError, match=r"Export 'shared' is not imported by any stack\."):
        stacks.client.list_imports(ExportName="shared")
    assert stacks.delete("a")["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.client.list_exports()["Exports"] == []


def test_an_import_of_nothing_fails(stacks: Stacks) -> None:
    stack = stacks.create("b", USER)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert ("b", "ROLLBACK_IN_PROGRESS", "No export named shared found. Rollback requested by user.") in stacks.events(
        "b"
    )


def test_a_name_is_exported_once(stacks: Stacks) -> None:
    stacks.create("a", _exporting())
    stack = stacks.create("c", _exporting())
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = [reason for _, _, reason in stacks.events("c")]
    assert any("Export with name shared is already exported by stack a." in reason for reason in reasons)
