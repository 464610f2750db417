"""What is stored of REST APIs, and of what an account has for them: API keys, usage plans, certificates.

Documents have the members of AWS's shapes. A method is one document with its responses and its integration, as AWS
shows it.
"""

from __future__ import annotations

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.services.apigateway import documents, errors
from cloudlet.services.apigateway.documents import Document, decode, encode

PROTOCOL = "REST"
_APIS = Subspace("restapi")
_OWNED = Subspace("restowned")
_MISSING = {
    "ApiKey": "Invalid API Key identifier specified",
    "Authorizer": "Invalid Authorizer identifier specified",
    "ClientCertificate": "Invalid Client Certificate identifier specified",
    "Deployment": "Invalid Deployment identifier specified",
    "DocumentationPart": "Invalid Documentation part identifier specified",
    "DocumentationVersion": "Invalid Documentation version specified",
    "Method": "Invalid Method identifier specified",
    "Model": "Invalid model name specified",
    "RequestValidator": "Invalid Request Validator identifier specified",
    "Resource": "Invalid Resource identifier specified",
    "Stage": "Invalid stage identifier specified",
    "UsagePlan": "Invalid Usage Plan ID specified",
    "VpcLink": "Invalid Vpc Link identifier specified",
}


def apis_of(account: str, region: str) -> Subspace:
    """The REST APIs of an account in a region, by id."""
    return _APIS.sub(account, region)


async def find_api(tx: Transaction, account: str, region: str, api_id: str) -> Document | None:
    raw = await tx.get(apis_of(account, region).key(api_id))
    return None if raw is None else decode(raw)


async def get_api(ctx: Context, tx: Transaction, api_id: str, inner: str = "") -> Document:
    """Return a REST API of the caller's. Raises NotFoundException.

    AWS looks for the part that a request names, of the kind `inner`: it names that where it is the API that is missing.
    """
    found = await find_api(tx, ctx.account, ctx.region, api_id)
    if found is None:
        raise errors.not_found(_MISSING[inner]) if inner else errors.no_such("API", f"{ctx.account}:{api_id}")
    return found


def save_api(ctx: Context, tx: Transaction, api: Document) -> None:
    tx.put(apis_of(ctx.account, ctx.region).key(api["id"]), encode(api))
    documents.changed(tx, api["id"])


def remove_api(ctx: Context, tx: Transaction, api_id: str) -> None:
    """Delete an API with all that it is made of."""
    tx.delete(apis_of(ctx.account, ctx.region).key(api_id))
    documents.remove_api(tx, ctx.account, ctx.region, api_id)


async def get_part(tx: Transaction, api_id: str, kind: str, *path: str) -> Document:
    """Return a part of an API. Raises NotFoundException."""
    found = await documents.find_part(tx, api_id, kind, *path)
    if found is None:
        raise errors.not_found(_MISSING[kind])
    return found


def owned(ctx: Context, kind: str) -> Subspace:
    """What the caller's account has of a kind, by id."""
    return _OWNED.sub(ctx.account, ctx.region, kind)


async def find_owned(ctx: Context, tx: Transaction, kind: str, id: str) -> Document | None:
    return await find_owned_by(tx, ctx.account, ctx.region, kind, id)


async def find_owned_by(tx: Transaction, account: str, region: str, kind: str, id: str) -> Document | None:
    """Return what an account has of a kind in a region."""
    raw = await tx.get(_OWNED.sub(account, region, kind).key(id))
    return None if raw is None else decode(raw)


async def find_log_role(tx: Transaction, account: str, region: str) -> str:
    """Return the ARN of the role that writes an account's logs. It is empty where none is set."""
    raw = await tx.get(_OWNED.sub(account, region, "Account").key(""))
    return "" if raw is None else decode(raw).get("cloudwatchRoleArn") or ""


async def get_owned(ctx: Context, tx: Transaction, kind: str, id: str) -> Document:
    """Return what the caller's account has. Raises NotFoundException."""
    found = await find_owned(ctx, tx, kind, id)
    if found is None:
        raise errors.not_found(_MISSING[kind])
    return found


def save_owned(ctx: Context, tx: Transaction, kind: str, id: str, document: Document) -> None:
    tx.put(owned(ctx, kind).key(id), encode(document))


def save_owned_by(tx: Transaction, account: str, region: str, kind: str, id: str, document: Document) -> None:
    tx.put(_OWNED.sub(account, region, kind).key(id), encode(document))


def remove_owned(ctx: Context, tx: Transaction, kind: str, id: str) -> None:
    tx.delete(owned(ctx, kind).key(id))


async def all_owned(ctx: Context, tx: Transaction, kind: str, most: int) -> list[Document]:
    """Return all that the caller's account has of a kind, up to its quota."""
    space = owned(ctx, kind)
    return [decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=most)]


async def check_quota(tx: Transaction, space: Subspace, most: int, what: str) -> None:
    """Raise LimitExceededException where there is no room for one more."""
    if len(await tx.range(space.begin, space.end, limit=most)) == most:
        raise errors.limit_exceeded(f"Maximum number of {what} for this account has been reached.")
