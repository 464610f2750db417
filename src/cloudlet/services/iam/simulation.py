"""The policy simulator: requests that are decided without being made.

Sources: API Reference, SimulatePrincipalPolicy; IAM User Guide, "IAM policy testing with the IAM policy simulator".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from cloudlet.core.aws.policy import (
    Effect,
    Grant,
    Guardrail,
    Layer,
    NamedPolicy,
    Policies,
    Policy,
    PolicyError,
    Reason,
    Request,
    Usage,
    evaluate,
)
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.iam import errors
from cloudlet.services.iam.context_keys import Keys, list_keys
from cloudlet.services.iam.statement_places import locate_statements, show_position

_DECISIONS: Final = {
    Reason.ALLOWED: "allowed",
    Reason.IMPLICIT_DENY: "implicitDeny",
    Reason.EXPLICIT_DENY: "explicitDeny",
}
"""The least restrictive first."""
_ORDER: Final = list(_DECISIONS.values())


@dataclass(frozen=True)
class SourcePolicy:
    """A policy that takes part, with its text, for places in it."""

    id: str
    text: str
    policy: Policy

    @cached_property
    def named(self) -> NamedPolicy:
        """The policy as the evaluator takes it."""
        return NamedPolicy(self.id, self.policy)

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """The places of its statements in the text."""
        return locate_statements(self.text)


def parse(id_: str, text: str, usage: Usage = Usage.IDENTITY) -> SourcePolicy:
    """Return a policy that takes part. Raises AwsError for a document that is none."""
    try:
        return SourcePolicy(id_, text, Policy.parse(text, usage))
    except PolicyError as error:
        raise errors.invalid_input(f"Invalid policy {id_}: {error}") from None


@dataclass(frozen=True)
class Simulation:
    """All that decides simulated requests but the action and the resource."""

    caller: Principal
    identity: Sequence[SourcePolicy]
    boundary: SourcePolicy | None = None
    resource: SourcePolicy | None = None
    organization: Sequence[Sequence[SourcePolicy]] = ()
    """Service control policies, by the levels of the organization."""
    owner: str = ""
    """The account of resources whose ARNs do not say it."""
    keys: Keys = field(default_factory=dict)

    def run(self, action: str, resources: Sequence[str]) -> dict[str, Any]:
        """Return the EvaluationResult of an action on some resources, all ("*") where there are none."""
        results = [self._decide(action, resource) for resource in resources or ("*",)]
        shown = {
            "EvalActionName": action,
            # The form of ARNs that the action is about is not known.
            "EvalResourceName": "*",
            "EvalDecision": max((each["EvalDecision"] for each in results), key=_ORDER.index),
            "MissingContextValues": _merge(each["MissingContextValues"] for each in results),
            **self._show_guards(results),
        }
        decisive = [each for each in results if each["EvalDecision"] == shown["EvalDecision"]]
        shown["MatchedStatements"] = _merge(each["MatchedStatements"] for each in decisive)
        if not resources or list(resources) == ["*"]:
            return shown
        shown["EvalDecisionDetails"] = _restrict(each["EvalDecisionDetails"] for each in results)
        shown["ResourceSpecificResults"] = [
            {
                "EvalResourceName": resource,
                "EvalResourceDecision": each["EvalDecision"],
                **{name: value for name, value in each.items() if name not in _OF_ACTIONS},
            }
            for resource, each in zip(resources, results, strict=True)
        ]
        return shown

    def _show_guards(self, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the members that tell of boundary and organization, where there are such."""
        return {
            name: {member: all(each[name][member] for each in results)}
            for name, member in _GUARDS.items()
            if name in results[0]
        }

    def _decide(self, action: str, resource: str) -> dict[str, Any]:
        """Return the result for one resource, with the members of both levels."""
        parts = resource.split(":", 5)
        owner = "" if len(parts) == 6 and parts[4] else self.owner
        request = Request(self.caller, action, resource, self.keys, owner)
        policies = Policies(
            identity=tuple(each.named for each in self.identity),
            boundary=self.boundary.named if self.boundary else None,
            resource=self.resource.named if self.resource else None,
            guardrails=tuple(Guardrail(Layer.SCP, tuple(each.named for each in level)) for level in self.organization),
        )
        decision = evaluate(request, policies)
        effect = {Reason.ALLOWED: Effect.ALLOW, Reason.EXPLICIT_DENY: Effect.DENY}.get(decision.reason)
        taking_part = [*self.identity, *((self.resource,) if self.resource else ())]
        result: dict[str, Any] = {
            "EvalDecision": _DECISIONS[decision.reason],
            "MatchedStatements": [each for source in taking_part for each in _list_matched(source, request, effect)],
            "MissingContextValues": self._list_missing(request, taking_part),
            "EvalDecisionDetails": {},
        }
        if self.boundary is not None:
            is_allowed = _judge([self.boundary], request) == "allowed"
            result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": is_allowed}
        if self.organization:
            is_allowed = all(_judge(level, request) == "allowed" for level in self.organization)
            result["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": is_allowed}
        if request.owner != self.caller.account:
            layers = {"IAM Policy": self.identity, "Resource Policy": [self.resource] if self.resource else []}
            result["EvalDecisionDetails"] = {name: _judge(sources, request) for name, sources in layers.items()}
        return result

    def _list_missing(self, request: Request, sources: Iterable[SourcePolicy]) -> list[str]:
        """Return the context keys that statements about an action lack."""
        statements = [each for source in sources for each in source.policy.statements]
        wanted = list_keys(each for each in statements if each.actions.covers(request.lowered_action))
        return [key for key in wanted if key.lower() not in request.keys]


_GUARDS: Final = {
    "PermissionsBoundaryDecisionDetail": "AllowedByPermissionsBoundary",
    "OrganizationsDecisionDetail": "AllowedByOrganizations",
}
_OF_ACTIONS: Final = ("EvalDecision", "OrganizationsDecisionDetail")
"""Members that the results for resources do not have, or not so."""


def _judge(sources: Sequence[SourcePolicy], request: Request) -> str:
    """Return what some policies by themselves say of a request."""
    effects = {
        effect for effect in Effect for source in sources if any(True for _ in _match(source.policy, request, effect))
    }
    if Effect.DENY in effects:
        return "explicitDeny"
    return "allowed" if Effect.ALLOW in effects else "implicitDeny"


def _match(policy: Policy, request: Request, effect: Effect | None) -> Iterator[int]:
    """Return the indices of the statements with an effect that speak of a request."""
    for index, statement in enumerate(policy.statements):
        if statement.effect is effect and statement.is_about(request.lowered_action, request.resource, request.keys):
            principals = statement.principals
            is_denied = effect is Effect.DENY
            if principals is None or (
                principals.denies(request.caller) if is_denied else principals.grants(request.caller) is not Grant.NONE
            ):
                yield index


def _list_matched(source: SourcePolicy, request: Request, effect: Effect | None) -> Iterator[dict[str, Any]]:
    for index in _match(source.policy, request, effect):
        start, end = source.places[index]
        yield {
            "SourcePolicyId": source.id,
            "SourcePolicyType": "Resource Policy" if source.policy.usage is Usage.RESOURCE else "IAM Policy",
            "StartPosition": show_position(source.text, start),
            "EndPosition": show_position(source.text, end - 1),
        }


def _merge(lists: Iterable[Iterable[Any]]) -> list[Any]:
    """Return what is in lists, each once."""
    united: list[Any] = []
    for each in lists:
        united += [item for item in each if item not in united]
    return united


def _restrict(details: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the most restrictive decision of each kind of policy."""
    found: dict[str, str] = {}
    for each in details:
        for name, decision in each.items():
            found[name] = max(found.get(name, decision), decision, key=_ORDER.index)
    return found
