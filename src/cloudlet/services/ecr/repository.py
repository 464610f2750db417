"""Repositories in the store, and as the API shows them."""

from __future__ import annotations

import re
from typing import Any, Final

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.records import Records
from cloudlet.core.kernel.origins import is_loopback_name
from cloudlet.services.ecr import errors, public_registry
from cloudlet.services.ecr.repository_record import Repository

MAX_NAME_CHARACTERS: Final = 256
NAME: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII)
_records: Final = Records(Subspace("repository"), Repository, lambda name: errors.RepositoryNotFound(name, ""))
find, save, remove, decode, get_space = (
    _records.find,
    _records.save,
    _records.remove,
    _records.decode,
    _records.get_space,
)
_HOST: Final = re.compile(r"(?:https?://)?(?P<host>[^/]+)")


def is_name(text: str) -> bool:
    """Whether a repository may have a name."""
    return 2 <= len(text) <= MAX_NAME_CHARACTERS and NAME.fullmatch(text) is not None


async def get(tx: Transaction, account: str, region: str, name: str) -> Repository:
    """Return a repository. Raises RepositoryNotFound."""
    found = await find(tx, account, region, name)
    if found is None:
        raise errors.RepositoryNotFound(name, account)
    return found


def make_arn(account: str, region: str, name: str) -> str:
    """Return the ARN of a repository."""
    if region == public_registry.REGION:
        return f"arn:aws:ecr-public::{account}:repository/{name}"
    return f"arn:{partition_of(region)}:ecr:{region}:{account}:repository/{name}"


def get_arn(repository: Repository) -> str:
    """Return the ARN of a repository that is there."""
    return make_arn(repository.account, repository.region, repository.name)


def make_registry_name(account: str, region: str) -> str:
    """Return the name of a registry's host on AWS.

    That of a public one has its alias, too.
    """
    if region == public_registry.REGION:
        return f"{public_registry.HOST}/{public_registry.make_alias(account)}"
    suffix = "amazonaws.com.cn" if partition_of(region) == "aws-cn" else "amazonaws.com"
    return f"{account}.dkr.ecr.{region}.{suffix}"


def make_registry_address(ctx: Context, account: str) -> str:
    """Return where clients push to.

    That is AWS's name where it leads here, else that name below the address that was asked.
    """
    name = make_registry_name(account, ctx.region)
    match = _HOST.match(ctx.endpoint)
    host = "" if match is None else match["host"]
    bare = host.rsplit(":", 1)[0]
    if bare.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")) and not is_loopback_name(bare):
        return name
    return f"{host}/{name}"


def to_api(ctx: Context, repository: Repository) -> dict[str, Any]:
    """Return a repository as the API shows it."""
    shown = {
        "repositoryArn": get_arn(repository),
        "registryId": repository.account,
        "repositoryName": repository.name,
        "repositoryUri": f"{make_registry_address(ctx, repository.account)}/{repository.name}",
        "createdAt": repository.created,
    }
    if repository.is_public:
        return shown
    return {
        **shown,
        **show_mutability(repository),
        "imageScanningConfiguration": {"scanOnPush": repository.scans_on_push},
        "encryptionConfiguration": show_encryption(repository),
    }


def show_mutability(repository: Repository) -> dict[str, Any]:
    """Return the mutability of a repository's tags as the API shows it."""
    shown: dict[str, Any] = {"imageTagMutability": repository.mutability}
    if repository.exclusions:
        shown["imageTagMutabilityExclusionFilters"] = [
            {"filterType": "WILDCARD", "filter": each} for each in repository.exclusions
        ]
    return shown


def show_encryption(repository: Repository) -> dict[str, str]:
    """Return the encryption of a repository as the API shows it."""
    shown = {"encryptionType": repository.encryption}
    if repository.kms_key:
        shown["kmsKey"] = repository.kms_key
    return shown
