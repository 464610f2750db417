"""The operations on rotation."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Arn, AwsError, Context, Params, Result, Transaction
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.secretsmanager import (
    encryption,
    errors,
    replication,
    rotation,
    rotation_schedule,
    rotation_task,
    secret,
    values,
    version,
)
from cloudlet.services.secretsmanager.access import open_secret
from cloudlet.services.secretsmanager.block import service
from cloudlet.services.secretsmanager.secret_record import Rotation, Secret
from cloudlet.services.secretsmanager.staging import CURRENT, PENDING
from cloudlet.services.secretsmanager.version_record import Ciphertext

_UNBUILT: Final = ("ExternalSecretRotationMetadata", "ExternalSecretRotationRoleArn")


@service.direct("RotateSecret")
async def rotate_secret(ctx: Context, params: Params) -> Result:
    for name in _UNBUILT:
        if params.get(name):
            raise errors.NotBuilt(f"the parameter {name} of secrets")
    id = params.get("ClientRequestToken") or uuid4()
    is_test = params.get("RotateImmediately") is False
    rules = _clean_rules(params.get("RotationRules"))
    if rules is not None:
        rotation_schedule.validate(rules, ctx.now())
    about = await ctx.transact(lambda tx: open_secret(ctx, tx, params, "RotateSecret"))
    if params.get("RotationLambdaARN"):
        await _check_function(ctx, about, params["RotationLambdaARN"])
    copy = await _copy_current(ctx, about, id) if is_test else None

    async def body(tx: Transaction) -> tuple[Secret, bool]:
        before = await open_secret(ctx, tx, params, "RotateSecret")
        task = await rotation_task.find(tx, rotation_task.get_key(before))
        if task is not None and task.version == id:
            # The same request again.
            return before, True
        if await version.find(tx, before, id) is not None:
            raise values.TokenInUse(id, before)
        now = ctx.now()
        lambda_arn = params.get("RotationLambdaARN") or (before.rotation.lambda_arn if before.rotation else "")
        if not lambda_arn:
            raise errors.InvalidRequest("No Lambda rotation function ARN is associated with this secret.")
        if rotation.is_pending(before):
            if task is None and before.rotation is not None and before.rotation.is_enabled:
                await rotation.begin(tx, ctx.block, before, before.stages[PENDING], 0.0, is_test=False)
            return before, False
        known = before.rotation or Rotation(lambda_arn, {}, now)
        enabled = replace(known, lambda_arn=lambda_arn, is_enabled=True)
        if rules is not None:
            enabled = replace(enabled, rules=rules, anchor=now)
        rotation_task.unschedule(tx, before)
        after = rotation.reschedule(tx, replace(before, rotation=replace(enabled, opens=0.0, closes=0.0)), now)
        if copy is not None and copy[0].arn == after.arn:
            after = version.add(tx, after, id, copy[1], now, is_binary=copy[2])
        after = await rotation.begin(tx, ctx.block, after, id, 0.0, is_test=is_test)
        after = await replication.update_replicas(tx, ctx.block, replace(after, changed=now))
        secret.save(tx, after, before)
        return after, True

    rotated, has_begun = await ctx.transact(body)
    if not has_begun:
        raise errors.InvalidRequest("A previous rotation isn't complete. That rotation will be reattempted.")
    return {"ARN": rotated.arn, "Name": rotated.name, "VersionId": id}


def _clean_rules(given: Params | None) -> Params | None:
    """Return rules without members that are not given; None where there are none."""
    rules = {name: value for name, value in (given or {}).items() if value is not None}
    return rules or None


async def _check_function(ctx: Context, about: Secret, lambda_arn: str) -> None:
    """Raise AwsError unless a function is there and lets itself be invoked for a secret."""
    try:
        function = Arn.parse(lambda_arn)
    except ValueError:
        raise errors.InvalidParameter(f"Invalid rotation Lambda ARN {lambda_arn}.") from None
    if function.service != "lambda":
        raise errors.InvalidParameter(f"Invalid rotation Lambda ARN {lambda_arn}.")
    dry_run = {"FunctionName": lambda_arn, "InvocationType": "DryRun"}
    try:
        # Whoever turns rotation on needs the permission, too.
        await ctx.call_as_caller("lambda", "Invoke", dry_run)
        await ctx.call("lambda", "Invoke", dry_run, source_arn=about.arn)
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise errors.InternalServiceError(f"Lambda is not available now: {error.message}") from error
        raise errors.AccessDeniedError(
            "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants "
            "access to the principal secretsmanager.amazonaws.com."
        ) from error


async def _copy_current(ctx: Context, about: Secret, id: str) -> tuple[Secret, Ciphertext, bool] | None:
    """Return the current value, encrypted for a version that is there during a test."""
    current = about.stages.get(CURRENT)
    found = None if current is None else await ctx.transact(lambda tx: version.find(tx, about, current))
    if found is None:
        return None
    ciphertext = await ctx.transact(lambda tx: version.read_ciphertext(tx, about, found.id))
    content = await encryption.decrypt(ctx, about, found, ciphertext)
    return about, await encryption.encrypt(ctx, about, id, content), found.is_binary


@service.operation("CancelRotateSecret")
async def cancel_rotate_secret(ctx: Context, tx: Transaction, params: Params) -> Result:
    before = await open_secret(ctx, tx, params, "CancelRotateSecret")
    if before.rotation is None:
        raise errors.InvalidRequest("Rotation is not turned on for this secret.")
    await rotation_task.stop(tx, before)
    disabled = replace(before.rotation, is_enabled=False, opens=0.0, closes=0.0)
    after = replace(before, rotation=disabled, changed=ctx.now())
    secret.save(tx, after, before)
    pending = before.stages[PENDING] if rotation.is_pending(before) else None
    return {"ARN": before.arn, "Name": before.name, "VersionId": pending}
