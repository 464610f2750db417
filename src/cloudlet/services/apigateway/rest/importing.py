"""Makes of a REST API what a definition says. Developer guide, "Import a REST API into API Gateway"."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.services.apigateway import documents, errors, templates
from cloudlet.services.apigateway.documents import Document, all_parts, save_part
from cloudlet.services.apigateway.integration_check import check_role
from cloudlet.services.apigateway.rest import (
    apis,
    documentation,
    gateway_responses,
    method_check,
    part_check,
    resources,
    schemas,
    store,
)
from cloudlet.services.apigateway.rest.definitions import Plan, PlannedMethod, model_name, wrong


def clear(tx: Transaction, api: Document) -> None:
    """Take away all that an API is made of but its root and the models that each has."""
    for kind in (*apis.KINDS, "DocumentationPart"):
        documents.remove_parts(tx, api["id"], kind)
    root = api["rootResourceId"]
    save_part(tx, api["id"], "Resource", root, part={"id": root, "path": "/"})
    apis.add_models(tx, api["id"])


def look_at(plan: Plan) -> None:
    """Read the templates and models of a plan, which takes long: whether they can be taken is known from then on."""
    for model in plan.models.values():
        schemas.VERDICTS.of(_schema(model, ""))
    for planned in plan.methods:
        for part in (planned.integration or {}, *planned.integration_responses):
            for template in (
                *(part.get("requestTemplates") or {}).values(),
                *(part.get("responseTemplates") or {}).values(),
            ):
                templates.VERDICTS.of(template or "")


def _schema(model: Document, api_id: str) -> str:
    return msgspec.json.encode(_with_models(model["schema"], api_id)).decode()


async def fill(ctx: Context, tx: Transaction, api: Document, plan: Plan) -> None:
    """Make all that a plan says in an API; what is there of the same name is replaced. Raises AwsError."""
    id = api["id"]
    for name, model in plan.models.items():
        await _put(tx, id, "Model", "name", {**model, "schema": _schema(model, id)}, name)
    validators = {
        name: await _put(tx, id, "RequestValidator", "id", part, name) for name, part in plan.validators.items()
    }
    authorizers = {}
    for name, part in plan.authorizers.items():
        check_role(ctx, part.get("authorizerCredentials"))
        authorizers[name] = await _put(tx, id, "Authorizer", "id", part, name)
    for kind, response in plan.responses.items():
        if kind not in gateway_responses.TYPES:
            plan.warnings.append(f"{kind} is no type of a gateway response")
            continue
        save_part(tx, id, "GatewayResponse", kind, part=gateway_responses.checked(response))
    places = await _resources(tx, id, plan)
    for planned in plan.methods:
        try:
            await _method(ctx, tx, id, places[planned.path], planned, authorizers, validators)
        except AwsError as error:
            if error.code != "BadRequestException":
                raise
            raise wrong(f"Unable to put {planned.verb} on resource at path {planned.path}: {error.message}") from error
    for part in plan.documentation:
        await _document(tx, id, part, plan)


async def _document(tx: Transaction, api_id: str, part: Document, plan: Plan) -> None:
    try:
        place = documentation.location(part["location"])
        await documentation.put(tx, api_id, place, documentation.written(part.get("properties") or {}), replaces=True)
    except (KeyError, TypeError, AttributeError):
        plan.warnings.append(f"Invalid documentation part: {part}")


def _with_models(value: Any, api_id: str) -> Any:
    """Return a schema whose references are to models of an API, as API Gateway keeps them."""
    if isinstance(value, list):
        return [_with_models(each, api_id) for each in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str) and reference.startswith(("#/definitions/", "#/components/schemas/")):
        name = model_name(reference.rpartition("/")[2])
        return {**value, "$ref": f"https://apigateway.amazonaws.com/restapis/{api_id}/models/{name}"}
    return {key: _with_models(each, api_id) for key, each in value.items()}


_CHECKS = {
    "Model": part_check.model,
    "RequestValidator": part_check.validator,
    "Authorizer": part_check.authorizer,
}


async def _put(tx: Transaction, api_id: str, kind: str, member: str, part: Document, name: str) -> str:
    """Save a part of a kind; return its id. One of the same name keeps that."""
    known = next((each for each in await all_parts(tx, api_id, kind) if each.get("name") == name), None)
    part = {**part, "id": documents.fresh_id(6) if known is None else known["id"]}
    part = await _CHECKS[kind](tx, api_id, part)
    save_part(tx, api_id, kind, part[member], part=part)
    id: str = part["id"]
    return id


async def _resources(tx: Transaction, api_id: str, plan: Plan) -> dict[str, str]:
    """Make the resources of all paths; return their ids by path."""
    known = {each["path"]: each for each in await all_parts(tx, api_id, "Resource")}
    for path in plan.paths:
        at = "/"
        for part in path.strip("/").split("/") if path.strip("/") else ():
            below = resources.joined(at, part)
            if below not in known:
                known[below] = await resources.create(tx, api_id, known[at], part)
            at = below
        # A path may end with a slash.
        known[path] = known[at]
    return {path: each["id"] for path, each in known.items()}


async def _method(
    ctx: Context,
    tx: Transaction,
    api_id: str,
    resource_id: str,
    planned: PlannedMethod,
    authorizers: dict[str, str],
    validators: dict[str, str],
) -> None:
    given = dict(planned.method)
    if planned.authorizer:
        given["authorizerId"] = authorizers[planned.authorizer]
    if planned.validator:
        if planned.validator not in validators:
            raise errors.bad_request(f"Invalid request validator specified: {planned.validator}")
        given["requestValidatorId"] = validators[planned.validator]
    method = await method_check.method(tx, api_id, given)
    if planned.responses:
        method["methodResponses"] = {
            status: await method_check.method_response(tx, api_id, response)
            for status, response in planned.responses.items()
        }
    if planned.integration is not None:
        integration = dict(planned.integration)
        integration.setdefault("cacheNamespace", resource_id)
        role = integration.get("credentials")
        if role and "${" not in role:
            check_role(ctx, role)
        link = integration.get("connectionId")
        is_linked = bool(link) and await store.find_owned(ctx, tx, "VpcLink", str(link)) is not None
        integration = method_check.integration(method, integration, is_linked=is_linked)
        for response in planned.integration_responses:
            if response["statusCode"] not in (method.get("methodResponses") or {}):
                raise errors.bad_request("Invalid Response status code specified")
            made = method_check.integration_response(method, response)
            integration.setdefault("integrationResponses", {})[made["statusCode"]] = made
        method["methodIntegration"] = integration
    save_part(tx, api_id, "Method", resource_id, method["httpMethod"], part=method)
