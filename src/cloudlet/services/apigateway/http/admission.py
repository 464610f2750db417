"""Who may call a route of an HTTP API."""

from __future__ import annotations

from cloudlet.services.apigateway import authorizing
from cloudlet.services.apigateway.authorizing import FunctionAuthorizer, forbidden, unauthorized
from cloudlet.services.apigateway.http import events
from cloudlet.services.apigateway.http.call import Call
from cloudlet.services.apigateway.http.compiled import Route


async def admit(call: Call, route: Route) -> None:
    """Find out who makes a call, where the route wants to know. Raises Refused for who may not."""
    match route.authorization:
        case "JWT" if route.jwt is not None:
            call.claims, call.scopes = await route.jwt.admit(call.block, call.lookup, route.scopes)
        case "CUSTOM" if route.authorizer is not None:
            await _ask(call, route.authorizer)
        case "AWS_IAM":
            call.principal = await authorizing.admit_signer(
                call.block, call.place, call.visit, call.id, call.headers, call.arn
            )


async def _ask(call: Call, authorizer: FunctionAuthorizer) -> None:
    identity = authorizer.identity(call.lookup)
    if identity is None:
        raise unauthorized("an identity source is missing")
    now = call.block.clock.now()
    verdict = authorizer.known(identity, now)
    if verdict is None:
        shape = events.authorizer_v2 if authorizer.payload == "2.0" else events.authorizer_v1
        verdict = await authorizer.ask(call.block, call.place, call.api_arn("")[:-1], shape(call, identity))
        authorizer.keep(identity, verdict, now)
    call.principal_id = verdict.principal_id
    call.authorizer = verdict.context
    if not authorizing.admits(verdict, call.place, call.arn):
        raise forbidden("the authorizer does not let the caller in")
