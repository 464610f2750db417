"""Encrypt, Decrypt, ReEncrypt and GenerateRandom."""

from __future__ import annotations

from typing import Final, NamedTuple

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.kms import access, errors, keys, materials, rsa_encryption, use
from cloudlet.services.kms.block import service
from cloudlet.services.kms.ciphertext import ParsedCiphertext
from cloudlet.services.kms.key_record import Key, Material, make_key_arn
from cloudlet.services.kms.key_spec import ENCRYPT, SYMMETRIC

_IGNORE_CIPHERTEXT: Final = "IGNORE_CIPHERTEXT"
EncryptionContext = dict[str, str] | None


@service.direct("Encrypt")
async def encrypt(ctx: Context, params: Params) -> FinalTransaction:
    """Encrypt in the transaction that reads the key: public keys of RSA are fast, too."""
    access.check_parameters(ctx, params)

    async def body(tx: Transaction) -> Result:
        algorithm, context = params.get("EncryptionAlgorithm") or SYMMETRIC, params.get("EncryptionContext")
        conditions = {"kms:EncryptionAlgorithm": algorithm}
        key = await access.get_key(ctx, tx, params["KeyId"], "Encrypt", conditions, context)
        _check(key, "Encrypt", algorithm, context)
        access.check_dry_run(params)
        ciphertext, _ = _encrypt(ctx, key, algorithm, params["Plaintext"], context)
        return {"CiphertextBlob": ciphertext, "KeyId": key.arn, "EncryptionAlgorithm": algorithm}

    return FinalTransaction(body)


@service.direct("Decrypt")
async def decrypt(ctx: Context, params: Params) -> Result | FinalTransaction:
    """Decrypt in the transaction that reads the key; by RSA in a thread."""
    access.check_parameters(ctx, params)
    algorithm, context = params.get("EncryptionAlgorithm") or SYMMETRIC, params.get("EncryptionContext")
    blob = _get_ciphertext(params)

    async def find(tx: Transaction) -> _Source:
        source = await _find_source(ctx, tx, params.get("KeyId"), blob, algorithm, context, "Decrypt")
        if blob is None:
            raise errors.DryRun
        return source

    def conclude(source: _Source, plaintext: bytes) -> Result:
        access.check_dry_run(params)
        shown = {"KeyId": source.key.arn, "Plaintext": plaintext, "EncryptionAlgorithm": algorithm}
        return shown if source.material is None else {**shown, "KeyMaterialId": source.material.id}

    if algorithm != SYMMETRIC:
        source = await ctx.transact(find)
        return conclude(source, await _decrypt(ctx, source, algorithm, blob or b"", context))

    async def body(tx: Transaction) -> Result:
        source = await find(tx)
        return conclude(source, _decrypt_symmetric(ctx, source, context))

    return FinalTransaction(body)


@service.direct("ReEncrypt")
async def re_encrypt(ctx: Context, params: Params) -> Result:
    """Decrypt by one key and encrypt by another."""
    access.check_parameters(ctx, params)
    algorithm = params.get("SourceEncryptionAlgorithm") or SYMMETRIC
    new_algorithm = params.get("DestinationEncryptionAlgorithm") or SYMMETRIC
    context, new_context = params.get("SourceEncryptionContext"), params.get("DestinationEncryptionContext")
    blob = _get_ciphertext(params)

    async def find(tx: Transaction) -> tuple[_Source, Key]:
        target = await access.resolve(ctx, tx, params["DestinationKeyId"], "ReEncryptTo")
        source = await _find_source(
            ctx, tx, params.get("SourceKeyId"), blob, algorithm, context, "ReEncryptFrom", target.arn
        )
        conditions = {
            "kms:EncryptionAlgorithm": new_algorithm,
            "kms:ReEncryptOnSameKey": _show(source.key.arn == target.arn),
        }
        text = params["DestinationKeyId"]
        target = await access.get_key(ctx, tx, text, "ReEncryptTo", conditions, new_context)
        _check(target, "ReEncrypt", new_algorithm, new_context)
        if blob is None:
            raise errors.DryRun
        return source, target

    source, target = await ctx.transact(find)
    plaintext = await _decrypt(ctx, source, algorithm, blob or b"", context)
    access.check_dry_run(params)
    ciphertext, material = _encrypt(ctx, target, new_algorithm, plaintext, new_context)
    return {
        "CiphertextBlob": ciphertext,
        "SourceKeyId": source.key.arn,
        "KeyId": target.arn,
        "SourceEncryptionAlgorithm": algorithm,
        "DestinationEncryptionAlgorithm": new_algorithm,
        "SourceKeyMaterialId": None if source.material is None else source.material.id,
        "DestinationKeyMaterialId": None if material is None else material.id,
    }


@service.direct("GenerateRandom")
async def generate_random(ctx: Context, params: Params) -> Result:
    access.check_parameters(ctx, params)
    access.check_account(ctx, "GenerateRandom")
    if params.get("CustomKeyStoreId"):
        raise AwsError("CustomKeyStoreNotFoundException", "Cloudlet has no custom key stores.")
    size = params.get("NumberOfBytes")
    if size is None:
        raise errors.ValidationError("NumberOfBytes is required.")
    return {"Plaintext": random_bytes(size)}


class _Source(NamedTuple):
    """The key that decrypts.

    With its material and the parts of the ciphertext where it is symmetric.
    """

    key: Key
    material: Material | None = None
    ciphertext: ParsedCiphertext | None = None


def _get_ciphertext(params: Params) -> bytes | None:
    """Return the ciphertext of a request; None for a dry run without one."""
    if _IGNORE_CIPHERTEXT in (params.get("DryRunModifiers") or ()):
        if not params.get("DryRun"):
            raise errors.ValidationError("DryRunModifiers can be specified only when DryRun is true.")
        return None
    blob: bytes | None = params.get("CiphertextBlob")
    if not blob:
        raise errors.ValidationError("CiphertextBlob is required.")
    return blob


async def _find_source(
    ctx: Context,
    tx: Transaction,
    text: str | None,
    blob: bytes | None,
    algorithm: str,
    context: EncryptionContext,
    operation: str,
    target: str = "",
) -> _Source:
    """Return the key that a request names, or that the ciphertext does.

    `target` is the ARN of the key that the plaintext is encrypted by next.
    """
    conditions = {"kms:EncryptionAlgorithm": algorithm}
    ciphertext = _parse(blob) if blob is not None and algorithm == SYMMETRIC else None
    if text is None:
        if blob is not None and algorithm == SYMMETRIC and ciphertext is None:
            raise errors.InvalidCiphertext
        if ciphertext is None:
            raise errors.ValidationError(
                "A key ID is required to decrypt with an asymmetric key or without a ciphertext."
            )
        text = (await _find_named(ctx, tx, ciphertext)).arn
    elif ciphertext is not None and text == ciphertext.header.key:
        # A key of another account may be called by its id here.
        text = make_key_arn(ciphertext.header.account, ctx.region, text)
    if target:
        resolved = await access.resolve(ctx, tx, text, operation)
        conditions["kms:ReEncryptOnSameKey"] = _show(resolved.arn == target)
    key = await access.get_key(ctx, tx, text, operation, conditions, context)
    _check(key, operation.removesuffix("From"), algorithm, context)
    if blob is None or algorithm != SYMMETRIC:
        return _Source(key)
    if ciphertext is None:
        raise errors.InvalidCiphertext
    header = ciphertext.header
    if (header.account, header.key) != (key.account, key.name) or not _is_reachable(ctx, ciphertext):
        raise errors.IncorrectKey
    material = key.find_material(header.material_id)
    if material is None:
        raise errors.InvalidCiphertext
    return _Source(key, material, ciphertext)


def _parse(blob: bytes) -> ParsedCiphertext | None:
    """Return the parts of a ciphertext, None for what no symmetric key has encrypted."""
    try:
        return ParsedCiphertext(blob)
    except errors.InvalidCiphertext:
        return None


def _is_reachable(ctx: Context, ciphertext: ParsedCiphertext) -> bool:
    """Whether the key of a ciphertext can be in the region of a call."""
    return ciphertext.header.region == ctx.region or ciphertext.header.key.startswith("mrk-")


async def _find_named(ctx: Context, tx: Transaction, ciphertext: ParsedCiphertext) -> Key:
    """Return the key that a ciphertext names. Raises AccessDeniedException where it is not here."""
    header = ciphertext.header
    found = await keys.find(tx, header.account, ctx.region, header.key) if _is_reachable(ctx, ciphertext) else None
    if found is None:
        raise errors.UnknownCiphertextKey
    return found


def _check(key: Key, operation: str, algorithm: str, context: EncryptionContext) -> None:
    use.check_usage(key, ENCRYPT, operation)
    use.check_algorithm(key, algorithm)
    use.check_context(key, context)


def _encrypt(
    ctx: Context, key: Key, algorithm: str, plaintext: bytes, context: EncryptionContext
) -> tuple[bytes, Material | None]:
    """Return a ciphertext, and the material it was made with, if the key is symmetric."""
    if algorithm != SYMMETRIC:
        return rsa_encryption.encrypt(key.public_key, key.spec, algorithm, plaintext), None
    material = materials.get_current(key)
    return materials.get_cipher(ctx.block, key, material).encrypt(plaintext, context), material


async def _decrypt(ctx: Context, source: _Source, algorithm: str, blob: bytes, context: EncryptionContext) -> bytes:
    if algorithm == SYMMETRIC:
        return _decrypt_symmetric(ctx, source, context)
    private_key = materials.get_private_key(ctx.block, source.key)
    return await run_in_worker(ctx.account, rsa_encryption.decrypt, private_key, algorithm, blob)


def _decrypt_symmetric(ctx: Context, source: _Source, context: EncryptionContext) -> bytes:
    if source.material is None or source.ciphertext is None:
        raise errors.InvalidCiphertext
    return materials.get_cipher(ctx.block, source.key, source.material).decrypt(source.ciphertext, context)


def _show(value: bool) -> str:
    return "true" if value else "false"
