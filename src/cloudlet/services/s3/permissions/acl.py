"""Access control lists: who was granted what on a bucket or an object, besides its policy.

S3 user guide, "Access control list (ACL) overview" and "Controlling ownership of objects and disabling ACLs".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cloudlet.core import AwsError, Context, Params
from cloudlet.services.s3.permissions import canonical_users
from cloudlet.services.s3.permissions.canonical_users import canonical_id

if TYPE_CHECKING:
    from cloudlet.services.s3.buckets.bucket_record import Bucket

FULL_CONTROL = "FULL_CONTROL"
PERMISSIONS = ("FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP")

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
PUBLIC_GROUPS = frozenset((ALL_USERS, AUTHENTICATED_USERS))
_GROUPS = frozenset((ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY))

ENFORCED = "BucketOwnerEnforced"
PREFERRED = "BucketOwnerPreferred"
OWNERSHIPS = (ENFORCED, PREFERRED, "ObjectWriter")
"""What a bucket's owner may decide about who owns what others write; the first is the default and turns ACLs off."""

_GRANT_HEADERS = {
    "GrantFullControl": "FULL_CONTROL",
    "GrantRead": "READ",
    "GrantReadACP": "READ_ACP",
    "GrantWrite": "WRITE",
    "GrantWriteACP": "WRITE_ACP",
}
_EC2_BUNDLES = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"
"""The user whom `aws-exec-read` lets read: EC2, for images."""
_NAMED_BY = {"CanonicalUser": "ID", "Group": "URI", "AmazonCustomerByEmail": "EmailAddress"}
"""The types of grantees, and what names one."""
_MOST_GRANTS = 100
_GRANTEE = re.compile(r'\s*(id|uri|emailaddress)\s*=\s*(?:"([^"]*)"|([^,\s]+))\s*', re.IGNORECASE)


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """A permission of somebody: the canonical user id of an account, or the URI of a group."""

    grantee: str
    permission: str


class Acl(msgspec.Struct, frozen=True, array_like=True):
    """The list of a bucket or an object. `owner` is an account (12 digits, or "anonymous")."""

    owner: str
    grants: tuple[Grant, ...]

    def permits(self, grantees: Iterable[str], permission: str) -> bool:
        """Whether one of `grantees` has a permission."""
        asked = (permission, FULL_CONTROL)
        names = set(grantees)
        return any(grant.grantee in names and grant.permission in asked for grant in self.grants)

    @property
    def public(self) -> bool:
        """Whether it grants anything to everybody ("The meaning of public")."""
        return any(grant.grantee in PUBLIC_GROUPS for grant in self.grants)


def private(owner: str) -> Acl:
    """Return the list that says nothing but that its owner owns it."""
    return Acl(owner, (Grant(canonical_id(owner), FULL_CONTROL),))


class _Asked(NamedTuple):
    """What a request's headers say: a canned ACL, or grants."""

    canned: str | None
    grants: tuple[Grant, ...] | None


_NOTHING = _Asked(None, None)
_ASKING = frozenset(("ACL", *_GRANT_HEADERS))


def is_asked(params: Params) -> bool:
    """Whether a request names an ACL."""
    return not params.keys().isdisjoint(_ASKING)


def _asked(params: Params) -> _Asked:
    if not is_asked(params):
        return _NOTHING
    canned = params.get("ACL")
    headers = {permission: params[name] for name, permission in _GRANT_HEADERS.items() if params.get(name)}
    if canned and headers:
        raise AwsError("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed", status=400)
    if not headers:
        return _Asked(canned or None, None)
    grants = tuple(Grant(grantee, permission) for permission, text in headers.items() for grantee in _grantees(text))
    return _Asked(None, grants)


def _grantees(header: str) -> Iterable[str]:
    at = 0
    while at < len(header):
        found = _GRANTEE.match(header, at)
        if found is None or (found.end() < len(header) and header[found.end()] != ","):
            raise AwsError("InvalidArgument", "Argument format not recognized", status=400, ArgumentValue=header)
        kind, quoted, bare = found.groups()
        yield _checked_grantee(kind.lower(), quoted if quoted is not None else bare)
        at = found.end() + 1


def _checked_grantee(kind: str, name: str) -> str:
    if kind == "emailaddress":
        raise _emails_are_gone()
    if kind == "uri":
        if name not in _GROUPS:
            raise AwsError("InvalidArgument", "Invalid group uri", status=400, ArgumentName="uri", ArgumentValue=name)
        return name
    if name not in (_EC2_BUNDLES, canonical_id(canonical_users.ANONYMOUS)) and canonical_users.account_of(name) is None:
        raise AwsError("InvalidArgument", "Invalid id", status=400, ArgumentName="id", ArgumentValue=name)
    return name.lower()


def _emails_are_gone() -> AwsError:
    # Since October 2025 (S3 API reference, "Grantee").
    return AwsError(
        "MethodNotAllowed", "Granting access by e-mail address is no longer supported. Use a canonical ID.", status=405
    )


def _canned(name: str, owner: str, bucket_owner: str | None) -> Acl:
    """Return what a canned ACL stands for; `bucket_owner` is None where it is the bucket's own."""
    own = Grant(canonical_id(owner), FULL_CONTROL)
    if name == "private":
        return Acl(owner, (own,))
    if name == "public-read":
        return Acl(owner, (own, Grant(ALL_USERS, "READ")))
    if name == "public-read-write":
        return Acl(owner, (own, Grant(ALL_USERS, "READ"), Grant(ALL_USERS, "WRITE")))
    if name == "authenticated-read":
        return Acl(owner, (own, Grant(AUTHENTICATED_USERS, "READ")))
    if name == "aws-exec-read":
        return Acl(owner, (own, Grant(_EC2_BUNDLES, "READ")))
    if name == "log-delivery-write" and bucket_owner is None:
        return Acl(owner, (own, Grant(LOG_DELIVERY, "WRITE"), Grant(LOG_DELIVERY, "READ_ACP")))
    if name in ("bucket-owner-read", "bucket-owner-full-control") and bucket_owner is not None:
        if bucket_owner == owner:
            return Acl(owner, (own,))
        permission = FULL_CONTROL if name == "bucket-owner-full-control" else "READ"
        return Acl(owner, (own, Grant(canonical_id(bucket_owner), permission)))
    raise AwsError("InvalidArgument", "", status=400, ArgumentName="x-amz-acl", ArgumentValue=name)


def _from_document(document: Mapping[str, Any], owner: str) -> Acl:
    """Return the ACL of an AccessControlPolicy for what `owner` owns."""
    if "Owner" not in document or document.get("Grants") is None:
        raise _malformed()
    stated = (document["Owner"] or {}).get("ID")
    if stated and stated.lower() != canonical_id(owner):
        raise AwsError("AccessDenied", "Access Denied", status=403)
    grants = tuple(_from_grant(grant) for grant in document["Grants"])
    if len(grants) > _MOST_GRANTS:
        raise _malformed()
    return Acl(owner, grants)


def _from_grant(grant: Mapping[str, Any]) -> Grant:
    permission, grantee = grant.get("Permission"), grant.get("Grantee") or {}
    named_by = _NAMED_BY.get(grantee.get("Type", ""))
    if permission not in PERMISSIONS or (named_by is not None and not grantee.get(named_by)):
        raise _malformed()
    if grantee.get("EmailAddress"):
        raise _emails_are_gone()
    if grantee.get("URI"):
        return Grant(_checked_grantee("uri", grantee["URI"]), permission)
    if not grantee.get("ID"):
        raise _malformed()
    return Grant(_checked_grantee("id", grantee["ID"]), permission)


def _malformed() -> AwsError:
    return AwsError(
        "MalformedACLError",
        "The XML you provided was not well-formed or did not validate against our published schema",
        status=400,
    )


def for_new_bucket(ctx: Context, params: Params, ownership: str) -> Acl | None:
    """Return the ACL that CreateBucket asks for, None for the owner's alone. Raises AwsError.

    A new bucket blocks public access: a public ACL is refused.
    """
    asked = _asked(params)
    if asked.canned is None and asked.grants is None:
        return None
    acl = _canned(asked.canned, ctx.account, None) if asked.canned else Acl(ctx.account, asked.grants or ())
    if acl == private(ctx.account):
        return None
    if ownership == ENFORCED:
        raise AwsError(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            status=400,
        )
    if acl.public:
        raise AwsError(
            "InvalidBucketAclWithBlockPublicAccessError",
            "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
            status=400,
        )
    return acl


def for_new_object(ctx: Context, bucket: Bucket, params: Params) -> Acl | None:
    """Return the ACL that an object is created with, as its request asks (canned ACL, grant headers). Raises AwsError.

    None means that the bucket's owner owns it and has the only grant.
    """
    asked = _asked(params)
    if bucket.ownership == ENFORCED:
        if asked is _NOTHING:
            return None
        own = asked.canned == "private" and ctx.principal.account == bucket.account
        if not own:
            _check_enforced(bucket, asked)
        return None
    owner, gift = ctx.principal.account, _is_a_gift(bucket, asked)
    if bucket.ownership == PREFERRED and gift:
        owner = bucket.account
    if asked.grants is not None:
        acl = Acl(owner, asked.grants)
    else:
        acl = _canned(asked.canned or "private", owner, bucket.account)
    _check_public(bucket, acl)
    return None if owner == bucket.account and acl == private(owner) else acl


def _is_a_gift(bucket: Bucket, asked: _Asked) -> bool:
    """Whether a request gives the bucket's owner full control."""
    if asked.canned is not None:
        return asked.canned == "bucket-owner-full-control"
    return asked.grants is not None and Grant(canonical_id(bucket.account), FULL_CONTROL) in asked.grants


def _check_enforced(bucket: Bucket, asked: _Asked) -> None:
    """Where ACLs are off, only the one that says what is so anyway is taken."""
    if asked.canned not in (None, "bucket-owner-full-control"):
        raise _not_supported()
    if asked.grants not in (None, private(bucket.account).grants):
        raise _not_supported()


def _not_supported() -> AwsError:
    return AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs", status=400)


def _check_public(bucket: Bucket, acl: Acl) -> None:
    blocked = bucket.public_access
    if blocked is not None and blocked.block_public_acls and acl.public:
        raise AwsError("AccessDenied", "Access Denied", status=403)


def changed(bucket: Bucket, params: Params, owner: str, *, of_bucket: bool) -> Acl | None:
    """Return the ACL that PutBucketAcl or PutObjectAcl asks for, for what `owner` owns. Raises AwsError.

    None means that the bucket's owner owns it and has the only grant.
    """
    document, asked = params.get("AccessControlPolicy"), _asked(params)
    in_headers = asked.canned is not None or asked.grants is not None
    if document is not None and in_headers:
        raise AwsError("UnexpectedContent", "This request does not support content", status=400)
    if document is None and not in_headers:
        raise AwsError(
            "MissingSecurityHeader",
            "Your request was missing a required header",
            status=400,
            MissingHeaderName="x-amz-acl",
        )
    if bucket.ownership == ENFORCED:
        if document is not None and _from_document(document, bucket.account) != private(bucket.account):
            raise _not_supported()
        _check_enforced(bucket, asked)
        return None
    if document is not None:
        acl = _from_document(document, owner)
    elif asked.grants is not None:
        acl = Acl(owner, asked.grants)
    else:
        acl = _canned(asked.canned or "private", owner, None if of_bucket else bucket.account)
    _check_public(bucket, acl)
    return None if owner == bucket.account and acl == private(owner) else acl


def log_grants(grants: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is granted on the logs that are delivered (TargetGrants), as answers show it. Raises AwsError."""
    granted = [_from_grant(grant) for grant in grants]
    if any(grant.permission not in ("FULL_CONTROL", "READ", "WRITE") for grant in granted):
        raise _malformed()
    return [shown_grant(grant) for grant in granted]


def of_bucket(bucket: Bucket) -> Acl:
    """Return the ACL that is in force for a bucket."""
    if bucket.ownership == ENFORCED or bucket.acl is None:
        return private(bucket.account)
    return bucket.acl


def of_object(bucket: Bucket, acl: Acl | None) -> Acl:
    """Return the ACL that is in force for an object whose record has `acl`."""
    if bucket.ownership == ENFORCED or acl is None:
        return private(bucket.account)
    return acl


def object_owner(bucket: Bucket, acl: Acl | None) -> str:
    """Return the account that owns an object whose record has `acl`."""
    return bucket.account if bucket.ownership == ENFORCED or acl is None else acl.owner


def to_api(acl: Acl) -> dict[str, Any]:
    """Return an ACL as GetBucketAcl and GetObjectAcl show it: the owner first."""
    own = canonical_id(acl.owner)
    grants = sorted(acl.grants, key=lambda grant: grant.grantee != own)
    return {"Owner": canonical_users.owner(acl.owner), "Grants": [shown_grant(grant) for grant in grants]}


def shown_grant(grant: Grant) -> dict[str, Any]:
    """Return a Grant, as answers show it."""
    return {"Grantee": _shown_grantee(grant.grantee), "Permission": grant.permission}


def _shown_grantee(name: str) -> dict[str, Any]:
    if name in _GROUPS:
        return {"Type": "Group", "URI": name}
    return {"Type": "CanonicalUser", "ID": name}
