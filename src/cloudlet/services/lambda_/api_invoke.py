"""The operations that run functions."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result
from cloudlet.services.lambda_ import errors, invoking
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.execution import engine


@service.direct("Invoke")
async def invoke(ctx: Context, params: Params) -> Result:
    if params.get("TenantId") is not None:
        raise errors.not_built("tenants")
    if params.get("DurableExecutionName") is not None:
        raise errors.not_built("durable executions")
    if params.get("InvocationType") == "Event":
        raise errors.not_built("asynchronous invocations")
    return await invoking.invoke(ctx, params)


@service.direct("InvokeWithResponseStream")
async def invoke_with_response_stream(ctx: Context, params: Params) -> Result:
    if params.get("TenantId") is not None:
        raise errors.not_built("tenants")
    return await invoking.invoke_streaming(ctx, params)


service.job(engine.run)
