"""Data keys and key pairs, made for use outside of KMS."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.background.workers import offload_if
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.kms import access, errors, key_pairs, materials, use
from cloudlet.services.kms.block import service
from cloudlet.services.kms.key_record import Key
from cloudlet.services.kms.key_spec import SYMMETRIC, get_spec

_BYTES: Final = {"AES_128": 16, "AES_256": 32}


@service.direct("GenerateDataKey")
async def generate_data_key(ctx: Context, params: Params) -> FinalTransaction:
    return _generate(ctx, params, "GenerateDataKey")


@service.direct("GenerateDataKeyWithoutPlaintext")
async def generate_data_key_without_plaintext(ctx: Context, params: Params) -> FinalTransaction:
    return _generate(ctx, params, "GenerateDataKeyWithoutPlaintext")


@service.direct("GenerateDataKeyPair")
async def generate_data_key_pair(ctx: Context, params: Params) -> Result:
    return await _generate_pair(ctx, params, "GenerateDataKeyPair")


@service.direct("GenerateDataKeyPairWithoutPlaintext")
async def generate_data_key_pair_without_plaintext(ctx: Context, params: Params) -> Result:
    return await _generate_pair(ctx, params, "GenerateDataKeyPairWithoutPlaintext")


def _generate(ctx: Context, params: Params, operation: str) -> FinalTransaction:
    access.check_parameters(ctx, params)
    size = _get_size(params)

    async def body(tx: Transaction) -> Result:
        key = await _get_key(ctx, tx, params, operation, {})
        access.check_dry_run(params)
        material = materials.get_current(key)
        data_key = random_bytes(size)
        blob = materials.get_cipher(ctx.block, key, material).encrypt(data_key, params.get("EncryptionContext"))
        shown = {"CiphertextBlob": blob, "KeyId": key.arn, "KeyMaterialId": material.id}
        return {**shown, "Plaintext": data_key} if operation == "GenerateDataKey" else shown

    return FinalTransaction(body)


def _get_size(params: Params) -> int:
    """Return how many bytes a data key is to have."""
    spec, size = params.get("KeySpec"), params.get("NumberOfBytes")
    if (spec is None) == (size is None):
        raise errors.ValidationError("Please specify either number of bytes or key spec.")
    return size or _BYTES[spec or ""]


async def _get_key(ctx: Context, tx: Transaction, params: Params, operation: str, conditions: dict[str, str]) -> Key:
    conditions = {"kms:EncryptionAlgorithm": SYMMETRIC, **conditions}
    key = await access.get_key(ctx, tx, params["KeyId"], operation, conditions, params.get("EncryptionContext"))
    use.check_symmetric(key, operation)
    return key


async def _generate_pair(ctx: Context, params: Params, operation: str) -> Result:
    access.check_parameters(ctx, params)
    spec = params["KeyPairSpec"]

    async def body(tx: Transaction) -> Key:
        return await _get_key(ctx, tx, params, operation, {"kms:DataKeyPairSpec": spec})

    key = await ctx.transact(body)
    key_pairs.check_available(spec)
    access.check_dry_run(params)
    private_key = await offload_if(get_spec(spec).is_slow, ctx.account, key_pairs.generate_private_key, spec)
    secret, material = key_pairs.to_der(private_key), materials.get_current(key)
    shown = {
        "PrivateKeyCiphertextBlob": materials.get_cipher(ctx.block, key, material).encrypt(
            secret, params.get("EncryptionContext")
        ),
        "PublicKey": key_pairs.to_public_der(private_key),
        "KeyId": key.arn,
        "KeyPairSpec": spec,
        "KeyMaterialId": material.id,
    }
    return {**shown, "PrivateKeyPlaintext": secret} if operation == "GenerateDataKeyPair" else shown
