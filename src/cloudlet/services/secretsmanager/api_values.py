"""The operations on versions of secrets and their values."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.core.telemetry.audit import find_trail
from cloudlet.services.secretsmanager import (
    access,
    encryption,
    errors,
    replication,
    rotation_task,
    search,
    secret,
    staging,
    values,
    version,
)
from cloudlet.services.secretsmanager.access import open_secret
from cloudlet.services.secretsmanager.block import service
from cloudlet.services.secretsmanager.secret_record import Secret
from cloudlet.services.secretsmanager.staging import CURRENT
from cloudlet.services.secretsmanager.version_record import Version

_DAY_SECONDS: Final = 86_400
MAX_BATCH_SECRETS: Final = 20
_DEFAULT_KEY: Final = "DefaultEncryptionKey"
"""The name that versions show for the key that AWS manages."""


@service.direct("PutSecretValue")
async def put_secret_value(ctx: Context, params: Params) -> Result:
    value = values.read_value(params)
    if value is None:
        raise errors.InvalidRequest("You must provide either SecretString or SecretBinary.")

    async def look(tx: Transaction) -> Secret:
        found = await open_secret(ctx, tx, params, "PutSecretValue")
        if params.get("RotationToken"):
            task = await rotation_task.find(tx, rotation_task.get_key(found))
            if task is None or (task.token, task.version) != (params["RotationToken"], value.id):
                raise errors.InvalidParameter("The RotationToken is not that of the rotation in progress.")
        return found

    written = await values.write(ctx, look, value, params.get("VersionStages"))
    return {
        "ARN": written.arn,
        "Name": written.name,
        "VersionId": value.id,
        "VersionStages": written.list_stages(value.id) or None,
    }


@service.direct("GetSecretValue")
async def get_secret_value(ctx: Context, params: Params) -> Result:
    async def read(tx: Transaction) -> tuple[Secret, Version, bytes]:
        about = {"VersionStage": None if params.get("VersionId") else CURRENT, **_drop_missing(params)}
        found = await open_secret(ctx, tx, about, "GetSecretValue", admits_replica=True)
        there = await _find_version(tx, found, params.get("VersionId"), params.get("VersionStage"))
        return found, there, await version.read_ciphertext(tx, found, there.id)

    found, there, ciphertext = await ctx.transact(read)
    return await _read_value(ctx, found, there, ciphertext)


def _drop_missing(params: Params) -> Params:
    return {name: value for name, value in params.items() if value is not None}


async def _find_version(tx: Transaction, about: Secret, id: str | None, label: str | None) -> Version:
    """Return the version that a request names, or the current one. Raises AwsError."""
    if id is not None and label is not None and about.stages.get(label) != id:
        raise errors.InvalidRequest("You provided a VersionStage that is not associated to the provided VersionId.")
    wanted = about.stages.get(label or CURRENT) if id is None else id
    found = None if wanted is None else await version.find(tx, about, wanted)
    if found is None:
        name = f"staging label: {label or CURRENT}" if id is None else f"VersionId: {id}"
        raise errors.ResourceNotFound(f"Secrets Manager can't find the specified secret value for {name}")
    return found


async def _read_value(ctx: Context, about: Secret, there: Version, ciphertext: bytes) -> dict[str, Any]:
    """Return a version as the API has it, and record the access. Raises AwsError."""
    content = await encryption.decrypt(ctx, about, there, ciphertext)
    today = float(ctx.now() // _DAY_SECONDS * _DAY_SECONDS)
    if about.accessed != today or there.accessed != today:
        await ctx.transact(lambda tx: _record_access(tx, about, there.id, today))
    return {
        "ARN": about.arn,
        "Name": about.name,
        "VersionId": there.id,
        "SecretBinary": content if there.is_binary else None,
        "SecretString": None if there.is_binary else content.decode(),
        "VersionStages": about.list_stages(there.id) or None,
        "CreatedDate": there.created,
    }


async def _record_access(tx: Transaction, about: Secret, id: str, today: float) -> None:
    fresh = await secret.find(tx, about.account, about.region, about.name)
    if fresh is None or fresh.arn != about.arn:
        return
    secret.save(tx, replace(fresh, accessed=today), fresh)
    found = await version.find(tx, fresh, id)
    if found is not None:
        version.save(tx, fresh, replace(found, accessed=today))


@service.direct("BatchGetSecretValue")
async def batch_get_secret_value(ctx: Context, params: Params) -> Result:
    ids, filters = params.get("SecretIdList"), params.get("Filters")
    if bool(ids) == bool(filters):
        raise errors.InvalidParameter("You must include Filters or SecretIdList, but not both.")
    if ids and (params.get("MaxResults") or params.get("NextToken")):
        raise errors.InvalidParameter("To use MaxResults or NextToken, you must also use the Filters parameter.")
    access.authorize_account(ctx, "BatchGetSecretValue", params)
    following = None
    if filters:
        access.authorize_account(ctx, "ListSecrets", params)
        matches = search.compile_filters(filters)
        limit = params.get("MaxResults") or MAX_BATCH_SECRETS
        found, following = await ctx.transact(
            lambda tx: search.list_page(tx, ctx.account, ctx.region, matches, params.get("NextToken"), limit)
        )
        ids = [each.arn for each in found]
    values, failures = [], []
    for id in ids or ():
        try:
            values.append(await _get_one(ctx, id))
        except AwsError as error:
            failures.append({"SecretId": id, "ErrorCode": error.code, "Message": error.message})
    return {"SecretValues": values, "Errors": failures, "NextToken": following}


async def _get_one(ctx: Context, id: str) -> Result:
    """Return the current value of a secret, by a call that CloudTrail records. Raises AwsError."""
    params = {"SecretId": id}
    failed: AwsError | None = None
    try:
        return await get_secret_value(ctx, params)  # type: ignore[return-value]
    except AwsError as error:
        failed = error
        raise
    finally:
        trail = find_trail(ctx.block)
        if trail is not None:
            trail.record_call(ctx, service.handlers["GetSecretValue"], params, None, failed)


@service.operation("ListSecretVersionIds")
async def list_secret_version_ids(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_secret(ctx, tx, params, "ListSecretVersionIds", admits_deleted=True, admits_replica=True)
    attached = set(found.stages.values())

    def select(raw: bytes) -> dict[str, Any] | None:
        each = version.decode(raw)
        if each.id not in attached and not params.get("IncludeDeprecated"):
            return None
        return {
            "VersionId": each.id,
            "VersionStages": found.list_stages(each.id) or None,
            "LastAccessedDate": each.accessed or None,
            "CreatedDate": each.created,
            "KmsKeyIds": [key.kms_key or _DEFAULT_KEY for key in each.keys],
        }

    versions, following = await listing.list_page(
        tx,
        version.get_space(found),
        params.get("NextToken"),
        params.get("MaxResults"),
        select,
        errors.InvalidNextToken(),
    )
    return {"Versions": versions, "NextToken": following, "ARN": found.arn, "Name": found.name}


@service.operation("UpdateSecretVersionStage")
async def update_secret_version_stage(ctx: Context, tx: Transaction, params: Params) -> Result:
    before = await open_secret(ctx, tx, params, "UpdateSecretVersionStage")
    target = params.get("MoveToVersionId")
    if target is not None and await version.find(tx, before, target) is None:
        raise errors.ResourceNotFound(f"Secrets Manager can't find the specified secret value for VersionId: {target}")
    stages = staging.move(before.stages, params["VersionStage"], params.get("RemoveFromVersionId"), target)
    if stages != before.stages:
        after = await replication.update_replicas(tx, ctx.block, replace(before, stages=stages, changed=ctx.now()))
        secret.save(tx, after, before)
    return {"ARN": before.arn, "Name": before.name}
