"""Policy documents for tests."""

from __future__ import annotations

import json
from typing import Any


def policy(*statements: dict[str, Any]) -> str:
    """Return a document with statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def trust(principal: dict[str, str]) -> str:
    """Return a trust policy."""
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


READ = policy(allow("s3:Get*"))
LAMBDA = trust({"Service": "lambda.amazonaws.com"})
