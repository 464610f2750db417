"""Documentation of REST APIs: parts, and the versions in which they are kept.

Developer guide, "Documentation for REST APIs in API Gateway"; API reference, "DocumentationPart".
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.apigateway import documents, errors
from cloudlet.services.apigateway.documents import Document, all_parts, save_part

MOST = 2000
_KEPT = Subspace("restdocumentation")
_TYPES = {
    "API": (),
    "AUTHORIZER": ("name",),
    "MODEL": ("name",),
    "RESOURCE": ("path",),
    "METHOD": ("path", "method"),
    "PATH_PARAMETER": ("path", "method", "name"),
    "QUERY_PARAMETER": ("path", "method", "name"),
    "REQUEST_HEADER": ("path", "method", "name"),
    "REQUEST_BODY": ("path", "method"),
    "RESPONSE": ("path", "method", "statusCode"),
    "RESPONSE_HEADER": ("path", "method", "statusCode", "name"),
    "RESPONSE_BODY": ("path", "method", "statusCode"),
}
"""The types of parts → what says where one belongs."""
_DEFAULTS = {"path": "/", "method": "*", "statusCode": "*"}


def location(given: Document) -> Document:
    """Return where a part belongs, with what is not said filled in. Raises BadRequestException."""
    kind = given["type"]
    members = _TYPES[kind]
    for member, value in given.items():
        if member != "type" and value is not None and member not in members:
            raise errors.bad_request(f"Invalid documentation part location: {member} is not for the type {kind}")
    result = {"type": kind}
    for member in members:
        value = given.get(member) or _DEFAULTS.get(member)
        if value is None:
            raise errors.bad_request(f"Invalid documentation part location: {member} is required for the type {kind}")
        result[member] = value
    return result


def check_properties(text: str) -> None:
    """Raise BadRequestException for properties that are no JSON object."""
    try:
        properties = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        properties = None
    if not isinstance(properties, dict):
        raise errors.bad_request("Documentation part properties must be a JSON object")


async def put(tx: Transaction, api_id: str, place: Document, properties: str, *, replaces: bool) -> Document:
    """Add a part. Raises ConflictException where there is one already, unless that may be replaced."""
    known = await all_parts(tx, api_id, "DocumentationPart")
    same = next((part for part in known if part["location"] == place), None)
    if same is not None and not replaces:
        raise errors.conflict("Documentation part already exists for the specified location: " + str(place))
    if len(known) >= MOST:
        raise errors.limit_exceeded("Maximum number of documentation parts for this API has been reached.")
    check_properties(properties)
    id = documents.fresh_id(6) if same is None else same["id"]
    part = {"id": id, "location": place, "properties": properties}
    save_part(tx, api_id, "DocumentationPart", id, part=part)
    return part


async def keep(tx: Transaction, api_id: str, version: str) -> None:
    """Keep what parts there are as a version."""
    parts = await all_parts(tx, api_id, "DocumentationPart")
    tx.put(_KEPT.key(api_id, version), msgspec.msgpack.encode(parts))


def forget(tx: Transaction, api_id: str, version: str) -> None:
    tx.delete(_KEPT.key(api_id, version))


def forget_all(tx: Transaction, api_id: str) -> None:
    """Delete all versions of an API."""
    space = _KEPT.sub(api_id)
    tx.delete_range(space.begin, space.end)


def written(properties: object) -> str:
    """Return the properties of a part as they are kept: text, as it is, or an object."""
    return properties if isinstance(properties, str) else msgspec.json.encode(properties).decode()
