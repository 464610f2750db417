"""Lambda authorizers of REST APIs. Developer guide, "Use API Gateway Lambda authorizers"."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from cloudlet.services.apigateway import authorizing
from cloudlet.services.apigateway.answers import Refused
from cloudlet.services.apigateway.authorizing import AuthorizerResult, FunctionAuthorizer
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.rest import matching, resource_policies
from cloudlet.services.apigateway.rest.refusal import Refusal

if TYPE_CHECKING:
    from cloudlet.services.apigateway.rest.call import Call


def text_of(value: Any) -> str | None:
    """Return a value of an authorizer's context as methods get it: all of it is text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


class Authorizer:
    """A compiled authorizer, of the type TOKEN or REQUEST."""

    def __init__(self, part: Document, variables: dict[str, str]) -> None:
        sources = [each.strip() for each in (part.get("identitySource") or "").split(",") if each.strip()]
        self.id: str = part["id"]
        self.is_token = part["type"] == "TOKEN"
        self._pattern: str = part.get("identityValidationExpression") or ""
        self._function = FunctionAuthorizer(
            {
                "AuthorizerId": part["id"],
                "AuthorizerUri": part["authorizerUri"],
                "AuthorizerCredentialsArn": part.get("authorizerCredentials"),
                "AuthorizerResultTtlInSeconds": part["authorizerResultTtlInSeconds"],
                "IdentitySource": [each.removeprefix("method.") for each in sources],
            },
            variables,
        )

    async def admit(self, call: Call) -> None:
        """Ask whether a caller may call. Raises Refusal where he may not."""
        call.trace.note(f"Starting authorizer: {self.id} for request: {call.id}")
        verdict = await self.verdict(call)
        call.principal_id = verdict.principal_id
        call.authorizer = verdict.context
        call.usage_key = verdict.usage_key
        resource = call.stage.policy.named
        if not authorizing.admits(verdict, call.place, call.arn, resource, resource_policies.keys_of(call)):
            reason = "the authorizer does not let the caller in"
            raise Refusal("ACCESS_DENIED", "User is not authorized to access this resource", reason)
        call.trace.note("Successfully completed authorizer execution")

    def secrets(self, call: Call) -> list[str]:
        """Return the values by which callers say who they are."""
        return self._function.identity(call.lookup) or []

    async def _is_valid(self, call: Call, identity: str) -> bool:
        return not self._pattern or await matching.matches(call.place.account, identity, self._pattern)

    async def verdict(self, call: Call) -> AuthorizerResult:
        """Return what the function says of a caller, now or before. Raises Refusal."""
        identity = self._function.identity(call.lookup)
        if identity is None or not await self._is_valid(call, identity[0]):
            raise Refusal("UNAUTHORIZED", "Unauthorized", "an identity source is missing, or not valid")
        now = call.block.clock.now()
        call.steps["authorizer.integrationLatency"] = 0
        known = self._function.known(identity, now)
        if known is not None:
            return known
        started = perf_counter()
        try:
            event = self._event(call, identity)
            verdict = await self._function.ask(call.block, call.place, call.api_arn("")[:-1], event)
            if any(isinstance(value, (list, dict)) for value in verdict.context.values()):
                raise authorizing.misconfigured("the context in the authorizer's answer has an object or an array")
        except Refused as refused:
            if refused.response_type == "UNAUTHORIZED":
                call.trace.note(f"Unauthorized request: {call.id}")
                raise Refusal("UNAUTHORIZED", "Unauthorized", refused.reason) from refused
            raise Refusal("AUTHORIZER_CONFIGURATION_ERROR", None, refused.reason) from refused
        finally:
            call.steps["authorizer.integrationLatency"] = int((perf_counter() - started) * 1000)
        call.steps["authorizer.integrationStatus"] = 200
        verdict = replace(verdict, context={name: text_of(value) for name, value in verdict.context.items()})
        self._function.keep(identity, verdict, now)
        return verdict

    def _event(self, call: Call, identity: list[str]) -> dict[str, Any]:
        if self.is_token:
            return {"type": "TOKEN", "methodArn": call.arn, "authorizationToken": identity[0]}
        headers = call.header_values()
        return {
            "type": "REQUEST",
            "methodArn": call.arn,
            "resource": call.resource,
            "path": call.whole_path if call.mapped is not None else call.path,
            "httpMethod": call.verb,
            "headers": {name: every[-1] for name, every in headers.items()},
            "multiValueHeaders": headers,
            "queryStringParameters": call.queries,
            "multiValueQueryStringParameters": call.query_values(),
            "pathParameters": call.variables,
            "stageVariables": call.stage.variables,
            "requestContext": call.request_context(),
        }
