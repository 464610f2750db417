"""Keys: found by what requests call them, and written."""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from cloudlet.core import Arn, AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.services.kms import alias, errors, managed_keys
from cloudlet.services.kms.key_record import Key, make_key_arn

_KEY_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")

USES: Final = frozenset(
    {
        "Decapsulate",
        "Decrypt",
        "DeriveSharedSecret",
        "DescribeKey",
        "Encapsulate",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GetPublicKey",
        "ReEncryptFrom",
        "ReEncryptTo",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)
"""The operations that take aliases, and keys of other accounts."""
_CROSS_ACCOUNT: Final = USES | {"CreateGrant", "GetKeyRotationStatus", "ListGrants", "RetireGrant", "RevokeGrant"}

_keys = Records(Subspace("key"), Key, errors.InvalidKeyId)
get_space, find, save, remove, decode = _keys.get_space, _keys.find, _keys.save, _keys.remove, _keys.decode


async def resolve(ctx: Context, tx: Transaction, text: str, operation: str) -> Key:
    """Return the key that a request calls by its id, its ARN or an alias.

    Raises NotFoundException, InvalidArnException, or AccessDeniedException for another account's where that may not be.
    """
    account, resource = ctx.account, text
    if text.startswith("arn:"):
        account, resource = _parse_arn(ctx, text)
    elif not text.startswith("alias/"):
        resource = f"key/{text}"
    kind, _, name = resource.partition("/")
    if kind == "alias" and operation not in USES:
        raise errors.InvalidKeyId(text)
    if account != ctx.account and operation not in _CROSS_ACCOUNT:
        raise errors.OtherAccount(ctx, operation, text)
    if kind == "alias":
        return await _get_target(ctx, tx, account, resource)
    if kind != "key":
        raise errors.InvalidArn(f"Invalid arn {text}")
    if not _KEY_ID.fullmatch(name):
        raise errors.InvalidKeyId(f"'{name}'")
    found = await find(tx, account, ctx.region, name)
    if found is None:
        raise errors.KeyNotFound(make_key_arn(account, ctx.region, name))
    return found


def _parse_arn(ctx: Context, text: str) -> tuple[str, str]:
    """Return the account and resource of an ARN of KMS in the caller's region."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise errors.InvalidArn(f"Invalid arn {text}") from None
    if arn.service != "kms":
        raise errors.InvalidArn(f"Invalid arn {text}")
    if arn.region != ctx.region:
        raise AwsError("NotFoundException", f"Invalid arn {arn.region}")
    return arn.account, arn.resource


async def _get_target(ctx: Context, tx: Transaction, account: str, name: str) -> Key:
    """Return the key of an alias, which is made for an AWS service."""
    found = await alias.find(tx, account, ctx.region, name)
    if found is not None:
        target = await find(tx, account, ctx.region, found.target)
        if target is not None:
            return target
    elif account == ctx.account and managed_keys.is_predefined(name):
        return await _add_managed_key(ctx, tx, account, name)
    raise errors.AliasNotFound(alias.make_alias_arn(account, ctx.region, name))


async def _add_managed_key(ctx: Context, tx: Transaction, account: str, name: str) -> Key:
    """Create the AWS managed key of a service."""
    made = managed_keys.make(ctx, account, name)
    save(tx, made)
    managed_keys.schedule(tx, made)
    await alias.save(tx, alias.Alias(account, ctx.region, name, made.name, made.created, made.created))
    return made


async def list_related(tx: Transaction, key: Key) -> list[Key]:
    """Return the keys of other regions that a multi-Region key is related to."""
    found = [await find(tx, key.account, region, key.name) for region in key.regions if region != key.region]
    return [each for each in found if each is not None]


async def save_shared(tx: Transaction, key: Key) -> None:
    """Write a multi-Region key, and what related keys share with it."""
    save(tx, key)
    for each in await list_related(tx, key):
        shared = replace(
            each,
            regions=key.regions,
            primary_region=key.primary_region,
            rotation_days=key.rotation_days,
            next_rotation=key.next_rotation,
        )
        save(tx, shared)
