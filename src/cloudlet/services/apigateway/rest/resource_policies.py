"""The policy of a REST API: who may call it, and from where.

Developer guide, "Control access to a REST API with API Gateway resource policies" and "How API Gateway resource
policies affect authorization workflow".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudlet.core.authorization.resource_policy import decide_by, parse_policy
from cloudlet.core.aws.policy import Decision, NamedPolicy, Reason
from cloudlet.services.apigateway.rest.refusal import Refusal

if TYPE_CHECKING:
    from cloudlet.services.apigateway.rest.call import Call

_INVOKE = "execute-api:Invoke"
_SHORT = '"execute-api:/'


class ApiPolicy:
    """The compiled policy of an API; it may have none."""

    def __init__(self, account: str, region: str, api_id: str, text: str | None) -> None:
        whole = f'"arn:aws:execute-api:{region}:{account}:{api_id}/'
        self._account = account
        self.named = None if text is None else NamedPolicy("api", parse_policy(text.replace(_SHORT, whole)))

    def check(self, call: Call) -> None:
        """Raise Refusal where this policy and the signer's own do not allow a call."""
        if self.named is None and call.principal is None:
            return
        decision = self.decide(call, _INVOKE)
        if not decision.allowed:
            raise self._refusal(call, decision)

    def check_denials(self, call: Call) -> None:
        """Raise Refusal where the policy denies a request that an authorizer is to be asked about."""
        if self.named is None:
            return
        decision = self.decide(call, _INVOKE)
        if decision.reason is Reason.EXPLICIT_DENY:
            raise self._refusal(call, decision)

    def decide(self, call: Call, action: str) -> Decision:
        """Return the decision of this policy and the signer's own about a call."""
        return decide_by(call.make_context(), action, call.arn, self._account, self.named)

    def _refusal(self, call: Call, decision: Decision) -> Refusal:
        who = "anonymous" if call.principal is None else call.principal.arn
        masked = f"arn:aws:execute-api:{call.place.region}:********{self._account[-4:]}:{call.arn.split(':', 5)[5]}"
        return Refusal(
            "ACCESS_DENIED",
            f"User: {who} is not authorized to perform: execute-api:Invoke on resource: {masked}",
            decision.message,
        )


def keys_of(call: Call) -> dict[str, str | Sequence[str]]:
    """Return the condition keys of a request."""
    return {
        "aws:SourceIp": call.visit.peer,
        "aws:SecureTransport": "true" if call.visit.secure else "false",
        "aws:UserAgent": call.headers.get("user-agent", ""),
    }
