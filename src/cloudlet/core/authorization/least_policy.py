"""The smallest policy that grants some permissions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from cloudlet.core.authorization.recorded_calls import Permission

MAX_RESOURCES: Final = 10
"""The resources of one kind that are written out; more become a pattern."""
MAX_POLICY_CHARACTERS: Final = {
    "a user's inline policy": 2048,
    "a managed policy": 6144,
    "a role's inline policy": 10_240,
}
"""The largest policies of IAM, without their whitespace."""

Statement = dict[str, Any]


def make_policy(permissions: Iterable[Permission]) -> dict[str, Any]:
    """Return a policy that grants permissions: a statement for each service and its resources.

    The same permissions make the same policy, in whichever order they come.
    """
    by_action: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for permission in permissions:
        by_action[permission.action, permission.passed_to].add(permission.resource)
    by_resources: defaultdict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (action, passed_to), resources in by_action.items():
        by_resources[action.partition(":")[0], passed_to, _shorten(resources)].append(action)
    statements = [
        _make_statement(sorted(actions), passed_to, resources)
        for (_, passed_to, resources), actions in by_resources.items()
    ]
    return {"Version": "2012-10-17", "Statement": sorted(statements, key=json.dumps)}


def measure(policy: dict[str, Any]) -> int:
    """Return the size of a policy as IAM counts it, in characters."""
    return len(json.dumps(policy, separators=(",", ":"), ensure_ascii=False))


def _make_statement(actions: list[str], passed_to: str, resources: tuple[str, ...]) -> Statement:
    statement: Statement = {"Effect": "Allow", "Action": actions, "Resource": list(resources)}
    if passed_to:
        statement["Condition"] = {"StringEquals": {"iam:PassedToService": passed_to}}
    return statement


def _shorten(resources: set[str]) -> tuple[str, ...]:
    """Return resources, sorted, without those that patterns cover."""
    if "*" in resources:
        return ("*",)
    found = sorted(resources)
    for get_group in (_get_folder, _get_kind):
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for arn in found:
            groups[get_group(arn)].append(arn)
        found = sorted(
            arn for arns in groups.values() for arn in (arns if len(arns) <= MAX_RESOURCES else [_join(arns)])
        )
    return tuple(arn for arn in found if not any(_covers(other, arn) for other in found if other != arn))


def _join(arns: list[str]) -> str:
    """Return a pattern for sorted ARNs: what they have in common, and a star."""
    first, last = arns[0], arns[-1]
    common = first[: next((at for at, letter in enumerate(last) if first[at : at + 1] != letter), None)]
    # A variable such as ${*} is not cut.
    if common.rfind("$") > common.rfind("}"):
        common = common[: common.rfind("$")]
    return f"{common}*"


def _get_folder(arn: str) -> str:
    """Return an ARN without its last part."""
    return arn[: max(arn.rfind("/"), arn.rfind(":"))]


def _get_kind(arn: str) -> str:
    """Return what the ARNs of resources of one kind have in common."""
    *head, resource = arn.split(":", 5)
    ends = [at for at in (resource.find("/"), resource.find(":")) if at >= 0]
    return ":".join((*head, resource[: min(ends) + 1] if ends else ""))


def _covers(pattern: str, arn: str) -> bool:
    """Whether a pattern that ends in a star, and has no other, covers an ARN."""
    return pattern.endswith("*") and "*" not in pattern[:-1] and "?" not in pattern and arn.startswith(pattern[:-1])
