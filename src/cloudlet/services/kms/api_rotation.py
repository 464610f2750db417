"""The operations on rotation of key material."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.kms import access, due, errors, key_spec, key_state, keys, materials, paging, rotation
from cloudlet.services.kms.block import service
from cloudlet.services.kms.describing import show_expiration
from cloudlet.services.kms.key_record import PENDING_ROTATION, Key, Material
from cloudlet.services.kms.managed_keys import DAY_SECONDS

_DEFAULT_DAYS: Final = 365
MAX_ON_DEMAND_ROTATIONS: Final = 25
_PAGE_ROWS: Final = 100


@service.operation("EnableKeyRotation")
async def enable_key_rotation(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Have a key rotated by a period that begins now, or change the period."""
    days = params.get("RotationPeriodInDays") or _DEFAULT_DAYS
    key = await _get_key(ctx, tx, params, "EnableKeyRotation", {"kms:RotationPeriodInDays": str(days)})
    if key.rotation_days == days:
        return {}
    when = ctx.now() + days * DAY_SECONDS
    due.unschedule(tx, "rotate", key.next_rotation, key.account, key.region, key.name)
    due.schedule(tx, "rotate", when, key.account, key.region, key.name)
    await keys.save_shared(tx, replace(key, rotation_days=days, next_rotation=when))
    return {}


@service.operation("DisableKeyRotation")
async def disable_key_rotation(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = await _get_key(ctx, tx, params, "DisableKeyRotation")
    due.unschedule(tx, "rotate", key.next_rotation, key.account, key.region, key.name)
    await keys.save_shared(tx, replace(key, rotation_days=0, next_rotation=None))
    return {}


async def _get_key(
    ctx: Context, tx: Transaction, params: Params, operation: str, conditions: dict[str, str] | None = None
) -> Key:
    """Return a key whose automatic rotation may be changed."""
    key = await access.resolve(ctx, tx, params["KeyId"], operation)
    await access.check(ctx, tx, key, operation, conditions)
    _check_is_symmetric(key, operation)
    if key.is_imported:
        raise errors.UnsupportedOperation(f"{key.arn} origin is {key.origin} which is not valid for this operation.")
    key_state.check_state(key, operation)
    _check_is_primary(key, operation)
    return key


def _check_is_symmetric(key: Key, operation: str) -> None:
    if key.spec != key_spec.SYMMETRIC:
        raise errors.UnsupportedOperation(f"{key.arn} key spec is {key.spec} which is not valid for {operation}.")


def _check_is_primary(key: Key, operation: str) -> None:
    if key.is_replica:
        raise errors.UnsupportedOperation(
            f"{key.arn} is a multi-Region replica key, which is not valid for {operation}."
        )


@service.operation("GetKeyRotationStatus")
async def get_key_rotation_status(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Tell how a key is rotated; while its deletion is pending it is not."""
    key = await access.get_key(ctx, tx, params["KeyId"], "GetKeyRotationStatus")
    _check_is_symmetric(key, "GetKeyRotationStatus")
    is_enabled = bool(key.rotation_days) and key.state in (key_state.ENABLED, key_state.DISABLED)
    shown: dict[str, Any] = {"KeyId": key.arn, "KeyRotationEnabled": is_enabled}
    if is_enabled:
        shown |= {"RotationPeriodInDays": key.rotation_days, "NextRotationDate": key.next_rotation}
    return shown


@service.operation("RotateKeyOnDemand")
async def rotate_key_on_demand(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Rotate a key now, to new material or to imported one."""
    key = await access.get_key(ctx, tx, params["KeyId"], "RotateKeyOnDemand")
    _check_is_symmetric(key, "RotateKeyOnDemand")
    _check_is_primary(key, "RotateKeyOnDemand")
    if sum(each.rotation == rotation.ON_DEMAND for each in key.materials) >= MAX_ON_DEMAND_ROTATIONS:
        raise errors.ExceededLimit(f"On-demand rotations for {key.arn} exceed the limit of {MAX_ON_DEMAND_ROTATIONS}.")
    new = _get_pending(key) if key.is_imported else materials.make(ctx.block, key.arn, key.spec)
    await rotation.rotate(ctx.block, tx, key, new, rotation.ON_DEMAND, ctx.now())
    return {"KeyId": key.arn}


def _get_pending(key: Key) -> Material:
    """Return the imported material that is pending rotation."""
    found = next((each for each in key.materials if each.state == PENDING_ROTATION), None)
    if found is None:
        raise errors.InvalidState(f"{key.arn} does not have any key material pending rotation.")
    return found


@service.operation("ListKeyRotations")
async def list_key_rotations(ctx: Context, tx: Transaction, params: Params) -> Result:
    """List the rotations of a key, or all of its materials."""
    key = await access.get_key(ctx, tx, params["KeyId"], "ListKeyRotations")
    _check_is_symmetric(key, "ListKeyRotations")
    has_all = params.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL"
    found = [each for each in key.materials if has_all or each.rotated is not None]
    shown, following = paging.list_part(found, params, _PAGE_ROWS)
    return {"Rotations": [_describe(key, each) for each in shown], **following}


def _describe(key: Key, material: Material) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "KeyId": key.arn,
        "KeyMaterialId": material.id,
        "KeyMaterialState": material.state,
        "RotationDate": material.rotated,
        "RotationType": material.rotation or None,
    }
    if key.is_imported:
        shown |= {
            "ImportState": "IMPORTED" if material.secret else "PENDING_IMPORT",
            "KeyMaterialDescription": material.description,
        }
        if material.secret:
            shown |= {"ExpirationModel": show_expiration(material.valid_to), "ValidTo": material.valid_to}
    return shown
