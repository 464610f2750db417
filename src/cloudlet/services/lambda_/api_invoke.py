"""The operations that run functions."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result
from cloudlet.services.lambda_ import errors, invoking
from cloudlet.services.lambda_.asynchronous import serving
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.durable import driving
from cloudlet.services.lambda_.execution import engine
from cloudlet.services.lambda_.function_urls import url_traffic
from cloudlet.services.lambda_.functions import provisioning


@service.direct("Invoke")
async def invoke(ctx: Context, params: Params) -> Result:
    if params.get("TenantId") is not None:
        raise errors.not_built("tenants")
    if params.get("InvocationType") == "Event":
        ctx.response_status = 202
        return await invoking.accept(ctx, params)
    return await invoking.invoke(ctx, params)


@service.direct("InvokeWithResponseStream")
async def invoke_with_response_stream(ctx: Context, params: Params) -> Result:
    if params.get("TenantId") is not None:
        raise errors.not_built("tenants")
    return await invoking.invoke_streaming(ctx, params)


@service.direct("InvokeAsync")
async def invoke_async(ctx: Context, params: Params) -> Result:
    body = params["InvokeArgs"]
    payload = body if isinstance(body, bytes) else await body.read(invoking.EVENT_BYTES)
    await invoking.accept(ctx, {"FunctionName": params["FunctionName"], "Payload": payload})
    ctx.response_status = 202
    return {"Status": 202}


service.data_plane(url_traffic.answer)
service.job(engine.run)
service.job(serving.run)
service.job(driving.run)
service.job(provisioning.run)
