"""Environment variables that are encrypted with a KMS key of the function's.

Who configures a function encrypts them and grants its role to decrypt them, which Lambda does when it starts one:
developer guide, "Securing Lambda environment variables". KMS is asked each time, so that who loses the key loses them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.functions.function import Place, Version
from cloudlet.services.lambda_.functions.roles import make_lambda_session

Variables = dict[str, str]

_CONTEXT: Final = "aws:lambda:FunctionArn"
_REASONS: Final = {
    "AccessDeniedException": ("KMSAccessDeniedException", "KMS access was denied"),
    "DisabledException": ("KMSDisabledException", "the KMS key used is disabled"),
    "KMSInvalidStateException": ("KMSInvalidStateException", "the KMS key is not valid for {}"),
    "NotFoundException": ("KMSNotFoundException", "the KMS key was not found"),
}
"""Errors of KMS → those of Lambda, with the reason that it gives."""
_OTHER: Final = "KMSInvalidStateException", "the KMS key is not valid for {}"
_YOURS: Final = "your environment variables because {}. Please check your KMS key settings."
_FUNCTIONS: Final = "the environment variables because {}. Please check the function's KMS key settings."


class EncryptedEnvironment(NamedTuple):
    """Variables in the configuration of a function that is to be shown."""

    place: Place
    ciphertext: bytes


async def encrypt(ctx: Context, before: Version | None, wanted: Version) -> Version:
    """Return a version with its variables as they are to be stored. Raises AwsError.

    `before` is what it was until now.
    """
    variables = wanted.environment
    has_new_key = before is None or before.kms_key != wanted.kms_key
    if isinstance(variables, bytes) and has_new_key:
        variables = await _decrypt_for_caller(ctx, wanted.place, variables)
    if not wanted.kms_key:
        return replace(wanted, environment=variables, grant="")
    if has_new_key or before is None or before.role != wanted.role:
        wanted = replace(wanted, grant=await _grant(ctx, wanted))
    if isinstance(variables, bytes) or not variables:
        return replace(wanted, environment=variables)
    params = {
        "KeyId": wanted.kms_key,
        "Plaintext": msgspec.json.encode(variables),
        "EncryptionContext": {_CONTEXT: wanted.place.arn},
    }
    answer = await _configure(ctx, "Encrypt", params)
    return replace(wanted, environment=answer["CiphertextBlob"])


async def _grant(ctx: Context, version: Version) -> str:
    """Let the role of a function decrypt its variables; return the grant's id. Raises AwsError."""
    arn = version.place.arn
    params = {
        "KeyId": version.kms_key,
        "GranteePrincipal": version.role,
        "Operations": ["Decrypt"],
        "RetiringServicePrincipal": "lambda.amazonaws.com",
        "Constraints": {"EncryptionContextEquals": {_CONTEXT: arn}},
        # The same request makes no second grant, and another function of this name has another one.
        "Name": sha256(f"{arn} {version.role} {ctx.request_id}".encode()).hexdigest(),
    }
    id: str = (await _configure(ctx, "CreateGrant", params))["GrantId"]
    return id


async def _configure(ctx: Context, operation: str, params: Params) -> dict[str, Any]:
    """Call KMS for who configures a function. Raises AwsError."""
    try:
        return dict(await ctx.call_as_caller("kms", operation, params) or {})
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        doing = "encrypt" if operation == "Encrypt" else "configure access to"
        raise errors.invalid(_describe(error, doing, _YOURS, operation)) from None


def _describe(error: AwsError, doing: str, text: str, operation: str = "Decrypt") -> str:
    _, reason = _REASONS.get(error.code, _OTHER)
    said = text.format(reason.format(operation))
    return f"Lambda was unable to {doing} {said} KMS Exception: {error.code}KMS Message: {error.message}"


async def decrypt(block: Block, version: Version) -> Variables:
    """Return the variables of a version that is to be started, decrypted by its role. Raises AwsError."""
    if isinstance(version.environment, dict):
        return version.environment
    place = version.place
    try:
        answer = await block.cloud.call(
            "kms",
            "Decrypt",
            _make_request(place, version.environment),
            principal=make_lambda_session(place, version.role),
            account=place.account,
            region=place.region,
            source_arn=place.arn,
        )
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        code, _ = _REASONS.get(error.code, _OTHER)
        raise AwsError(code, _describe(error, "decrypt", _FUNCTIONS), status=502) from None
    return _read(answer)


async def _decrypt_for_caller(ctx: Context, place: Place, ciphertext: bytes) -> Variables:
    """Return variables for who may decrypt them. Raises AwsError."""
    try:
        return _read(await ctx.call_as_caller("kms", "Decrypt", _make_request(place, ciphertext)))
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        raise errors.invalid(_describe(error, "decrypt", _YOURS)) from None


def _make_request(place: Place, ciphertext: bytes) -> Params:
    return {"CiphertextBlob": ciphertext, "EncryptionContext": {_CONTEXT: place.arn}}


def _read(answer: Result) -> Variables:
    return msgspec.json.decode((answer or {})["Plaintext"], type=Variables)


def make_revealing(
    function: Callable[[Context, Transaction, Params], Coroutine[Any, Any, Result]],
) -> Callable[[Context, Params], Coroutine[Any, Any, Result]]:
    """Make a direct operation of one that answers configurations, with their variables decrypted."""

    @wraps(function)
    async def answer(ctx: Context, params: Params) -> Result:
        return await decrypt_answer(ctx, await ctx.transact(lambda tx: function(ctx, tx, params)))

    return answer


async def decrypt_answer(ctx: Context, answer: Result) -> Result:
    """Decrypt the variables in an answer, as far as the caller may see them."""
    shown: dict[str, Any] = dict(answer or {})
    configurations = [shown, shown.get("Configuration") or {}]
    for name in ("Functions", "Versions"):
        configurations += shown.get(name) or []
    for each in configurations:
        encrypted = each.get("Environment")
        if isinstance(encrypted, EncryptedEnvironment):
            each["Environment"] = await _show(ctx, encrypted)
    return shown


async def _show(ctx: Context, encrypted: EncryptedEnvironment) -> dict[str, Any]:
    try:
        answer = await ctx.call_as_caller("kms", "Decrypt", _make_request(encrypted.place, encrypted.ciphertext))
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        return {"Error": {"ErrorCode": error.code, "Message": _describe(error, "decrypt", _YOURS)}}
    return {"Variables": _read(answer)}
