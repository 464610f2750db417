"""The operations on SSH public keys."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel import ids
from cloudlet.services.iam import callers, errors, paging, ssh_keys, user_credentials
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import USERS
from cloudlet.services.iam.user_credential_record import SshPublicKey
from cloudlet.services.iam.user_credentials import SSH_PUBLIC_KEYS

_MAX_USER_KEYS: Final = 5


@service.operation("UploadSSHPublicKey")
async def upload_ssh_public_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await USERS.get_named(ctx, tx, params)
    body = ssh_keys.read(params["SSHPublicKeyBody"])
    known = await SSH_PUBLIC_KEYS.list_owned(tx, ctx.account, user.key)
    if any(key.body == body for key in known):
        raise AwsError("DuplicateSSHPublicKey", "The SSH public key is already associated with the specified user.")
    if len(known) >= _MAX_USER_KEYS:
        raise errors.make_quota_error("SSHPublicKeysPerUser", _MAX_USER_KEYS)
    key = SshPublicKey(
        account=ctx.account,
        user=user.key,
        id="APKA" + ids.token(17),
        created=ctx.now(),
        body=body,
        fingerprint=ssh_keys.compute_fingerprint(body),
    )
    SSH_PUBLIC_KEYS.save(tx, key)
    return {"SSHPublicKey": _show_whole(key, user.name, params["SSHPublicKeyBody"])}


@service.operation("GetSSHPublicKey")
async def get_ssh_public_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await USERS.get_named(ctx, tx, params)
    key = await SSH_PUBLIC_KEYS.get(tx, ctx.account, user.key, params["SSHPublicKeyId"])
    body = key.body if params["Encoding"] == "SSH" else ssh_keys.to_pem(key.body)
    return {"SSHPublicKey": _show_whole(key, user.name, body)}


@service.operation("ListSSHPublicKeys")
async def list_ssh_public_keys(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await callers.get_no_root(ctx, tx, params)
    found = await SSH_PUBLIC_KEYS.list_owned(tx, ctx.account, user.key)
    return paging.list_items(params, "SSHPublicKeys", {key.id: _show(key, user.name) for key in found})


@service.operation("UpdateSSHPublicKey")
async def update_ssh_public_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    is_active = user_credentials.read_status(params)
    SSH_PUBLIC_KEYS.save(tx, replace(await _get(ctx, tx, params), is_active=is_active))
    return {}


@service.operation("DeleteSSHPublicKey")
async def delete_ssh_public_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    SSH_PUBLIC_KEYS.remove(tx, await _get(ctx, tx, params))
    return {}


async def _get(ctx: Context, tx: Transaction, params: Params) -> SshPublicKey:
    user = await USERS.get_named(ctx, tx, params)
    return await SSH_PUBLIC_KEYS.get(tx, ctx.account, user.key, params["SSHPublicKeyId"])


def _show(key: SshPublicKey, user: str) -> dict[str, Any]:
    return {
        "UserName": user,
        "SSHPublicKeyId": key.id,
        "Status": user_credentials.show_status(key.is_active),
        "UploadDate": key.created,
    }


def _show_whole(key: SshPublicKey, user: str, body: str) -> dict[str, Any]:
    return {**_show(key, user), "Fingerprint": key.fingerprint, "SSHPublicKeyBody": body}
