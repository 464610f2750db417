"""The answer to a request, and why.

Source of the one-line message: IAM User Guide, "Troubleshooting access denied error messages".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from cloudlet.core.aws.policy.explain import Miss, describe, misses
from cloudlet.core.aws.policy.layers import Layer, Policies, StatementRef
from cloudlet.core.aws.policy.request import Request


class Reason(Enum):
    """Why a request is allowed or denied."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicit deny"
    """A statement denies it."""
    IMPLICIT_DENY = "implicit deny"
    """Nothing denies it, and a layer that must allow it does not."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of `evaluate`.

    ``statements`` are those that decided: for an explicit deny all that deny, for an allowed request one of
    each layer that allows it; there may be none for an account's root in its own account, who needs none.
    ``layers`` are the layers that denied: for an implicit deny those that lack an ``Allow``, the one that
    AWS names first. Empty for an allowed request.

    What explains a denial is worked out only when it is asked for.
    """

    reason: Reason
    layers: tuple[Layer, ...]
    statements: tuple[StatementRef, ...]
    request: Request = field(compare=False, repr=False)
    policies: Policies = field(compare=False, repr=False)

    @property
    def allowed(self) -> bool:
        """Whether the request may go through."""
        return self.reason is Reason.ALLOWED

    @property
    def message(self) -> str:
        """The sentence of AWS's ``AccessDenied`` errors."""
        request = self.request
        who = request.principal.arn or request.principal.kind
        verb = "is" if self.allowed else "is not"
        message = f"User: {who} {verb} authorized to perform: {request.action} on resource: {request.resource}"
        if self.allowed:
            return message
        layer = self.layers[0]
        if self.reason is Reason.EXPLICIT_DENY:
            article = {Layer.IDENTITY: "an", Layer.TRUST: "the"}.get(layer, "a")
            return f"{message} with an explicit deny in {article} {layer.value}"
        return f"{message} because no {layer.value} allows the {request.action} action"

    @property
    def misses(self) -> tuple[Miss, ...]:
        """For an implicit deny: the statements that allow the action but not this request, nearest first."""
        if self.reason is not Reason.IMPLICIT_DENY:
            return ()
        found = [miss for layer in self.layers for miss in misses(self.request, self.policies, layer)]
        return tuple(sorted(found, key=lambda miss: len(miss.because)))

    @property
    def explanation(self) -> str:
        """For people: the message, and below it, a line each, what decided and what nearly did."""
        lines = [self.message]
        for reference in self.statements:
            line = f"{'Allowed' if self.allowed else 'Denied'} by {reference}"
            conditions = [describe(condition, self.request) for condition in reference.statement.conditions]
            lines.append(f"{line}; its conditions hold: {'; '.join(conditions)}" if conditions else line)
        if self.reason is Reason.IMPLICIT_DENY:
            lines += [self._state(layer) for layer in self.layers]
            near = self.misses
            lines += [f"Near: {miss}" for miss in near[:_MOST_SHOWN]]
            if len(near) > _MOST_SHOWN:
                lines.append(f"And {len(near) - _MOST_SHOWN} more statements allow the action, but not this request")
        elif not self.statements:
            lines.append("An account's root may do all that no policy denies")
        return "\n".join(lines)

    def _state(self, layer: Layer) -> str:
        """How a layer came not to allow the request."""
        attached = self.policies.of(layer)
        if not attached:
            return f"Missing: there is no {layer.value}"
        names = ", ".join(policy.name for policy in attached[:_MOST_SHOWN])
        more = f" and {len(attached) - _MOST_SHOWN} more" if len(attached) > _MOST_SHOWN else ""
        return f"Missing: an Allow in the {layer.value} ({names}{more})"


_MOST_SHOWN = 5
