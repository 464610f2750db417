"""Stack policies keep resources from being changed by updates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks, queue


def _policy(action: str, resource: str = "LogicalResourceId/A") -> str:
    allow = {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}
    deny = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource}
    return json.dumps({"Statement": [allow, deny]})


def _template(**properties: Any) -> dict[str, Any]:
    return {"Resources": {"A": queue(**properties), "B": queue()}}


@pytest.mark.parametrize(
    ("action", "template"),
    [
        ("Update:Modify", _template(DelaySeconds=1)),
        ("Update:Replace", _template(QueueName="other")),
        ("Update:Delete", {"Resources": {"B": queue()}}),
    ],
)
def test_what_a_policy_denies_is_not_done(stacks: Stacks, action: str, template: dict[str, Any]) -> None:
    stacks.create("s", _template(), StackPolicyBody=_policy(action))
    before = stacks.queues()
    assert stacks.update("s", template)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    reasons = " ".join(reason for _, _, reason in stacks.events("s"))
    assert f"Action denied by stack policy: Statement [#2] does not allow [{action}] for resource [A]" in reasons
    assert stacks.queues() == before

    during = _policy("Update:*", "LogicalResourceId/None")
    assert stacks.update("s", template, StackPolicyDuringUpdateBody=during)["StackStatus"] == "UPDATE_COMPLETE"


def test_a_policy_is_set_and_read(stacks: Stacks) -> None:
    stacks.create("s", _template())
    assert "StackPolicyBody" not in stacks.client.get_stack_policy(StackName="s")
    stacks.client.set_stack_policy(StackName="s", StackPolicyBody=_policy("Update:Modify"))
    assert stacks.client.get_stack_policy(StackName="s")["StackPolicyBody"] == _policy("Update:Modify")
    with pytest.raises(ClientError, match="Error validating stack policy"):
        stacks.client.set_stack_policy(StackName="s", StackPolicyBody='{"Statement": [{"Effect": "No"}]}')
