"""The operations on server certificates."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.iam import certificates, paging, tag_declarations
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import Kind
from cloudlet.services.iam.server_certificate_record import ServerCertificate

SERVER_CERTIFICATES: Final = Kind(
    ServerCertificate,
    "ServerCertificateName",
    "ASCA",
    20,
    "ServerCertificatesPerAccount",
    True,
    "The Server Certificate with name {name} cannot be found.",
    "The Server Certificate with name {name} already exists.",
)


@service.direct("UploadServerCertificate")
async def upload_server_certificate(ctx: Context, params: Params) -> Result:
    body, private_key, chain = params["CertificateBody"], params["PrivateKey"], params.get("CertificateChain")
    expires = await run_in_worker(ctx.account, certificates.check_pair, body, private_key, chain, ctx.now())

    async def upload(tx: Transaction) -> Result:
        made = SERVER_CERTIFICATES.make(ctx, params, body=body, chain=chain, private_key=b"", expires=expires)
        encrypted = ctx.block.cloud.vault.encrypt(private_key.encode(), made.secret_place)
        await SERVER_CERTIFICATES.add(tx, replace(made, private_key=encrypted))
        return {"ServerCertificateMetadata": _show(made), "Tags": tags.to_list(made.tags) or None}

    return await ctx.transact(upload)


@service.operation("GetServerCertificate")
async def get_server_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await SERVER_CERTIFICATES.get_named(ctx, tx, params)
    shown = {
        "ServerCertificateMetadata": _show(found),
        "CertificateBody": found.body,
        "CertificateChain": found.chain,
        "Tags": tags.to_list(found.tags) or None,
    }
    return {"ServerCertificate": shown}


@service.operation("ListServerCertificates")
async def list_server_certificates(ctx: Context, tx: Transaction, params: Params) -> Result:
    page = await paging.list_kind(ctx, tx, params, SERVER_CERTIFICATES, _show)
    return {"ServerCertificateMetadataList": page.pop("ServerCertificates"), **page}


@service.operation("UpdateServerCertificate")
async def update_server_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await SERVER_CERTIFICATES.get_named(ctx, tx, params)
    name = params.get("NewServerCertificateName", found.name)
    renamed = replace(found, name=name, path=params.get("NewPath", found.path))
    if renamed.key != found.key:
        await SERVER_CERTIFICATES.check_free(tx, ctx.account, name)
    SERVER_CERTIFICATES.move(tx, found, renamed)
    return {}


@service.operation("DeleteServerCertificate")
async def delete_server_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    SERVER_CERTIFICATES.remove(tx, await SERVER_CERTIFICATES.get_named(ctx, tx, params))
    return {}


tag_declarations.declare("ServerCertificate", SERVER_CERTIFICATES, SERVER_CERTIFICATES.get_named)


def _show(found: ServerCertificate) -> dict[str, Any]:
    return {
        "Path": found.path,
        "ServerCertificateName": found.name,
        "ServerCertificateId": found.id,
        "Arn": found.arn,
        "UploadDate": found.created,
        "Expiration": found.expires,
    }
