"""The operations that import REST APIs from OpenAPI definitions, and export them."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.apigateway import errors, openapi, openapi_export, tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.rest import apis, deploying, importing, store
from cloudlet.services.apigateway.rest.definitions import Plan, Reader
from cloudlet.services.apigateway.rest.exporting import Exporter

_UNTITLED = "Untitled"
"""The name of an API whose definition has no title.

AWS's samples have such definitions; the name that AWS gives is not known.
"""
_FORMATS = {"application/json": "JSON", "application/yaml": "YAML"}
_EXTENSIONS = {"integrations", "authorizers", "apigateway", "documentation", "validators", "gatewayresponses"}


async def _plan(ctx: Context, params: Params) -> Plan:
    """Return what a definition asks for; it is read beside the event loop. Raises BadRequestException."""
    return await run_in_worker(ctx.account, _read, params, ctx.account, ctx.region)


def _read(params: Params, account: str, region: str) -> Plan:
    document = openapi.import_document(params["body"].decode("utf-8", "replace"), account, region)
    plan = Reader(document, params.get("parameters") or {}).plan()
    importing.look_at(plan)
    return plan


def _check_warnings(plan: Plan, params: Params) -> None:
    if plan.warnings and params.get("failOnWarnings"):
        raise errors.bad_request(f"Warnings found during import:\n\t{'; '.join(plan.warnings)}")


async def _shown(ctx: Context, tx: Transaction, api: Document, plan: Plan) -> dict[str, Any]:
    shown = await apis.shown(ctx, tx, api)
    return {**shown, "warnings": plan.warnings} if plan.warnings else shown


@service.direct("ImportRestApi")
async def import_rest_api(ctx: Context, params: Params) -> Result:
    plan = await _plan(ctx, params)
    warnings = tuple(plan.warnings)

    async def body(tx: Transaction) -> dict[str, Any]:
        plan.warnings = list(warnings)
        api = await apis.create(ctx, tx, {"name": _UNTITLED, **plan.api}, plan.tags)
        await importing.fill(ctx, tx, api, plan)
        _check_warnings(plan, params)
        return await _shown(ctx, tx, api, plan)

    return await ctx.transact(body)


@service.direct("PutRestApi")
async def put_rest_api(ctx: Context, params: Params) -> Result:
    plan = await _plan(ctx, params)
    warnings = tuple(plan.warnings)

    async def body(tx: Transaction) -> dict[str, Any]:
        plan.warnings = list(warnings)
        known = await store.get_api(ctx, tx, params["restApiId"])
        if params.get("mode", "merge") == "overwrite":
            kept = {name: known[name] for name in ("id", "createdDate", "rootResourceId", "endpointConfiguration")}
            api = apis.checked({"name": known["name"], **kept, **plan.api})
            importing.clear(tx, api)
        else:
            api = apis.checked({**known, **plan.api})
        store.save_api(ctx, tx, api)
        if plan.tags:
            key = tagging.key(ctx, apis.path_of(api["id"]))
            tags.save(tx, key, tagging.checked(plan.tags, await tags.load(tx, key)))
        await importing.fill(ctx, tx, api, plan)
        _check_warnings(plan, params)
        return await _shown(ctx, tx, api, plan)

    return await ctx.transact(body)


@service.direct("GetExport")
async def get_export(ctx: Context, params: Params) -> Result:
    kind = params["exportType"]
    if kind not in ("oas30", "swagger"):
        raise errors.bad_request("Invalid export type: it is oas30 or swagger")
    accepted = params.get("accepts") or "application/json"
    if accepted not in _FORMATS:
        raise errors.bad_request("Invalid Accept header: it is application/json or application/yaml")
    wanted = (params.get("parameters") or {}).get("extensions") or ""
    extensions = {each.strip() for each in wanted.split(",") if each.strip()}
    if "postman" in extensions:
        raise errors.not_built("exports for Postman")
    if extensions - _EXTENSIONS:
        raise errors.bad_request(f"Invalid extensions: {', '.join(sorted(extensions - _EXTENSIONS))}")

    async def body(tx: Transaction) -> deploying.Snapshot | None:
        api = await store.get_api(ctx, tx, params["restApiId"], "Stage")
        stage = await store.get_part(tx, api["id"], "Stage", params["stageName"])
        return await deploying.snapshot_of(tx, api["id"], stage["deploymentId"])

    snapshot = await ctx.transact(body)
    if snapshot is None:
        raise errors.not_found("Invalid Deployment identifier specified")
    url = f"{ctx.endpoint}/_aws/execute-api/{params['restApiId']}"
    exporter = Exporter(snapshot, url, params["stageName"], is_swagger=kind == "swagger", extensions=extensions)
    text = await run_in_worker(ctx.account, openapi_export.written, exporter.document(), _FORMATS[accepted])
    suffix = _FORMATS[accepted].lower()
    return {
        "contentType": "application/octet-stream",
        "contentDisposition": f'attachment; filename="{kind}_{params["stageName"]}.{suffix}"',
        "body": text,
    }
