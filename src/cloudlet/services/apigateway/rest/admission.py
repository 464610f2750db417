"""Who may call a method of a REST API, and how often."""

from __future__ import annotations

from cloudlet.core import AwsError
from cloudlet.services.apigateway.rest import plans
from cloudlet.services.apigateway.rest.call import Call
from cloudlet.services.apigateway.rest.compiled import Method
from cloudlet.services.apigateway.rest.refusal import Refusal

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_NOT_AUTHORIZED = "Missing Authentication Token"


async def admit(call: Call, method: Method) -> None:
    """Find out who makes a call, where the method wants to know. Raises Refusal for who may not."""
    if method.authorization == "AWS_IAM":
        _identify(call)
    call.stage.policy.check(call)
    if method.authorization == "AWS_IAM" and call.principal is not None and not call.stage.policy.is_there:
        _check_account(call)
    if method.authorization == "CUSTOM" and method.authorizer is not None:
        await method.authorizer.admit(call)
    if method.needs_key:
        await _admit_key(call)


def _identify(call: Call) -> None:
    """Find out who has signed. Raises Refusal where nobody has, or wrongly."""
    request = call.visit.request
    if "authorization" not in request.headers and "X-Amz-Signature=" not in request.query:
        raise Refusal("MISSING_AUTHENTICATION_TOKEN", _NOT_AUTHORIZED, "the request is not signed")
    try:
        principal = call.visit.identify()
    except AwsError as error:
        kind = "EXPIRED_TOKEN" if error.code in _EXPIRED else "INVALID_SIGNATURE"
        raise Refusal(kind, error.message) from error
    if principal.kind == "anonymous":
        raise Refusal("MISSING_AUTHENTICATION_TOKEN", _NOT_AUTHORIZED, "the request is not signed")
    call.principal = principal


def _check_account(call: Call) -> None:
    principal = call.principal
    if principal is not None and principal.account != call.place.account:
        raise Refusal(
            "ACCESS_DENIED",
            f"User: {principal.arn} is not authorized to perform: execute-api:Invoke on resource: {call.arn}",
        )


async def _admit_key(call: Call) -> None:
    """Let in who has an API key of a usage plan for the stage, and does not call too often. Raises Refusal."""
    value = call.headers.get("x-api-key", "") if call.stage.key_source == "HEADER" else call.usage_key
    known = await plans.find(call.block, call.place, value) if value else None
    found = None if known is None else plans.plan_for(known, call.api_id, call.stage.name)
    if known is None or found is None:
        raise Refusal("INVALID_API_KEY", "Forbidden", "there is no such API key for the stage")
    call.api_key, call.api_key_id = known.value, known.id
    plan, stage = found
    plans.throttle(call.block, known, plan, stage, call.resource, call.verb)
    await plans.count(call.block, call.place, known, plan)
