"""The role that services get in tests which are not about permissions."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Final

from cloudlet.testing.server import Aws
from tests.modes import MODE

_SERVICES: Final = ("apigateway", "events", "lambda", "pipes", "scheduler", "sns")


def make_role(aws: Aws, name: str = "r") -> str:
    """Return the ARN of a role that may do everything; where permissions are enforced it is really there."""
    if MODE == "strict":
        principal = {"Service": [f"{service}.amazonaws.com" for service in _SERVICES]}
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        iam = aws.client("iam")
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=_document(allowed))
    return f"arn:aws:iam::{aws.account}:role/{name}"


def _document(statement: dict[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement})
