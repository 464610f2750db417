"""Stack policies: which resources of a stack an update may change.

User guide, "Prevent updates to stack resources".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from cloudlet.core import Context
from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.operations.s3_objects import load_from_url

MAX_POLICY_BYTES: Final = 16_384
_ACTIONS: Final = ("Update:Modify", "Update:Replace", "Update:Delete", "Update:*")


def validate_policy(text: str) -> str:
    """Return a policy's text. Raises ValidationError for what is none."""
    try:
        statements = json.loads(text)["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            if statement["Effect"] not in ("Allow", "Deny") or statement.get("Principal") != "*":
                raise ValueError
            if any(action not in _ACTIONS for action in _list(statement, "Action") or _list(statement, "NotAction")):
                raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise errors.make_validation_error("Error validating stack policy: Invalid stack policy") from None
    return text


async def load_policy(ctx: Context, name: str, body: str | None, url: str | None) -> str:
    """Return the policy that a request has as text or at a URL. Raises AwsError.

    It is empty where there is none. `name` is what the members' names begin with.
    """
    if body and url:
        raise errors.make_validation_error(f"You cannot specify both {name}Body and {name}URL")
    if url:
        body = await load_from_url(ctx, url, f"{name}URL")
        if len(body) > MAX_POLICY_BYTES:
            raise errors.make_validation_error(f"Stack policy may not exceed {MAX_POLICY_BYTES} bytes in size.")
    return validate_policy(body) if body else ""


def find_denial(policy: str, action: str, name: str, kind: str) -> str:
    """Return why a policy denies an action on a resource; empty where it does not.

    Without a policy all is allowed.
    """
    if not policy:
        return ""
    statements = json.loads(policy)["Statement"]
    effects = [
        (number, statement["Effect"])
        for number, statement in enumerate(statements if isinstance(statements, list) else [statements], start=1)
        if _applies(statement, action, f"LogicalResourceId/{name}", kind)
    ]
    denied = next((number for number, effect in effects if effect == "Deny"), None)
    if denied is None and effects:
        return ""
    return f"Action denied by stack policy: Statement [#{denied or 1}] does not allow [{action}] for resource [{name}];"


def _applies(statement: Mapping[str, Any], action: str, resource: str, kind: str) -> bool:
    for key, value in (("Action", action), ("Resource", resource)):
        if key in statement and not _matches(_list(statement, key), value):
            return False
        if f"Not{key}" in statement and _matches(_list(statement, f"Not{key}"), value):
            return False
    for operator, keys in (statement.get("Condition") or {}).items():
        kinds = _list(keys, "ResourceType")
        is_met = _matches(kinds, kind) if operator == "StringLike" else kind in kinds
        if not is_met:
            return False
    return True


def _matches(patterns: list[str], value: str) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def _list(statement: Mapping[str, Any], key: str) -> list[str]:
    given = statement.get(key, [])
    return [given] if isinstance(given, str) else list(given)
