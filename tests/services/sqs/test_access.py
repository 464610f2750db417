"""Queue policies, where permissions are enforced."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.identity import ANONYMOUS, Principal, root
from tests.services.sqs.conftest import ACCOUNT, REGION, Sqs

_OTHER = "222222222222"
_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"


def _set(sqs: Sqs, url: str, *statements: dict[str, Any]) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{"Resource": _ARN, **statement} for statement in statements]}
    sqs.call("SetQueueAttributes", QueueUrl=url, Attributes={"Policy": json.dumps(policy)})


def _denied(sqs: Sqs, operation: str, *, by: Principal, **params: Any) -> str:
    with pytest.raises(AwsError) as caught:
        sqs.call(operation, by=by, **params)
    assert caught.value.code == "AccessDenied"
    assert caught.value.status == 403
    return caught.value.message


def test_the_root_of_the_account_needs_no_policy(strict_sqs: Sqs) -> None:
    url = strict_sqs.queue()
    strict_sqs.send(url)
    assert len(strict_sqs.receive(url)) == 1


def test_others_need_one(strict_sqs: Sqs) -> None:
    url = strict_sqs.queue()
    send = {"QueueUrl": url, "MessageBody": "b"}
    assert _denied(strict_sqs, "SendMessage", by=root(_OTHER), **send) == (
        f"User: arn:aws:iam::{_OTHER}:root is not authorized to perform: sqs:sendmessage on resource: {_ARN} "
        "because no resource-based policy allows the sqs:sendmessage action"
    )
    _denied(strict_sqs, "SendMessage", by=ANONYMOUS, **send)
    strict_sqs.call("AddPermission", QueueUrl=url, Label="x", AWSAccountIds=[_OTHER], Actions=["SendMessage"])
    strict_sqs.call("SendMessage", by=root(_OTHER), **send)
    entries = [{"Id": "1", "MessageBody": "b"}]
    strict_sqs.call("SendMessageBatch", by=root(_OTHER), QueueUrl=url, Entries=entries)
    _denied(strict_sqs, "ReceiveMessage", by=root(_OTHER), QueueUrl=url)
    _denied(strict_sqs, "SendMessage", by=ANONYMOUS, **send)


def test_a_policy_can_let_in_everybody(strict_sqs: Sqs) -> None:
    url = strict_sqs.queue()
    _set(strict_sqs, url, {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage"})
    strict_sqs.call("SendMessage", by=ANONYMOUS, QueueUrl=url, MessageBody="b")


def test_a_policy_can_let_in_a_service(strict_sqs: Sqs) -> None:
    url = strict_sqs.queue()
    sns = Principal("service", _OTHER, "sns.amazonaws.com", "sns")
    _denied(strict_sqs, "SendMessage", by=sns, QueueUrl=url, MessageBody="b")
    _set(
        strict_sqs,
        url,
        {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"},
    )
    strict_sqs.call("SendMessage", by=sns, QueueUrl=url, MessageBody="b")


def test_a_denial_holds_for_the_owner_too_but_not_for_ever(strict_sqs: Sqs) -> None:
    url = strict_sqs.queue()
    _set(strict_sqs, url, {"Effect": "Deny", "Principal": "*", "Action": "sqs:*"})
    message = _denied(strict_sqs, "SendMessage", by=root(ACCOUNT), QueueUrl=url, MessageBody="b")
    assert message.endswith("with an explicit deny in a resource-based policy")
    strict_sqs.call("SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})
    strict_sqs.send(url)


def test_some_actions_are_the_owners_alone(strict_sqs: Sqs) -> None:
    url = strict_sqs.queue()
    _set(strict_sqs, url, {"Effect": "Allow", "Principal": "*", "Action": "sqs:*"})
    _denied(strict_sqs, "DeleteQueue", by=root(_OTHER), QueueUrl=url)
    _denied(strict_sqs, "SetQueueAttributes", by=root(_OTHER), QueueUrl=url, Attributes={"DelaySeconds": "1"})
    strict_sqs.call("PurgeQueue", by=root(_OTHER), QueueUrl=url)


def test_nothing_is_enforced_in_open_mode(sqs: Sqs) -> None:
    url = sqs.queue()
    _set(sqs, url, {"Effect": "Deny", "Principal": "*", "Action": "sqs:*"})
    sqs.call("SendMessage", by=ANONYMOUS, QueueUrl=url, MessageBody="b")
