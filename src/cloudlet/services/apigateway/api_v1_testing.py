"""TestInvokeMethod and TestInvokeAuthorizer: what a method, or an authorizer, would do as it is now, not deployed.

Developer guide, "Test a REST API method in the API Gateway console"; API reference, the two operations.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.kernel.identity import ANONYMOUS
from cloudlet.core.kernel.web import DataPlaneRequest
from cloudlet.services.apigateway import documents, errors
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document, Place
from cloudlet.services.apigateway.http.call import decoded
from cloudlet.services.apigateway.rest import deploying, gateway, integrating, store
from cloudlet.services.apigateway.rest.call import Call
from cloudlet.services.apigateway.rest.compiled import Stage
from cloudlet.services.apigateway.rest.deploying import Snapshot
from cloudlet.services.apigateway.rest.lambda_authorizers import Authorizer
from cloudlet.services.apigateway.rest.refusal import Refusal
from cloudlet.services.apigateway.rest.trace import Trace
from cloudlet.wire import HttpRequest, HttpResponse

_STAGE = "test-invoke-stage"
_HOST = "testprefix.testdomainname"


def _call(ctx: Context, snapshot: Snapshot, params: Params, verb: str) -> Call:
    """Return the call that a test makes."""
    document: Document = {"stageName": _STAGE, "deploymentId": "", "variables": params.get("stageVariables") or {}}
    document["clientCertificateId"] = params.get("clientCertificateId")
    stage = Stage(ctx.account, ctx.region, document, snapshot, is_canary=False)
    headers = {name.lower(): value for name, value in (params.get("headers") or {}).items()}
    headers |= {name.lower(): ", ".join(every) for name, every in (params.get("multiValueHeaders") or {}).items()}
    path, _, query = (params.get("pathWithQueryString") or "").partition("?")
    body = (params.get("body") or "").encode()
    request = HttpRequest(verb, path or "/", query, {"host": _HOST, **headers}, body)
    written = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, every in {
            **{name: [value] for name, value in (params.get("headers") or {}).items()},
            **(params.get("multiValueHeaders") or {}),
        }.items()
        for value in every
    ]
    visit = DataPlaneRequest(request, _HOST, "", path or "/", "", "127.0.0.1", True, False, lambda: ANONYMOUS, written)
    call = Call(ctx.block, Place(ctx.account, ctx.region, store.PROTOCOL), visit, stage, decoded(path or "/"), None)
    call.body = body
    call.is_test = True
    call.trace = Trace(True, with_data=True, now=ctx.block.clock.now)
    return call


@service.direct("TestInvokeMethod")
async def test_invoke_method(ctx: Context, params: Params) -> Result:
    wanted = (params["resourceId"], params["httpMethod"])

    async def body(tx: Transaction) -> tuple[Snapshot, Document]:
        api = await store.get_api(ctx, tx, params["restApiId"], "Resource")
        if params.get("clientCertificateId"):
            await store.get_owned(ctx, tx, "ClientCertificate", params["clientCertificateId"])
        resource = await store.get_part(tx, api["id"], "Resource", wanted[0])
        method = await documents.find_part(tx, api["id"], "Method", wanted[0], "ANY")
        method = await documents.find_part(tx, api["id"], "Method", *wanted) or method
        if method is None:
            raise errors.not_found("Invalid Method identifier specified")
        if "methodIntegration" not in method:
            raise errors.bad_request("No integration defined for method")
        snapshot = await deploying.taken(tx, api)
        snapshot["methods"] = [(wanted[0], method)]
        return snapshot, resource

    snapshot, resource = await ctx.transact(body)
    verb = "GET" if wanted[1] == "ANY" else wanted[1]
    if not params.get("pathWithQueryString"):
        params = {**params, "pathWithQueryString": resource["path"]}
    call = _call(ctx, snapshot, params, verb)
    found = call.stage.table.find(call.path)
    if found is not None:
        call.variables = found[1]
    call.resource = resource["path"]
    call.method = call.stage.by_id[wanted[0]].method(wanted[1])
    # Timeouts need a task, which a direct operation need not be in.
    response = await asyncio.get_running_loop().create_task(_answered(call))
    listed: dict[str, list[str]] = {}
    for name, value in response.headers:
        listed.setdefault(name, []).append(value)
    return {
        "status": response.status,
        "body": response.body.decode("utf-8", "replace") if isinstance(response.body, bytes) else "",
        "headers": {name: every[-1] for name, every in listed.items()},
        "multiValueHeaders": listed,
        "log": f"Execution log for request {call.id}\n{call.trace.shown()}",
        "latency": int((perf_counter() - call.started) * 1000),
    }


async def _answered(call: Call) -> HttpResponse:
    """Return the answer to a call that nobody has to be admitted for."""
    gateway.begin(call)
    try:
        if call.method is None:
            raise Refusal("MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token")
        await call.method.check.check(call)
        response = await integrating.answer(call, call.method.integration)
    except Refusal as refusal:
        response = await gateway.refused_answer(call, refusal)
    await gateway.finish(call, response)
    return response


@service.direct("TestInvokeAuthorizer")
async def test_invoke_authorizer(ctx: Context, params: Params) -> Result:
    async def body(tx: Transaction) -> tuple[Snapshot, Document]:
        api = await store.get_api(ctx, tx, params["restApiId"], "Authorizer")
        part = await store.get_part(tx, api["id"], "Authorizer", params["authorizerId"])
        snapshot = await deploying.taken(tx, api)
        snapshot["methods"] = []
        return snapshot, part

    snapshot, part = await ctx.transact(body)
    call = _call(ctx, snapshot, params, "GET")
    authorizer = Authorizer(part, call.stage.variables)
    result: dict[str, Any] = {"clientStatus": 200}
    try:
        verdict = await asyncio.get_running_loop().create_task(authorizer.verdict(call))
    except Refusal as refusal:
        call.trace.error(refusal.reason)
        result["clientStatus"] = call.stage.responses.status(refusal.kind, refusal.status)
    else:
        result |= {"principalId": verdict.principal_id, "policy": verdict.document}
        call.trace.note("Successfully completed authorizer execution")
    log = f"Execution log for request {call.id}\n{call.trace.shown()}"
    return {**result, "log": log, "latency": int((perf_counter() - call.started) * 1000)}
