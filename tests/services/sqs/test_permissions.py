"""Permissions on queues, of users and roles of IAM: identity-based policies and the queue's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from tests.refused import code_of, refused
from tests.strict_accounts import Account, Caller, allow, deny, document, is_denied


class Queue:
    """A queue, made by the root of its account."""

    def __init__(self, account: Account, name: str = "orders", **attributes: str) -> None:
        self.account = account
        self.root: Any = account.client("sqs")
        self.arn = account.arn_of("sqs", name)
        self.url: str = self.root.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def let(self, *statements: dict[str, Any]) -> None:
        """Give the queue a policy."""
        policy = document(*({"Resource": self.arn, **each} for each in statements))
        self.root.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})

    def refuses(self, caller: Caller) -> bool:
        """Whether a caller may not send."""
        return is_denied(caller.client("sqs").send_message, QueueUrl=self.url, MessageBody="m")


@pytest.fixture
def queue(strict_account: Account) -> Queue:
    return Queue(strict_account)


def _granted(caller: Caller | str, action: str = "sqs:SendMessage") -> dict[str, Any]:
    arn = caller if isinstance(caller, str) else caller.arn
    return {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": action}


def test_a_user_whom_no_policy_allows_is_refused(queue: Queue) -> None:
    user = queue.account.user()
    assert refused(user.client("sqs").send_message, QueueUrl=queue.url, MessageBody="m") == (
        "AccessDenied",
        f"User: {user.arn} is not authorized to perform: sqs:sendmessage on resource: {queue.arn} "
        "because no identity-based policy allows the sqs:sendmessage action",
    )


def test_an_identity_based_policy_allows(queue: Queue) -> None:
    user = queue.account.user(allow("sqs:SendMessage", queue.arn))
    assert not queue.refuses(user)
    sqs = user.client("sqs")
    entries = [{"Id": "1", "MessageBody": "m"}]
    assert sqs.send_message_batch(QueueUrl=queue.url, Entries=entries)["Successful"]
    assert code_of(sqs.receive_message, QueueUrl=queue.url) == "AccessDenied"
    assert code_of(sqs.purge_queue, QueueUrl=queue.url) == "AccessDenied"
    assert Queue(queue.account, "others").refuses(user)


def test_an_explicit_denial_outweighs_all(queue: Queue) -> None:
    user = queue.account.user(allow("sqs:*"), deny("sqs:SendMessage", queue.arn))
    queue.let(_granted(user))
    assert queue.refuses(user)
    bob = queue.account.user(allow("sqs:*"), name="bob")
    assert not queue.refuses(bob)
    queue.let({**_granted(bob), "Effect": "Deny"})
    assert queue.refuses(bob)


def test_the_queues_policy_alone_lets_in_a_user_of_its_account(queue: Queue) -> None:
    user = queue.account.user()
    queue.let(_granted(f"arn:aws:iam::{queue.account.number}:root"))
    assert queue.refuses(user)
    queue.let(_granted(user))
    assert not queue.refuses(user)
    # What others can not be granted a user of the account can.
    queue.let(_granted(user, "sqs:*"))
    user.client("sqs").tag_queue(QueueUrl=queue.url, Tags={"a": "b"})


def test_a_boundary_limits_a_user(queue: Queue) -> None:
    user = queue.account.user(allow("sqs:*"), boundary=allow("sqs:ReceiveMessage"))
    assert queue.refuses(user)
    user.client("sqs").receive_message(QueueUrl=queue.url)


def test_a_session_policy_limits_a_session(queue: Queue) -> None:
    account = queue.account
    user = account.user(allow("sts:AssumeRole"))
    role = account.role({"AWS": user.arn}, allow("sqs:*"))
    assert not queue.refuses(account.assume(role, user))
    assert queue.refuses(account.assume(role, user, allow("sqs:ReceiveMessage")))
    assert not queue.refuses(account.assume(role, user, allow("sqs:Send*")))


def test_both_accounts_have_to_let_in_a_stranger(queue: Queue, other_account: Account) -> None:
    user = other_account.user()
    assert queue.refuses(user)
    queue.let(_granted(user))
    assert queue.refuses(user)
    other_account.iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document(allow("sqs:*")))
    assert not queue.refuses(user)
    queue.let(_granted(user, "sqs:*"))
    assert code_of(user.client("sqs").tag_queue, QueueUrl=queue.url, Tags={"a": "b"}) == "AccessDenied"
    queue.let(_granted(other_account.arn))
    assert not queue.refuses(user)
    assert not queue.refuses(other_account)


def test_a_role_is_let_in_by_its_own_policies_or_the_queues(queue: Queue) -> None:
    account = queue.account
    user = account.user(allow("sts:AssumeRole"))
    role = account.role({"AWS": user.arn})
    session = account.assume(role, user)
    assert queue.refuses(session)
    queue.let(_granted(role))
    assert not queue.refuses(session)


def test_who_has_not_signed_needs_the_queues_policy(queue: Queue) -> None:
    sqs = queue.account.anonymous("sqs")
    send = {"QueueUrl": queue.url, "MessageBody": "m"}
    assert code_of(sqs.send_message, **send) == "AccessDenied"
    queue.let({**_granted("*"), "Principal": "*"})
    sqs.send_message(**send)
    assert code_of(sqs.create_queue, QueueName="x") == "MissingAuthenticationToken"


def test_tags_take_part(queue: Queue) -> None:
    queue.root.tag_queue(QueueUrl=queue.url, Tags={"team": "blue"})
    blue = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    red = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    assert not queue.refuses(queue.account.user(allow("sqs:SendMessage", Condition=blue)))
    assert queue.refuses(queue.account.user(allow("sqs:SendMessage", Condition=red), name="bob"))
    given = {"StringEquals": {"aws:RequestTag/team": "red"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    sqs = queue.account.user(allow(["sqs:CreateQueue", "sqs:TagQueue"], Condition=given), name="carol").client("sqs")
    sqs.create_queue(QueueName="red", tags={"team": "red"})
    assert code_of(sqs.create_queue, QueueName="blue", tags={"team": "blue"}) == "AccessDenied"
    assert code_of(sqs.tag_queue, QueueUrl=queue.url, Tags={"team": "red", "b": "c"}) == "AccessDenied"
    sqs.tag_queue(QueueUrl=queue.url, Tags={"team": "red"})


def test_to_create_a_queue_with_tags_takes_two_permissions(strict_account: Account) -> None:
    arn = strict_account.arn_of("sqs", "q")
    user = strict_account.user(allow(["sqs:CreateQueue", "sqs:ListQueues"], [arn, strict_account.arn_of("sqs", "")]))
    sqs = user.client("sqs")
    assert "sqs:tagqueue" in refused(sqs.create_queue, QueueName="q", tags={"a": "b"})[1]
    assert "sqs:createqueue" in refused(sqs.create_queue, QueueName="other")[1]
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    assert sqs.list_queues()["QueueUrls"] == [url]
    assert code_of(strict_account.user(name="bob").client("sqs").list_queues) == "AccessDenied"


def test_moving_messages_takes_the_permissions_of_what_it_does(strict_account: Account) -> None:
    dead = Queue(strict_account, "dead")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1})
    source = Queue(strict_account, RedrivePolicy=redrive)
    actions = ["sqs:StartMessageMoveTask", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    for missing in actions[1:]:
        given = [each for each in actions if each != missing]
        user = strict_account.user(allow(given), allow("sqs:SendMessage"), name=missing[4:])
        message = refused(user.client("sqs").start_message_move_task, SourceArn=dead.arn)[1]
        assert missing.lower() in message
    user = strict_account.user(allow(actions, dead.arn))
    assert source.arn in refused(user.client("sqs").start_message_move_task, SourceArn=dead.arn)[1]
    strict_account.iam.put_user_policy(
        UserName="alice",
        PolicyName="p",
        PolicyDocument=document(allow(actions, dead.arn), allow("sqs:SendMessage", source.arn)),
    )
    user.client("sqs").start_message_move_task(SourceArn=dead.arn)


def test_how_a_denial_is_told(queue: Queue) -> None:
    """In JSON the type is another one than the code of old, which a header has; XML has the code."""
    request = AWSRequest(
        "POST", queue.account.endpoint, data=b'{"QueueUrl":"%s","MessageBody":"m"}' % queue.url.encode()
    )
    request.headers["X-Amz-Target"] = "AmazonSQS.SendMessage"
    request.headers["Content-Type"] = "application/x-amz-json-1.0"
    answer = URLLib3Session().send(request.prepare())
    assert answer.status_code == 403
    assert answer.headers["x-amzn-query-error"] == "AccessDenied;Sender"
    assert json.loads(answer.content)["__type"] == "com.amazon.coral.service#AccessDeniedException"
    form = AWSRequest("POST", queue.url, data=b"Action=SendMessage&MessageBody=m&Version=2012-11-05")
    form.headers["Content-Type"] = "application/x-www-form-urlencoded"
    answer = URLLib3Session().send(form.prepare())
    assert (answer.status_code, b"<Code>AccessDenied</Code>" in answer.content) == (403, True)
