"""Resource policies of secrets: what they may be, and whether they let in everybody.

User guide, "Resource-based policies".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cloudlet.core.authorization.resource_policy import parse_policy
from cloudlet.core.aws.policy import Condition, Effect, Policy, PolicyError
from cloudlet.services.secretsmanager import errors

_LIMITING_KEYS: Final = frozenset(
    (
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceorgid",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "aws:vpcsourceip",
    )
)
"""Condition keys that tell some callers from all others."""


def parse(text: str) -> Policy:
    """Return a policy. Raises MalformedPolicy."""
    try:
        return parse_policy(text)
    except PolicyError as error:
        raise errors.MalformedPolicy(f"This resource policy contains a syntax error: {error}") from None


def is_public(policy: Policy) -> bool:
    """Whether a policy lets in any principal, with no condition on who it is."""
    return any(
        statement.effect is Effect.ALLOW
        and statement.principals is not None
        and (statement.principals.negated or ("AWS", "*") in statement.principals.written)
        and not _is_limited(statement.conditions)
        for statement in policy.statements
    )


def _is_limited(conditions: Iterable[Condition]) -> bool:
    return any(
        condition.key.lower() in _LIMITING_KEYS
        and "Not" not in condition.operator
        and not any(value in ("*", "0.0.0.0/0", "::/0") or "${" in value for value in condition.values)
        for condition in conditions
    )
