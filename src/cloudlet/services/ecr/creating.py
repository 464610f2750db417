"""New repositories, by a request or by ECR itself."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.arn import Arn
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.ecr import errors, lifecycle_timers, repository, templates
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.templates import Occasion

_KMS: Final = ("KMS", "KMS_DSSE")
_MANAGED_KEY: Final = "alias/aws/ecr"


async def create(tx: Transaction, made: Repository, given_tags: dict[str, str]) -> None:
    """Write a new repository. Raises RepositoryAlreadyExists."""
    if await repository.find(tx, made.account, made.region, made.name) is not None:
        raise errors.RepositoryAlreadyExists(made.name, made.account)
    repository.save(tx, lifecycle_timers.schedule(tx, made, made.created) if made.lifecycle else made)
    tags.save(tx, repository.get_arn(made), given_tags)


async def create_by_template(
    tx: Transaction,
    account: str,
    region: str,
    name: str,
    occasion: Occasion,
    now: float,
    *,
    needs_template: bool = False,
    pulls_through: str = "",
) -> Repository | None:
    """Create a repository on an occasion, and return it.

    Return None where a template is needed, and there is none.
    """
    template = await templates.choose(tx, account, region, name, occasion)
    if template is None:
        if needs_template:
            return None
        made = Repository(account, region, name, uuid4(), now, pulls_through=pulls_through)
        await create(tx, made, {})
        return made
    made = Repository(
        account,
        region,
        name,
        uuid4(),
        now,
        template.mutability,
        template.exclusions,
        encryption=template.encryption,
        kms_key=template.kms_key,
        policy=template.policy,
        lifecycle=template.lifecycle,
        pulls_through=pulls_through,
    )
    await create(tx, made, template.tags)
    return made


async def resolve_key(ctx: Context, configuration: dict[str, Any] | None) -> tuple[str, str]:
    """Return the type of an encryption, and the ARN of its KMS key. Raises AwsError.

    KMS is asked for the key with the caller's permissions.
    """
    kind = (configuration or {}).get("encryptionType", "AES256")
    given = (configuration or {}).get("kmsKey") or ""
    if kind not in _KMS:
        if given:
            message = (
                "Invalid parameter at 'encryptionConfiguration' failed to satisfy constraint: 'kmsKey must not be "
            )
            raise errors.InvalidParameter(f"{message}given with AES256'")
        return kind, ""
    try:
        described = await ctx.call_as_caller("kms", "DescribeKey", {"KeyId": given or _MANAGED_KEY})
    except AwsError as error:
        raise errors.KmsError(error.message) from None
    key = (described or {})["KeyMetadata"]
    if not key["Enabled"] or key["KeySpec"] != "SYMMETRIC_DEFAULT":
        raise errors.KmsError(f"{key['Arn']} is not an enabled symmetric encryption key.")
    if Arn.parse(key["Arn"]).region != ctx.region:
        raise errors.KmsError(f"{key['Arn']} is not in the region {ctx.region}.")
    return kind, str(key["Arn"])
