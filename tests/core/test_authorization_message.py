"""Encoded authorization messages, which tell why a request was denied."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.authorization.message import MAX_MESSAGE_CHARACTERS, InvalidMessage, decode_message, encode_message
from cloudlet.core.aws.policy import Decision, NamedPolicy, Policies, Policy, Request, evaluate
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.vault import Vault

ACCOUNT = "111122223333"
_INSTANCE = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1"
_VAULT = Vault(b"v" * 32)
_BOB = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/bob", "AIDABOB")


def _decide(*statements: dict[str, object]) -> Decision:
    policy = Policy.parse(json.dumps({"Version": "2012-10-17", "Statement": statements})) if statements else None
    request = Request(
        _BOB, "ec2:StopInstances", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1", {"aws:SourceIp": "::1"}
    )
    return evaluate(request, Policies(identity=(NamedPolicy("p", policy),) if policy else ()))


def test_it_tells_who_asked_for_what_and_how() -> None:
    text = encode_message(_VAULT, ACCOUNT, _decide())
    assert "bob" not in text
    said = json.loads(decode_message(_VAULT, ACCOUNT, text))
    assert (said["allowed"], said["explicitDeny"], said["matchedStatements"]) == (False, False, {"items": []})
    assert said["context"] == {
        "principal": {"id": "AIDABOB", "arn": _BOB.arn},
        "action": "ec2:StopInstances",
        "resource": _INSTANCE,
        "conditions": {"items": [{"key": "aws:SourceIp", "values": {"items": [{"value": "::1"}]}}]},
    }


def test_it_tells_which_statement_denies() -> None:
    deny = {
        "Sid": "Never",
        "Effect": "Deny",
        "Action": "ec2:*",
        "Resource": "*",
        "Condition": {"Null": {"aws:SourceIp": "false"}},
    }
    said = json.loads(decode_message(_VAULT, ACCOUNT, encode_message(_VAULT, ACCOUNT, _decide(deny))))
    assert said["explicitDeny"]
    (statement,) = said["matchedStatements"]["items"]
    assert (statement["statementId"], statement["effect"]) == ("Never", "DENY")
    assert statement["actions"] == {"items": [{"value": "ec2:*"}]}
    (condition,) = statement["conditions"]["items"]
    assert (condition["key"], condition["operator"]) == ("aws:SourceIp", "Null")


def test_it_is_never_too_long_to_be_decoded() -> None:
    actions = [f"ec2:{index:x}{hash(str(index)) & 0xFFFFFFFFFFFF:x}*" for index in range(2000)]
    text = encode_message(_VAULT, ACCOUNT, _decide({"Effect": "Deny", "Action": ["ec2:*", *actions], "Resource": "*"}))
    assert len(text) <= MAX_MESSAGE_CHARACTERS
    assert json.loads(decode_message(_VAULT, ACCOUNT, text))["explicitDeny"]


def test_another_account_cannot_decode_it() -> None:
    with pytest.raises(InvalidMessage):
        decode_message(_VAULT, "444455556666", encode_message(_VAULT, ACCOUNT, _decide()))


@given(st.text() | st.binary().map(bytes.hex))
def test_no_other_text_is_a_message(text: str) -> None:
    with pytest.raises(InvalidMessage):
        decode_message(_VAULT, ACCOUNT, text)
