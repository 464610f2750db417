"""The operations on imported key material (developer guide, "Importing key material")."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.kms import access, errors, importing, key_spec, keys, materials, wrapping
from cloudlet.services.kms.block import service
from cloudlet.services.kms.key_record import Key, Material
from cloudlet.services.kms.managed_keys import DAY_SECONDS
from cloudlet.services.kms.wrapping import ImportToken, IncorrectMaterial

_NEW: Final = "NEW_KEY_MATERIAL"
_EXISTING: Final = "EXISTING_KEY_MATERIAL"
_EXPIRES: Final = "KEY_MATERIAL_EXPIRES"
MAX_VALID_DAYS: Final = 365


@service.direct("GetParametersForImport")
async def get_parameters_for_import(ctx: Context, params: Params) -> Result:
    """Make a key pair to wrap key material by, in a thread."""
    algorithm, spec = params["WrappingAlgorithm"], params["WrappingKeySpec"]
    conditions = {"kms:WrappingAlgorithm": algorithm, "kms:WrappingKeySpec": spec}

    async def body(tx: Transaction) -> Key:
        return await _get_key(ctx, tx, params, "GetParametersForImport", conditions)

    key = await ctx.transact(body)
    wrapping.check_algorithm(key.spec, algorithm, spec)
    public_key, private_key = await run_in_worker(ctx.account, wrapping.make_parameters, spec)
    expires = ctx.now() + wrapping.TOKEN_SECONDS
    token = ImportToken(algorithm, private_key, expires)
    return {
        "KeyId": key.arn,
        "ImportToken": wrapping.seal_token(ctx.block.cloud.vault, key.arn, token),
        "PublicKey": public_key,
        "ParametersValidTo": expires,
    }


async def _get_key(ctx: Context, tx: Transaction, params: Params, operation: str, conditions: dict[str, str]) -> Key:
    """Return a key that is for imported key material."""
    key = await access.get_key(ctx, tx, params["KeyId"], operation, conditions)
    if not key.is_imported:
        raise errors.UnsupportedOperation(f"{key.arn} origin is {key.origin} which is not valid for this operation.")
    return key


@dataclass(frozen=True)
class _Import:
    """The key material of a request, unwrapped."""

    secret: bytes
    public_key: bytes
    id: str
    valid_to: float | None
    description: str | None
    kind: str | None
    """Whether the material is new; None where the request does not say."""


@service.direct("ImportKeyMaterial")
async def import_key_material(ctx: Context, params: Params) -> Result:
    """Take key material in; it is unwrapped and checked in a thread."""
    valid_to = _get_valid_to(ctx, params)
    conditions = {"kms:ExpirationModel": params.get("ExpirationModel") or _EXPIRES}
    if valid_to is not None:
        conditions["kms:ValidTo"] = str(int(valid_to))

    async def find(tx: Transaction) -> Key:
        return await _get_key(ctx, tx, params, "ImportKeyMaterial", conditions)

    key = await ctx.transact(find)
    _check_symmetric_members(key, params)
    token = wrapping.open_token(ctx.block.cloud.vault, key.arn, params["ImportToken"], ctx.now())
    secret, public_key = await run_in_worker(ctx.account, _unwrap, key.spec, token, params["EncryptedKeyMaterial"])
    material_id = sha256(key.name.encode() + secret).hexdigest()
    if params.get("KeyMaterialId") not in (None, material_id):
        raise IncorrectMaterial("The key material does not match the KeyMaterialId in the request.")
    given = _Import(
        secret, public_key, material_id, valid_to, params.get("KeyMaterialDescription"), params.get("ImportType")
    )

    async def body(tx: Transaction) -> Result:
        await _save(ctx, tx, await _get_key(ctx, tx, params, "ImportKeyMaterial", conditions), given)
        shown = {"KeyId": key.arn}
        return {**shown, "KeyMaterialId": material_id} if key.spec == key_spec.SYMMETRIC else shown

    return await ctx.transact(body)


def _unwrap(spec: str, token: ImportToken, wrapped: bytes) -> tuple[bytes, bytes]:
    """Return key material and its public key, where it has one."""
    secret = wrapping.unwrap(token, wrapped)
    return secret, wrapping.derive_public_key(spec, secret)


async def _save(ctx: Context, tx: Transaction, key: Key, given: _Import) -> None:
    """Write a key, and related keys, with what was imported."""
    sealed = materials.encrypt(ctx.block, key.arn, given.secret, given.id)
    material = replace(sealed, description=given.description, valid_to=given.valid_to)
    kind = given.kind or (_EXISTING if key.materials else _NEW)
    known = key.find_material(given.id)
    if known is not None:
        importing.unschedule_expiry(tx, key, known)
    if kind == _NEW:
        importing.check_new(key, given.id)
        changed = replace(importing.add(key, material), public_key=given.public_key)
        keys.save(tx, changed)
        await importing.share_new(tx, changed)
    else:
        changed = replace(importing.put_back(key, material), public_key=given.public_key)
        keys.save(tx, changed)
    if changed.regions:
        keys.save(tx, await importing.settle_replicas(tx, changed))
    importing.schedule_expiry(tx, changed, material)


def _check_symmetric_members(key: Key, params: Params) -> None:
    """Raise ValidationException for what symmetric keys alone take, and for what contradicts itself."""
    members = ("ImportType", "KeyMaterialDescription", "KeyMaterialId")
    if key.spec != key_spec.SYMMETRIC and any(params.get(member) is not None for member in members):
        raise errors.ValidationError(f"{', '.join(members)} are supported only for symmetric encryption keys.")
    if params.get("ImportType") == _NEW and params.get("KeyMaterialId"):
        raise errors.ValidationError(f"KeyMaterialId cannot be specified with an ImportType of {_NEW}.")


def _get_valid_to(ctx: Context, params: Params) -> float | None:
    """Return when the material of a request expires; None where it never does."""
    model, valid_to = params.get("ExpirationModel") or _EXPIRES, params.get("ValidTo")
    if model != _EXPIRES:
        if valid_to is not None:
            raise errors.ValidationError(f"ValidTo must not be specified with an ExpirationModel of {model}.")
        return None
    if valid_to is None:
        raise errors.ValidationError(f"ValidTo must be specified with an ExpirationModel of {_EXPIRES}.")
    now = ctx.now()
    if not now < valid_to <= now + MAX_VALID_DAYS * DAY_SECONDS:
        raise errors.ValidationError(f"ValidTo must be in the future, and within {MAX_VALID_DAYS} days.")
    return float(valid_to)


@service.operation("DeleteImportedKeyMaterial")
async def delete_imported_key_material(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Delete key material: the current one, or that of an id. What waits for a rotation goes from replicas as well."""
    key = await _get_key(ctx, tx, params, "DeleteImportedKeyMaterial", {})
    wanted = params.get("KeyMaterialId")
    material = key.current if wanted is None else key.find_material(wanted)
    if material is None:
        if wanted is not None:
            raise errors.KeyMaterialNotFound(key.arn, wanted)
        return {"KeyId": key.arn}
    importing.unschedule_expiry(tx, key, material)
    keys.save(tx, importing.drop(key, material.id))
    if material.is_pending and not key.is_replica:
        await _drop_in_replicas(tx, key, material)
    return {"KeyId": key.arn, "KeyMaterialId": material.id}


async def _drop_in_replicas(tx: Transaction, key: Key, material: Material) -> None:
    for each in await keys.list_related(tx, key):
        theirs = each.find_material(material.id)
        if theirs is not None:
            importing.unschedule_expiry(tx, each, theirs)
            keys.save(tx, importing.drop(each, material.id))
