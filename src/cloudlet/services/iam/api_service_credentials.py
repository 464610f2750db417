"""The operations on credentials for one service, which are passwords or keys for its API."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel import ids
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.iam import callers, errors, paging, user_credentials
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import USERS
from cloudlet.services.iam.entity_record import User
from cloudlet.services.iam.user_credential_record import ServiceCredential
from cloudlet.services.iam.user_credentials import SERVICE_CREDENTIALS

_WITH_PASSWORDS: Final = ("codecommit.amazonaws.com", "cassandra.amazonaws.com")
_WITH_KEYS: Final = ("bedrock.amazonaws.com", "logs.amazonaws.com")
_MAX_USER_CREDENTIALS: Final = 2
"""For each service."""
_DAY_SECONDS: Final = 86_400
_SECRET_BYTES: Final = 33


@service.operation("CreateServiceSpecificCredential")
async def create_service_specific_credential(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await USERS.get_named(ctx, tx, params)
    name, days = params["ServiceName"], params.get("CredentialAgeDays")
    _check_service(name)
    if days is not None and name not in _WITH_KEYS:
        raise errors.validation(f"CredentialAgeDays is not supported for {name}.")
    known = [each for each in await SERVICE_CREDENTIALS.list_owned(tx, ctx.account, user.key) if each.service == name]
    if len(known) >= _MAX_USER_CREDENTIALS:
        raise errors.make_quota_error("ServiceSpecificCredentialsPerUser", _MAX_USER_CREDENTIALS)
    taken = {each.service_user for each in known}
    names = (f"{user.name}-at-{ctx.account}", f"{user.name}+1-at-{ctx.account}")
    made = ServiceCredential(
        account=ctx.account,
        user=user.key,
        id="ACCA" + ids.token(17),
        created=ctx.now(),
        service=name,
        service_user=next(each for each in names if each not in taken),
        secret=b"",
        expires=None if days is None else ctx.now() + days * _DAY_SECONDS,
    )
    return _renew(ctx, tx, made, user)


@service.operation("ListServiceSpecificCredentials")
async def list_service_specific_credentials(ctx: Context, tx: Transaction, params: Params) -> Result:
    wanted = params.get("ServiceName")
    if wanted is not None:
        _check_service(wanted)
    if params.get("AllUsers"):
        return await _list_all(ctx, tx, params, wanted)
    user = await callers.get_no_root(ctx, tx, params)
    found = await SERVICE_CREDENTIALS.list_owned(tx, ctx.account, user.key)
    shown = {each.id: _show(ctx, each, user.name) for each in found if wanted in (None, each.service)}
    return paging.list_items(params, "ServiceSpecificCredentials", shown)


async def _list_all(ctx: Context, tx: Transaction, params: Params, wanted: str | None) -> Result:
    """Return a page of the credentials of all users."""
    if "UserName" in params:
        raise errors.validation("UserName and AllUsers cannot be specified together.")

    def select(raw: bytes) -> ServiceCredential | None:
        found = SERVICE_CREDENTIALS.decode(raw)
        return found if wanted in (None, found.service) else None

    found, marks = await paging.list_rows(tx, params, SERVICE_CREDENTIALS.get_space(ctx.account), select)
    shown = [_show(ctx, each, (await USERS.get(tx, ctx.account, each.user)).name) for each in found]
    return {"ServiceSpecificCredentials": shown, **marks}


@service.operation("UpdateServiceSpecificCredential")
async def update_service_specific_credential(ctx: Context, tx: Transaction, params: Params) -> Result:
    is_active = user_credentials.read_status(params)
    found, _ = await _get(ctx, tx, params)
    SERVICE_CREDENTIALS.save(tx, replace(found, is_active=is_active))
    return {}


@service.operation("ResetServiceSpecificCredential")
async def reset_service_specific_credential(ctx: Context, tx: Transaction, params: Params) -> Result:
    found, user = await _get(ctx, tx, params)
    return _renew(ctx, tx, found, user)


@service.operation("DeleteServiceSpecificCredential")
async def delete_service_specific_credential(ctx: Context, tx: Transaction, params: Params) -> Result:
    found, _ = await _get(ctx, tx, params)
    SERVICE_CREDENTIALS.remove(tx, found)
    return {}


async def _get(ctx: Context, tx: Transaction, params: Params) -> tuple[ServiceCredential, User]:
    """Return the credential that a request names, and its user. Raises AwsError where there is none."""
    user = await callers.get_no_root(ctx, tx, params)
    found = await SERVICE_CREDENTIALS.get(tx, ctx.account, user.key, params["ServiceSpecificCredentialId"])
    return found, user


def _renew(ctx: Context, tx: Transaction, credential: ServiceCredential, user: User) -> dict[str, Any]:
    """Give a credential a secret, and write it; return the answer that shows the secret."""
    secret = b64encode(random_bytes(_SECRET_BYTES)).decode()
    if credential.service in _WITH_KEYS:
        secret = "ABSK" + b64encode(f"{credential.service_user}:{secret}".encode()).decode()
    place = f"iam:service-credential:{credential.id}"
    encrypted = ctx.block.cloud.vault.encrypt(secret.encode(), place)
    SERVICE_CREDENTIALS.save(tx, replace(credential, secret=encrypted))
    member = "ServiceCredentialSecret" if credential.service in _WITH_KEYS else "ServicePassword"
    return {"ServiceSpecificCredential": {**_show(ctx, credential, user.name), member: secret}}


def _show(ctx: Context, credential: ServiceCredential, user: str) -> dict[str, Any]:
    is_expired = credential.expires is not None and credential.expires <= ctx.now()
    name = "ServiceCredentialAlias" if credential.service in _WITH_KEYS else "ServiceUserName"
    return {
        "UserName": user,
        "Status": "Expired" if is_expired else user_credentials.show_status(credential.is_active),
        name: credential.service_user,
        "CreateDate": credential.created,
        "ExpirationDate": credential.expires,
        "ServiceSpecificCredentialId": credential.id,
        "ServiceName": credential.service,
    }


def _check_service(name: str) -> None:
    """Raise AwsError for a service that has no such credentials."""
    if name not in _WITH_PASSWORDS + _WITH_KEYS:
        raise AwsError("NotSupportedService", f"No such service {name} is supported for Service Specific Credentials")
