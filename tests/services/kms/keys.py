"""Keys that tests create, and policies for them."""

from __future__ import annotations

import json
from typing import Any


def create_key(kms: Any, **params: Any) -> str:
    """Create a key and return its id."""
    return str(kms.create_key(**params)["KeyMetadata"]["KeyId"])


def get_state(kms: Any, key: str) -> str:
    return str(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"])


def make_policy(*statements: dict[str, Any]) -> str:
    """Return a key policy; its statements allow on all resources unless they say otherwise."""
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **each} for each in statements]}
    )


def allow_account(account: str, *actions: str) -> dict[str, Any]:
    """Return a statement that leaves some actions, or all, to an account's IAM policies."""
    return {"Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": list(actions) or "kms:*"}
