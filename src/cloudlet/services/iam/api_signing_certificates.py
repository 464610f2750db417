"""The operations on signing certificates, which users and the account's root have."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Subspace, Transaction
from cloudlet.core.kernel import ids
from cloudlet.services.iam import callers, certificates, errors, paging, user_credentials
from cloudlet.services.iam.block import service
from cloudlet.services.iam.user_credential_record import SigningCertificate
from cloudlet.services.iam.user_credentials import MAX_USER_CERTIFICATES, SIGNING_CERTIFICATES

_ID_CHARACTERS: Final = 32
_FINGERPRINTS: Final = Subspace("signing-fingerprint")
"""The certificates of an account, each of which one user has at most."""


@service.operation("UploadSigningCertificate")
async def upload_signing_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, key = await _get_user(ctx, tx, params)
    fingerprint = _get_fingerprint(ctx, params["CertificateBody"])
    if await tx.get(fingerprint) is not None:
        raise AwsError("DuplicateCertificate", "The same certificate is already associated with a user of the account.")
    if len(await SIGNING_CERTIFICATES.list_owned(tx, ctx.account, key)) >= MAX_USER_CERTIFICATES:
        raise errors.make_quota_error("CertificatesPerUser", MAX_USER_CERTIFICATES)
    made = SigningCertificate(
        account=ctx.account,
        user=key,
        id=ids.token(_ID_CHARACTERS),
        created=ctx.now(),
        body=params["CertificateBody"],
    )
    tx.put(fingerprint, made.id.encode())
    SIGNING_CERTIFICATES.save(tx, made)
    return {"Certificate": _show(made, name)}


@service.operation("ListSigningCertificates")
async def list_signing_certificates(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, key = await _get_user(ctx, tx, params)
    found = await SIGNING_CERTIFICATES.list_owned(tx, ctx.account, key)
    return paging.list_items(params, "Certificates", {each.id: _show(each, name) for each in found})


@service.operation("UpdateSigningCertificate")
async def update_signing_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    is_active = user_credentials.read_status(params)
    SIGNING_CERTIFICATES.save(tx, replace(await _get(ctx, tx, params), is_active=is_active))
    return {}


@service.operation("DeleteSigningCertificate")
async def delete_signing_certificate(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get(ctx, tx, params)
    tx.delete(_get_fingerprint(ctx, found.body))
    SIGNING_CERTIFICATES.remove(tx, found)
    return {}


async def _get(ctx: Context, tx: Transaction, params: Params) -> SigningCertificate:
    _, key = await _get_user(ctx, tx, params)
    return await SIGNING_CERTIFICATES.get(tx, ctx.account, key, params["CertificateId"])


async def _get_user(ctx: Context, tx: Transaction, params: Params) -> tuple[str, str]:
    """Return the name and key of a request's user. The account's root has no key."""
    user = await callers.get_user(ctx, tx, params)
    return ("root", "") if user is None else (user.name, user.key)


def _get_fingerprint(ctx: Context, body: str) -> bytes:
    """Return the key of a certificate among those of an account. Raises AwsError for what is none."""
    return _FINGERPRINTS.key(ctx.account, certificates.compute_fingerprint(certificates.parse_certificate(body)))


def _show(found: SigningCertificate, user: str) -> dict[str, Any]:
    return {
        "UserName": user,
        "CertificateId": found.id,
        "CertificateBody": found.body,
        "Status": user_credentials.show_status(found.is_active),
        "UploadDate": found.created,
    }
