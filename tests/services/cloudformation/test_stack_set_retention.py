"""Operations on stack sets, which are kept for ninety days."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import queue
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
