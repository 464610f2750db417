"""What a resource's policy says of a caller: the condition keys that every call has."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from cloudlet.core.authorization.condition_keys import list_global_keys
from cloudlet.core.authorization.denials import Denials
from cloudlet.core.authorization.permissions import EVERYTHING
from cloudlet.core.authorization.resource_policy import decide
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.kernel.identity import ANONYMOUS, Principal, make_principal, root
from cloudlet.core.kernel.system_clock import SystemClock

_ACCOUNT = "111122223333"
_ROLE = f"arn:aws:iam::{_ACCOUNT}:role/service/worker"
_QUEUE = f"arn:aws:sqs:us-east-1:{_ACCOUNT}:q"
_USER = make_principal("user", _ACCOUNT, f"arn:aws:iam::{_ACCOUNT}:user/staff/bob", "AIDAEXAMPLE", "")
_SERVICE = make_principal("service", _ACCOUNT, "sns.amazonaws.com", "sns", "")


def _call(principal: Principal) -> Any:
    return SimpleNamespace(
        principal=principal,
        now=lambda: 1_700_000_000.0,
        region="us-east-1",
        secure=True,
        source_ip="127.0.0.1",
        source_arn="",
        headers={},
        permissions=EVERYTHING,
        request_id="request",
        block=SimpleNamespace(cloud=SimpleNamespace(denials=Denials(SystemClock()))),
    )


def _denied(principal: Principal, condition: dict[str, Any]) -> bool:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*", "Condition": condition}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    return not decide(_call(principal), "sqs:SendMessage", _QUEUE, _ACCOUNT, policy).allowed


def test_a_session_has_the_arn_of_its_role() -> None:
    """IAM User Guide, "aws:PrincipalArn"."""
    session = make_session(_ROLE, "s")
    assert _denied(session, {"ArnEquals": {"aws:PrincipalArn": _ROLE}})
    assert not _denied(session, {"ArnNotEquals": {"aws:PrincipalArn": _ROLE}})
    assert _denied(_USER, {"ArnEquals": {"aws:PrincipalArn": _USER.arn}})


@pytest.mark.parametrize("principal", [make_session(_ROLE, "s", "scheduler.amazonaws.com"), _USER, root(_ACCOUNT)])
def test_who_does_not_call_by_way_of_a_service_can_be_told(principal: Principal) -> None:
    assert _denied(principal, {"Bool": {"aws:ViaAWSService": "false"}})


def test_keys_say_who_calls_where_that_is_known() -> None:
    asked = ("aws:PrincipalAccount", "aws:userid", "aws:username", "aws:PrincipalServiceName")

    def told(principal: Principal) -> list[Any]:
        keys = list_global_keys(_call(principal), _ACCOUNT)
        return [keys.get(name) for name in asked]

    assert told(_USER) == [_ACCOUNT, "AIDAEXAMPLE", "bob", None]
    assert told(root(_ACCOUNT)) == [_ACCOUNT, _ACCOUNT, None, None]
    assert told(_SERVICE) == [_ACCOUNT, "sns", None, "sns.amazonaws.com"]
    assert told(ANONYMOUS) == ["anonymous", None, None, None]
