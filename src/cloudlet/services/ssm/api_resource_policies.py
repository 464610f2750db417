"""The operations on resource policies, by which parameters are shared with other accounts.

User guide, "Working with shared parameters in Parameter Store".
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.resource_policy import parse_policy
from cloudlet.core.aws.policy import PolicyError
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.ssm import access, encryption, names, parameters
from cloudlet.services.ssm.block import service
from cloudlet.services.ssm.errors import ParameterNotFound, ValidationError
from cloudlet.services.ssm.parameter_record import ADVANCED, Parameter, Share

_MAX_POLICY_BYTES: Final = 1024


@service.operation("PutResourcePolicy")
async def put_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Create the policy of a parameter, or replace the one that is named."""
    found = await _get(ctx, tx, "PutResourcePolicy", params)
    _check_can_be_shared(found)
    text = params["Policy"]
    if len(text.encode()) > _MAX_POLICY_BYTES:
        raise _PolicyLimit(f"A policy can't be greater than {_MAX_POLICY_BYTES} bytes in size.", _MAX_POLICY_BYTES)
    try:
        parse_policy(text)
    except PolicyError as error:
        raise AwsError("MalformedResourcePolicyDocumentException", f"The policy is invalid: {error}") from None
    if params.get("PolicyId") or params.get("PolicyHash"):
        id = _check_current(found, params).id
    elif found.share is not None:
        raise _PolicyLimit("A parameter can have one policy only.", 1)
    else:
        id = uuid4()
    share = Share(id, sha256(text.encode()).hexdigest(), text)
    parameters.save(tx, replace(found, share=share))
    return {"PolicyId": share.id, "PolicyHash": share.hash}


@service.operation("GetResourcePolicies")
async def get_resource_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get(ctx, tx, "GetResourcePolicies", params)
    if params.get("NextToken"):
        raise _InvalidParameter("NextToken", "The specified token isn't valid.")
    share = found.share
    shown = [] if share is None else [{"PolicyId": share.id, "PolicyHash": share.hash, "Policy": share.text}]
    return {"Policies": shown}


@service.operation("DeleteResourcePolicy")
async def delete_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get(ctx, tx, "DeleteResourcePolicy", params)
    _check_current(found, params)
    parameters.save(tx, replace(found, share=None))
    return {}


async def _get(ctx: Context, tx: Transaction, action: str, params: Params) -> Parameter:
    """Return the caller's own parameter that a request is about. Raises AwsError."""
    message = "The ARN is not one of a parameter in this account and Region."
    try:
        reference = names.parse_reference(ctx, params["ResourceArn"])
    except (ValidationError, ParameterNotFound):
        raise _InvalidParameter("ResourceArn", message) from None
    if reference.account != ctx.account or reference.selector:
        raise _InvalidParameter("ResourceArn", message)
    found = await parameters.find(tx, ctx.account, ctx.region, reference.name)
    access.authorize(ctx, action, reference, found)
    if found is None:
        raise AwsError("ResourceNotFoundException", "The specified parameter to be shared could not be found.")
    return found


def _check_can_be_shared(parameter: Parameter) -> None:
    """Raise AwsError where a parameter cannot be shared."""
    if parameter.latest.tier != ADVANCED:
        raise _InvalidParameter("ResourceArn", "To share a parameter, it must be in the advanced parameter tier.")
    if parameter.latest.key_id == encryption.DEFAULT_KEY:
        message = "To share a SecureString parameter, it must be encrypted with a customer managed key."
        raise _InvalidParameter("ResourceArn", message)


def _check_current(parameter: Parameter, params: dict[str, Any]) -> Share:
    """Return the policy of a parameter, if it is the one that a request means. Raises AwsError."""
    if not params.get("PolicyId") or not params.get("PolicyHash"):
        raise _InvalidParameter("PolicyHash", "PolicyId and PolicyHash must be given together.")
    share = parameter.share
    if share is None or share.id != params["PolicyId"]:
        message = "No policies with the specified policy ID and hash could be found."
        raise AwsError("ResourcePolicyNotFoundException", message)
    if share.hash != params["PolicyHash"]:
        message = "The hash provided in the call doesn't match the stored hash."
        raise AwsError("ResourcePolicyConflictException", message)
    return share


class _InvalidParameter(AwsError):
    """A parameter of a request that is wrong."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__("ResourcePolicyInvalidParameterException", message, ParameterNames=[name])


class _PolicyLimit(AwsError):
    """A policy that is too large, or one too many."""

    def __init__(self, message: str, limit: int) -> None:
        super().__init__("ResourcePolicyLimitExceededException", message, Limit=limit)
