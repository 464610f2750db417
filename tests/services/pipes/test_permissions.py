"""Permissions on pipes, of users and roles of IAM, and of pipes by their roles."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.standing import eventually
from tests.strict_accounts import Account, allow, deny, is_denied

_SOURCE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
_SETTLED = ("RUNNING", "STOPPED", "CREATE_FAILED", "START_FAILED", "UPDATE_FAILED")


class Piped:
    """Two queues with a pipe between them, once there is one."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.pipes: Any = account.client("pipes")
        self.sqs: Any = account.client("sqs")
        self.urls = {name: self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("in", "out")}
        self.arns = {name: account.arn_of("sqs", name) for name in self.urls}
        self.pipe = account.arn_of("pipes", "pipe/p")

    def params(self, role: str, **more: Any) -> dict[str, Any]:
        return {"Name": "p", "Source": self.arns["in"], "Target": self.arns["out"], "RoleArn": role, **more}

    def settled(self) -> tuple[str, str | None]:
        """Return the state of the pipe, and why it is in it, once nothing is being done to it."""
        shown = eventually(lambda: self.pipes.describe_pipe(Name="p"), lambda shown: shown["CurrentState"] in _SETTLED)
        return shown["CurrentState"], shown.get("StateReason")

    def send(self) -> None:
        self.sqs.send_message(QueueUrl=self.urls["in"], MessageBody="m")

    def receive(self) -> list[dict[str, Any]]:
        found = self.sqs.receive_message(QueueUrl=self.urls["out"], WaitTimeSeconds=1)
        return list(found.get("Messages", []))


@pytest.fixture
def piped(strict_account: Account) -> Piped:
    return Piped(strict_account)


def test_policies_decide_and_boundaries_and_sessions_limit(piped: Piped) -> None:
    account = piped.account
    role = account.service_role("pipes", allow("sqs:*"))
    piped.pipes.create_pipe(**piped.params(role, DesiredState="STOPPED", Tags={"team": "blue"}))
    piped.settled()
    user = account.user()
    assert refused(user.client("pipes").describe_pipe, Name="p") == (
        "AccessDeniedException",
        f"User: {user.arn} is not authorized to perform: pipes:DescribePipe on resource: {piped.pipe} "
        "because no identity-based policy allows the pipes:DescribePipe action",
    )

    def may(*statements: dict[str, Any], name: str, **more: Any) -> bool:
        return not is_denied(account.user(*statements, name=name, **more).client("pipes").describe_pipe, Name="p")

    assert may(allow("pipes:DescribePipe", piped.pipe), name="one")
    assert not may(allow("pipes:DescribePipe", piped.pipe + "2"), name="another")
    assert not may(allow("pipes:*"), deny("pipes:Describe*"), name="denied")
    assert not may(allow("pipes:*"), name="limited", boundary=allow("pipes:List*"))
    assert may(allow("pipes:*", Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}}), name="blue")
    assert not may(allow("pipes:*", Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}), name="red")
    boss = account.user(allow("sts:AssumeRole"), name="boss")
    admin = account.role({"AWS": boss.arn}, allow("*"), name="admin")
    assert not is_denied(account.assume(admin, boss).client("pipes").describe_pipe, Name="p")
    assert is_denied(account.assume(admin, boss, allow("pipes:List*")).client("pipes").describe_pipe, Name="p")
    for operation in ("start_pipe", "stop_pipe", "delete_pipe"):
        assert code_of(getattr(user.client("pipes"), operation), Name="p") == "AccessDeniedException"


def test_a_role_is_handed_over_by_those_who_may_to_a_service_that_it_trusts(piped: Piped) -> None:
    account = piped.account
    role = account.service_role("pipes")
    assert (
        "iam:PassRole" in refused(account.user(allow("pipes:*")).client("pipes").create_pipe, **piped.params(role))[1]
    )
    for wrong in (role + "x", account.service_role("lambda", name="other")):
        message = f"Provided role '{wrong}' cannot be assumed by principal 'pipes.amazonaws.com'."
        assert refused(piped.pipes.create_pipe, **piped.params(wrong)) == ("ValidationException", message)


def test_a_pipe_needs_a_role_that_may_take_from_its_source(piped: Piped) -> None:
    account = piped.account
    role = account.service_role("pipes", allow(["sqs:DeleteMessage", "sqs:GetQueueAttributes"]))
    piped.pipes.create_pipe(**piped.params(role))
    reason = "AccessDeniedException: The provided customer role does not have permissions to call ReceiveMessage on SQS"
    assert piped.settled() == ("CREATE_FAILED", reason)
    account.let_role(allow(_SOURCE, piped.arns["in"]), allow("sqs:SendMessage", piped.arns["out"]))
    piped.pipes.start_pipe(Name="p")
    assert piped.settled()[0] == "RUNNING"
    piped.send()
    assert eventually(piped.receive, lambda found: found)


def test_a_pipe_may_do_at_its_target_what_its_role_may(piped: Piped) -> None:
    account = piped.account
    piped.sqs.set_queue_attributes(QueueUrl=piped.urls["in"], Attributes={"VisibilityTimeout": "1"})
    condition = {"ArnEquals": {"aws:SourceArn": piped.pipe}}
    role = account.role({"Service": "pipes.amazonaws.com"}, allow(_SOURCE), condition=condition)
    piped.pipes.create_pipe(**piped.params(role))
    assert piped.settled()[0] == "RUNNING"
    piped.send()
    # It comes back to the source again and again.
    asked = {"QueueUrl": piped.urls["in"], "AttributeNames": ["ApproximateNumberOfMessagesNotVisible"]}
    name = "ApproximateNumberOfMessagesNotVisible"
    eventually(lambda: piped.sqs.get_queue_attributes(**asked)["Attributes"][name], lambda count: count == "1")
    assert not piped.receive()
    account.let_role(allow(_SOURCE), allow("sqs:SendMessage", piped.arns["out"]))
    assert eventually(piped.receive, lambda found: found)


def test_another_account_lets_in_the_role_too(piped: Piped, other_account: Account) -> None:
    theirs = Piped(other_account)
    role = piped.account.service_role("pipes", allow("sqs:*"))
    piped.sqs.set_queue_attributes(QueueUrl=piped.urls["in"], Attributes={"VisibilityTimeout": "1"})
    piped.pipes.create_pipe(**piped.params(role, Target=theirs.arns["out"]))
    assert piped.settled()[0] == "RUNNING"
    piped.send()
    assert not theirs.receive()
    let = {"QueueUrl": theirs.urls["out"], "Label": "p", "AWSAccountIds": [piped.account.number]}
    theirs.sqs.add_permission(**let, Actions=["SendMessage"])
    assert eventually(theirs.receive, lambda found: found)
