"""The operations on an account's settings, client certificates, VPC links and tags."""

from __future__ import annotations

import asyncio
from typing import Any

from cloudlet.core import Context, Params, Result, Transaction, tags
from cloudlet.services.apigateway import documents, errors, tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.integration_check import check_role
from cloudlet.services.apigateway.rest import apis, certificates, deploying, listing, patches, store, tagged

_ACCOUNT_PATHS = (
    patches.value("/cloudwatchRoleArn", operations=patches.ANY),
    patches.elements("/features", ("add",)),
)
_CERTIFICATE_PATHS = (patches.value("/description"),)
_LINK_PATHS = (patches.value("/name"), patches.value("/description"))
_MOST_LINKS = 20


# -- the account


def _account(kept: Document | None) -> dict[str, Any]:
    return {
        "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0},
        "features": ["UsagePlans"],
        "apiKeyVersion": "4",
        **(kept or {}),
    }


@service.operation("GetAccount")
async def get_account(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _account(await store.find_owned(ctx, tx, "Account", ""))


@service.operation("UpdateAccount")
async def update_account(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await store.find_owned(ctx, tx, "Account", "") or {}
    account = patches.patched(known, params.get("patchOperations"), _ACCOUNT_PATHS)
    if set(account.pop("features", [])) - {"UsagePlans"}:
        raise errors.bad_request("Invalid feature specified: there is UsagePlans")
    role = account.get("cloudwatchRoleArn")
    if role:
        if not role.startswith("arn:"):
            raise errors.bad_request("The role ARN does not have required permissions configured, or is no ARN.")
        check_role(ctx, role)
    else:
        account.pop("cloudwatchRoleArn", None)
    store.save_owned(ctx, tx, "Account", "", account)
    return _account(account)


# -- client certificates


async def _shown(ctx: Context, tx: Transaction, path: str, document: Document) -> dict[str, Any]:
    shown = {key: value for key, value in document.items() if key != "privateKey"}
    return {**shown, "tags": await tags.of(tx, tagging.key(ctx, path))}


def _certificate_path(id: str) -> str:
    return f"clientcertificates/{id}"


@service.direct("GenerateClientCertificate")
async def generate_client_certificate(ctx: Context, params: Params) -> Result:
    now = float(int(ctx.now()))
    public, private = await asyncio.to_thread(certificates.generated, now)

    async def body(tx: Transaction) -> dict[str, Any]:
        await store.check_quota(tx, store.owned(ctx, "ClientCertificate"), certificates.MOST, "client certificates")
        id = documents.fresh_id(6)
        certificate: Document = {
            "clientCertificateId": id,
            "pemEncodedCertificate": public,
            "privateKey": private,
            "createdDate": now,
            "expirationDate": now + certificates.VALID_SECONDS,
        }
        if params.get("description"):
            certificate["description"] = params["description"]
        store.save_owned(ctx, tx, "ClientCertificate", id, certificate)
        tags.save(tx, tagging.key(ctx, _certificate_path(id)), tagging.checked(params.get("tags")))
        return await _shown(ctx, tx, _certificate_path(id), certificate)

    return await ctx.transact(body)


@service.operation("GetClientCertificate")
async def get_client_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["clientCertificateId"]
    return await _shown(ctx, tx, _certificate_path(id), await store.get_owned(ctx, tx, "ClientCertificate", id))


@service.operation("GetClientCertificates")
async def get_client_certificates(ctx: Context, tx: Transaction, params: Params) -> Result:
    page = await listing.page(tx, store.owned(ctx, "ClientCertificate"), params)
    items = [await _shown(ctx, tx, _certificate_path(each["clientCertificateId"]), each) for each in page["items"]]
    return {**page, "items": items}


@service.operation("UpdateClientCertificate")
async def update_client_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["clientCertificateId"]
    known = await store.get_owned(ctx, tx, "ClientCertificate", id)
    certificate = patches.patched(known, params.get("patchOperations"), _CERTIFICATE_PATHS)
    store.save_owned(ctx, tx, "ClientCertificate", id, certificate)
    return await _shown(ctx, tx, _certificate_path(id), certificate)


@service.operation("DeleteClientCertificate")
async def delete_client_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["clientCertificateId"]
    await store.get_owned(ctx, tx, "ClientCertificate", id)
    store.remove_owned(ctx, tx, "ClientCertificate", id)
    tags.save(tx, tagging.key(ctx, _certificate_path(id)), {})
    return {}


# -- VPC links


def _link_path(id: str) -> str:
    return f"vpclinks/{id}"


@service.operation("CreateVpcLink")
async def create_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    await store.check_quota(tx, store.owned(ctx, "VpcLink"), _MOST_LINKS, "VPC links")
    if len(params["targetArns"]) != 1 or ":loadbalancer/net/" not in params["targetArns"][0]:
        raise errors.bad_request("A VPC link has one target: the ARN of a network load balancer")
    id = documents.fresh_id(6)
    link: Document = {
        "id": id,
        "name": params["name"],
        "targetArns": params["targetArns"],
        "status": "AVAILABLE",
        "statusMessage": "Your vpc link is ready for use",
    }
    if params.get("description"):
        link["description"] = params["description"]
    store.save_owned(ctx, tx, "VpcLink", id, link)
    tags.save(tx, tagging.key(ctx, _link_path(id)), tagging.checked(params.get("tags")))
    return await _shown(ctx, tx, _link_path(id), link)


@service.operation("GetVpcLink")
async def get_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["vpcLinkId"]
    return await _shown(ctx, tx, _link_path(id), await store.get_owned(ctx, tx, "VpcLink", id))


@service.operation("GetVpcLinks")
async def get_vpc_links(ctx: Context, tx: Transaction, params: Params) -> Result:
    page = await listing.page(tx, store.owned(ctx, "VpcLink"), params)
    return {**page, "items": [await _shown(ctx, tx, _link_path(each["id"]), each) for each in page["items"]]}


@service.operation("UpdateVpcLink")
async def update_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["vpcLinkId"]
    known = await store.get_owned(ctx, tx, "VpcLink", id)
    link = patches.patched(known, params.get("patchOperations"), _LINK_PATHS)
    store.save_owned(ctx, tx, "VpcLink", id, link)
    return await _shown(ctx, tx, _link_path(id), link)


@service.operation("DeleteVpcLink")
async def delete_vpc_link(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["vpcLinkId"]
    await store.get_owned(ctx, tx, "VpcLink", id)
    space = store.apis_of(ctx.account, ctx.region)
    for _, raw in await tx.range(space.begin, space.end, limit=apis.MOST):
        for _, method in await deploying.methods_of(tx, documents.decode(raw)["id"]):
            if (method.get("methodIntegration") or {}).get("connectionId") == id:
                raise errors.bad_request("Cannot delete vpc link. Vpc link is referenced in method")
    store.remove_owned(ctx, tx, "VpcLink", id)
    tags.save(tx, tagging.key(ctx, _link_path(id)), {})
    return {}


# -- tags


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = tagging.key(ctx, await tagged.path_of(ctx, tx, params["resourceArn"]))
    tags.save(tx, key, tagging.checked(params["tags"], await tags.of(tx, key)))
    return {}


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = tagging.key(ctx, await tagged.path_of(ctx, tx, params["resourceArn"]))
    tags.save(tx, key, tags.without(await tags.of(tx, key), params["tagKeys"]))
    return {}


@service.operation("GetTags")
async def get_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    # There is no page after the first: the answer has no place for where it would begin.
    return {"tags": await tags.of(tx, tagging.key(ctx, await tagged.path_of(ctx, tx, params["resourceArn"])))}
