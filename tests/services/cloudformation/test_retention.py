"""Operations on stack sets, and deleted stacks, which are kept for ninety days."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks, as_text, queue
from tests.services.cloudformation.stack_sets import StackSets
from tests.standing import eventually, standing_server


def test_operations_are_kept_for_ninety_days() -> None:
    with standing_server() as standing:
        sets = StackSets(standing.account())
        sets.create("s", {"Resources": {"Q": queue()}})
        sets.trust(sets.aws)

        def list_operations() -> list[str]:
            return [
                each["OperationId"] for each in sets.client.list_stack_set_operations(StackSetName="s")["Summaries"]
            ]

        first = sets.deploy("s", [sets.aws.account], ["eu-west-1"])["OperationId"]
        standing.advance("60d")
        second = sets.deploy("s", [sets.aws.account], ["us-east-1"])["OperationId"]
        assert list_operations() == [second, first]
        standing.advance("31d")
        assert eventually(list_operations, lambda found: first not in found) == [second]
        with pytest.raises(ClientError, match="not found"):
            sets.results("s", first)
        assert set(sets.results("s", second)) == {(sets.aws.account, "us-east-1")}
        assert len(sets.instances("s")) == 2


def test_deleted_stacks_are_kept_for_ninety_days() -> None:
    with standing_server() as standing:
        stacks = Stacks(standing.account())
        made = stacks.client.create_stack(StackName="s", TemplateBody=as_text({"Resources": {"Q": queue()}}))
        stacks.wait("s")
        stacks.delete("s")

        def list_stacks() -> list[str]:
            return [each["StackId"] for each in stacks.client.list_stacks()["StackSummaries"]]

        standing.advance("89d")
        stacks.create("s", {"Resources": {"Q": queue()}})
        assert len(list_stacks()) == 2
        assert stacks.events(made["StackId"])[-1][1] == "DELETE_COMPLETE"
        standing.advance("2d")
        assert eventually(list_stacks, lambda found: len(found) == 1) != [made["StackId"]]
        with pytest.raises(ClientError, match="does not exist"):
            stacks.events(made["StackId"])
        with pytest.raises(ClientError, match="Operation ID does not exist"):
            stacks.client.describe_events(OperationId=made["OperationId"])
        assert stacks.delete("s")["StackStatus"] == "DELETE_COMPLETE"
