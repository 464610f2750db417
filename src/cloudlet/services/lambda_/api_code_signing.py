"""The operations on code signing configurations."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.lambda_ import access, errors, paging
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.code import code_signing
from cloudlet.services.lambda_.code.code_signing import CodeSigning
from cloudlet.services.lambda_.functions import directory, showing, tagging


def _shown(found: CodeSigning) -> dict[str, Any]:
    return {
        "CodeSigningConfigId": found.id,
        "CodeSigningConfigArn": found.arn,
        "Description": found.description or None,
        "AllowedPublishers": {"SigningProfileVersionArns": list(found.profiles)},
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": found.policy},
        "LastModified": showing.moment(found.modified),
    }


def _changes(params: Params) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if params.get("AllowedPublishers") is not None:
        changes["profiles"] = tuple(params["AllowedPublishers"]["SigningProfileVersionArns"])
    if (params.get("CodeSigningPolicies") or {}).get("UntrustedArtifactOnDeployment"):
        changes["policy"] = params["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"]
    if params.get("Description") is not None:
        changes["description"] = params["Description"]
    return changes


@service.operation("CreateCodeSigningConfig")
async def create_code_signing_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    made = CodeSigning(arn=code_signing.new_arn(ctx), modified=ctx.now(), **_changes(params))
    code_signing.save(tx, made)
    tags.save(tx, made.arn, tagging.checked(params.get("Tags")))
    return {"CodeSigningConfig": _shown(made)}


@service.operation("GetCodeSigningConfig")
async def get_code_signing_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"CodeSigningConfig": _shown(await _own(ctx, tx, params))}


@service.operation("UpdateCodeSigningConfig")
async def update_code_signing_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    changed = replace(await _own(ctx, tx, params), modified=ctx.now(), **_changes(params))
    code_signing.save(tx, changed)
    return {"CodeSigningConfig": _shown(changed)}


@service.operation("DeleteCodeSigningConfig")
async def delete_code_signing_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _own(ctx, tx, params)
    users = code_signing.users_of(found.arn)
    if await tx.range(users.begin, users.end, limit=1):
        raise errors.conflict(
            "The code signing configuration is used by functions, and cannot be deleted until it is removed from them."
        )
    code_signing.remove(tx, found)
    tags.save(tx, found.arn, {})
    return {}


@service.operation("ListCodeSigningConfigs")
async def list_code_signing_configs(ctx: Context, tx: Transaction, params: Params) -> Result:
    found, marker = await paging.page(
        tx,
        code_signing.of_account(ctx.account, ctx.region),
        params.get("Marker"),
        params.get("MaxItems"),
        lambda raw: _shown(code_signing.decode(raw)),
    )
    return {"CodeSigningConfigs": found, "NextMarker": marker}


@service.operation("ListFunctionsByCodeSigningConfig")
async def list_functions_by_code_signing_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    users = code_signing.users_of((await _own(ctx, tx, params)).arn)
    found, marker = await paging.page(tx, users, params.get("Marker"), params.get("MaxItems"), bytes.decode)
    return {"FunctionArns": found, "NextMarker": marker}


@service.operation("PutFunctionCodeSigningConfig")
async def put_function_code_signing_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    action, arn = "PutFunctionCodeSigningConfig", params["CodeSigningConfigArn"]
    keys = {"lambda:CodeSigningConfigArn": arn}
    function = await access.function(ctx, tx, params["FunctionName"], action, keys)
    await access.authorize_own(ctx, tx, arn, action, keys)
    found = await _own(ctx, tx, params)
    code_signing.use(tx, function.place, function.code_signing, found.arn)
    directory.save_function(tx, replace(function, code_signing=found.arn))
    return {"CodeSigningConfigArn": found.arn, "FunctionName": function.place.name}


@service.operation("GetFunctionCodeSigningConfig")
async def get_function_code_signing_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    function = await access.function(ctx, tx, params["FunctionName"], "GetFunctionCodeSigningConfig")
    if not function.code_signing:
        return {}
    return {"CodeSigningConfigArn": function.code_signing, "FunctionName": function.place.name}


@service.operation("DeleteFunctionCodeSigningConfig")
async def delete_function_code_signing_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    function = await access.function(ctx, tx, params["FunctionName"], "DeleteFunctionCodeSigningConfig")
    code_signing.use(tx, function.place, function.code_signing, "")
    directory.save_function(tx, replace(function, code_signing=""))
    return None


async def _own(ctx: Context, tx: Transaction, params: Params) -> CodeSigning:
    """Return the configuration that a request names, which is one of the account. Raises AwsError."""
    found = await code_signing.get(tx, params["CodeSigningConfigArn"])
    if found.arn.split(":")[4] != ctx.account:
        raise errors.not_found()
    return found
