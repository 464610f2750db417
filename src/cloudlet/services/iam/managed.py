"""Managed policies, an account's and AWS's: how they are found, attached and used as boundaries."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec.structs import replace

from cloudlet.core import Arn, Context, Transaction
from cloudlet.services.iam import aws_policies, errors, limits, policy_uses
from cloudlet.services.iam.entities import POLICIES
from cloudlet.services.iam.entity_record import Identity, ManagedPolicy, PolicyVersion

I = TypeVar("I", bound=Identity)  # noqa: E741


async def find(tx: Transaction, account: str, arn: str) -> ManagedPolicy | None:
    """Return a policy of an account or of AWS, or None. Raises AwsError for what is no policy's ARN."""
    return await find_anywhere(tx, arn) if _parse(arn).account in ("aws", account) else None


async def find_anywhere(tx: Transaction, arn: str) -> ManagedPolicy | None:
    """Return a policy of whichever account, or None. Raises AwsError for what is no policy's ARN."""
    parts = _parse(arn)
    if parts.account == "aws":
        return aws_policies.find(arn)
    found = await POLICIES.find(tx, parts.account, parts.resource.rpartition("/")[2])
    return found if found is not None and found.arn == arn else None


async def get(tx: Transaction, account: str, arn: str) -> ManagedPolicy:
    """Return a policy of an account or of AWS. Raises AwsError where there is none."""
    found = await find(tx, account, arn)
    if found is None:
        raise errors.no_such_entity(f"Policy {arn} was not found.")
    return found


async def get_own(ctx: Context, tx: Transaction, arn: str) -> ManagedPolicy:
    """Return a policy that the account may change. Raises AwsError where there is none or it is AWS's."""
    if is_of_aws(arn):
        who = ctx.principal.arn
        raise errors.access_denied(f"User: {who} is not authorized to change the AWS managed policy {arn}")
    return await get(tx, ctx.account, arn)


def get_version(policy: ManagedPolicy, version_id: str) -> PolicyVersion:
    """Return a version of a policy. Raises AwsError where there is none."""
    for version in policy.versions:
        if version.id == version_id:
            return version
    raise errors.no_such_entity(f"Policy {policy.arn} version {version_id} does not exist or is not attachable.")


def is_of_aws(arn: str) -> bool:
    """Whether a policy is one of AWS's. Raises AwsError for what is no policy's ARN."""
    return _parse(arn).account == "aws"


def get_path(arn: str) -> str:
    """Return the path of a policy."""
    return _parse(arn).resource.removeprefix("policy").rpartition("/")[0] + "/"


def show_attached(arn: str) -> dict[str, str]:
    """Return a policy as lists of attached ones have it."""
    return {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}


async def attach(tx: Transaction, identity: I, arn: str) -> I:
    """Return a user, group or role with a policy attached; note the use. Raises AwsError."""
    policy = await find(tx, identity.account, arn)
    if policy is None:
        raise errors.no_such_entity(f"Policy {arn} does not exist or is not attachable.")
    if policy.path.startswith("/aws-service-role/"):
        raise errors.not_attachable("Cannot attach a Service Role Policy to a Customer Role.")
    if arn in identity.attached:
        return identity
    if len(identity.attached) >= limits.MAX_ATTACHED_POLICIES:
        raise errors.make_quota_error(f"PoliciesPer{identity.kind.title()}", limits.MAX_ATTACHED_POLICIES)
    policy_uses.add(tx, arn, "PermissionsPolicy", identity)
    return replace(identity, attached=(*identity.attached, arn))


def detach(tx: Transaction, identity: I, arn: str) -> I:
    """Return a user, group or role without a policy that is attached. Raises AwsError where it is not."""
    _parse(arn)
    if arn not in identity.attached:
        raise errors.no_such_entity(f"Policy {arn} was not found.")
    policy_uses.remove(tx, arn, "PermissionsPolicy", identity)
    return replace(identity, attached=tuple(each for each in identity.attached if each != arn))


async def set_boundary(tx: Transaction, identity: I, arn: str) -> I:
    """Return a user or role with a permissions boundary. Raises AwsError where there is no such policy."""
    policy = await find(tx, identity.account, arn)
    if policy is None:
        raise errors.no_such_entity(f"Scope ARN: {arn} does not exist or is not attachable.")
    if policy.path.startswith("/aws-service-role/"):
        raise errors.not_attachable(f"Policy {arn} cannot be used as a permissions boundary.")
    if identity.boundary:
        identity = remove_boundary(tx, identity)
    policy_uses.add(tx, arn, "PermissionsBoundary", identity)
    return replace(identity, boundary=arn)


def remove_boundary(tx: Transaction, identity: I) -> I:
    """Return a user or role without the permissions boundary that it has."""
    policy_uses.remove(tx, identity.boundary, "PermissionsBoundary", identity)
    return replace(identity, boundary="")


def show_boundary(identity: Identity) -> dict[str, Any]:
    """Return the member that shows a permissions boundary, where there is one."""
    if not identity.boundary:
        return {}
    shown = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": identity.boundary}
    return {"PermissionsBoundary": shown}


def _parse(arn: str) -> Arn:
    """Return the parts of a policy's ARN. Raises AwsError for anything else."""
    try:
        parts = Arn.parse(arn)
    except ValueError:
        raise errors.invalid_input(f"ARN {arn} is not valid.") from None
    if parts.service != "iam" or parts.region or not parts.resource.startswith("policy/"):
        raise errors.invalid_input(f"ARN {arn} is not valid.")
    return parts
