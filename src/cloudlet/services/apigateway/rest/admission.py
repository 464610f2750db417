"""Who may call a method of a REST API, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from cloudlet.core import AwsError
from cloudlet.services.apigateway import invocation_context
from cloudlet.services.apigateway.rest import plans
from cloudlet.services.apigateway.rest.call import Call
from cloudlet.services.apigateway.rest.compiled import Method
from cloudlet.services.apigateway.rest.refusal import Refusal
from cloudlet.services.apigateway.rest.trace import masked

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_NOT_AUTHORIZED = "Missing Authentication Token"


async def admit(call: Call, method: Method) -> None:
    """Find out who makes a call, where the method wants to know. Raises Refusal for who may not."""
    policy = call.stage.policy
    if method.authorizer is not None:
        policy.check_denials(call)
        with _step(call, "authorizer"):
            await method.authorizer.admit(call)
    elif method.authorization == "AWS_IAM":
        with _step(call, "authenticate"):
            await _identify(call)
        with _step(call, "authorize"):
            policy.check(call)
    elif method.authorization == "NONE":
        policy.check(call)
    else:
        raise Refusal("AUTHORIZER_CONFIGURATION_ERROR", None, "the method's authorizer is not there")
    if method.needs_key:
        await _admit_key(call)


@contextmanager
def _step(call: Call, name: str) -> Iterator[None]:
    """Note how long a step takes, and how it ends."""
    started = perf_counter()
    try:
        yield
    except Refusal as refusal:
        call.steps[f"{name}.error"] = refusal.reason
        call.steps[f"{name}.status"] = refusal.status
        raise
    else:
        call.steps[f"{name}.status"] = 200
    finally:
        call.steps[f"{name}.latency"] = int((perf_counter() - started) * 1000)


async def _identify(call: Call) -> None:
    """Find out who has signed. Raises Refusal where nobody has, or wrongly."""
    try:
        found = await invocation_context.identify(call.block, call.visit)
    except AwsError as error:
        kind = "EXPIRED_TOKEN" if error.code in _EXPIRED else "INVALID_SIGNATURE"
        raise Refusal(kind, error.message) from error
    if found is None:
        raise Refusal("MISSING_AUTHENTICATION_TOKEN", _NOT_AUTHORIZED, "the request is not signed")
    call.principal, call.permissions = found


async def _admit_key(call: Call) -> None:
    """Let in who has an API key of a usage plan for the stage, and does not call too often. Raises Refusal."""
    value = call.headers.get("x-api-key", "") if call.stage.key_source == "HEADER" else call.usage_key
    stage_name = f"{call.api_id}/{call.stage.name}"
    call.trace.note(f"Verifying Usage Plan for request: {call.id}. API Key: {masked(value)} API Stage: {stage_name}")
    known = await plans.find(call.block, call.place, value) if value else None
    found = None if known is None else plans.plan_for(known, call.api_id, call.stage.name)
    if known is None or found is None:
        raise Refusal("INVALID_API_KEY", "Forbidden", "there is no such API key for the stage")
    call.api_key, call.api_key_id = known.value, known.id
    plan, stage = found
    plans.throttle(call.block, known, plan, stage, call.resource, call.verb)
    await plans.count(call.block, call.place, known, plan)
    call.trace.note(f"Usage Plan check succeeded for API Key {masked(value)} and API Stage {stage_name}")
