"""The operations on secrets as such."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.secretsmanager import (
    access,
    deletion,
    encryption,
    errors,
    replication,
    rotation,
    rotation_task,
    secret,
    trail_events,
    values,
    version,
)
from cloudlet.services.secretsmanager.access import open_secret
from cloudlet.services.secretsmanager.block import service
from cloudlet.services.secretsmanager.encryption import clean_key
from cloudlet.services.secretsmanager.listed import to_api
from cloudlet.services.secretsmanager.regions import read_regions
from cloudlet.services.secretsmanager.secret_record import Secret
from cloudlet.services.secretsmanager.staging import CURRENT, PENDING, PREVIOUS
from cloudlet.services.secretsmanager.version_record import DataKey

_DAY_SECONDS: Final = 86_400
_DEFAULT_WINDOW_DAYS: Final = 30
_MIN_WINDOW_DAYS: Final = 7
MAX_WINDOW_DAYS: Final = 30


@service.direct("CreateSecret")
async def create_secret(ctx: Context, params: Params) -> Result:
    _refuse_unbuilt(params, "Type", "CrossAccountPrimaryARN")
    if secret.NAME.fullmatch(params["Name"]) is None:
        raise errors.InvalidName
    access.authorize_name(ctx, "CreateSecret", params["Name"], params)
    if params.get("Tags"):
        access.authorize_name(ctx, "TagResource", params["Name"], params)
    if params.get("AddReplicaRegions"):
        access.authorize_name(ctx, "ReplicateSecretToRegions", params["Name"], params)
    value = values.read_value(params)
    now = ctx.now()
    wanted = Secret(
        ctx.account,
        ctx.region,
        params["Name"],
        secret.make_suffix(),
        now,
        now,
        params.get("Description") or "",
        clean_key(params.get("KmsKeyId")),
        tags.merge({}, params.get("Tags"), errors.InvalidParameter),
        owner=access.get_service(ctx),
    )
    regions = read_regions(wanted, params.get("AddReplicaRegions"))
    created = await _find_or_create(ctx, wanted, value)
    if regions and created.suffix == wanted.suffix:
        created = await _replicate(ctx, created, regions, bool(params.get("ForceOverwriteReplicaSecret")))
    statuses = await ctx.transact(lambda tx: replication.list_statuses(tx, created))
    return {
        "ARN": created.arn,
        "Name": created.name,
        "VersionId": None if value is None else value.id,
        "ReplicationStatus": statuses or None,
    }


async def _find_or_create(ctx: Context, wanted: Secret, value: values.Value | None) -> Secret:
    """Return a new secret, or that which the same request has created before. Raises AwsError."""
    known = await ctx.transact(lambda tx: secret.find(tx, wanted.account, wanted.region, wanted.name))
    sealed = None
    if known is None and value is not None:
        sealed = await encryption.encrypt(ctx, wanted, value.id, value.content)

    async def body(tx: Transaction) -> Secret:
        there = await secret.find(tx, wanted.account, wanted.region, wanted.name)
        if there is not None:
            return there
        created = wanted
        if value is not None and sealed is not None:
            created = version.add(tx, created, value.id, sealed, ctx.now(), is_binary=value.is_binary)
            created = replace(created, stages={CURRENT: value.id})
        secret.save(tx, created, None)
        return created

    found = await ctx.transact(body) if known is None else known
    if found.suffix != wanted.suffix:
        await _check_repeated(ctx, found, value)
    return found


async def _check_repeated(ctx: Context, there: Secret, value: values.Value | None) -> None:
    """Raise AwsError unless the same request has created a secret before."""
    if there.deleted:
        raise errors.InvalidRequest(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
        )
    if value is None or there.primary_region or not await values.has_same_value(ctx, there, value):
        raise errors.ResourceExists(f"The operation failed because the secret {there.name} already exists.")


async def _replicate(ctx: Context, primary: Secret, regions: dict[str, str], overwrites: bool) -> Secret:
    while True:
        changed = await replication.replicate(ctx, primary, regions, overwrites=overwrites)
        if changed is not None:
            return changed
        fresh = await ctx.transact(lambda tx: secret.find(tx, primary.account, primary.region, primary.name))  # noqa: B023
        if fresh is None or fresh.arn != primary.arn:
            raise errors.ResourceNotFound
        primary = fresh


@service.direct("UpdateSecret")
async def update_secret(ctx: Context, params: Params) -> Result:
    _refuse_unbuilt(params, "Type")
    value = values.read_value(params)
    is_about_key_alone = value is None and params.get("Description") is None and params.get("KmsKeyId") is not None

    async def look(tx: Transaction) -> Secret:
        return await open_secret(ctx, tx, params, "UpdateSecret", admits_replica=is_about_key_alone)

    def change(about: Secret) -> Secret:
        description = about.description if params.get("Description") is None else params["Description"]
        kms_key = about.kms_key if params.get("KmsKeyId") is None else clean_key(params["KmsKeyId"] or None)
        return replace(about, description=description, kms_key=kms_key)

    if params.get("KmsKeyId") is not None:
        await _add_keys(ctx, look, change)
    if value is not None:
        updated = await values.write(ctx, look, value, None, change, repeats=False)
        return {"ARN": updated.arn, "Name": updated.name, "VersionId": value.id}

    async def body(tx: Transaction) -> Secret:
        before = await look(tx)
        after = replace(change(before), changed=ctx.now())
        if not before.primary_region:
            after = await replication.update_replicas(tx, ctx.block, after)
        else:
            await _tell_primary(tx, after)
        secret.save(tx, after, before)
        return after

    updated = await ctx.transact(body)
    return {"ARN": updated.arn, "Name": updated.name}


async def _add_keys(ctx: Context, look: values.Look, change: Any) -> None:
    """Let the key that a secret gets decrypt the versions in use, too.

    User guide, "Change the encryption key for an AWS Secrets Manager secret".
    """
    about = change(await ctx.transact(look))
    ids = {about.stages[label] for label in (CURRENT, PENDING, PREVIOUS) if label in about.stages}
    for id in ids:
        found = await ctx.transact(lambda tx, id=id: version.find(tx, about, id))  # type: ignore[misc]
        if found is None or found.keys[-1].kms_key == about.kms_key:
            continue
        key = await encryption.add_key(ctx, about, found)
        if key is not None:
            await ctx.transact(lambda tx, id=id, key=key: _save_key(tx, about, id, key))  # type: ignore[misc]


async def _save_key(tx: Transaction, about: Secret, id: str, key: DataKey) -> None:
    there = await secret.find(tx, about.account, about.region, about.name)
    found = await version.find(tx, about, id)
    if there is not None and there.arn == about.arn and found is not None:
        kept = tuple(each for each in found.keys if each.kms_key != key.kms_key)
        version.save(tx, about, replace(found, keys=(*kept, key)))


async def _tell_primary(tx: Transaction, replica: Secret) -> None:
    """Have a primary know the key that its replica got."""
    primary = await secret.find(tx, replica.account, replica.primary_region, replica.name)
    if primary is not None and replica.region in primary.replicas:
        known = replace(primary.replicas[replica.region], kms_key=replica.kms_key)
        secret.save(tx, replace(primary, replicas={**primary.replicas, replica.region: known}), primary)


@service.operation("DescribeSecret")
async def describe_secret(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_secret(ctx, tx, params, "DescribeSecret", admits_deleted=True, admits_replica=True)
    stages = {id: found.list_stages(id) for id in dict.fromkeys(found.stages.values())}
    statuses = await replication.list_statuses(tx, found)
    return {
        **to_api(found),
        "DeletedDate": found.expires or None,
        "VersionIdsToStages": stages or None,
        "ReplicationStatus": statuses or None,
    }


@service.operation("DeleteSecret")
async def delete_secret(ctx: Context, tx: Transaction, params: Params) -> Result:
    days, is_forced = params.get("RecoveryWindowInDays"), bool(params.get("ForceDeleteWithoutRecovery"))
    if is_forced and days is not None:
        raise errors.InvalidParameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
        )
    if days is not None and not _MIN_WINDOW_DAYS <= days <= MAX_WINDOW_DAYS:
        raise errors.InvalidParameter(
            f"The RecoveryWindowInDays value must be between {_MIN_WINDOW_DAYS} and {MAX_WINDOW_DAYS} days (inclusive)."
        )
    now = ctx.now()
    try:
        found = await open_secret(ctx, tx, params, "DeleteSecret", admits_deleted=is_forced)
    except errors.ResourceNotFound:
        if not is_forced:
            raise
        id = params["SecretId"]
        return {"ARN": id if id.startswith("arn:") else None, "Name": id, "DeletionDate": now}
    if found.replicas:
        raise errors.InvalidRequest(
            f"You can't delete secret {found.name} that still has replica regions [{', '.join(found.replicas)}]"
        )
    trail_events.add(tx, ctx.block, found, "StartSecretVersionDelete")
    if is_forced:
        await deletion.delete(tx, found)
        trail_events.add(tx, ctx.block, found, "EndSecretVersionDelete")
        return {"ARN": found.arn, "Name": found.name, "DeletionDate": now}
    await rotation_task.stop(tx, found)
    expires = now + (_DEFAULT_WINDOW_DAYS if days is None else days) * _DAY_SECONDS
    marked = replace(found, deleted=now, expires=expires, changed=now)
    secret.save(tx, marked, found)
    deletion.schedule(tx, marked)
    return {"ARN": marked.arn, "Name": marked.name, "DeletionDate": expires}


@service.operation("RestoreSecret")
async def restore_secret(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_secret(ctx, tx, params, "RestoreSecret", admits_deleted=True)
    if found.deleted:
        deletion.cancel(tx, found)
        restored = replace(found, deleted=0.0, expires=0.0, changed=ctx.now())
        secret.save(tx, rotation.reschedule(tx, restored, ctx.now()), found)
        trail_events.add(tx, ctx.block, found, "CancelSecretVersionDelete")
    return {"ARN": found.arn, "Name": found.name}


def _refuse_unbuilt(params: Params, *names: str) -> None:
    for name in names:
        if params.get(name):
            raise errors.NotBuilt(f"the parameter {name} of secrets")
