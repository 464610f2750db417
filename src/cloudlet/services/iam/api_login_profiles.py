"""The operations on the passwords of users.

They are hashed between two transactions: one reads what there is, the other one checks that it is still so.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.iam import callers, errors, password_policies, passwords, sign_in
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entity_record import User
from cloudlet.services.iam.user_credential_record import LoginProfile
from cloudlet.services.iam.user_credentials import LOGIN_PROFILES

_MAX_HASHES = 24
"""The longest reuse prevention that a policy may ask for."""


@service.direct("CreateLoginProfile")
async def create_login_profile(ctx: Context, params: Params) -> Result:
    sign_in.refuse_durations(params)
    password = params.get("Password")
    if password is None:
        raise errors.validation("Password is required, but for sessions of AssumeRoot, which Cloudlet does not have.")

    async def check(tx: Transaction) -> User:
        user = await callers.get_no_root(ctx, tx, params)
        if await LOGIN_PROFILES.find(tx, ctx.account, user.key, "") is not None:
            raise errors.already_exists(f"Login Profile for user {user.name} already exists.")
        password_policies.check(await password_policies.find(tx, ctx.account), password)
        return user

    await ctx.transact(check)
    salt = passwords.make_salt()
    hashed = await passwords.hash_password(ctx.account, password, salt)

    async def create(tx: Transaction) -> Result:
        user = await check(tx)
        profile = LoginProfile(
            account=ctx.account,
            user=user.key,
            id="",
            created=ctx.now(),
            salt=salt,
            hashes=(hashed,),
            changed=ctx.now(),
            is_reset_required=params.get("PasswordResetRequired", False),
        )
        LOGIN_PROFILES.save(tx, profile)
        return _show(user, profile)

    return await ctx.transact(create)


@service.operation("GetLoginProfile")
async def get_login_profile(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await callers.get_no_root(ctx, tx, params)
    return _show(user, await _get_profile(tx, user))


@service.direct("UpdateLoginProfile")
async def update_login_profile(ctx: Context, params: Params) -> Result:
    sign_in.refuse_durations(params)
    password = params.get("Password")

    async def read(tx: Transaction) -> LoginProfile:
        return await _get_profile(tx, await callers.get_no_root(ctx, tx, params))

    hashed = None
    before = await ctx.transact(read)
    if password is not None:
        hashed = await passwords.hash_password(ctx.account, password, before.salt)

    async def update(tx: Transaction) -> Result:
        profile = await read(tx)
        if hashed is not None and password is not None:
            profile = await _set_password(ctx, tx, profile, before.salt, password, hashed)
        is_reset_required = params.get("PasswordResetRequired", profile.is_reset_required)
        LOGIN_PROFILES.save(tx, replace(profile, is_reset_required=is_reset_required))
        return {}

    return await ctx.transact(update)


@service.operation("DeleteLoginProfile")
async def delete_login_profile(ctx: Context, tx: Transaction, params: Params) -> Result:
    LOGIN_PROFILES.remove(tx, await _get_profile(tx, await callers.get_no_root(ctx, tx, params)))
    return {}


@service.direct("ChangePassword")
async def change_password(ctx: Context, params: Params) -> Result:
    if ctx.principal.kind != "user":
        raise AwsError("InvalidUserType", "Only IAM Users can change their own password")

    async def read(tx: Transaction) -> LoginProfile:
        return await _get_profile(tx, await callers.get_no_root(ctx, tx, {}))

    before = await ctx.transact(read)
    old = await passwords.hash_password(ctx.account, params["OldPassword"], before.salt)
    new = await passwords.hash_password(ctx.account, params["NewPassword"], before.salt)

    async def change(tx: Transaction) -> Result:
        profile = await read(tx)
        if not compare_digest(old, profile.hashes[0]):
            raise errors.access_denied("The old password was incorrect.")
        changed = await _set_password(ctx, tx, profile, before.salt, params["NewPassword"], new)
        LOGIN_PROFILES.save(tx, replace(changed, is_reset_required=False))
        return {}

    return await ctx.transact(change)


async def _set_password(
    ctx: Context, tx: Transaction, profile: LoginProfile, salt: bytes, password: str, hashed: bytes
) -> LoginProfile:
    """Return a profile with another password. Raises AwsError where that does not conform."""
    if profile.salt != salt:
        raise AwsError("EntityTemporarilyUnmodifiable", "The login profile is being changed. Try again.")
    policy = await password_policies.find(tx, ctx.account)
    password_policies.check(policy, password)
    prevented = (policy.reuse_prevention if policy is not None else None) or 0
    if any(compare_digest(hashed, used) for used in profile.hashes[:prevented]):
        raise password_policies.make_violation(
            "Policy constraint violation with password reuse prevention during password change"
        )
    return replace(profile, hashes=(hashed, *profile.hashes)[:_MAX_HASHES], changed=ctx.now())


async def _get_profile(tx: Transaction, user: User) -> LoginProfile:
    profile = await LOGIN_PROFILES.find(tx, user.account, user.key, "")
    if profile is None:
        raise errors.no_such_entity(f"Login Profile for User {user.name} cannot be found.")
    return profile


def _show(user: User, profile: LoginProfile) -> dict[str, Any]:
    shown = {
        "UserName": user.name,
        "CreateDate": profile.created,
        "PasswordResetRequired": profile.is_reset_required,
    }
    return {"LoginProfile": shown}
