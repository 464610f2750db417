"""What a resource's own policy says of a call, and the condition keys that every call has.

Until IAM is there, the identity-based side admits everything: principals of the resource's account need no allowance
by its policy, but can be denied; all others need one (IAM User Guide, "Cross-account policy evaluation logic", "AWS
global condition context keys").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from cloudlet.core.aws import iso8601
from cloudlet.core.aws.arn import Arn
from cloudlet.core.aws.policy import Decision, NamedPolicy, Policies, Policy, Request, Usage, evaluate
from cloudlet.core.kernel.context import Context
from cloudlet.core.kernel.identity import Principal

Keys = dict[str, "str | Sequence[str]"]

_EVERYTHING = Policy.parse('{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}', Usage.IDENTITY)
IDENTITY = (NamedPolicy("identity", _EVERYTHING),)
"""The identity-based policies of every principal."""


@lru_cache(256)
def parse_policy(text: str) -> Policy:
    """Return a resource's policy. Raises PolicyError."""
    return Policy.parse(text, Usage.RESOURCE)


def decide(
    ctx: Context,
    action: str,
    arn: str,
    account: str,
    text: str | None,
    keys: Mapping[str, str | Sequence[str]] | None = None,
    *,
    must_allow: bool = False,
) -> Decision:
    """Return whether the caller may do this to a resource of an account; `text` is its policy, if it has one.

    `keys` are condition keys of this action, besides the global ones. `must_allow`: identity-based policies count only
    where the resource's policy delegates to the account, as with KMS keys.
    """
    request = Request(ctx.principal, action, arn, {**global_keys(ctx, account), **(keys or {})}, account)
    resource = None if text is None else NamedPolicy(arn, parse_policy(text))
    policies = Policies(identity=IDENTITY, resource=resource, resource_must_allow=must_allow)
    return evaluate(request, policies)


def source_account(ctx: Context) -> str:
    """Return the account of the resource on whose behalf a service calls; empty where there is none."""
    if not ctx.source_arn:
        return ""
    # Some ARNs, as those of buckets, name no account: then it is the one for which the service calls.
    return ctx.source_arn.split(":")[4] or ctx.principal.account


def global_keys(ctx: Context, account: str, principal: Principal | None = None) -> Keys:
    """Return the global condition keys of a call about a resource of an account.

    `principal` is who makes it, where that is not the context's.
    """
    caller = principal or ctx.principal
    keys: Keys = {
        "aws:CurrentTime": iso8601.second(int(ctx.now())),
        "aws:EpochTime": str(int(ctx.now())),
        "aws:PrincipalAccount": caller.account,
        "aws:PrincipalIsAWSService": "true" if caller.kind == "service" else "false",
        "aws:PrincipalType": _PRINCIPAL_TYPES[caller.kind],
        "aws:RequestedRegion": ctx.region,
        "aws:ResourceAccount": account,
        "aws:SecureTransport": "true" if ctx.secure else "false",
        "aws:SourceIp": ctx.source_ip,
        # Services call as themselves, or by a role that they were given.
        "aws:ViaAWSService": "false",
    }
    if caller.kind != "anonymous":
        keys |= {"aws:PrincipalArn": _arn_of(caller), "aws:userid": caller.user_id}
    if caller.kind == "user":
        keys["aws:username"] = caller.arn.rpartition("/")[2]
    if caller.kind == "service":
        keys["aws:PrincipalServiceName"] = caller.arn
    if ctx.source_arn:
        keys |= {"aws:SourceArn": ctx.source_arn, "aws:SourceAccount": source_account(ctx)}
    keys |= {key: ctx.headers[name] for name, key in _HEADERS.items() if name in ctx.headers}
    return keys


def _arn_of(caller: Principal) -> str:
    """Return the ARN of a caller; of a session that of its role, whose path it does not know."""
    if caller.kind != "assumed-role":
        return caller.arn
    arn = Arn.parse(caller.arn)
    return str(Arn(arn.partition, "iam", "", arn.account, f"role/{arn.resource.split('/')[1]}"))


_PRINCIPAL_TYPES = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
    "service": "Service",
}
_HEADERS = {"referer": "aws:Referer", "user-agent": "aws:UserAgent"}
