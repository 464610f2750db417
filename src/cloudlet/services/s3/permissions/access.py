"""Who may do what with a bucket and its objects: policies, access control lists, blocked public access.

Enforced where permissions are (`--auth strict`). Users and roles of the bucket's account need an identity-based policy
or the bucket's policy; those of another account need both sides: their own policies, and the bucket's policy or an
access control list. An account's root may do all that is not denied, but with objects that others own. Who belongs to
no account needs the policy or a list. Services that call on behalf of a caller have that caller's permissions, those
that act on their own (with a source ARN) need the policy.

S3 user guide, "How Amazon S3 authorizes a request", "Access control list (ACL) overview" ("Mapping of ACL permissions
and access policy permissions"), "Blocking public access", "Using Requester Pays general purpose buckets".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.authorization.resource_policy import combine, parse_policy
from cloudlet.core.aws.policy import Decision, NamedPolicy, Reason, Request, evaluate
from cloudlet.core.aws.policy.principals import ACCOUNT_KINDS
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets import cors
from cloudlet.services.s3.buckets.bucket import configuration, get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data.object_keys import check_key
from cloudlet.services.s3.permissions import abac, acl, bucket_policy, condition_keys
from cloudlet.services.s3.permissions.canonical_users import canonical_id

if TYPE_CHECKING:
    from cloudlet.services.s3.permissions.acl import Acl

LOGGING: Final = "logging.s3.amazonaws.com"
"""The service that delivers access logs."""

_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_BUCKET_PERMISSIONS: Final = {
    "s3:ListBucket": "READ",
    "s3:ListBucketVersions": "READ",
    "s3:ListBucketMultipartUploads": "READ",
    "s3:PutObject": "WRITE",
    "s3:GetBucketAcl": "READ_ACP",
    "s3:PutBucketAcl": "WRITE_ACP",
}
_OBJECT_PERMISSIONS: Final = {
    "s3:GetObject": "READ",
    "s3:GetObjectVersion": "READ",
    "s3:GetObjectAttributes": "READ",
    "s3:GetObjectVersionAttributes": "READ",
    "s3:GetObjectAcl": "READ_ACP",
    "s3:GetObjectVersionAcl": "READ_ACP",
    "s3:PutObjectAcl": "WRITE_ACP",
    "s3:PutObjectVersionAcl": "WRITE_ACP",
}
"""What the owner of an object decides, not the owner of the bucket it is in, and the permission for it."""
_DELETIONS: Final = frozenset(("s3:DeleteObject",))


class _Denial(NamedTuple):
    """What a caller is told who may not; whether something denies it, rather than that nothing allows it."""

    error: AwsError
    explicit: bool


class Version(Protocol):
    """What is looked at of an object's record."""

    @property
    def acl(self) -> Acl | None: ...

    @property
    def tags(self) -> Mapping[str, str] | None: ...


class _Written(NamedTuple):
    """An object that is being written."""

    acl: Acl | None = None
    tags: Mapping[str, str] | None = None


_WRITTEN: Final = _Written()


async def authorize(
    ctx: Context,
    tx: Transaction,
    bucket: Bucket,
    action: str,
    *,
    key: str | None = None,
    version: Version | None = None,
    params: Params | None = None,
    conditions: Mapping[str, str] | None = None,
    is_initiator: bool = False,
) -> None:
    """Raise unless the caller may do this to the bucket, or to the object `key` in it, and that can be a key.

    `version` is the object's record, where there is one; `params` are the operation's, for ExpectedBucketOwner;
    `conditions` are further condition keys of this action; `is_initiator`: the caller has begun the multipart upload
    which this is about, so that he may go on with it unless that is denied.
    """
    if "cors" in bucket.kinds:
        await cors.answer(ctx, tx, bucket)
    if key is not None:
        check_key(key)
    if params is not None:
        check_expected_owner(bucket, params.get("ExpectedBucketOwner"))
    if bucket.requester_pays:
        _charge(ctx, bucket, params or {})
    if not ctx.strict:
        return
    ctx.was_decided = True
    principal = ctx.principal
    is_root = principal.kind == "root" and ctx.permissions.is_unlimited
    if is_root and principal.account == bucket.account and _is_the_owners(bucket, version):
        return
    denial = await _denial(ctx, tx, principal, bucket, action, key, version, params, conditions)
    if denial is not None and (denial.explicit or not is_initiator):
        raise denial.error


def authorize_account(ctx: Context, action: str, params: Params, resource: str = "*") -> None:
    """Raise unless the caller may do what is about no bucket that is there."""
    if ctx.principal.kind == "anonymous":
        raise errors.access_denied()
    if not ctx.strict:
        return
    ctx.was_decided = True
    permissions = ctx.permissions
    keys = {}
    if not permissions.ignores_parameters(action):
        keys = condition_keys.of(ctx, ctx.account, ctx.principal, action, None, params)
    if not permissions.allows(ctx, action, resource, ctx.account, keys):
        raise _refuse(ctx, permissions.decide(ctx, action, resource, ctx.account, keys))


def note_exemption(ctx: Context) -> None:
    """Note that the caller needs no permission for what he does."""
    ctx.was_decided = True


async def authorize_grants(
    ctx: Context, tx: Transaction, bucket: Bucket, key: str, granted: Acl | None, params: Params
) -> None:
    """Raise unless who may write an object may also name its ACL.

    API reference, "PutObject": users and roles need `s3:PutObjectAcl` for every ACL. Bucket policies of
    the user guide that demand `bucket-owner-full-control`, and that AWS's services ask for, allow `s3:PutObject` alone.
    Who may write by the bucket's ACL owns the object, and may do as well.
    """
    if not ctx.strict:
        return
    principal = ctx.principal
    if granted is None or _is_for_owners(bucket, granted):
        if ctx.permissions.is_unlimited or principal.kind not in ACCOUNT_KINDS:
            return
        if principal.account != bucket.account:
            _check_own(ctx, bucket, key, params)
            return
    denial = await _denial(ctx, tx, principal, bucket, "s3:PutObjectAcl", key, _WRITTEN, params, None)
    if denial is None:
        return
    if denial.explicit or principal.account == bucket.account:
        raise denial.error
    if principal.kind != "service" and not _is_granted(ctx, principal, bucket, "s3:PutObject", key, None, {}):
        raise denial.error


def _is_for_owners(bucket: Bucket, granted: Acl) -> bool:
    """Whether a list grants to none but the owners of object and bucket."""
    return {grant.grantee for grant in granted.grants} <= {canonical_id(granted.owner), canonical_id(bucket.account)}


def _check_own(ctx: Context, bucket: Bucket, key: str, params: Params) -> None:
    """Raise unless the caller's own policies let him name an ACL elsewhere."""
    keys = condition_keys.of(ctx, bucket.account, ctx.principal, "s3:PutObjectAcl", None, params)
    if not _is_allowed_at_home(ctx, ctx.principal, "s3:PutObjectAcl", f"{bucket.arn}/{key}", keys):
        raise errors.access_denied()


def _is_the_owners(bucket: Bucket, version: Version | None) -> bool:
    """Whether nothing could keep the bucket's owner from it: no policy, and no object of somebody else's."""
    return "policy" not in bucket.kinds and (version is None or version.acl is None)


async def _denial(
    ctx: Context,
    tx: Transaction,
    principal: Principal,
    bucket: Bucket,
    action: str,
    key: str | None,
    version: Version | None,
    params: Params | None,
    conditions: Mapping[str, str] | None,
) -> _Denial | None:
    """Return why the caller may not do this, None where he may."""
    text = await configuration(tx, bucket, "policy") if "policy" in bucket.kinds else None
    policy = None if text is None else parse_policy(text)
    arn = bucket.arn if key is None else f"{bucket.arn}/{key}"
    is_own = principal.account == bucket.account
    if (
        policy is None
        and is_own
        and principal.kind in ACCOUNT_KINDS
        and not _is_anothers(bucket, action, version)
        and ctx.permissions.ignores_parameters(action)
        # What is said here is remembered.
        and ctx.permissions.allows(ctx, action, arn, bucket.account)
    ):
        return None
    tags = None if version is None else version.tags
    keys: Keys = {**condition_keys.of(ctx, bucket.account, principal, action, tags, params), **(conditions or {})}
    keys |= condition_keys.of_bucket_tags(await abac.tags_of(tx, bucket))
    resource = None if policy is None else NamedPolicy(bucket.arn, policy)
    decision = evaluate(_make_request(principal, action, arn, keys, bucket.account), combine(ctx, resource))
    if decision.reason is not Reason.EXPLICIT_DENY:
        is_stranger = not is_own and principal.kind != "service"
        restricted = bucket.public_access is not None and bucket.public_access.restrict_public_buckets
        hidden = is_stranger and restricted and policy is not None and bucket_policy.is_public(policy)
        if decision.allowed and not hidden and not _is_anothers(bucket, action, version):
            return None
        if _is_granted(ctx, principal, bucket, action, key, version, keys):
            return None
        if version is None and action in _OBJECT_PERMISSIONS and not decision.allowed:
            # What is not there is nobody's. Whoever may list the bucket is told so.
            named = {"s3:prefix": key or ""}
            if await _denial(ctx, tx, principal, bucket, "s3:ListBucket", None, None, None, named) is None:
                return None
    error = _refuse(ctx, decision) if is_own and not decision.allowed else errors.access_denied()
    return _Denial(error, decision.reason is Reason.EXPLICIT_DENY)


def _make_request(principal: Principal, action: str, arn: str, keys: Keys, owner: str) -> Request:
    session = principal.session
    issuer = session.issuer if principal.kind == "federated-user" and session is not None else ""
    user = canonical_id(principal.account) if principal.account.isdecimal() else ""
    return Request(principal, action, arn, keys, owner, issuer, canonical_user=user)


def _refuse(ctx: Context, decision: Decision) -> AwsError:
    """Return the error of what policies do not allow, as S3 words it.

    User guide, "Troubleshoot access denied (403 Forbidden) errors": within an account it says why.
    """
    ctx.block.cloud.denials.add(ctx.request_id, decision)
    resource = f" on resource: {decision.request.resource}"
    quoted = "" if decision.request.resource == "*" else f' on resource: "{decision.request.resource}"'
    return errors.access_denied(decision.message.replace(resource, quoted, 1))


def _is_anothers(bucket: Bucket, action: str, version: Version | None) -> bool:
    """Whether this is for somebody else than the bucket's owner to allow: the owner of the object."""
    if version is None or action not in _OBJECT_PERMISSIONS:
        return False
    return acl.object_owner(bucket, version.acl) != bucket.account


def _is_granted(
    ctx: Context,
    principal: Principal,
    bucket: Bucket,
    action: str,
    key: str | None,
    version: Version | None,
    keys: Keys,
) -> bool:
    """Whether an access control list allows it.

    What it grants to an account its users have only by policies of their own; so it is with groups, unless the list is
    their account's (user guide, "How Amazon S3 authorizes a request", on the user context).
    """
    groups = _list_groups(principal, bucket)
    if principal.kind not in ACCOUNT_KINDS:
        return _is_listed(groups, principal, bucket, action, version)
    owner = bucket.account
    if version is not None and action not in _DELETIONS:
        owner = acl.object_owner(bucket, version.acl)
    if principal.account == owner and _is_listed(groups, None, bucket, action, version):
        return True
    names = [canonical_id(principal.account), *groups]
    if not _is_listed(names, principal, bucket, action, version):
        return False
    arn = bucket.arn if key is None else f"{bucket.arn}/{key}"
    return _is_allowed_at_home(ctx, principal, action, arn, keys)


def _is_allowed_at_home(ctx: Context, principal: Principal, action: str, arn: str, keys: Keys) -> bool:
    """Whether the caller's own policies allow it, whosever the resource is."""
    if ctx.permissions.is_unlimited:
        return True
    return evaluate(_make_request(principal, action, arn, keys, principal.account), combine(ctx, None)).allowed


def _is_listed(
    grantees: Iterable[str], principal: Principal | None, bucket: Bucket, action: str, version: Version | None
) -> bool:
    """Whether a list grants it to one of the names, or the principal owns the object."""
    permission = _BUCKET_PERMISSIONS.get(action)
    if permission is not None:
        return acl.of_bucket(bucket).permits(grantees, permission)
    if version is None:
        return action in _DELETIONS and acl.of_bucket(bucket).permits(grantees, "WRITE")
    is_owner = principal is not None and principal.account == acl.object_owner(bucket, version.acl)
    if action in _DELETIONS:
        return is_owner and acl.of_bucket(bucket).permits(grantees, "WRITE")
    permission = _OBJECT_PERMISSIONS.get(action)
    if permission is None or permission.endswith("_ACP"):
        if is_owner and action in _OBJECT_PERMISSIONS:
            return True
        if permission is None:
            return False
    return acl.of_object(bucket, version.acl).permits(grantees, permission)


def _list_groups(principal: Principal, bucket: Bucket) -> list[str]:
    """Return the groups that a principal is in. A service is no user of the account it works for."""
    groups = []
    blocked = bucket.public_access
    if blocked is None or not blocked.ignore_public_acls:
        groups.append(acl.ALL_USERS)
        if principal.kind in ACCOUNT_KINDS:
            groups.append(acl.AUTHENTICATED_USERS)
    if principal.kind == "service" and principal.arn == LOGGING:
        groups.append(acl.LOG_DELIVERY)
    return groups


async def missing(ctx: Context, tx: Transaction, bucket: Bucket, key: str) -> None:
    """Raise AccessDenied where the caller may not learn that there is no such object: who may not list them."""
    if not ctx.strict:
        return
    conditions = {"s3:prefix": key}
    denial = await _denial(ctx, tx, ctx.principal, bucket, "s3:ListBucket", None, None, None, conditions)
    if denial is not None:
        raise denial.error


async def may_deliver_logs(ctx: Context, tx: Transaction, bucket: Bucket, target: Bucket, prefix: str) -> bool:
    """Whether the logging service may write the logs of a bucket into another one: its policy or its ACL lets it."""
    if not ctx.strict or target.ownership == acl.ENFORCED:
        # Without ACLs it is the policy's affair, which S3 does not look at before it delivers.
        return True
    if acl.of_bucket(target).permits((acl.LOG_DELIVERY,), "WRITE"):
        return True
    logging = Principal("service", ctx.account, LOGGING, LOGGING)
    caller = ctx.act_as(logging, bucket.account, headers={}, source_arn=bucket.arn)
    return await _denial(caller, tx, logging, target, "s3:PutObject", prefix, None, None, None) is None


def is_unsigned(ctx: Context) -> bool:
    """Whether nobody has signed a request, be it that in open mode everybody is somebody."""
    principal = ctx.principal
    return principal.kind == "anonymous" or (principal.kind == "root" and not principal.access_key and bool(ctx.method))


def check_expected_owner(bucket: Bucket, expected: str | None) -> None:
    """Raise where a request expects the bucket to be somebody else's, or nobody's."""
    if expected is None:
        return
    if not _ACCOUNT.fullmatch(expected):
        raise AwsError(
            "InvalidBucketOwnerAWSAccountID",
            "The value of the expected bucket owner parameter must be an AWS Account ID...",
            status=400,
        )
    if expected != bucket.account:
        raise errors.access_denied()


def _charge(ctx: Context, bucket: Bucket, params: Params) -> None:
    """Raise where the requester has to pay and does not say that he will; else tell him that he is charged.

    He says so in a header, or in the query of a URL that he has signed. Who is nobody cannot be charged.
    """
    if ctx.principal.account == bucket.account:
        return
    says = params.get("RequestPayer") or ctx.headers.get("x-amz-request-payer", "")
    if says.lower() != "requester" or ctx.principal.kind == "anonymous":
        raise errors.access_denied()
    others = [header for header in ctx.response_headers if header[0] != "x-amz-request-charged"]
    ctx.response_headers = (*others, ("x-amz-request-charged", "requester"))


async def bucket_for(ctx: Context, tx: Transaction, params: Params, action: str) -> Bucket:
    """Return the bucket that a request is about, if the caller may do this to it."""
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    await authorize(ctx, tx, bucket, action, params=params)
    return bucket
