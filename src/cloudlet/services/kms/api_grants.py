"""The operations on grants."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.kms import access, errors, grant, key_spec, keys, paging
from cloudlet.services.kms.block import service
from cloudlet.services.kms.grant import Grant, Reference
from cloudlet.services.kms.key_record import Key, make_key_arn

_PAGE_ROWS: Final = 50
_MAX_CONTEXT_PAIRS: Final = 8
_PRINCIPAL: Final = re.compile(r"arn:[a-z-]+:(?:iam::\d{12}:(?:root|user/.+|role/.+)|sts::\d{12}:[a-z-]+/.+)")
_SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com")
_ALWAYS: Final = frozenset({"CreateGrant", "RetireGrant", "DescribeKey"})
_PAIR_OPERATIONS: Final = frozenset({"GetPublicKey"})
_OPERATIONS: Final = {
    key_spec.ENCRYPT: frozenset({"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"}),
    key_spec.SIGN: frozenset({"Sign", "Verify"}),
    key_spec.MAC: frozenset({"GenerateMac", "VerifyMac"}),
    key_spec.AGREE: frozenset({"DeriveSharedSecret"}),
    key_spec.ENCAPSULATE: frozenset({"Encapsulate", "Decapsulate"}),
}
_DATA_KEYS: Final = frozenset(
    f"GenerateDataKey{kind}" for kind in ("", "WithoutPlaintext", "Pair", "PairWithoutPlaintext")
)


@service.operation("CreateGrant")
async def create_grant(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Create a grant, or return the one that the same named request has created."""
    access.check_parameters(ctx, params)
    made = _make(ctx, params)
    key = await access.get_key(ctx, tx, params["KeyId"], "CreateGrant", _list_conditions(ctx, made), created=made)
    _check_operations(key, made)
    access.check_dry_run(params)
    made = replace(made, account=key.account, key=key.name)
    known = await grant.find_repeated(tx, made)
    if known is not None:
        made = replace(made, id=known)
    else:
        grant.save(tx, made)
    reference = Reference(made.account, made.region, made.key, made.id)
    return {"GrantId": made.id, "GrantToken": grant.make_token(ctx.block, reference)}


def _make(ctx: Context, params: Params) -> Grant:
    """Return the grant of a request, but for its key. Raises AwsError."""
    grantee, service_grantee = params.get("GranteePrincipal"), params.get("GranteeServicePrincipal")
    retiree, service_retiree = params.get("RetiringPrincipal"), params.get("RetiringServicePrincipal")
    if (grantee is None) == (service_grantee is None):
        raise errors.ValidationError(
            "You must specify either GranteePrincipal or GranteeServicePrincipal, but not both."
        )
    if retiree is not None and service_retiree is not None:
        raise errors.ValidationError("You cannot specify both RetiringPrincipal and RetiringServicePrincipal.")
    constraints = params.get("Constraints") or {}
    source_arn = constraints.get("SourceArn") or ""
    if service_grantee is not None and (not source_arn or (retiree or service_retiree) is None):
        raise errors.ValidationError(
            "GranteeServicePrincipal requires a SourceArn constraint and a retiring principal."
        )
    for principal in (grantee, retiree):
        if principal is not None and not (_PRINCIPAL.fullmatch(principal) or _SERVICE.fullmatch(principal)):
            raise errors.InvalidArn(f"ARN does not refer to a valid principal: {principal}")
    subset, equals = constraints.get("EncryptionContextSubset"), constraints.get("EncryptionContextEquals")
    if any(len(each or {}) > _MAX_CONTEXT_PAIRS for each in (subset, equals)):
        raise errors.ExceededLimit(
            f"A grant constraint can have {_MAX_CONTEXT_PAIRS} encryption context pairs at most."
        )
    name = params.get("Name") or ""
    parts = (name, grantee, service_grantee, retiree, service_retiree, sorted(params["Operations"]), subset, equals)
    return Grant(
        ctx.account,
        ctx.region,
        "",
        random_bytes(32).hex(),
        grantee or service_grantee or "",
        tuple(params["Operations"]),
        ctx.now(),
        f"arn:aws:iam::{ctx.account}:root",
        retiree or service_retiree or "",
        name,
        subset,
        equals,
        source_arn,
        service_grantee is not None,
        service_retiree is not None,
        grant.hash_request(*parts, source_arn) if name else "",
    )


def _list_conditions(ctx: Context, made: Grant) -> access.Conditions:
    """Return the condition keys of CreateGrant."""
    constraints = {
        "EncryptionContextSubset": made.context_subset,
        "EncryptionContextEquals": made.context_equals,
        "SourceArn": made.source_arn,
    }
    kinds = [kind for kind, value in constraints.items() if value]
    conditions: dict[str, str | list[str]] = {
        "kms:GrantOperations": list(made.operations),
        "kms:GranteePrincipal": made.grantee,
        "kms:GrantIsForAWSResource": "true" if ctx.principal.invoked_by else "false",
    }
    if kinds:
        conditions["kms:GrantConstraintType"] = kinds[0]
    if made.retiree:
        conditions["kms:RetiringPrincipal"] = made.retiree
    return conditions


def _check_operations(key: Key, made: Grant) -> None:
    """Raise ValidationException for operations and constraints that are none of a key's."""
    is_symmetric = key.spec == key_spec.SYMMETRIC
    allowed = _ALWAYS | _OPERATIONS[key.usage] | (_DATA_KEYS if is_symmetric else frozenset())
    if key_spec.get_spec(key.spec).is_pair:
        allowed |= _PAIR_OPERATIONS
    wrong = [each for each in made.operations if each not in allowed]
    if wrong:
        raise errors.ValidationError(f"Grants on {key.arn} do not support the operations {', '.join(wrong)}.")
    if not is_symmetric and (made.context_subset or made.context_equals):
        raise errors.ValidationError("Encryption context constraints are supported only on symmetric encryption keys.")


@service.operation("ListGrants")
async def list_grants(ctx: Context, tx: Transaction, params: Params) -> Result:
    """List the grants of a key, by id or grantee if asked."""
    key = await access.get_key(ctx, tx, params["KeyId"], "ListGrants")
    wanted_id = params.get("GrantId")
    grantee, service_grantee = params.get("GranteePrincipal"), params.get("GranteeServicePrincipal")

    def select(raw: bytes) -> Grant | None:
        found = grant.decode(raw)
        if wanted_id is not None and found.id != wanted_id:
            return None
        if grantee is not None and (found.is_grantee_service or found.grantee != grantee):
            return None
        if service_grantee is not None and not (found.is_grantee_service and found.grantee == service_grantee):
            return None
        return found

    found, following = await paging.select_rows(tx, grant.get_space(key), params, _PAGE_ROWS, select)
    return {"Grants": [_describe(each, key.arn) for each in found], **following}


@service.operation("ListRetirableGrants")
async def list_retirable_grants(ctx: Context, tx: Transaction, params: Params) -> Result:
    """List the grants that a principal may retire, of all accounts' keys in the region."""
    retiree, service_retiree = params.get("RetiringPrincipal"), params.get("RetiringServicePrincipal")
    if (retiree is None) == (service_retiree is None):
        raise errors.ValidationError(
            "You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both."
        )
    name = retiree or service_retiree or ""
    access.check_account(ctx, "ListRetirableGrants")
    if retiree is not None and f":{ctx.account}:" not in retiree:
        raise errors.AccessDenial(f"The retiring principal {retiree} is not in the account {ctx.account}.")
    space = grant.get_retirable_space(ctx.region, name)
    rows, following = await paging.list_rows(tx, space, params, _PAGE_ROWS)
    found = [await grant.find(tx, grant.decode_reference(raw)) for _, raw in rows]
    return {
        "Grants": [
            _describe(each, make_key_arn(each.account, each.region, each.key)) for each in found if each is not None
        ],
        **following,
    }


@service.operation("RetireGrant")
async def retire_grant(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Delete a grant that the caller may retire, by token or by id."""
    token, key_id, grant_id = params.get("GrantToken"), params.get("KeyId"), params.get("GrantId")
    if token is not None and key_id is None and grant_id is None:
        reference = grant.parse_token(ctx.block, token)
    elif token is None and key_id is not None and grant_id is not None:
        key = await access.resolve(ctx, tx, key_id, "RetireGrant")
        reference = Reference(key.account, key.region, key.name, grant_id)
    else:
        raise errors.ValidationError("You must specify either a grant token, or both a key ARN and a grant ID.")
    found = await grant.find(tx, reference)
    if found is None:
        access.check_account(ctx, "RetireGrant", make_key_arn(reference.account, reference.region, reference.key))
        raise AwsError("NotFoundException", f"Grant ID {reference.id} not found")
    await _check_may_retire(ctx, tx, found)
    access.check_dry_run(params)
    grant.remove(tx, found)
    return {}


async def _check_may_retire(ctx: Context, tx: Transaction, found: Grant) -> None:
    """Raise AccessDeniedException unless the caller may retire a grant: as its account, retiree or grantee."""
    names = grant.list_names(ctx.principal, ctx.region)
    is_grantee = found.grantee in names and "RetireGrant" in found.operations
    is_granted = found.retiree in names or is_grantee or ctx.principal.arn == found.issuing_account
    key = await keys.find(tx, found.account, found.region, found.key)
    if key is None:
        raise AwsError("NotFoundException", f"Grant ID {found.id} not found")
    await access.check(ctx, tx, key, "RetireGrant", is_granted=is_granted)


@service.operation("RevokeGrant")
async def revoke_grant(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = await access.get_key(ctx, tx, params["KeyId"], "RevokeGrant")
    found = await grant.find(tx, Reference(key.account, key.region, key.name, params["GrantId"]))
    if found is None:
        raise AwsError("NotFoundException", f"Grant ID {params['GrantId']} not found")
    access.check_dry_run(params)
    grant.remove(tx, found)
    return {}


def _describe(found: Grant, arn: str) -> dict[str, Any]:
    constraints = {
        "EncryptionContextSubset": found.context_subset,
        "EncryptionContextEquals": found.context_equals,
        "SourceArn": found.source_arn or None,
    }
    return {
        "KeyId": arn,
        "GrantId": found.id,
        "Name": found.name or None,
        "CreationDate": found.created,
        "GranteeServicePrincipal" if found.is_grantee_service else "GranteePrincipal": found.grantee,
        "RetiringServicePrincipal" if found.is_retiree_service else "RetiringPrincipal": found.retiree or None,
        "IssuingAccount": found.issuing_account,
        "Operations": list(found.operations),
        "Constraints": constraints if any(constraints.values()) else None,
    }
