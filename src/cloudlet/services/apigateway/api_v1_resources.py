"""The operations on resources, methods, integrations, and the responses of both."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.apigateway import documents, errors, templates
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document, find_part, save_part
from cloudlet.services.apigateway.integration_check import check_role
from cloudlet.services.apigateway.rest import listing, method_check, patches, resources, store

_RESOURCE_PATHS = (patches.value("/parentId"), patches.value("/pathPart"))
_METHOD = (
    "apiKeyRequired",
    "authorizationScopes",
    "authorizationType",
    "authorizerId",
    "httpMethod",
    "operationName",
    "requestModels",
    "requestParameters",
    "requestValidatorId",
)
_METHOD_PATHS = (
    patches.value("/authorizationType"),
    patches.value("/authorizerId"),
    patches.value("/apiKeyRequired", patches.boolean),
    patches.value("/operationName"),
    patches.value("/requestValidatorId"),
    patches.entry("/requestParameters/*", patches.boolean),
    patches.entry("/requestModels/*"),
    patches.elements("/authorizationScopes"),
)
_METHOD_RESPONSE = ("responseModels", "responseParameters", "statusCode")
_METHOD_RESPONSE_PATHS = (
    patches.entry("/responseParameters/*", patches.boolean),
    patches.entry("/responseModels/*"),
)
_INTEGRATION = (
    "cacheKeyParameters",
    "cacheNamespace",
    "connectionId",
    "connectionType",
    "contentHandling",
    "credentials",
    "integrationTarget",
    "passthroughBehavior",
    "requestParameters",
    "requestTemplates",
    "responseTransferMode",
    "timeoutInMillis",
    "tlsConfig",
    "type",
    "uri",
)
_HANDLING = patches.one_of("CONVERT_TO_BINARY", "CONVERT_TO_TEXT")
_INTEGRATION_PATHS = (
    patches.value("/type", patches.one_of("HTTP", "AWS", "MOCK", "HTTP_PROXY", "AWS_PROXY")),
    patches.value("/uri"),
    patches.value("/httpMethod"),
    patches.value("/credentials", operations=patches.ANY),
    patches.value("/connectionType", patches.one_of("INTERNET", "VPC_LINK")),
    patches.value("/connectionId", operations=patches.ANY),
    patches.value("/contentHandling", _HANDLING, patches.ANY),
    patches.value("/passthroughBehavior"),
    patches.value("/timeoutInMillis", patches.integer),
    patches.value("/cacheNamespace", operations=patches.ANY),
    patches.value("/tlsConfig/insecureSkipVerification", patches.boolean),
    patches.element("/cacheKeyParameters"),
    patches.entry("/requestParameters/*"),
    patches.entry("/requestTemplates/*"),
)
_INTEGRATION_RESPONSE = ("contentHandling", "responseParameters", "responseTemplates", "selectionPattern", "statusCode")
_INTEGRATION_RESPONSE_PATHS = (
    patches.value("/selectionPattern", operations=patches.ANY),
    patches.value("/contentHandling", _HANDLING, patches.ANY),
    patches.entry("/responseParameters/*"),
    patches.entry("/responseTemplates/*"),
)


def _given(params: Params, members: tuple[str, ...]) -> Document:
    return {member: params[member] for member in members if params.get(member) is not None}


# -- resources


async def _shown(tx: Transaction, api_id: str, resource: Document, params: Params) -> dict[str, Any]:
    """Return a resource with its methods: their names, or, where `embed` asks for it, all of them."""
    whole = "methods" in (params.get("embed") or ())
    methods = await documents.all_parts(tx, api_id, "Method", resource["id"])
    if not methods:
        return resource
    return {**resource, "resourceMethods": {each["httpMethod"]: each if whole else {} for each in methods}}


@service.operation("CreateResource")
async def create_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "Resource")
    parent = await store.get_part(tx, api["id"], "Resource", params["parentId"])
    return await resources.create(tx, api["id"], parent, params["pathPart"])


@service.operation("GetResource")
async def get_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "Resource")
    resource = await store.get_part(tx, api["id"], "Resource", params["resourceId"])
    return await _shown(tx, api["id"], resource, params)


@service.operation("GetResources")
async def get_resources(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    page = listing.part_of(await resources.all_of(tx, api["id"]), params)
    return {**page, "items": [await _shown(tx, api["id"], each, params) for each in page["items"]]}


@service.operation("UpdateResource")
async def update_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "Resource")
    known = await store.get_part(tx, api["id"], "Resource", params["resourceId"])
    resource = patches.patched(known, params.get("patchOperations"), _RESOURCE_PATHS)
    return await _shown(tx, api["id"], await resources.move(tx, api["id"], known, resource), params)


@service.operation("DeleteResource")
async def delete_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "Resource")
    await resources.remove(tx, api["id"], await store.get_part(tx, api["id"], "Resource", params["resourceId"]))
    return {}


# -- methods


async def _method(ctx: Context, tx: Transaction, params: Params) -> Document:
    """Return the method that a request names. Raises NotFoundException."""
    api = await store.get_api(ctx, tx, params["restApiId"], "Resource")
    await store.get_part(tx, api["id"], "Resource", params["resourceId"])
    return await store.get_part(tx, api["id"], "Method", params["resourceId"], params["httpMethod"])


def _save(tx: Transaction, params: Params, method: Document) -> None:
    save_part(tx, params["restApiId"], "Method", params["resourceId"], method["httpMethod"], part=method)


@service.operation("PutMethod")
async def put_method(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "Resource")
    await store.get_part(tx, api["id"], "Resource", params["resourceId"])
    if await find_part(tx, api["id"], "Method", params["resourceId"], params["httpMethod"]) is not None:
        raise errors.conflict("Method already exists for this resource")
    method = await method_check.method(tx, api["id"], _given(params, _METHOD))
    _save(tx, params, method)
    return method


@service.operation("GetMethod")
async def get_method(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _method(ctx, tx, params)


@service.operation("UpdateMethod")
async def update_method(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await _method(ctx, tx, params)
    patched = patches.patched(known, params.get("patchOperations"), _METHOD_PATHS)
    method = await method_check.method(tx, params["restApiId"], patched)
    _save(tx, params, method)
    return method


@service.operation("DeleteMethod")
async def delete_method(ctx: Context, tx: Transaction, params: Params) -> Result:
    method = await _method(ctx, tx, params)
    documents.remove_part(tx, params["restApiId"], "Method", params["resourceId"], method["httpMethod"])
    return {}


@service.operation("PutMethodResponse")
async def put_method_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    method = await _method(ctx, tx, params)
    responses = method.setdefault("methodResponses", {})
    if params["statusCode"] in responses:
        raise errors.conflict("Response already exists for this resource")
    response = await method_check.method_response(tx, params["restApiId"], _given(params, _METHOD_RESPONSE))
    responses[response["statusCode"]] = response
    _save(tx, params, method)
    return response


def _method_response(method: Document, params: Params) -> Document:
    found: Document | None = (method.get("methodResponses") or {}).get(params["statusCode"])
    if found is None:
        raise errors.not_found("Invalid Response status code specified")
    return found


@service.operation("GetMethodResponse")
async def get_method_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _method_response(await _method(ctx, tx, params), params)


@service.operation("UpdateMethodResponse")
async def update_method_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    method = await _method(ctx, tx, params)
    known = _method_response(method, params)
    patched = patches.patched(known, params.get("patchOperations"), _METHOD_RESPONSE_PATHS)
    response = await method_check.method_response(tx, params["restApiId"], patched)
    method["methodResponses"][response["statusCode"]] = response
    _save(tx, params, method)
    return response


@service.operation("DeleteMethodResponse")
async def delete_method_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    method = await _method(ctx, tx, params)
    _method_response(method, params)
    del method["methodResponses"][params["statusCode"]]
    _save(tx, params, method)
    return {}


# -- integrations


def _integration(method: Document) -> Document:
    found: Document | None = method.get("methodIntegration")
    if found is None:
        raise errors.not_found("Invalid Integration identifier specified")
    return found


async def _checked(ctx: Context, tx: Transaction, method: Document, integration: Document) -> Document:
    role = integration.get("credentials")
    if role and "${" not in role:
        check_role(ctx, role)
    link = integration.get("connectionId")
    is_linked = bool(link) and ("${" in str(link) or await store.find_owned(ctx, tx, "VpcLink", str(link)) is not None)
    return method_check.integration(method, integration, is_linked=is_linked)


@templates.VERDICTS.operation("PutIntegration")
async def put_integration(ctx: Context, tx: Transaction, params: Params) -> Result:
    method = await _method(ctx, tx, params)
    given = _given(params, _INTEGRATION)
    if "integrationHttpMethod" in params:
        given["httpMethod"] = params["integrationHttpMethod"]
    given.setdefault("cacheNamespace", params["resourceId"])
    integration = await _checked(ctx, tx, method, given)
    method["methodIntegration"] = integration
    _save(tx, params, method)
    return integration


@service.operation("GetIntegration")
async def get_integration(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _integration(await _method(ctx, tx, params))


@templates.VERDICTS.operation("UpdateIntegration")
async def update_integration(ctx: Context, tx: Transaction, params: Params) -> Result:
    method = await _method(ctx, tx, params)
    patched = patches.patched(_integration(method), params.get("patchOperations"), _INTEGRATION_PATHS)
    integration = await _checked(ctx, tx, method, patched)
    method["methodIntegration"] = integration
    _save(tx, params, method)
    return integration


@service.operation("DeleteIntegration")
async def delete_integration(ctx: Context, tx: Transaction, params: Params) -> Result:
    method = await _method(ctx, tx, params)
    _integration(method)
    del method["methodIntegration"]
    _save(tx, params, method)
    return {}


def _integration_response(method: Document, params: Params) -> Document:
    found: Document | None = (_integration(method).get("integrationResponses") or {}).get(params["statusCode"])
    if found is None:
        raise errors.not_found("Invalid Response status code specified")
    return found


@templates.VERDICTS.operation("PutIntegrationResponse")
async def put_integration_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    method = await _method(ctx, tx, params)
    integration = _integration(method)
    response = method_check.integration_response(method, _given(params, _INTEGRATION_RESPONSE))
    integration.setdefault("integrationResponses", {})[response["statusCode"]] = response
    _save(tx, params, method)
    return response


@service.operation("GetIntegrationResponse")
async def get_integration_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _integration_response(await _method(ctx, tx, params), params)


@templates.VERDICTS.operation("UpdateIntegrationResponse")
async def update_integration_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    method = await _method(ctx, tx, params)
    known = _integration_response(method, params)
    patched = patches.patched(known, params.get("patchOperations"), _INTEGRATION_RESPONSE_PATHS)
    response = method_check.integration_response(method, patched)
    method["methodIntegration"]["integrationResponses"][response["statusCode"]] = response
    _save(tx, params, method)
    return response


@service.operation("DeleteIntegrationResponse")
async def delete_integration_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    method = await _method(ctx, tx, params)
    _integration_response(method, params)
    del method["methodIntegration"]["integrationResponses"][params["statusCode"]]
    _save(tx, params, method)
    return {}
