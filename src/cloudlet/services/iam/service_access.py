"""The services that policies let somebody call.

As for AWS's reports, permissions policies alone count, and neither conditions nor statements that deny.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from cloudlet.core.aws.policy import Effect, Policy
from cloudlet.wire.catalog import catalog

_PREFIXES = {"monitoring": "cloudwatch"}
"""Prefixes of actions that are not the names by which requests are signed."""


@cache
def list_known() -> dict[str, str]:
    """Return the names of the services that Cloudlet knows, by the prefixes of their actions."""
    # Of several models that are signed by one name, the first one is the service's own.
    entries = reversed(catalog().values())
    return {_PREFIXES.get(each.signing_name, each.signing_name): each.service_id for each in entries}


def list_granted(policies: Iterable[Policy]) -> list[str]:
    """Return the prefixes of the services that policies grant actions of, sorted."""
    granted: set[str] = set()
    for policy in policies:
        named = {action.partition(":")[0].lower() for each in policy.statements for action in each.actions.written}
        granted |= {prefix for prefix in (named - {"*"}) | list_known().keys() if is_granted(policy, prefix)}
    return sorted(granted)


def is_granted(policy: Policy, prefix: str) -> bool:
    """Whether a policy grants some action of a service."""
    for statement in policy.statements:
        if statement.effect is not Effect.ALLOW:
            continue
        written = {action.lower() for action in statement.actions.written}
        if statement.actions.negated:
            if written.isdisjoint({"*", "*:*", f"{prefix}:*"}):
                return True
        elif not {action.partition(":")[0] for action in written}.isdisjoint({"*", prefix}):
            return True
    return False
