"""Who may do what with a bucket and its objects: policies, access control lists, blocked public access.

Enforced where permissions are (`--auth strict`). Principals of the bucket's account may do all that its policy does
not deny, but with objects that others own; everybody else needs the policy or an access control list to allow it.
Services that call on behalf of a caller have that caller's permissions, those that act on their own (with a source
ARN) need the policy.

S3 user guide, "How Amazon S3 authorizes a request", "Access control list (ACL) overview" ("Mapping of ACL permissions
and access policy permissions"), "Blocking public access", "Using Requester Pays general purpose buckets".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.authorization.permissions import EVERYTHING
from cloudlet.core.authorization.resource_policy import combine, parse_policy
from cloudlet.core.aws.policy import NamedPolicy, Policies, Reason, Request, evaluate
from cloudlet.core.kernel.identity import Principal, root
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
    initiator: str = "",
) -> None:
    """Raise unless the caller may do this to the bucket, or to the object `key` in it, and that can be a key.

    `version` is the object's record, where there is one; `params` are the operation's, for ExpectedBucketOwner;
    `conditions` are further condition keys of this action; `initiator` is the account that has begun the multipart
    upload which this is about: it may go on with it unless that is denied.
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
    principal = _principal(ctx)
    if principal.kind == "root" and principal.account == bucket.account and _is_the_owners(bucket, version):
        return
    denial = await _denial(ctx, tx, principal, bucket, action, key, version, params, conditions)
    if denial is not None and (denial.explicit or principal.account != initiator):
        raise denial.error


async def authorize_grants(
    ctx: Context, tx: Transaction, bucket: Bucket, key: str, granted: Acl, params: Params
) -> None:
    """Raise unless whoever may write an object may also grant on it what its ACL does.

    API reference, "PutObject". Policies of the user guide that demand `bucket-owner-full-control`, and that AWS's
    services ask for, allow `s3:PutObject` alone. Who may write by the bucket's ACL owns the object, and may do as well.
    """
    given = {grant.grantee for grant in granted.grants}
    if not ctx.strict or given <= {canonical_id(granted.owner), canonical_id(bucket.account)}:
        return
    principal = _principal(ctx)
    denial = await _denial(ctx, tx, principal, bucket, "s3:PutObjectAcl", key, _WRITTEN, params, None)
    if denial is None:
        return
    by_acl = principal.kind == "service" or acl.of_bucket(bucket).permits(_names(principal, bucket), "WRITE")
    if denial.explicit or not by_acl:
        raise denial.error


def _is_the_owners(bucket: Bucket, version: Version | None) -> bool:
    """Whether nothing could keep the bucket's owner from it: no policy, and no object of somebody else's."""
    return "policy" not in bucket.kinds and (version is None or version.acl is None)


def _principal(ctx: Context) -> Principal:
    """Return whose permissions count: a service that names no resource of its own acts for its caller."""
    principal = ctx.principal
    return root(ctx.account) if principal.kind == "service" and not ctx.source_arn else principal


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
    keys = {}
    if policy is not None or not ctx.permissions.is_unlimited:
        tags = None if version is None else version.tags
        keys = {**condition_keys.of(ctx, bucket, principal, action, tags, params), **(conditions or {})}
        keys |= condition_keys.of_bucket_tags(await abac.tags_of(tx, bucket))
    arn = bucket.arn if key is None else f"{bucket.arn}/{key}"
    user = canonical_id(principal.account) if principal.account.isdecimal() else ""
    request = Request(principal, action, arn, keys, bucket.account, canonical_user=user)
    resource = None if policy is None else NamedPolicy(bucket.arn, policy)
    granted = combine(ctx, resource) if principal is ctx.principal else Policies(EVERYTHING.identity, resource=resource)
    decision = evaluate(request, granted)
    if decision.reason is not Reason.EXPLICIT_DENY:
        stranger = principal.account != bucket.account
        restricted = bucket.public_access is not None and bucket.public_access.restrict_public_buckets
        hidden = stranger and restricted and policy is not None and bucket_policy.is_public(policy)
        if decision.allowed and not hidden and not _is_anothers(bucket, action, version):
            return None
        if _listed(principal, bucket, action, version):
            return None
        if version is None and action in _OBJECT_PERMISSIONS and not decision.allowed:
            # What is not there is nobody's. Whoever may list the bucket is told so.
            named = {"s3:prefix": key or ""}
            return await _denial(ctx, tx, principal, bucket, "s3:ListBucket", None, None, None, named)
    explained = principal.account == bucket.account and not decision.allowed
    error = AwsError("AccessDenied", decision.message if explained else "Access Denied", status=403)
    return _Denial(error, decision.reason is Reason.EXPLICIT_DENY)


def _is_anothers(bucket: Bucket, action: str, version: Version | None) -> bool:
    """Whether this is for somebody else than the bucket's owner to allow: the owner of the object."""
    if version is None or action not in _OBJECT_PERMISSIONS:
        return False
    return acl.object_owner(bucket, version.acl) != bucket.account


def _listed(principal: Principal, bucket: Bucket, action: str, version: Version | None) -> bool:
    """Whether an access control list allows it."""
    grantees = _names(principal, bucket)
    permission = _BUCKET_PERMISSIONS.get(action)
    if permission is not None:
        return acl.of_bucket(bucket).permits(grantees, permission)
    if version is None:
        return action in _DELETIONS and acl.of_bucket(bucket).permits(grantees, "WRITE")
    owner = acl.object_owner(bucket, version.acl)
    if action in _DELETIONS:
        return principal.account == owner and acl.of_bucket(bucket).permits(grantees, "WRITE")
    permission = _OBJECT_PERMISSIONS.get(action)
    if permission is None or permission.endswith("_ACP"):
        if principal.account == owner and action in _OBJECT_PERMISSIONS:
            return True
        if permission is None:
            return False
    return acl.of_object(bucket, version.acl).permits(grantees, permission)


def _names(principal: Principal, bucket: Bucket) -> Iterable[str]:
    """Return the names under which lists may mean a principal. A service is no user of the account it works for."""
    is_user = principal.kind not in ("anonymous", "service")
    names = [canonical_id(principal.account)] if is_user else []
    blocked = bucket.public_access
    if blocked is None or not blocked.ignore_public_acls:
        names.append(acl.ALL_USERS)
        if is_user:
            names.append(acl.AUTHENTICATED_USERS)
    if principal.kind == "service" and principal.arn == LOGGING:
        names.append(acl.LOG_DELIVERY)
    return names


async def missing(ctx: Context, tx: Transaction, bucket: Bucket, key: str) -> None:
    """Raise AccessDenied where the caller may not learn that there is no such object: who may not list them."""
    if not ctx.strict:
        return
    conditions = {"s3:prefix": key}
    denial = await _denial(ctx, tx, _principal(ctx), bucket, "s3:ListBucket", None, None, None, conditions)
    if denial is not None:
        raise AwsError("AccessDenied", "Access Denied", status=403)


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
        raise AwsError("AccessDenied", "Access Denied", status=403)


def _charge(ctx: Context, bucket: Bucket, params: Params) -> None:
    """Raise where the requester has to pay and does not say that he will; else tell him that he is charged.

    He says so in a header, or in the query of a URL that he has signed. Who is nobody cannot be charged.
    """
    if ctx.principal.account == bucket.account:
        return
    says = params.get("RequestPayer") or ctx.headers.get("x-amz-request-payer", "")
    if says.lower() != "requester" or ctx.principal.kind == "anonymous":
        raise AwsError("AccessDenied", "Access Denied", status=403)
    others = [header for header in ctx.response_headers if header[0] != "x-amz-request-charged"]
    ctx.response_headers = (*others, ("x-amz-request-charged", "requester"))


async def bucket_for(ctx: Context, tx: Transaction, params: Params, action: str) -> Bucket:
    """Return the bucket that a request is about, if the caller may do this to it."""
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    await authorize(ctx, tx, bucket, action, params=params)
    return bucket


def require_account(ctx: Context) -> None:
    """Raise for a caller who belongs to no account, where no bucket could let him in."""
    if ctx.principal.kind == "anonymous":
        raise AwsError("AccessDenied", "Access Denied", status=403)
