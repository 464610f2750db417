"""The operations on keys themselves."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.background.workers import offload_if
from cloudlet.core.kernel.ids import random_bytes, uuid4
from cloudlet.services.kms import (
    access,
    describing,
    due,
    errors,
    key_pairs,
    key_spec,
    key_state,
    keys,
    materials,
    paging,
    policies,
    tagging,
)
from cloudlet.services.kms.block import service
from cloudlet.services.kms.key_record import EXTERNAL, Key, make_key_arn
from cloudlet.services.kms.managed_keys import DAY_SECONDS

_DEFAULT_WINDOW_DAYS: Final = 30
_MIN_WINDOW_DAYS: Final = 7
_PAGE_ROWS: Final = 100


@service.direct("CreateKey")
async def create_key(ctx: Context, params: Params) -> Result:
    """Create a key; in a thread where its material takes long to make."""
    spec, usage, origin = _get_kind(params)
    is_multi_region = bool(params.get("MultiRegion"))
    key_id = f"mrk-{random_bytes(16).hex()}" if is_multi_region else uuid4()
    arn = make_key_arn(ctx.account, ctx.region, key_id)
    policy = params.get("Policy") or policies.make_default(ctx.account, ctx.region)
    bypasses_check = bool(params.get("BypassPolicyLockoutSafetyCheck"))
    conditions = {
        "kms:BypassPolicyLockoutSafetyCheck": "true" if bypasses_check else "false",
        "kms:KeySpec": spec,
        "kms:KeyUsage": usage,
        "kms:KeyOrigin": origin,
        "kms:MultiRegion": "true" if is_multi_region else "false",
        **tagging.list_request_keys(params.get("Tags")),
    }
    access.check_account(ctx, "CreateKey", conditions=conditions)
    if params.get("Tags"):
        access.check_account(ctx, "TagResource", conditions=conditions)
    policies.validate(ctx, arn, policy, bypasses_check=bypasses_check)
    made = Key(
        ctx.account,
        ctx.region,
        key_id,
        spec,
        usage,
        origin,
        ctx.now(),
        key_state.PENDING_IMPORT if origin == EXTERNAL else key_state.ENABLED,
        policy,
        (),
        description=params.get("Description") or "",
        tags=tagging.merge({}, params.get("Tags")),
        primary_region=ctx.region if is_multi_region else "",
        regions=(ctx.region,) if is_multi_region else (),
    )
    if origin != EXTERNAL:
        is_slow = key_spec.get_spec(spec).is_slow
        secret, public_key = await offload_if(is_slow, ctx.account, _generate, spec)
        made = replace(made, materials=(materials.encrypt(ctx.block, arn, secret),), public_key=public_key)

    async def body(tx: Transaction) -> Result:
        keys.save(tx, made)
        return {"KeyMetadata": describing.to_api(made)}

    return await ctx.transact(body)


def _generate(spec: str) -> tuple[bytes, bytes]:
    """Return new material for a key spec and its public key, which only pairs have."""
    if not key_spec.get_spec(spec).is_pair:
        return key_pairs.generate_material(spec), b""
    private_key = key_pairs.generate_private_key(spec)
    return key_pairs.to_der(private_key), key_pairs.to_public_der(private_key)


def _get_kind(params: Params) -> tuple[str, str, str]:
    """Return the spec, usage and origin of a key to be created. Raises AwsError."""
    spec, older = params.get("KeySpec"), params.get("CustomerMasterKeySpec")
    if spec and older:
        raise errors.ValidationError("You cannot specify KeySpec and CustomerMasterKeySpec in the same request.")
    spec = spec or older or key_spec.SYMMETRIC
    origin = params.get("Origin") or "AWS_KMS"
    if origin not in ("AWS_KMS", EXTERNAL) or params.get("CustomKeyStoreId") or params.get("XksKeyId"):
        raise errors.UnsupportedOperation("Cloudlet has no custom key stores: Origin is AWS_KMS or EXTERNAL.")
    usage = key_spec.get_usage(spec, params.get("KeyUsage"))
    key_pairs.check_available(spec)
    return spec, usage, origin


@service.operation("DescribeKey")
async def describe_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    access.check_parameters(ctx, params)
    return {"KeyMetadata": describing.to_api(await access.get_key(ctx, tx, params["KeyId"], "DescribeKey"))}


@service.operation("ListKeys")
async def list_keys(ctx: Context, tx: Transaction, params: Params) -> Result:
    access.check_account(ctx, "ListKeys")
    if "SELF" not in (params.get("ResourceOwners") or ["SELF"]):
        # Nothing is shared by RAM, which Cloudlet does not have.
        return {"Keys": [], "Truncated": False}
    space = keys.get_space(ctx.account, ctx.region)
    rows, following = await paging.list_rows(tx, space, params, _PAGE_ROWS)
    ids = [space.unpack(row)[0] for row, _ in rows]
    return {
        "Keys": [{"KeyId": each, "KeyArn": make_key_arn(ctx.account, ctx.region, each)} for each in ids],
        **following,
    }


@service.operation("EnableKey")
async def enable_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Enable a key. A rotation that fell due meanwhile takes place now."""
    key = await access.get_key(ctx, tx, params["KeyId"], "EnableKey")
    key = replace(key, state=key_state.ENABLED)
    if key.next_rotation is not None and not key.is_replica:
        now = ctx.now()
        if key.next_rotation <= now:
            key = replace(key, next_rotation=now)
        due.schedule(tx, "rotate", key.next_rotation or now, key.account, key.region, key.name)
    await keys.save_shared(tx, key)
    return {}


@service.operation("DisableKey")
async def disable_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = await access.get_key(ctx, tx, params["KeyId"], "DisableKey")
    keys.save(tx, replace(key, state=key_state.DISABLED))
    return {}


@service.operation("UpdateKeyDescription")
async def update_key_description(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = await access.get_key(ctx, tx, params["KeyId"], "UpdateKeyDescription")
    keys.save(tx, replace(key, description=params["Description"]))
    return {}


@service.operation("ScheduleKeyDeletion")
async def schedule_key_deletion(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Have a key deleted after a time, a primary key after its replicas."""
    days = params.get("PendingWindowInDays") or _DEFAULT_WINDOW_DAYS
    conditions = {"kms:ScheduleKeyDeletionPendingWindowInDays": str(days)}
    key = await access.get_key(ctx, tx, params["KeyId"], "ScheduleKeyDeletion", conditions)
    if not _MIN_WINDOW_DAYS <= days <= _DEFAULT_WINDOW_DAYS:
        raise errors.ValidationError(
            f"PendingWindowInDays must be between {_MIN_WINDOW_DAYS} and {_DEFAULT_WINDOW_DAYS} days."
        )
    shown: dict[str, Any] = {"KeyId": key.arn, "PendingWindowInDays": days}
    if len(key.regions) > 1 and not key.is_replica:
        keys.save(tx, replace(key, state=key_state.PENDING_REPLICA_DELETION, deletion_window=days))
        return {**shown, "KeyState": key_state.PENDING_REPLICA_DELETION}
    when = ctx.now() + days * DAY_SECONDS
    keys.save(tx, replace(key, state=key_state.PENDING_DELETION, deletion_date=when))
    due.schedule(tx, "delete", when, key.account, key.region, key.name)
    return {**shown, "KeyState": key_state.PENDING_DELETION, "DeletionDate": when}


@service.operation("CancelKeyDeletion")
async def cancel_key_deletion(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = await access.get_key(ctx, tx, params["KeyId"], "CancelKeyDeletion")
    due.unschedule(tx, "delete", key.deletion_date, key.account, key.region, key.name)
    state = key_state.PENDING_IMPORT if key.is_imported and key.lacks_material else key_state.DISABLED
    keys.save(tx, replace(key, state=state, deletion_date=None))
    return {"KeyId": key.arn}


@service.operation("GetPublicKey")
async def get_public_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    access.check_parameters(ctx, params)
    key = await access.get_key(ctx, tx, params["KeyId"], "GetPublicKey")
    if not key.public_key:
        raise AwsError(
            "UnsupportedOperationException", f"{key.arn} key spec is {key.spec} which is not valid for GetPublicKey."
        )
    return {
        "KeyId": key.arn,
        "PublicKey": key.public_key,
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
        **describing.list_algorithms(key),
    }
