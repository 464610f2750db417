"""The operations that import APIs from OpenAPI documents, and export them."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.apigateway import (
    api_v2_apis,
    deploying,
    documents,
    errors,
    openapi,
    openapi_export,
    parts,
    tagging,
)
from cloudlet.services.apigateway.api_v2_parts import AUTHORIZER, INTEGRATION, ROUTE
from cloudlet.services.apigateway.api_v2_stages import get_stage_of
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.openapi import Plan

_BASE_PATHS = ("ignore", "prepend", "split")


async def _plan(ctx: Context, params: Params) -> Plan:
    """Return what a document asks for; it is read beside the event loop. Raises BadRequestException."""
    basepath = params.get("Basepath") or "ignore"
    if basepath not in _BASE_PATHS:
        raise errors.bad_request(f"Invalid value for basepath: it is one of {', '.join(_BASE_PATHS)}")
    plan = await run_in_worker(ctx.account, _read, params["Body"], basepath, ctx.account, ctx.region)
    if plan.warnings and params.get("FailOnWarnings"):
        raise errors.bad_request(f"Warnings found during import: {'; '.join(plan.warnings)}")
    return plan


def _read(text: str, basepath: str, account: str, region: str) -> Plan:
    return openapi.Reader(openapi.import_document(text, account, region), basepath).plan()


async def _fill(ctx: Context, tx: Transaction, api: Document, plan: Plan) -> None:
    """Make all that a plan says in an API that has nothing yet."""
    for kind, count in ((AUTHORIZER, len(plan.authorizers)), (ROUTE, len(plan.routes))):
        if count > kind.most:
            raise parts.too_many(kind)
    authorizers = {}
    for name, given in plan.authorizers.items():
        made = await parts.create(ctx, tx, AUTHORIZER, api, given, has_room=True)
        authorizers[name] = made["AuthorizerId"]
    for route in plan.routes:
        params = dict(route.params)
        if route.integration is not None:
            integration = await parts.create(ctx, tx, INTEGRATION, api, route.integration, has_room=True)
            params["Target"] = f"integrations/{integration['IntegrationId']}"
        if route.authorizer:
            params["AuthorizerId"] = authorizers[route.authorizer]
        await parts.create(ctx, tx, ROUTE, api, params, has_room=True)


async def _shown(ctx: Context, tx: Transaction, api: Document, plan: Plan) -> dict[str, Any]:
    shown = await api_v2_apis.shown(ctx, tx, api)
    return {**shown, "ImportInfo": [], "Warnings": plan.warnings} if plan.warnings else shown


@service.direct("apigatewayv2:ImportApi")
async def import_api(ctx: Context, params: Params) -> Result:
    plan = await _plan(ctx, params)

    async def body(tx: Transaction) -> dict[str, Any]:
        api = await api_v2_apis.create(ctx, tx, "HTTP", plan.api)
        await _fill(ctx, tx, api, plan)
        return await _shown(ctx, tx, api, plan)

    return await ctx.transact(body)


@service.direct("apigatewayv2:ReimportApi")
async def reimport_api(ctx: Context, params: Params) -> Result:
    plan = await _plan(ctx, params)

    async def body(tx: Transaction) -> dict[str, Any]:
        known = await documents.get_api(ctx, tx, params["ApiId"])
        if known["ProtocolType"] != "HTTP":
            raise errors.bad_request("Reimport is only supported for HTTP APIs")
        for kind in deploying.DEPLOYED_KINDS:
            documents.remove_parts(tx, known["ApiId"], kind)
        kept = {name: known[name] for name in ("ApiId", "CreatedDate", "DisableExecuteApiEndpoint")}
        given = {name: value for name, value in plan.api.items() if name != "Tags"}
        api = api_v2_apis.checked({**given, **kept})
        documents.save_api(tx, ctx.account, ctx.region, api)
        if "Tags" in plan.api:
            key = tagging.key(ctx, f"apis/{api['ApiId']}")
            tags.save(tx, key, tagging.checked(plan.api["Tags"], await tags.load(tx, key)))
        await _fill(ctx, tx, api, plan)
        await deploying.follow(ctx, tx, api)
        return await _shown(ctx, tx, api, plan)

    return await ctx.transact(body)


@service.direct("apigatewayv2:ExportApi")
async def export_api(ctx: Context, params: Params) -> Result:
    if params["Specification"] != "OAS30":
        raise errors.bad_request("Invalid specification: only OAS30 is supported")
    if params["OutputType"] not in ("JSON", "YAML"):
        raise errors.bad_request("Invalid outputType: it is JSON or YAML")
    if params.get("ExportVersion", "1.0") != "1.0":
        raise errors.bad_request("Invalid exportVersion: only 1.0 is supported")
    name = params.get("StageName")

    async def body(tx: Transaction) -> tuple[deploying.Snapshot, str, dict[str, str]]:
        api = await documents.get_api(ctx, tx, params["ApiId"])
        if api["ProtocolType"] != "HTTP":
            raise errors.bad_request("Export is only supported for HTTP APIs")
        endpoint = (await api_v2_apis.shown(ctx, tx, api))["ApiEndpoint"]
        kept = await tags.load(tx, tagging.key(ctx, f"apis/{api['ApiId']}"))
        if name is None:
            return await deploying.taken(tx, api), endpoint, kept
        snapshot = await deploying.snapshot_of(tx, api, await get_stage_of(tx, api, name))
        if snapshot is None:
            raise errors.bad_request(f"Nothing is deployed to the stage {name}")
        return snapshot, endpoint if name == "$default" else f"{endpoint}/{name}", kept

    snapshot, server, kept = await ctx.transact(body)
    document = openapi_export.document(snapshot, server, kept, extended=params.get("IncludeExtensions", True))
    return {"body": await run_in_worker(ctx.account, openapi_export.written, document, params["OutputType"])}
