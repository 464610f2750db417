"""Authorization: IAM's policies, and the resource policies by which parameters are shared.

User guide, "How Parameter Store authorizes parameter retrieval"; Service Authorization Reference, "Actions, resources,
and condition keys for AWS Systems Manager".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloudlet.core import Context
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.resource_policy import decide
from cloudlet.services.ssm.names import Reference, make_arn
from cloudlet.services.ssm.parameter_record import Parameter


def authorize(
    ctx: Context, action: str, reference: Reference, parameter: Parameter | None, keys: Keys | None = None
) -> None:
    """Raise unless the caller may do this to a parameter.

    `parameter` is None where there is none of that name; `keys` are condition keys of this action.
    """
    if not ctx.strict:
        return
    known = dict(keys or {})
    share = None
    if parameter is not None:
        for name, value in parameter.tags.items():
            known[f"aws:ResourceTag/{name}"] = known[f"ssm:resourceTag/{name}"] = value
        share = parameter.share
    _decide(ctx, action, reference.arn, reference.account, None if share is None else share.text, known)


def authorize_public(ctx: Context, action: str, name: str) -> None:
    """Raise unless the caller may read a public parameter, whose ARN has no account."""
    if ctx.strict:
        _decide(ctx, action, make_arn("", ctx.region, name), ctx.account, None, {})


def authorize_path(ctx: Context, path: str, *, is_recursive: bool, is_public: bool) -> None:
    """Raise unless the caller may read the parameters below a path."""
    if ctx.strict:
        keys: Keys = {"ssm:Recursive": "true" if is_recursive else "false"}
        arn = make_arn("" if is_public else ctx.account, ctx.region, path)
        _decide(ctx, "GetParametersByPath", arn, ctx.account, None, keys)


def authorize_account(ctx: Context, action: str, resource: str = "*") -> None:
    """Raise unless the caller may list parameters of an account, or change a setting."""
    if ctx.strict:
        arn = make_arn(ctx.account, ctx.region, "").removesuffix("parameter/") + resource
        _decide(ctx, action, arn, ctx.account, None, {})


def authorize_nothing(ctx: Context, action: str) -> None:
    """Raise unless the caller may do this where no name can be a parameter's."""
    if not ctx.was_decided:
        authorize_account(ctx, action)


def make_tag_keys(tags: Sequence[Mapping[str, str]]) -> Keys:
    """Return the condition keys of tags that a request has."""
    keys: Keys = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    if tags:
        keys["aws:TagKeys"] = [tag["Key"] for tag in tags]
    return keys


def _decide(ctx: Context, action: str, arn: str, account: str, policy: str | None, keys: Keys) -> None:
    decision = decide(ctx, f"ssm:{action}", arn, account, policy, keys)
    if not decision.allowed:
        raise deny(ctx, "ssm", decision)
