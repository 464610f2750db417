"""The policies that take part in a decision, by the layer they act in.

Source: IAM User Guide, "Policies and permissions in IAM", section "Policy types".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cloudlet.core.aws.policy.document import Policy, Statement, Usage


class Layer(Enum):
    """A policy type, by the name AWS gives it in its access denied messages."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    TRUST = "role trust policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    SCP = "service control policy"
    RCP = "resource control policy"
    ENDPOINT = "VPC endpoint policy"


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy and the name by which its owner knows it: an ARN, or an inline policy's name."""

    name: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class StatementRef:
    """A statement of a policy that takes part: the ``index``-th, counted from 0."""

    layer: Layer
    policy: NamedPolicy
    index: int

    @property
    def statement(self) -> Statement:
        """The statement itself."""
        return self.policy.policy.statements[self.index]

    def __str__(self) -> str:
        name = self.statement.sid or f"{self.index + 1}"
        return f"statement {name} of the {self.layer.value} {self.policy.name}"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """Policies that grant nothing, and one of which must allow a request for it to go through.

    There is one guardrail for each level of an organisation that has policies: an SCP at the root, at each
    organisational unit and at the account must each allow (AWS Organizations User Guide, "SCP evaluation").
    Likewise for RCPs, and for the policy of the VPC endpoint a request comes through.
    """

    layer: Layer
    policies: tuple[NamedPolicy, ...]


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies that apply to one request.

    ``identity``: the user's own and its groups', or the role's. ``boundary``: the permissions boundary of
    the user or role. ``session``: those passed when the session was made, none if none were. ``resource``:
    the policy of the resource. ``guardrails``: see `Guardrail`.

    ``resource_must_allow``: the resource's policy is the only way in, and identity-based policies count only
    where it delegates to the account, as with KMS keys. A role's trust policy is always so.
    """

    identity: tuple[NamedPolicy, ...] = ()
    boundary: NamedPolicy | None = None
    session: tuple[NamedPolicy, ...] = ()
    resource: NamedPolicy | None = None
    guardrails: tuple[Guardrail, ...] = ()
    resource_must_allow: bool = False

    @property
    def resource_layer(self) -> Layer:
        """What AWS calls the resource's policy."""
        trust = self.resource is not None and self.resource.policy.usage is Usage.TRUST
        return Layer.TRUST if trust else Layer.RESOURCE

    def of(self, layer: Layer) -> tuple[NamedPolicy, ...]:
        """The policies of a layer."""
        match layer:
            case Layer.IDENTITY:
                return self.identity
            case Layer.BOUNDARY:
                return (self.boundary,) if self.boundary else ()
            case Layer.SESSION:
                return self.session
            case Layer.RESOURCE | Layer.TRUST:
                return (self.resource,) if self.resource else ()
            case _:
                return tuple(each for rail in self.guardrails if rail.layer is layer for each in rail.policies)
