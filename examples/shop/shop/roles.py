"""The shop's roles: each service and each function has one, and may do what `policies/NAME.json` says, and no more.

Functions get the credentials of theirs from Lambda. Services get those of a session from whoever starts them: here that
is a user, `shop-operator`, who may do nothing but take these roles.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from shop import function

SERVICES = ("orders", "outbox", "payments", "inventory", "email", "on-call")
OPERATOR = "shop-operator"

_POLICIES = Path(__file__).parents[1] / "policies"
_EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_INLINE = "least"
_TRACING = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
_LOGGING = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def name(service: str) -> str:
    return f"shop-{service}"


def arn(account: str, service: str) -> str:
    return f"arn:aws:iam::{account}:role/{name(service)}"


def allow_everything() -> bool:
    """Whether the roles are to do everything, while it is found out what they need."""
    return os.environ.get("SHOP_POLICIES") == "everything"


def create(iam: Any, account: str, region: str) -> None:
    """Create the roles, or give those that are there already their policies anew."""
    for service in SERVICES:
        _create(iam, service, {"AWS": account}, _policy(service, account, region), _TRACING)
    for service in function.NAMES:
        _create(
            iam, service, {"Service": "lambda.amazonaws.com"}, _policy(service, account, region), _TRACING, _LOGGING
        )
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=OPERATOR)
    taking = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": [arn(account, each) for each in SERVICES]}
    iam.put_user_policy(UserName=OPERATOR, PolicyName=_INLINE, PolicyDocument=_document(taking))


def _create(iam: Any, service: str, trusted: dict[str, str], policy: str, *managed: str) -> None:
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        trust = _document({"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"})
        iam.create_role(RoleName=name(service), AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName=name(service), PolicyName=_INLINE, PolicyDocument=policy)
    for each in managed:
        iam.attach_role_policy(RoleName=name(service), PolicyArn=each)


def _policy(service: str, account: str, region: str) -> str:
    """Return the policy of a service."""
    if allow_everything():
        return _document(_EVERYTHING)
    text = (_POLICIES / f"{service}.json").read_text()
    return text.replace("$ACCOUNT", account).replace("$REGION", region)


def write(service: str, account: str, region: str, policy: dict[str, Any]) -> None:
    """Keep a policy of a service, for any account and region."""
    text = json.dumps(policy, indent=2).replace(account, "$ACCOUNT").replace(f":{region}:", ":$REGION:")
    _POLICIES.mkdir(exist_ok=True)
    (_POLICIES / f"{service}.json").write_text(f"{text}\n")


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def delete(iam: Any) -> None:
    """Delete the roles and the operator."""
    for service in (*SERVICES, *function.NAMES):
        with suppress(iam.exceptions.NoSuchEntityException):
            for policy in iam.list_attached_role_policies(RoleName=name(service))["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=name(service), PolicyArn=policy["PolicyArn"])
            iam.delete_role_policy(RoleName=name(service), PolicyName=_INLINE)
            iam.delete_role(RoleName=name(service))
    with suppress(iam.exceptions.NoSuchEntityException):
        for key in iam.list_access_keys(UserName=OPERATOR)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=OPERATOR, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=OPERATOR, PolicyName=_INLINE)
        iam.delete_user(UserName=OPERATOR)
