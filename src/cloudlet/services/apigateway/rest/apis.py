"""REST APIs themselves: what they may be, and what belongs to a new one. API reference, "RestApi"."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Context, Transaction
from cloudlet.core.authorization import resource_policy
from cloudlet.core.aws import tags
from cloudlet.core.aws.policy import PolicyError
from cloudlet.services.apigateway import documents, domains, errors, tagging
from cloudlet.services.apigateway.documents import Document, Place, save_part
from cloudlet.services.apigateway.rest import patches, store
from cloudlet.services.apigateway.rest.patches import Path

MOST = 600
_LARGEST_POLICY = 8192
_LARGEST_COMPRESSION = 10 << 20
MEMBERS = (
    "apiKeySource",
    "binaryMediaTypes",
    "description",
    "disableExecuteApiEndpoint",
    "endpointConfiguration",
    "minimumCompressionSize",
    "name",
    "policy",
    "version",
)
KINDS = ("Authorizer", "GatewayResponse", "Method", "Model", "RequestValidator", "Resource")
"""The kinds of parts that an API is made of, and that are deployed."""
_SCHEMA = "http://json-schema.org/draft-04/schema#"
_MODELS = {
    "Empty": ("This is a default empty schema model", {"$schema": _SCHEMA, "title": "Empty Schema", "type": "object"}),
    "Error": (
        "This is a default error schema model",
        {
            "$schema": _SCHEMA,
            "title": "Error Schema",
            "type": "object",
            "properties": {"message": {"type": "string"}},
        },
    ),
}
PATHS = (
    patches.value("/name"),
    patches.value("/description"),
    patches.value("/version"),
    patches.value("/policy", operations=patches.ANY),
    patches.value("/apiKeySource", patches.one_of("HEADER", "AUTHORIZER")),
    patches.value("/disableExecuteApiEndpoint", patches.boolean),
    patches.value("/minimumCompressionSize", patches.integer, patches.ANY),
    patches.element("/binaryMediaTypes"),
    Path(
        "/endpointConfiguration/types/*",
        ("replace",),
        lambda api, path, _, value: api["endpointConfiguration"].update(
            types=[patches.read_value(patches.text, path, value)]
        ),
    ),
    patches.value("/endpointConfiguration/ipAddressType"),
)


def path_of(api_id: str) -> str:
    return f"restapis/{api_id}"


def checked(api: Document) -> Document:
    """Return an API as it is kept. Raises AwsError."""
    if not api.get("name"):
        raise errors.bad_request("API name is required")
    for member in ("securityPolicy", "endpointAccessMode"):
        if api.pop(member, None) is not None:
            raise errors.not_built(f"{member} of REST APIs: TLS is the front door's")
    api.setdefault("apiKeySource", "HEADER")
    api.setdefault("disableExecuteApiEndpoint", False)
    endpoint = {"types": ["EDGE"], "ipAddressType": "ipv4", **(api.get("endpointConfiguration") or {})}
    endpoint = {key: value for key, value in endpoint.items() if value not in (None, [])}
    types = endpoint.setdefault("types", ["EDGE"])
    if len(types) != 1 or types[0] not in ("EDGE", "REGIONAL", "PRIVATE"):
        raise errors.bad_request("Exactly one endpoint type is supported: EDGE, REGIONAL or PRIVATE")
    if types == ["PRIVATE"] or "vpcEndpointIds" in endpoint:
        raise errors.not_built("private REST APIs")
    if endpoint["ipAddressType"] != "ipv4":
        raise errors.not_built("APIs of the IP address type dualstack")
    api["endpointConfiguration"] = endpoint
    size = api.get("minimumCompressionSize")
    if size is not None and not 0 <= size <= _LARGEST_COMPRESSION:
        raise errors.bad_request("Invalid minimum compression size, must be between 0 and 10485760")
    if not api.get("policy"):
        api.pop("policy", None)
    else:
        _check_policy(api["policy"])
    return api


def _check_policy(text: str) -> None:
    if len(text.encode()) > _LARGEST_POLICY:
        raise errors.bad_request("The policy is too large")
    try:
        resource_policy.parse_policy(text)
    except PolicyError as error:
        raise errors.bad_request(
            "Invalid policy document. Please check the policy syntax and ensure that Principals are valid."
        ) from error


async def shown(ctx: Context, tx: Transaction, api: Document) -> dict[str, Any]:
    """Return an API as answers have it."""
    result = {**api, "apiStatus": "AVAILABLE", **await tagging.shown(tx, tagging.key(ctx, path_of(api["id"])))}
    if "policy" in api:
        # As on AWS the quotes in it are escaped; Terraform, for one, relies on that.
        result["policy"] = msgspec.json.encode(api["policy"]).decode()[1:-1]
    return result


async def create(ctx: Context, tx: Transaction, given: Document, own_tags: dict[str, str] | None) -> Document:
    """Add an API with a root resource. Raises AwsError."""
    await store.check_quota(tx, store.apis_of(ctx.account, ctx.region), MOST, "APIs")
    api = checked({key: value for key, value in given.items() if value is not None})
    id, root = documents.fresh_id(10), documents.fresh_id(10)
    api |= {"id": id, "createdDate": float(int(ctx.now())), "rootResourceId": root}
    documents.settle(tx, id, Place(ctx.account, ctx.region, store.PROTOCOL))
    store.save_api(ctx, tx, api)
    save_part(tx, id, "Resource", root, part={"id": root, "path": "/"})
    add_models(tx, id)
    tags.save(tx, tagging.key(ctx, path_of(id)), tagging.checked(own_tags))
    return api


def add_models(tx: Transaction, api_id: str) -> None:
    """Give an API the models that each has."""
    for name, (description, schema) in _MODELS.items():
        model = {
            "id": documents.fresh_id(6),
            "name": name,
            "description": description,
            "schema": msgspec.json.format(msgspec.json.encode(schema)).decode(),
            "contentType": "application/json",
        }
        save_part(tx, api_id, "Model", name, part=model)


async def copy(tx: Transaction, source: Document, api: Document) -> Document:
    """Make an API of what another one is made of."""
    for kind in KINDS:
        documents.remove_parts(tx, api["id"], kind)
        space = documents.parts_of(source["id"], kind)
        for key, raw in await tx.range(space.begin, space.end, limit=20 * documents.MOST_PARTS):
            tx.put(documents.parts_of(api["id"], kind).prefix + key.removeprefix(space.prefix), raw)
    return {**api, "rootResourceId": source["rootResourceId"]}


async def check_unmapped(ctx: Context, tx: Transaction, api_id: str, stage: str | None = None) -> None:
    """Raise BadRequestException where a domain leads to an API, or to a stage of it."""
    space = domains.of_account(ctx.account, ctx.region)
    for _, raw in await tx.range(space.begin, space.end, limit=domains.MOST_DOMAINS):
        name = documents.decode(raw)["DomainName"]
        for mapping in await domains.mappings(tx, name):
            if mapping["ApiId"] == api_id and stage in (None, mapping.get("Stage")):
                raise errors.bad_request("Please remove all base path mappings related to the API in your domain")
