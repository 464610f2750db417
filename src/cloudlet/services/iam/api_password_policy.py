"""The operations on an account's password policy."""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.iam import errors, password_policies
from cloudlet.services.iam.block import service
from cloudlet.services.iam.password_policy_record import PasswordPolicy


@service.operation("UpdateAccountPasswordPolicy")
async def update_account_password_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Replace the policy: what a request does not say becomes the default."""
    policy = PasswordPolicy(
        min_characters=params.get("MinimumPasswordLength", 6),
        requires_symbols=params.get("RequireSymbols", False),
        requires_numbers=params.get("RequireNumbers", False),
        requires_uppercase=params.get("RequireUppercaseCharacters", False),
        requires_lowercase=params.get("RequireLowercaseCharacters", False),
        users_may_change=params.get("AllowUsersToChangePassword", False),
        max_age_days=params.get("MaxPasswordAge"),
        reuse_prevention=params.get("PasswordReusePrevention"),
        has_hard_expiry=params.get("HardExpiry"),
    )
    password_policies.save(tx, ctx.account, policy)
    return {}


@service.operation("GetAccountPasswordPolicy")
async def get_account_password_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    policy = await password_policies.find(tx, ctx.account)
    if policy is None:
        raise _make_missing_error(ctx)
    shown = {
        "MinimumPasswordLength": policy.min_characters,
        "RequireSymbols": policy.requires_symbols,
        "RequireNumbers": policy.requires_numbers,
        "RequireUppercaseCharacters": policy.requires_uppercase,
        "RequireLowercaseCharacters": policy.requires_lowercase,
        "AllowUsersToChangePassword": policy.users_may_change,
        "ExpirePasswords": policy.max_age_days is not None,
        "MaxPasswordAge": policy.max_age_days,
        "PasswordReusePrevention": policy.reuse_prevention,
        "HardExpiry": policy.has_hard_expiry,
    }
    return {"PasswordPolicy": shown}


@service.operation("DeleteAccountPasswordPolicy")
async def delete_account_password_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    if await password_policies.find(tx, ctx.account) is None:
        raise _make_missing_error(ctx)
    password_policies.remove(tx, ctx.account)
    return {}


def _make_missing_error(ctx: Context) -> AwsError:
    return errors.no_such_entity(f"The Password Policy with domain name {ctx.account} cannot be found.")
