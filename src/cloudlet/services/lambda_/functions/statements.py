"""Policies of functions and layers, which grow and shrink by statements: AddPermission and its like."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from cloudlet.core import AwsError
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.authorization.resource_policy import parse_policy
from cloudlet.core.aws.policy import PolicyError
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.access import Policy

_BYTES = 20_480
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?|[a-z0-9-]+(\.[a-z0-9-]+)+\.com", re.ASCII)


def principal(text: str, partition: str) -> str | dict[str, str]:
    """Return the Principal of a statement: of everybody, an account, a service, or what has an ARN. Raises AwsError."""
    if text == "*":
        return text
    if _ACCOUNT.fullmatch(text):
        return {"AWS": f"arn:{partition}:iam::{text}:root"}
    if text.startswith("arn:"):
        return {"AWS": text}
    if _SERVICE.fullmatch(text):
        return {"Service": text}
    raise errors.invalid("The provided principal was invalid. Please check the principal and try again.")


def dumped(value: Any) -> str:
    """Return JSON as Lambda writes it."""
    return json.dumps(value, separators=(",", ":"))


def of(policy: Policy | None) -> list[dict[str, Any]]:
    """Return the statements of a policy."""
    found: Any = json.loads(policy.text)["Statement"] if policy is not None else []
    return found if isinstance(found, list) else [found]


def list_keys(statements: Iterable[dict[str, Any]]) -> Keys:
    """Return the condition keys that statements fill, in calls about them."""
    principals: list[str] = []
    keys: Keys = {}
    for each in statements:
        named = each.get("Principal", {})
        for values in named.values() if isinstance(named, dict) else [named]:
            principals += values if isinstance(values, list) else [values]
        auth = (each.get("Condition") or {}).get("StringEquals", {}).get("lambda:FunctionUrlAuthType")
        if auth is not None:
            keys["lambda:FunctionUrlAuthType"] = auth
    return {**keys, "lambda:Principal": principals} if principals else keys


def added(policy: Policy | None, statement: dict[str, Any], revision: str | None) -> Policy:
    """Return a policy with one more statement. Raises AwsError."""
    check_revision(policy, revision)
    statements = of(policy)
    sid = statement["Sid"]
    if any(each.get("Sid") == sid for each in statements):
        raise errors.conflict(
            f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the "
            "existing statement."
        )
    return _policy([*statements, statement])


def removed(policy: Policy | None, sid: str, revision: str | None) -> Policy | None:
    """Return a policy without a statement, None where none is left. Raises AwsError."""
    if policy is None:
        raise errors.not_found("No policy is associated with the given resource.")
    check_revision(policy, revision)
    statements = of(policy)
    kept = [each for each in statements if each.get("Sid") != sid]
    if len(kept) == len(statements):
        raise errors.not_found(f"Statement {sid} is not found in resource policy.")
    return _policy(kept) if kept else None


def check_revision(policy: Policy | None, revision: str | None) -> None:
    """Raise AwsError where a policy is not in the revision that a request is about."""
    if revision and (policy is None or policy.revision != revision):
        raise errors.stale_revision()


def whole(text: str) -> Policy:
    """Return a policy that is given as a whole. Raises AwsError for what is none."""
    try:
        return _checked(text)
    except PolicyError as error:
        raise errors.invalid(f"The policy is not valid: {error}") from None


def _policy(statements: list[dict[str, Any]]) -> Policy:
    try:
        return _checked(dumped({"Version": "2012-10-17", "Id": "default", "Statement": statements}))
    except PolicyError:
        raise errors.invalid("The provided principal was invalid. Please check the principal and try again.") from None


def _checked(text: str) -> Policy:
    if len(text.encode()) > _BYTES:
        raise AwsError(
            "PolicyLengthExceededException",
            f"The final policy size ({len(text.encode())}) is bigger than the limit ({_BYTES}).",
            Type="User",
        )
    parse_policy(text)
    return Policy(text, uuid4())
