"""Signatures, message authentication codes and shared secrets."""

from __future__ import annotations

import hmac
from hashlib import sha224, sha256, sha384, sha512
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDH

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.background.workers import offload_if
from cloudlet.services.kms import access, errors, key_pairs, materials, signing, use
from cloudlet.services.kms.block import service
from cloudlet.services.kms.key_record import Key
from cloudlet.services.kms.key_spec import AGREE, ENCAPSULATE, MAC, SIGN, get_spec

_DIGESTS: Final = {
    "HMAC_SHA_224": sha224,
    "HMAC_SHA_256": sha256,
    "HMAC_SHA_384": sha384,
    "HMAC_SHA_512": sha512,
}
_ENCAPSULATED_BYTES: Final = {"ML_KEM_512": 768, "ML_KEM_768": 1088, "ML_KEM_1024": 1568}


@service.direct("Sign")
async def sign(ctx: Context, params: Params) -> Result:
    """Sign, in a thread where that takes long."""
    algorithm, message = params["SigningAlgorithm"], params["Message"]
    key, message_type = await _find_signing_key(ctx, params, "Sign")
    private_key = materials.get_private_key(ctx.block, key)
    is_slow = _is_slow(key, algorithm)
    signature = await offload_if(is_slow, ctx.account, signing.sign, private_key, algorithm, message_type, message)
    return {"KeyId": key.arn, "Signature": signature, "SigningAlgorithm": algorithm}


@service.direct("Verify")
async def verify(ctx: Context, params: Params) -> Result:
    """Verify a signature by the public key. Raises KMSInvalidSignatureException."""
    algorithm, message, signature = params["SigningAlgorithm"], params["Message"], params["Signature"]
    key, message_type = await _find_signing_key(ctx, params, "Verify")
    public_key = key_pairs.load_public_key(key.public_key)
    is_slow = _is_slow(key, algorithm)
    valid = await offload_if(
        is_slow, ctx.account, signing.is_valid, public_key, algorithm, message_type, message, signature
    )
    if not valid:
        raise AwsError("KMSInvalidSignatureException", "")
    return {"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}


async def _find_signing_key(ctx: Context, params: Params, operation: str) -> tuple[Key, str]:
    """Return the key that signs and the type of the message, both checked."""
    algorithm, message_type = params["SigningAlgorithm"], params.get("MessageType") or signing.RAW
    conditions = {"kms:SigningAlgorithm": algorithm, "kms:MessageType": message_type}
    key = await _find_key(ctx, params, operation, SIGN, algorithm, conditions)
    signing.check_message(algorithm, message_type, params["Message"])
    access.check_dry_run(params)
    return key, message_type


def _is_slow(key: Key, algorithm: str) -> bool:
    return get_spec(key.spec).is_slow or algorithm == "ED25519_PH_SHA_512"


async def _find_key(
    ctx: Context, params: Params, operation: str, usage: str, algorithm: str, conditions: dict[str, str]
) -> Key:
    """Return the key that a request uses with an algorithm."""
    access.check_parameters(ctx, params)

    async def body(tx: Transaction) -> Key:
        return await _get_key(ctx, tx, params, operation, usage, algorithm, conditions)

    return await ctx.transact(body)


async def _get_key(
    ctx: Context,
    tx: Transaction,
    params: Params,
    operation: str,
    usage: str,
    algorithm: str,
    conditions: dict[str, str],
) -> Key:
    key = await access.get_key(ctx, tx, params["KeyId"], operation, conditions)
    use.check_usage(key, usage, operation)
    use.check_algorithm(key, algorithm)
    return key


@service.direct("GenerateMac")
async def generate_mac(ctx: Context, params: Params) -> FinalTransaction:
    access.check_parameters(ctx, params)

    async def body(tx: Transaction) -> Result:
        key, mac = await _compute_mac(ctx, tx, params, "GenerateMac")
        return {"Mac": mac, "MacAlgorithm": params["MacAlgorithm"], "KeyId": key.arn}

    return FinalTransaction(body)


@service.direct("VerifyMac")
async def verify_mac(ctx: Context, params: Params) -> FinalTransaction:
    access.check_parameters(ctx, params)

    async def body(tx: Transaction) -> Result:
        key, mac = await _compute_mac(ctx, tx, params, "VerifyMac")
        if not hmac.compare_digest(mac, params["Mac"]):
            raise AwsError("KMSInvalidMacException", "")
        return {"MacValid": True, "MacAlgorithm": params["MacAlgorithm"], "KeyId": key.arn}

    return FinalTransaction(body)


async def _compute_mac(ctx: Context, tx: Transaction, params: Params, operation: str) -> tuple[Key, bytes]:
    algorithm = params["MacAlgorithm"]
    key = await _get_key(ctx, tx, params, operation, MAC, algorithm, {"kms:MacAlgorithm": algorithm})
    access.check_dry_run(params)
    secret = materials.decrypt(ctx.block, key.arn, materials.get_current(key))
    return key, hmac.digest(secret, params["Message"], _DIGESTS[algorithm])


@service.direct("DeriveSharedSecret")
async def derive_shared_secret(ctx: Context, params: Params) -> Result:
    """Derive the raw secret of ECDH with another one's public key."""
    algorithm = params["KeyAgreementAlgorithm"]
    conditions = {"kms:KeyAgreementAlgorithm": algorithm}
    key = await _find_key(ctx, params, "DeriveSharedSecret", AGREE, algorithm, conditions)
    try:
        other = key_pairs.load_public_key(params["PublicKey"])
    except ValueError:
        other = None
    if other is None or not key_pairs.is_on_curve(other, key.spec):
        raise errors.ValidationError(f"PublicKey is not a DER-encoded public key of key spec {key.spec}.")
    access.check_dry_run(params)
    private_key, is_slow = materials.get_private_key(ctx.block, key), get_spec(key.spec).is_slow
    secret = await offload_if(is_slow, ctx.account, private_key.exchange, ECDH(), other)
    return {"KeyId": key.arn, "SharedSecret": secret, "KeyAgreementAlgorithm": algorithm, "KeyOrigin": key.origin}


@service.direct("Encapsulate")
async def encapsulate(ctx: Context, params: Params) -> Result:
    """Make a shared secret, and encapsulate it by a public key of ML-KEM."""
    algorithm = params["EncapsulationAlgorithm"]
    conditions = {"kms:EncapsulationAlgorithm": algorithm}
    key = await _find_key(ctx, params, "Encapsulate", ENCAPSULATE, algorithm, conditions)
    access.check_dry_run(params)
    secret, encapsulated = key_pairs.load_public_key(key.public_key).encapsulate()
    return {
        "KeyId": key.arn,
        "SharedSecret": secret,
        "SharedSecretCiphertextBlob": encapsulated,
        "EncapsulationAlgorithm": algorithm,
    }


@service.direct("Decapsulate")
async def decapsulate(ctx: Context, params: Params) -> Result:
    """Recover a shared secret; from what was altered, ML-KEM makes a random one."""
    algorithm, encapsulated = params["EncapsulationAlgorithm"], params["SharedSecretCiphertextBlob"]
    conditions = {"kms:EncapsulationAlgorithm": algorithm}
    key = await _find_key(ctx, params, "Decapsulate", ENCAPSULATE, algorithm, conditions)
    if len(encapsulated) != _ENCAPSULATED_BYTES[key.spec]:
        raise errors.InvalidCiphertext
    access.check_dry_run(params)
    secret = materials.get_private_key(ctx.block, key).decapsulate(encapsulated)
    return {"KeyId": key.arn, "SharedSecret": secret, "EncapsulationAlgorithm": algorithm}
