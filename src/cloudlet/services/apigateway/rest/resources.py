"""The tree of resources of a REST API. API reference, "Resource"."""

from __future__ import annotations

import re

from cloudlet.core import Transaction
from cloudlet.services.apigateway import documents, errors
from cloudlet.services.apigateway.documents import Document, all_parts, save_part
from cloudlet.services.apigateway.rest import store

MOST = 300
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "ANY")
_PART = re.compile(r"[A-Za-z0-9._\-:$~!'()*+,;=@%]+|\{[A-Za-z0-9._\-:]+\+?\}")


async def all_of(tx: Transaction, api_id: str) -> list[Document]:
    """Return the resources of an API, in the order of their paths."""
    return sorted(await all_parts(tx, api_id, "Resource"), key=lambda each: str(each["path"]))


def joined(parent: str, part: str) -> str:
    return f"{parent.rstrip('/')}/{part}"


def check_part(part: str, parent: Document, siblings: list[Document]) -> None:
    """Raise AwsError where a resource cannot be below a parent with a name."""
    if not _PART.fullmatch(part):
        raise errors.bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the "
            "beginning and the end."
        )
    if parent.get("pathPart", "").endswith("+}"):
        raise errors.bad_request("Cannot create a child of a resource with a greedy path variable.")
    for sibling in siblings:
        known = sibling["pathPart"]
        if known == part:
            raise errors.conflict(f"Another resource with the same parent already has this name: {part}")
        if known.startswith("{") and part.startswith("{"):
            raise errors.bad_request(
                f"A sibling ({known}) of this resource already has a variable path part -- only one is allowed"
            )


async def create(tx: Transaction, api_id: str, parent: Document, part: str) -> Document:
    """Add a resource below another one. Raises AwsError."""
    known = await all_parts(tx, api_id, "Resource")
    if len(known) >= MOST:
        raise errors.limit_exceeded("Maximum number of resources for this API has been reached.")
    check_part(part, parent, [each for each in known if each.get("parentId") == parent["id"]])
    names = set(re.findall(r"\{([^}+]+)\+?\}", parent["path"]))
    name = part.strip("{}+")
    if part.startswith("{") and name in names:
        raise errors.bad_request(f"The path variable {name} is in the path of this resource already")
    resource = {
        "id": documents.fresh_id(6),
        "parentId": parent["id"],
        "pathPart": part,
        "path": joined(parent["path"], part),
    }
    save_part(tx, api_id, "Resource", resource["id"], part=resource)
    return resource


def below(resources: list[Document], id: str) -> list[Document]:
    """Return a resource and all that is below it."""
    children: dict[str, list[Document]] = {}
    for each in resources:
        children.setdefault(each.get("parentId", ""), []).append(each)
    found = [each for each in resources if each["id"] == id]
    for each in found:
        found.extend(children.get(each["id"], ()))
    return found


async def remove(tx: Transaction, api_id: str, resource: Document) -> None:
    """Delete a resource with all that is below it. Raises BadRequestException for the root."""
    if "parentId" not in resource:
        raise errors.bad_request("Cannot delete root resource")
    for each in below(await all_parts(tx, api_id, "Resource"), resource["id"]):
        documents.remove_parts(tx, api_id, "Method", each["id"])
        documents.remove_part(tx, api_id, "Resource", each["id"])


async def move(tx: Transaction, api_id: str, before: Document, after: Document) -> Document:
    """Give a resource another parent, or name; what is below it goes along. Raises AwsError."""
    if "parentId" not in before:
        raise errors.bad_request("Cannot update the root resource")
    known = await all_parts(tx, api_id, "Resource")
    moved = below(known, before["id"])
    if any(each["id"] == after["parentId"] for each in moved):
        raise errors.bad_request("A resource cannot be below itself")
    parent = await store.get_part(tx, api_id, "Resource", after["parentId"])
    siblings = [each for each in known if each.get("parentId") == parent["id"] and each["id"] != before["id"]]
    check_part(after["pathPart"], parent, siblings)
    after["path"] = joined(parent["path"], after["pathPart"])
    for each in moved:
        changed = after if each["id"] == before["id"] else dict(each)
        changed["path"] = after["path"] + each["path"].removeprefix(before["path"])
        save_part(tx, api_id, "Resource", each["id"], part=changed)
    return after
