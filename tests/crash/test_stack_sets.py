"""The whole server, killed in the middle of operations on stack sets: each stack is made and deleted once."""

from __future__ import annotations

import random
import time
from pathlib import Path

from cloudlet.testing.server import Aws, Server
from tests.services.cloudformation.deploying import queue
from tests.services.cloudformation.stack_sets import StackSets

_ACCOUNT = "123456789012"
_ACCOUNTS = [f"{number:012}" for number in range(1, 7)]
_REGIONS = ["eu-west-1", "us-east-1"]
_KILLS = 5


def _kill_on_the_way(folder: Path) -> None:
    for _ in range(_KILLS):
        with Server.start("--data", str(folder)) as server:
            time.sleep(random.uniform(0.01, 0.2))
            server.kill()


def _list_stacks(sets: StackSets) -> list[list[str]]:
    """Return the states of all stacks that there ever were, by account and region."""
    clients = [sets.other(region, account).client("cloudformation") for account in _ACCOUNTS for region in _REGIONS]
    return [[one["StackStatus"] for one in client.list_stacks()["StackSummaries"]] for client in clients]


def test_a_killed_operation_goes_on_where_it_was(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        sets = StackSets(Aws(server.endpoint, _ACCOUNT))
        sets.create("s", {"Resources": {"Q": queue()}})
        preferences = {"MaxConcurrentCount": 2, "FailureToleranceCount": 1}
        target = {"StackSetName": "s", "Accounts": _ACCOUNTS, "Regions": _REGIONS}
        made = sets.client.create_stack_instances(**target, OperationPreferences=preferences)["OperationId"]
        server.kill()
    _kill_on_the_way(tmp_path)
    with Server.start("--data", str(tmp_path)) as server:
        sets = StackSets(Aws(server.endpoint, _ACCOUNT))
        assert sets.wait("s", made)["Status"] == "SUCCEEDED"
        assert len(sets.instances("s")) == len(_ACCOUNTS) * len(_REGIONS)
        assert _list_stacks(sets) == [["CREATE_COMPLETE"]] * 12
        deleted = sets.client.delete_stack_instances(**target, RetainStacks=False)["OperationId"]
        server.kill()
    _kill_on_the_way(tmp_path)
    with Server.start("--data", str(tmp_path)) as server:
        sets = StackSets(Aws(server.endpoint, _ACCOUNT))
        assert sets.wait("s", deleted)["Status"] == "SUCCEEDED"
        assert sets.instances("s") == {}
        assert _list_stacks(sets) == [["DELETE_COMPLETE"]] * 12
