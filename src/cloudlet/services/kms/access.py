"""Permission to use a key, by its policy or by a grant.

Developer guide, "KMS key access and permissions".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.resource_policy import decide
from cloudlet.core.aws.policy import Reason
from cloudlet.services.kms import alias, errors, grant, keys, managed_keys
from cloudlet.services.kms.grant import Grant
from cloudlet.services.kms.key_record import AWS, Key, make_key_arn
from cloudlet.services.kms.key_state import check_state

_NAMED_BY_POLICIES: Final = frozenset(
    ("cloudtrail.amazonaws.com", "dnssec-route53.amazonaws.com", "logs.amazonaws.com")
)
"""Services that, by their user guides, use keys only where key policies name them."""
Conditions = Mapping[str, "str | Sequence[str]"]
"""Condition keys of one operation, besides those that all of them have."""


async def get_key(
    ctx: Context,
    tx: Transaction,
    text: str,
    operation: str,
    conditions: Conditions | None = None,
    context: dict[str, str] | None = None,
    created: Grant | None = None,
) -> Key:
    """Return a key that the caller may use, and whose state admits it. Raises AwsError.

    `text` is what the request calls it, `context` the encryption context, `created` a grant that is to be created.
    """
    key = await resolve(ctx, tx, text, operation)
    await check(ctx, tx, key, operation, conditions, context, text, created)
    check_state(key, operation)
    return key


async def resolve(ctx: Context, tx: Transaction, text: str, operation: str) -> Key:
    """Return the key that a request calls so. Raises AwsError.

    Where there is none, that is told to those alone who may do this to any key of this name.
    """
    try:
        return await keys.resolve(ctx, tx, text, operation)
    except AwsError:
        if text.startswith("arn:"):
            check_account(ctx, operation, text)
        else:
            check_account(ctx, operation, "*" if "/" in text else make_key_arn(ctx.account, ctx.region, text))
        raise


async def check(
    ctx: Context,
    tx: Transaction,
    key: Key,
    operation: str,
    conditions: Conditions | None = None,
    context: dict[str, str] | None = None,
    text: str = "",
    created: Grant | None = None,
    *,
    is_granted: bool = False,
) -> None:
    """Raise AccessDeniedException unless the caller may do something to a key.

    `is_granted`: a grant lets it do this, as far as no policy denies it.
    """
    if key.manager == AWS and operation not in managed_keys.OPERATIONS:
        raise errors.ManagedKeyDenial(ctx, operation, key.arn)
    if not ctx.strict or is_own_service(ctx, key):
        return
    decision = decide(
        ctx,
        f"kms:{operation}",
        key.arn,
        key.account,
        key.policy,
        {**await _list_conditions(ctx, tx, key, context, text), **(conditions or {})},
        must_allow=True,
    )
    if decision.allowed:
        return
    is_denied = decision.reason is Reason.EXPLICIT_DENY
    if is_denied or not (is_granted or await grant.is_allowed(ctx, tx, key, operation, context, created)):
        raise deny(ctx, "kms", decision)


def is_own_service(ctx: Context, key: Key) -> bool:
    """Whether a service that a key's policy need not name calls for the key's account.

    One that has sent something to another service, which encrypts, needs the key's policy (SQS Developer Guide,
    "Configure KMS permissions for AWS services").
    """
    caller = ctx.principal
    if caller.kind != "service" or caller.invoked_by or caller.arn in _NAMED_BY_POLICIES:
        return False
    return caller.account == key.account


def check_account(ctx: Context, operation: str, resource: str = "*", conditions: Conditions | None = None) -> None:
    """Raise AccessDeniedException unless the caller may do what is about no key."""
    if not ctx.strict or ctx.principal.kind == "service":
        return
    decision = decide(
        ctx, f"kms:{operation}", resource, ctx.account, None, {**_get_caller_keys(ctx), **(conditions or {})}
    )
    if not decision.allowed:
        raise deny(ctx, "kms", decision)


def check_parameters(ctx: Context, params: Params) -> None:
    """Raise AwsError for grant tokens that are none, and for attestation documents."""
    for token in params.get("GrantTokens") or ():
        grant.parse_token(ctx.block, token)
    if params.get("Recipient"):
        raise errors.UnsupportedOperation("Cloudlet does not support Recipient: it has no Nitro enclaves.")


def check_dry_run(params: Params) -> None:
    """Raise DryRunOperationException where a request is a dry run that would succeed until now."""
    if params.get("DryRun"):
        raise errors.DryRun


def _get_caller_keys(ctx: Context) -> Keys:
    """Return the condition keys about who calls, and through which service."""
    principal = ctx.principal
    found: Keys = {} if principal.kind == "service" else {"kms:CallerAccount": principal.account}
    if principal.is_forwarded:
        service = principal.invoked_by.partition(".")[0]
        found["kms:ViaService"] = f"{service}.{ctx.region}.amazonaws.com"
    return found


async def _list_conditions(ctx: Context, tx: Transaction, key: Key, context: dict[str, str] | None, text: str) -> Keys:
    """Return the condition keys that operations on keys have in common."""
    found: Keys = {
        **_get_caller_keys(ctx),
        "kms:KeySpec": key.spec,
        "kms:KeyUsage": key.usage,
        "kms:KeyOrigin": key.origin,
        "kms:MultiRegion": "true" if key.regions else "false",
        **{f"aws:ResourceTag/{name}": value for name, value in key.tags.items()},
    }
    if key.regions:
        found["kms:MultiRegionKeyType"] = "REPLICA" if key.is_replica else "PRIMARY"
    if context:
        found |= {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
        found["kms:EncryptionContextKeys"] = list(context)
    name = text.rpartition(":")[2]
    if name.startswith("alias/"):
        found["kms:RequestAlias"] = name
    aliases = await alias.list_names(tx, key.account, key.region, key.name)
    if aliases:
        found["kms:ResourceAliases"] = aliases
    return found
