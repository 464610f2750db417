"""The operations on documentation parts and versions."""

from __future__ import annotations

from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.apigateway import documents, errors, openapi
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document, all_parts, parts_of, save_part
from cloudlet.services.apigateway.rest import documentation, listing, patches, store

_PART_PATHS = (patches.value("/properties"),)
_VERSION_PATHS = (patches.value("/description"),)
_DOCUMENTATION = "x-amazon-apigateway-documentation"


@service.operation("CreateDocumentationPart")
async def create_documentation_part(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    place = documentation.location(params["location"])
    return await documentation.put(tx, api["id"], place, params["properties"], replaces=False)


@service.operation("GetDocumentationPart")
async def get_documentation_part(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "DocumentationPart")
    return await store.get_part(tx, api["id"], "DocumentationPart", params["documentationPartId"])


@service.operation("GetDocumentationParts")
async def get_documentation_parts(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    if params.get("locationStatus", "DOCUMENTED") != "DOCUMENTED":
        raise errors.not_built("lists of what has no documentation")
    kind, name, path = params.get("type"), params.get("nameQuery"), params.get("path")

    def wanted(part: Document) -> bool:
        place = part["location"]
        return (
            kind in (None, place["type"])
            and (not name or name in place.get("name", ""))
            and path in (None, place.get("path"))
        )

    return await listing.page(tx, parts_of(api["id"], "DocumentationPart"), params, wanted=wanted)


@service.operation("UpdateDocumentationPart")
async def update_documentation_part(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "DocumentationPart")
    known = await store.get_part(tx, api["id"], "DocumentationPart", params["documentationPartId"])
    part = patches.patched(known, params.get("patchOperations"), _PART_PATHS)
    documentation.check_properties(part["properties"])
    save_part(tx, api["id"], "DocumentationPart", part["id"], part=part)
    return part


@service.operation("DeleteDocumentationPart")
async def delete_documentation_part(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "DocumentationPart")
    part = await store.get_part(tx, api["id"], "DocumentationPart", params["documentationPartId"])
    documents.remove_part(tx, api["id"], "DocumentationPart", part["id"])
    return {}


@service.direct("ImportDocumentationParts")
async def import_documentation_parts(ctx: Context, params: Params) -> Result:
    text = params["body"].decode("utf-8", "replace")
    document = await run_in_worker(ctx.account, openapi.parse, text)
    given = (document.get(_DOCUMENTATION) or {}).get("documentationParts")
    if not isinstance(given, list):
        raise errors.bad_request(f"The definition has no {_DOCUMENTATION} with documentationParts")

    async def body(tx: Transaction) -> dict[str, Any]:
        api = await store.get_api(ctx, tx, params["restApiId"])
        if params.get("mode") == "overwrite":
            documents.remove_parts(tx, api["id"], "DocumentationPart")
        made, warnings = [], []
        for each in given:
            try:
                place = documentation.location(each["location"])
                properties = documentation.written(each.get("properties") or {})
                made.append((await documentation.put(tx, api["id"], place, properties, replaces=True))["id"])
            except (KeyError, TypeError, AttributeError):
                warnings.append(f"Invalid documentation part: {each}")
            except AwsError as error:
                warnings.append(error.message)
        if warnings and params.get("failOnWarnings"):
            raise errors.bad_request(f"Warnings found during import: {'; '.join(warnings)}")
        return {"ids": made, "warnings": warnings}

    return await ctx.transact(body)


# -- versions


@service.operation("CreateDocumentationVersion")
async def create_documentation_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    name = params["documentationVersion"]
    if await documents.find_part(tx, api["id"], "DocumentationVersion", name) is not None:
        raise errors.conflict(f"Documentation version already exists: {name}")
    if not await all_parts(tx, api["id"], "DocumentationPart"):
        raise errors.bad_request("A documentation version cannot be created: the API has no documentation parts")
    version: Document = {"version": name, "createdDate": float(int(ctx.now()))}
    if params.get("description"):
        version["description"] = params["description"]
    await documentation.keep(tx, api["id"], name)
    save_part(tx, api["id"], "DocumentationVersion", name, part=version)
    if params.get("stageName"):
        stage = await store.get_part(tx, api["id"], "Stage", params["stageName"])
        stage["documentationVersion"] = name
        save_part(tx, api["id"], "Stage", stage["stageName"], part=stage)
    return version


@service.operation("GetDocumentationVersion")
async def get_documentation_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "DocumentationVersion")
    return await store.get_part(tx, api["id"], "DocumentationVersion", params["documentationVersion"])


@service.operation("GetDocumentationVersions")
async def get_documentation_versions(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    return await listing.page(tx, parts_of(api["id"], "DocumentationVersion"), params)


@service.operation("UpdateDocumentationVersion")
async def update_documentation_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "DocumentationVersion")
    known = await store.get_part(tx, api["id"], "DocumentationVersion", params["documentationVersion"])
    version = patches.patched(known, params.get("patchOperations"), _VERSION_PATHS)
    save_part(tx, api["id"], "DocumentationVersion", version["version"], part=version)
    return version


@service.operation("DeleteDocumentationVersion")
async def delete_documentation_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "DocumentationVersion")
    version = await store.get_part(tx, api["id"], "DocumentationVersion", params["documentationVersion"])
    for stage in await all_parts(tx, api["id"], "Stage"):
        if stage.get("documentationVersion") == version["version"]:
            raise errors.conflict(f"The documentation version is that of the stage {stage['stageName']}")
    documents.remove_part(tx, api["id"], "DocumentationVersion", version["version"])
    documentation.forget(tx, api["id"], version["version"])
    return {}
