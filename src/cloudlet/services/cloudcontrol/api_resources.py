"""The operations on resources: create, read, update, delete and list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws.resources.caller import Caller
from cloudlet.core.aws.resources.declaration import ResourceType
from cloudlet.core.aws.resources.failures import ProvisioningError
from cloudlet.core.aws.resources.provisioner import Instance
from cloudlet.core.aws.resources.reader import Reader, find_listing, find_reading
from cloudlet.core.aws.resources.resource_schema import Schema
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudcontrol import errors, requests, resource_types
from cloudlet.services.cloudcontrol.block import service
from cloudlet.services.cloudcontrol.json_patch import InvalidPatch, apply_patch, parse_patch, parse_pointer
from cloudlet.services.cloudcontrol.json_text import parse_json
from cloudlet.services.cloudcontrol.request_record import Request
from cloudlet.services.cloudcontrol.working import REQUESTS, make_invoke


def _get_type(params: Params) -> tuple[ResourceType, Schema]:
    """Return the type that a request is about, and its schema. Raises AwsError."""
    declared = resource_types.get_type(params["TypeName"])
    if params.get("TypeVersionId"):
        raise errors.make_validation_error("TypeVersionId can only be specified for private resource types")
    return declared, resource_types.get_schema(declared)


def _make_request(ctx: Context, params: Params, operation: Any) -> Request:
    asked = {name: value for name, value in params.items() if name != "ClientToken"}
    text = json.dumps([operation, asked], sort_keys=True, default=str)
    return Request(
        ctx.account,
        ctx.region,
        uuid4(),
        params["TypeName"],
        operation,
        "IN_PROGRESS",
        ctx.now(),
        Caller.from_principal(ctx.principal),
        params.get("RoleArn") or "",
        params.get("ClientToken") or "",
        hashlib.sha256(text.encode()).hexdigest(),
    )


async def _find_repeated(ctx: Context, request: Request) -> Result | None:
    """Return the answer to a request that came before, with the same client token."""

    async def find(tx: Transaction) -> Request | None:
        return await requests.find_repeated(tx, ctx.block.cloud.vault, request)

    found = await ctx.transact(find)
    return None if found is None else {"ProgressEvent": requests.to_api(found)}


async def _begin(ctx: Context, request: Request) -> Result:
    """Write a request down, and have it carried out."""
    vault = ctx.block.cloud.vault

    async def begin(tx: Transaction) -> Request:
        repeated = await requests.find_repeated(tx, vault, request)
        if repeated is not None:
            return repeated
        await requests.add(tx, vault, request)
        REQUESTS.request(tx, ctx.account, ctx.region, request.token)
        return request

    return {"ProgressEvent": requests.to_api(await ctx.transact(begin))}


def _make_reader(ctx: Context, params: Params) -> Reader:
    request = _make_request(ctx, params, "CREATE")
    return Reader(params["TypeName"], make_invoke(ctx.block, request), ctx.account, ctx.region)


def _check_model(schema: Schema, properties: Mapping[str, Any]) -> None:
    violations = schema.list_violations(properties)
    if violations:
        raise errors.make_validation_error(f"Model validation failed ({chr(10).join(violations)})")


def _parse_object(text: str, name: str) -> dict[str, Any]:
    """Return the object that a member has as JSON. Raises ValidationException."""
    try:
        parsed = parse_json(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise errors.make_validation_error(f"{name} is not a valid JSON object")
    return parsed


@service.direct("CreateResource")
async def create_resource(ctx: Context, params: Params) -> Result:
    declared, schema = _get_type(params)
    if not declared.can_create:
        raise errors.make_unsupported_action(declared.name, "CREATE")
    request = _make_request(ctx, params, "CREATE")
    if (answer := await _find_repeated(ctx, request)) is not None:
        return answer
    properties = _parse_object(params["DesiredState"], "DesiredState")
    _check_model(schema, properties)
    return await _begin(ctx, replace(request, properties=properties))


async def _read(ctx: Context, params: Params, reader: Reader, schema: Schema) -> Instance:
    """Return the resource that a request names, as it is. Raises AwsError."""
    name, identifier = params["TypeName"], params["Identifier"]
    try:
        found = await reader.find(resource_types.read_identifier(schema, identifier))
        if found is None:
            raise errors.make_not_found(name, identifier)
    except ProvisioningError as failure:
        raise errors.translate_failure(name, failure) from None
    return found


@service.direct("GetResource")
async def get_resource(ctx: Context, params: Params) -> Result:
    declared, schema = _get_type(params)
    if find_reading(declared) is None:
        raise errors.make_unsupported_action(declared.name, "READ")
    reader = _make_reader(ctx, params)
    found = await _read(ctx, params, reader, schema)
    known = {**found.properties, **found.attributes}
    shown = {name: value for name, value in known.items() if name in schema.properties}
    return {
        "TypeName": declared.name,
        "ResourceDescription": {
            "Identifier": reader.render_identifier(known),
            "Properties": requests.render_model(shown),
        },
    }


@service.direct("ListResources")
async def list_resources(ctx: Context, params: Params) -> Result:
    declared, _ = _get_type(params)
    if find_listing(declared) is None:
        raise errors.make_unsupported_action(declared.name, "LIST")
    model = _parse_object(params["ResourceModel"], "ResourceModel") if params.get("ResourceModel") else {}
    reader = _make_reader(ctx, params)
    try:
        found, token = await reader.list_page(model, params.get("NextToken"))
    except ProvisioningError as failure:
        raise errors.translate_failure(declared.name, failure) from None
    shown = [{"Identifier": reader.render_identifier(one), "Properties": requests.render_model(one)} for one in found]
    return {"TypeName": declared.name, "ResourceDescriptions": shown, "NextToken": token}


@service.direct("UpdateResource")
async def update_resource(ctx: Context, params: Params) -> Result:
    declared, schema = _get_type(params)
    if not declared.can_update or find_reading(declared) is None:
        raise errors.make_unsupported_action(declared.name, "UPDATE")
    request = _make_request(ctx, params, "UPDATE")
    if (answer := await _find_repeated(ctx, request)) is not None:
        return answer
    reader = _make_reader(ctx, params)
    found = await _read(ctx, params, reader, schema)
    known = {**found.properties, **found.attributes}
    try:
        patch = parse_patch(params["PatchDocument"])
        _check_read_only(schema, patch)
        properties = apply_patch(dict(found.properties), patch)
    except InvalidPatch as error:
        raise errors.make_validation_error(f"Invalid patch update: {error}") from None
    if not isinstance(properties, dict):
        raise errors.make_validation_error("Invalid patch update: the resource's model is an object")
    _check_create_only(schema, found.properties, properties)
    _check_model(schema, properties)
    return await _begin(
        ctx,
        replace(
            request,
            identifier=reader.render_identifier(known),
            properties=properties,
            before=dict(found.properties),
            attributes=dict(found.attributes),
            patch=params["PatchDocument"],
        ),
    )


def _check_read_only(schema: Schema, patch: list[dict[str, Any]]) -> None:
    names = {path[0] for one in patch if (path := parse_pointer(one["path"]))}
    wrong = sorted(f"/properties/{name}" for name in names & schema.read_only)
    if wrong:
        raise errors.make_validation_error(
            f"Invalid patch update: readOnlyProperties [{', '.join(wrong)}] cannot be updated"
        )


def _check_create_only(schema: Schema, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    changed = [name for name in schema.find_changes(old, new) if schema.needs_replacement(name, old, new)]
    if changed:
        names = ", ".join(f"/properties/{name}" for name in changed)
        raise AwsError(
            "NotUpdatableException", f"Invalid patch update: createOnlyProperties [{names}] cannot be updated"
        )


@service.direct("DeleteResource")
async def delete_resource(ctx: Context, params: Params) -> Result:
    declared, schema = _get_type(params)
    if not declared.can_delete:
        raise errors.make_unsupported_action(declared.name, "DELETE")
    request = _make_request(ctx, params, "DELETE")
    known = resource_types.read_identifier(schema, params["Identifier"])
    identifier = "|".join(known[name] for name in schema.identifier)
    return await _begin(ctx, replace(request, identifier=identifier, before=known))
