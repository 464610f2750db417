"""The operations on client certificates."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.apigateway import documents, tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.rest import certificates, listing, patches, stages, store

_PATHS = (patches.value("/description"),)


def _tags_key(ctx: Context, id: str) -> str:
    return tagging.key(ctx, f"clientcertificates/{id}")


async def _shown(ctx: Context, tx: Transaction, certificate: Document) -> dict[str, Any]:
    shown = {key: value for key, value in certificate.items() if key not in ("privateKey", "sealedKey")}
    return {**shown, **await tagging.shown(tx, _tags_key(ctx, certificate["clientCertificateId"]))}


@service.direct("GenerateClientCertificate")
async def generate_client_certificate(ctx: Context, params: Params) -> Result:
    now = float(int(ctx.now()))
    public, private = await run_in_worker(ctx.account, certificates.generated, now)

    async def body(tx: Transaction) -> dict[str, Any]:
        await store.check_quota(tx, store.owned(ctx, "ClientCertificate"), certificates.MOST, "client certificates")
        id = documents.fresh_id(6)
        certificate: Document = {
            "clientCertificateId": id,
            "pemEncodedCertificate": public,
            "sealedKey": certificates.seal(ctx.block.cloud.vault, id, private),
            "createdDate": now,
            "expirationDate": now + certificates.VALID_SECONDS,
        }
        if params.get("description"):
            certificate["description"] = params["description"]
        store.save_owned(ctx, tx, "ClientCertificate", id, certificate)
        tags.save(tx, _tags_key(ctx, id), tagging.checked(params.get("tags")))
        return await _shown(ctx, tx, certificate)

    return await ctx.transact(body)


@service.operation("GetClientCertificate")
async def get_client_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["clientCertificateId"]
    return await _shown(ctx, tx, await store.get_owned(ctx, tx, "ClientCertificate", id))


@service.operation("GetClientCertificates")
async def get_client_certificates(ctx: Context, tx: Transaction, params: Params) -> Result:
    page = await listing.page(tx, store.owned(ctx, "ClientCertificate"), params)
    return {**page, "items": [await _shown(ctx, tx, each) for each in page["items"]]}


@service.operation("UpdateClientCertificate")
async def update_client_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["clientCertificateId"]
    known = await store.get_owned(ctx, tx, "ClientCertificate", id)
    certificate = patches.patched(known, params.get("patchOperations"), _PATHS)
    store.save_owned(ctx, tx, "ClientCertificate", id, certificate)
    return await _shown(ctx, tx, certificate)


@service.operation("DeleteClientCertificate")
async def delete_client_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    id = params["clientCertificateId"]
    await store.get_owned(ctx, tx, "ClientCertificate", id)
    await stages.check_unused(ctx, tx, id)
    store.remove_owned(ctx, tx, "ClientCertificate", id)
    tags.save(tx, _tags_key(ctx, id), {})
    return {}
