"""The policy of a REST API: who may call it, and from where.

Developer guide, "Control access to a REST API with API Gateway resource policies" and "How API Gateway resource
policies affect authorization workflow".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudlet.core.identity import ANONYMOUS
from cloudlet.core.policy import NamedPolicy, Policies, Request, evaluate
from cloudlet.core.resource_policy import IDENTITY, parsed
from cloudlet.services.apigateway.rest.refusal import Refusal

if TYPE_CHECKING:
    from cloudlet.services.apigateway.rest.call import Call

_SHORT = '"execute-api:/'


class ApiPolicy:
    """The compiled policy of an API; it may have none."""

    def __init__(self, account: str, region: str, api_id: str, text: str | None) -> None:
        whole = f'"arn:aws:execute-api:{region}:{account}:{api_id}/'
        self._account = account
        self._policy = None if text is None else NamedPolicy("api", parsed(text.replace(_SHORT, whole)))

    @property
    def is_there(self) -> bool:
        return self._policy is not None

    def check(self, call: Call) -> None:
        """Raise Refusal where the policy does not let a caller in."""
        if self._policy is None:
            return
        principal = call.principal or ANONYMOUS
        keys: dict[str, str] = {
            "aws:SourceIp": call.visit.peer,
            "aws:SecureTransport": "true" if call.visit.secure else "false",
            "aws:UserAgent": call.headers.get("user-agent", ""),
        }
        request = Request(principal, "execute-api:Invoke", call.arn, keys, self._account)
        decision = evaluate(request, Policies(identity=IDENTITY, resource=self._policy))
        if decision.allowed:
            return
        who = "anonymous" if call.principal is None else principal.arn
        masked = f"arn:aws:execute-api:{call.place.region}:********{self._account[-4:]}:{call.arn.split(':', 5)[5]}"
        raise Refusal(
            "ACCESS_DENIED",
            f"User: {who} is not authorized to perform: execute-api:Invoke on resource: {masked}",
            decision.message,
        )
