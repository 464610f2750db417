"""The decision: may this principal do this to that resource?

Sources: IAM User Guide, "Policy evaluation logic", "How AWS enforcement code logic evaluates requests to
allow or deny access" and "Cross-account policy evaluation logic".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cloudlet.core.aws.policy.decision import Decision, Reason
from cloudlet.core.aws.policy.document import Effect, Statement
from cloudlet.core.aws.policy.layers import Layer, NamedPolicy, Policies, StatementRef
from cloudlet.core.aws.policy.principals import ACCOUNT_KINDS, Grant
from cloudlet.core.aws.policy.request import Request

_UNLOCKING = frozenset(
    {
        "s3:getbucketpolicy",
        "s3:putbucketpolicy",
        "s3:deletebucketpolicy",
        "s3express:getbucketpolicy",
        "s3express:putbucketpolicy",
        "s3express:deletebucketpolicy",
        "sqs:setqueueattributes",
    }
)
"""What the root of the owning account may do though the resource's policy denies it, so that no owner is
locked out: see S3's API Reference, "DeleteBucketPolicy", and the IAM User Guide, "Tasks that require root
user credentials"."""


def evaluate(request: Request, policies: Policies) -> Decision:
    """Decide a request.

    An explicit deny anywhere decides. Then each guardrail must allow; and then it depends on who asks:

    - who belongs to no account (a service, an identity provider's user, nobody) needs the resource's policy;
    - within one account, a resource's policy that names the very principal is enough, and neither boundary
      nor session policies limit it; otherwise the identity-based policies, or the resource's policy that
      names the role or user behind the session, must allow, and so must the boundary and the session
      policies where there are any; the account's root needs nothing;
    - from another account, the resource's policy and the principal's own account must both allow.
    """
    found = _look_through(request, policies)
    if found.denying and _unlocks(request):
        found.denying = [each for each in found.denying if each.layer is not Layer.RESOURCE]
    if found.denying:
        layers = tuple(dict.fromkeys(each.layer for each in found.denying))
        return Decision(Reason.EXPLICIT_DENY, layers, tuple(found.denying), request, policies)
    lacking = found.guardrails_lacking or _lacking(request, policies, found)
    if lacking:
        return Decision(Reason.IMPLICIT_DENY, tuple(lacking), (), request, policies)
    return Decision(Reason.ALLOWED, (), tuple(found.allowing), request, policies)


def _unlocks(request: Request) -> bool:
    principal = request.principal
    return principal.kind == "root" and principal.account == request.owner and request.lowered_action in _UNLOCKING


@dataclass(slots=True)
class _Findings:
    """What each layer says of a request."""

    denying: list[StatementRef] = field(default_factory=list)
    allowing: list[StatementRef] = field(default_factory=list)
    guardrails_lacking: list[Layer] = field(default_factory=list)
    identity: bool = False
    boundary: bool = False
    session: bool = False
    grant: Grant = Grant.NONE
    """How directly the resource's policy grants."""


def _look_through(request: Request, policies: Policies) -> _Findings:
    found = _Findings()
    kind = request.principal.kind
    for rail in policies.guardrails:
        # SCPs govern the principals of an account, and no others.
        if rail.layer is not Layer.SCP or kind in ACCOUNT_KINDS:
            allowed = _look_in(request, rail.policies, rail.layer, found)
            if not allowed:
                found.guardrails_lacking.append(rail.layer)
    if policies.resource is not None:
        _look_in_resource_policy(request, policies.resource, policies.resource_layer, found)
    if policies.identity:
        found.identity = _look_in(request, policies.identity, Layer.IDENTITY, found)
    if policies.boundary is not None:
        found.boundary = _look_in(request, (policies.boundary,), Layer.BOUNDARY, found)
    if policies.session:
        found.session = _look_in(request, policies.session, Layer.SESSION, found)
    return found


def _look_in(request: Request, policies: tuple[NamedPolicy, ...], layer: Layer, found: _Findings) -> bool:
    """Collect what denies, and the first that allows; answer whether there is one that allows."""
    allowed = False
    for policy in policies:
        for index, statement in enumerate(policy.policy.statements):
            denies = statement.effect is Effect.DENY
            if allowed and not denies:
                continue
            if not _is_about(statement, request):
                continue
            principals = statement.principals
            if denies:
                if principals is None or principals.denies(request.caller):
                    found.denying.append(StatementRef(layer, policy, index))
            elif principals is None or principals.grants(request.caller):
                found.allowing.append(StatementRef(layer, policy, index))
                allowed = True
    return allowed


def _look_in_resource_policy(request: Request, policy: NamedPolicy, layer: Layer, found: _Findings) -> None:
    """Collect what denies, and the statement that grants most directly."""
    granting = 0
    for index, statement in enumerate(policy.policy.statements):
        principals = statement.principals
        if principals is None:
            continue
        if statement.effect is Effect.DENY:
            if principals.denies(request.caller) and _is_about(statement, request):
                found.denying.append(StatementRef(layer, policy, index))
        else:
            grant = principals.grants(request.caller)
            if grant > found.grant and _is_about(statement, request):
                found.grant = grant
                granting = index
    if found.grant:
        found.allowing.append(StatementRef(layer, policy, granting))


def _is_about(statement: Statement, request: Request) -> bool:
    return statement.is_about(request.lowered_action, request.resource, request.keys)


def _lacking(request: Request, policies: Policies, found: _Findings) -> list[Layer]:
    """The layers that would have to allow the request and do not."""
    kind = request.principal.kind
    resource_layer = policies.resource_layer
    if kind not in ACCOUNT_KINDS:
        return [] if found.grant is Grant.DIRECT else [resource_layer]
    same_account = request.principal.account == request.owner
    if same_account and found.grant is Grant.DIRECT:
        return []
    exclusive = policies.resource_must_allow or resource_layer is Layer.TRUST
    lacking: list[Layer] = []
    if found.grant is Grant.NONE and (exclusive or not same_account):
        lacking.append(resource_layer)
        if same_account:
            return lacking
    if kind == "root":
        return lacking
    if not found.identity and not (same_account and found.grant is Grant.ISSUER):
        lacking.append(Layer.IDENTITY)
        if same_account and not exclusive and policies.resource is not None:
            # Either of the two would have been enough.
            lacking.append(resource_layer)
        return lacking
    if policies.boundary is not None and not found.boundary:
        lacking.append(Layer.BOUNDARY)
    if not found.session and (policies.session or kind == "federated-user"):
        # A federated user has no permissions but those passed to GetFederationToken.
        lacking.append(Layer.SESSION)
    return lacking
