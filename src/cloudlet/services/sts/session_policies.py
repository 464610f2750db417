"""Session policies, which narrow what a session may do. IAM User Guide, "Session policies"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cloudlet.core import Arn, AwsError, Context, Params
from cloudlet.core.aws.policy import Policy, PolicyError, Usage
from cloudlet.services.sts.errors import ValidationError

MAX_POLICY_CHARACTERS: Final = 2048
MAX_POLICY_ARNS: Final = 10


@dataclass(frozen=True, slots=True)
class SessionPolicies:
    """The documents of inline session policies, and the ARNs of managed ones."""

    documents: tuple[str, ...]
    arns: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.documents or self.arns)


async def read_session_policies(ctx: Context, params: Params, account: str) -> SessionPolicies:
    """Return the session policies of a request for a session of an account. Raises AwsError."""
    document: str = params.get("Policy") or ""
    if document:
        _check_document(document)
    arns = tuple(dict.fromkeys(each["arn"] for each in params.get("PolicyArns") or () if each.get("arn")))
    if arns:
        await _check_arns(ctx, arns, account)
    return SessionPolicies((document,) if document else (), arns)


def _check_document(document: str) -> None:
    if len(document) > MAX_POLICY_CHARACTERS:
        # The model has a limit for other operations than AssumeRole only.
        raise ValidationError(
            "1 validation error detected: Value at 'policy' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_POLICY_CHARACTERS}"
        )
    try:
        Policy.parse(document, Usage.IDENTITY)
    except PolicyError as error:
        raise AwsError("MalformedPolicyDocumentException", error.message) from error


async def _check_arns(ctx: Context, arns: tuple[str, ...], account: str) -> None:
    """Raise AwsError unless there are such managed policies, of the account or AWS's own."""
    if len(arns) > MAX_POLICY_ARNS:
        raise ValidationError(
            "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_POLICY_ARNS}"
        )
    for arn in arns:
        if not _is_policy_arn(arn, account):
            raise ValidationError(f"{arn} is invalid")
    answer = await ctx.block.call("iam", "ResolvePolicies", {"Arns": list(arns)}, account=account, region=ctx.region)
    found = (answer or {}).get("Policies") or {}
    for arn in arns:
        if arn not in found:
            raise ValidationError(f"Policy {arn} does not exist or is not attachable.")


def _is_policy_arn(text: str, account: str) -> bool:
    """Whether an ARN is that of a managed policy of an account, or of AWS."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        return False
    return arn.service == "iam" and arn.account in (account, "aws") and arn.resource.startswith("policy/")
