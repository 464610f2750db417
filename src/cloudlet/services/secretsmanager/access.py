"""Permissions of callers on secrets: identity-based policies and the secret's own, where they are enforced.

Service Authorization Reference, "Actions, resources, and condition keys for AWS Secrets Manager".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.resource_policy import decide
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.secretsmanager import errors, secret
from cloudlet.services.secretsmanager.secret_record import Secret

Keys = dict[str, "str | list[str]"]

_FROM_PARAMETERS: Final = (
    "BlockPublicPolicy",
    "Description",
    "ForceDeleteWithoutRecovery",
    "ForceOverwriteReplicaSecret",
    "KmsKeyId",
    "Name",
    "RecoveryWindowInDays",
    "RotateImmediately",
    "RotationLambdaARN",
    "VersionId",
    "VersionStage",
)
"""The parameters that condition keys are named for."""
_CHANGING_VALUES: Final = frozenset(("DeleteSecret", "PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage"))
"""The actions that are left to the service that manages a secret, if one does."""


async def open_secret(
    ctx: Context,
    tx: Transaction,
    params: Params,
    action: str,
    *,
    admits_deleted: bool = False,
    admits_replica: bool = False,
) -> Secret:
    """Return the secret that a request is about, after all checks. Raises AwsError."""
    try:
        found = await secret.get(ctx, tx, params["SecretId"])
    except AwsError:
        # That it is not there is told to those alone who may do this to it.
        authorize_name(ctx, action, params["SecretId"], params)
        raise
    authorize(ctx, found, action, params)
    if found.deleted and not admits_deleted:
        raise errors.MarkedForDeletion
    if found.primary_region and not admits_replica:
        raise errors.ReplicaIsReadOnly
    if action in _CHANGING_VALUES and found.owner and get_service(ctx) != found.owner:
        raise errors.InvalidRequest(
            f"You can't perform this operation on the secret because it is managed by {found.owner}."
        )
    return found


def authorize(ctx: Context, about: Secret, action: str, params: Params, tags: Mapping[str, str] | None = None) -> None:
    """Raise AwsError unless the caller may do this to a secret.

    `tags` are those that it gets.
    """
    if not ctx.strict or (about.owner and get_service(ctx) == about.owner):
        return
    keys = {**_make_secret_keys(about, about.tags if tags is None else tags), **_make_keys(params)}
    _decide(ctx, action, about.arn, about.account, about.policy or None, keys)


def authorize_account(ctx: Context, action: str, params: Params) -> None:
    """Raise AwsError unless the caller may do what is about no secret that there is."""
    if not ctx.strict or ctx.principal.kind == "service":
        return
    _decide(ctx, action, "*", ctx.account, None, _make_keys(params))


def authorize_name(ctx: Context, action: str, name: str, params: Params) -> None:
    """Raise AwsError unless the caller may do this to a secret that is missing."""
    if not ctx.strict or ctx.principal.kind == "service":
        return
    arn, account = name, ctx.account
    if name.startswith("arn:"):
        account = name.split(":", 5)[4] if name.count(":") > 4 else account
    else:
        arn = f"arn:{partition_of(ctx.region)}:secretsmanager:{ctx.region}:{account}:secret:{name}-??????"
    _decide(ctx, action, arn, account, None, _make_keys(params))


def _decide(ctx: Context, action: str, arn: str, account: str, policy: str | None, keys: Keys) -> None:
    decision = decide(ctx, f"secretsmanager:{action}", arn, account, policy, keys)
    if not decision.allowed:
        raise deny(ctx, "secretsmanager", decision)


def get_service(ctx: Context) -> str:
    """Return the service that calls as itself, as OwningService has it; empty for other callers."""
    return ctx.principal.arn.partition(".")[0] if ctx.principal.kind == "service" else ""


def _make_secret_keys(about: Secret, tags: Mapping[str, str]) -> Keys:
    keys: Keys = {
        "secretsmanager:SecretId": about.arn,
        "secretsmanager:SecretPrimaryRegion": about.primary_region or about.region,
    }
    if about.rotation is not None:
        keys["secretsmanager:resource/AllowRotationLambdaArn"] = about.rotation.lambda_arn
    for key, value in tags.items():
        keys[f"aws:ResourceTag/{key}"] = keys[f"secretsmanager:ResourceTag/{key}"] = value
    return keys


def _make_keys(params: Params) -> Keys:
    """Return the condition keys of a request."""
    keys: Keys = {}
    for name in _FROM_PARAMETERS:
        value = params.get(name)
        if value is not None:
            keys[f"secretsmanager:{name}"] = _write(value)
    if params.get("RotationRules"):
        keys["secretsmanager:ModifyRotationRules"] = "true"
    if params.get("AddReplicaRegions"):
        keys["secretsmanager:AddReplicaRegions"] = [each.get("Region") or "" for each in params["AddReplicaRegions"]]
    if params.get("Tags"):
        tags = {tag.get("Key") or "": tag.get("Value") or "" for tag in params["Tags"]}
        keys |= {f"aws:RequestTag/{name}": value for name, value in tags.items()}
        keys["aws:TagKeys"] = list(tags)
    if params.get("TagKeys"):
        keys["aws:TagKeys"] = list(params["TagKeys"])
    return keys


def _write(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
