"""What kept a statement from allowing a request, in words.

This is worked out after the decision, only when someone asks, and so need not be fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cloudlet.core.aws.policy.conditions import Condition
from cloudlet.core.aws.policy.document import Effect, Statement
from cloudlet.core.aws.policy.layers import Layer, Policies, StatementRef
from cloudlet.core.aws.policy.principals import Grant
from cloudlet.core.aws.policy.request import Request


@dataclass(frozen=True, slots=True)
class Miss:
    """A statement that allows the action but does not allow this request, and for what reasons."""

    statement: StatementRef
    because: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.statement} allows the action, but {'; and '.join(self.because)}"


def misses(request: Request, policies: Policies, layer: Layer) -> list[Miss]:
    """The statements of a layer that came near to allowing a request that the layer does not allow."""
    found = []
    for policy in policies.of(layer):
        for index, statement in enumerate(policy.policy.statements):
            if statement.effect is Effect.ALLOW and statement.actions.covers(request.lowered_action):
                because = tuple(_shortcomings(statement, request, layer))
                if because:
                    found.append(Miss(StatementRef(layer, policy, index), because))
    return found


def _shortcomings(statement: Statement, request: Request, layer: Layer) -> list[str]:
    reasons = []
    if (reason := _principal_shortcoming(statement, request, layer)) is not None:
        reasons.append(reason)
    resources = statement.resources
    if resources is not None and not resources.covers(request.resource, request.keys):
        element = "NotResource" if resources.negated else "Resource"
        reason = f"its {element} is {_listed(resources.written)}"
        reasons.append(reason + _without_value(resources.missing_variables(request.keys)))
    for condition in statement.conditions:
        if not condition.holds(request.keys):
            reasons.append(f"its condition does not hold: {describe(condition, request)}")
    return reasons


def _principal_shortcoming(statement: Statement, request: Request, layer: Layer) -> str | None:
    principals = statement.principals
    if principals is None:
        return "it names no Principal" if layer in (Layer.RESOURCE, Layer.TRUST) else None
    grant = principals.grants(request.caller)
    if grant is Grant.NONE:
        element = "NotPrincipal" if principals.negated else "Principal"
        names = _listed([f"{kind} {name}" for kind, name in principals.written])
        return f"its {element} is {names}"
    if grant is Grant.ACCOUNT and request.principal.account == request.owner:
        return (
            f"its Principal is the account {request.owner} as a whole, which leaves the decision to "
            "identity-based policies"
        )
    return None


def describe(condition: Condition, request: Request) -> str:
    """What a condition asks for and what the request has."""
    found = condition.found(request.keys)
    if found is None:
        has = f"the request has no {condition.key}"
    elif isinstance(found, str):
        has = f"the request has {found!r}"
    else:
        has = f"the request has {_listed([repr(value) for value in found]) or 'none'}"
    wanted = _listed([repr(value) for value in condition.values]) or "nothing"
    missing = _without_value(condition.missing_variables(request.keys))
    return f"{condition.operator} {condition.key} is to be compared with {wanted}{missing}, and {has}"


def _without_value(variables: Sequence[str]) -> str:
    return f" (the request has no {_listed(sorted(set(variables)))})" if variables else ""


def _listed(texts: Sequence[str], most: int = 4) -> str:
    """The first of many texts; a policy may have thousands."""
    shown = [text if len(text) <= 200 else text[:197] + "..." for text in texts[:most]]
    if len(texts) > most:
        shown.append(f"{len(texts) - most} more")
    return ", ".join(shown)
