"""Access control lists as documents: how canned ACLs, grants and owners are shown, and what is refused."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from cloudlet.testing.server import Aws, fresh_account
from tests.services.s3.raw import ask
from tests.services.s3.strict import DENIED, refused

_GROUPS = "http://acs.amazonaws.com/groups/"
_EVERYBODY, _USERS = f"{_GROUPS}global/AllUsers", f"{_GROUPS}global/AuthenticatedUsers"
_LOGS = f"{_GROUPS}s3/LogDelivery"


@pytest.fixture
def open_bucket(s3: Any) -> str:
    """The name of a bucket with ACLs, in which nothing that is public is blocked."""
    name = f"acl-{secrets.token_hex(8)}"
    s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket=name)
    return name


@pytest.fixture
def other(aws: Aws) -> str:
    """The canonical user id of another account."""
    owner: str = Aws(aws.endpoint, fresh_account()).client("s3").list_buckets()["Owner"]["ID"]
    return owner


def _shown(answer: Any, me: str) -> set[tuple[str, str]]:
    """Return who has which permission; the owner is shown as "me"."""
    grants = set()
    for grant in answer["Grants"]:
        grantee = grant["Grantee"]
        name = grantee.get("URI") or grantee["ID"]
        grants.add(("me" if name == me else name, grant["Permission"]))
    assert len(grants) == len(answer["Grants"])
    return grants


def _me(s3: Any) -> str:
    me: str = s3.list_buckets()["Owner"]["ID"]
    return me


_OWN = ("me", "FULL_CONTROL")


@pytest.mark.parametrize(
    ("canned", "others"),
    [
        ("private", set()),
        ("public-read", {(_EVERYBODY, "READ")}),
        ("public-read-write", {(_EVERYBODY, "READ"), (_EVERYBODY, "WRITE")}),
        ("authenticated-read", {(_USERS, "READ")}),
        ("log-delivery-write", {(_LOGS, "WRITE"), (_LOGS, "READ_ACP")}),
    ],
)
def test_canned_acls_of_buckets(s3: Any, open_bucket: str, canned: str, others: set[tuple[str, str]]) -> None:
    s3.put_bucket_acl(Bucket=open_bucket, ACL=canned)
    shown = s3.get_bucket_acl(Bucket=open_bucket)
    assert shown["Owner"]["ID"] == _me(s3)
    assert _shown(shown, _me(s3)) == {_OWN} | others
    # The owner comes first; nobody has a name besides his id.
    assert shown["Owner"] == {"ID": _me(s3)}
    assert shown["Grants"][0]["Grantee"] == {"Type": "CanonicalUser", "ID": _me(s3)}


@pytest.mark.parametrize(
    ("canned", "others"),
    [
        ("private", set()),
        ("public-read", {(_EVERYBODY, "READ")}),
        ("authenticated-read", {(_USERS, "READ")}),
        ("bucket-owner-read", set()),
        ("bucket-owner-full-control", set()),
    ],
)
def test_canned_acls_of_objects(s3: Any, open_bucket: str, canned: str, others: set[tuple[str, str]]) -> None:
    s3.put_object(Bucket=open_bucket, Key="k", ACL=canned)
    s3.put_object(Bucket=open_bucket, Key="l")
    s3.put_object_acl(Bucket=open_bucket, Key="l", ACL=canned)
    for key in ("k", "l"):
        assert _shown(s3.get_object_acl(Bucket=open_bucket, Key=key), _me(s3)) == {_OWN} | others


def test_what_a_canned_acl_is_not_for(aws: Aws, s3: Any, open_bucket: str) -> None:
    s3.put_object(Bucket=open_bucket, Key="k")
    for target, canned in ((open_bucket, "bucket-owner-read"), (f"{open_bucket}/k", "log-delivery-write")):
        answer = ask(aws, "PUT", f"/{target}?acl", x_amz_acl=canned)
        assert (answer.status, answer.code) == (400, "InvalidArgument")
        assert b"<ArgumentName>x-amz-acl</ArgumentName>" in answer.body


def test_grants_come_in_headers_or_in_a_document(s3: Any, open_bucket: str, other: str) -> None:
    wanted = {(other, "READ"), (_EVERYBODY, "READ"), (other, "WRITE_ACP")}
    reads = f'id="{other}", uri="{_EVERYBODY}"'
    s3.put_object(Bucket=open_bucket, Key="k", GrantRead=reads, GrantWriteACP=f"id={other}")
    shown = s3.get_object_acl(Bucket=open_bucket, Key="k")
    assert _shown(shown, _me(s3)) == wanted
    s3.put_object(Bucket=open_bucket, Key="l")
    document = {"Owner": shown["Owner"], "Grants": shown["Grants"]}
    s3.put_object_acl(Bucket=open_bucket, Key="l", AccessControlPolicy=document)
    assert _shown(s3.get_object_acl(Bucket=open_bucket, Key="l"), _me(s3)) == wanted
    s3.put_bucket_acl(Bucket=open_bucket, GrantFullControl=f"id={other}", GrantWrite=f'uri="{_LOGS}"')
    shown = s3.get_bucket_acl(Bucket=open_bucket)
    assert _shown(shown, _me(s3)) == {(other, "FULL_CONTROL"), (_LOGS, "WRITE")}


def _document(s3: Any, **grant: Any) -> dict[str, Any]:
    grantee = {"Type": "CanonicalUser", "ID": _me(s3)}
    return {"Owner": {"ID": _me(s3)}, "Grants": [{"Grantee": grantee, "Permission": "READ"} | grant]}


@pytest.mark.parametrize(
    ("grant", "refusal"),
    [
        ({"Grantee": {"Type": "CanonicalUser", "ID": "nobody"}}, ("InvalidArgument", 400)),
        ({"Grantee": {"Type": "Group", "URI": "http://example.com/group"}}, ("InvalidArgument", 400)),
        ({"Grantee": {"Type": "AmazonCustomerByEmail", "EmailAddress": "a@example.com"}}, ("MethodNotAllowed", 405)),
        ({"Grantee": {"Type": "CanonicalUser"}}, ("MalformedACLError", 400)),
        ({"Grantee": {"Type": "CanonicalUser", "URI": _EVERYBODY}}, ("MalformedACLError", 400)),
    ],
)
def test_what_is_no_grant(s3: Any, open_bucket: str, grant: dict[str, Any], refusal: tuple[str, int]) -> None:
    put = s3.put_bucket_acl
    assert refused(put, Bucket=open_bucket, AccessControlPolicy=_document(s3, **grant)) == refusal


def test_what_is_no_acl(s3: Any, open_bucket: str, other: str) -> None:
    put = s3.put_bucket_acl
    document = _document(s3)
    stranger = {**document, "Owner": {"ID": other}}
    assert refused(put, Bucket=open_bucket, AccessControlPolicy=stranger) == DENIED
    assert refused(put, Bucket=open_bucket, AccessControlPolicy={"Grants": []}) == ("MalformedACLError", 400)
    put(Bucket=open_bucket, AccessControlPolicy={**document, "Grants": document["Grants"] * 100})
    many = {**document, "Grants": document["Grants"] * 101}
    assert refused(put, Bucket=open_bucket, AccessControlPolicy=many) == ("MalformedACLError", 400)
    both = refused(put, Bucket=open_bucket, ACL="private", AccessControlPolicy=document)
    assert both == ("UnexpectedContent", 400)
    twice = refused(put, Bucket=open_bucket, ACL="private", GrantRead=f"id={other}")
    assert twice == ("InvalidRequest", 400)
    assert refused(put, Bucket=open_bucket) == ("MissingSecurityHeader", 400)
    assert refused(put, Bucket=open_bucket, GrantRead="nonsense") == ("InvalidArgument", 400)


def test_a_new_bucket_takes_no_acls_but_its_owners(s3: Any, bucket: str, other: str) -> None:
    off = ("AccessControlListNotSupported", 400)
    s3.put_object(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    assert _shown(s3.get_object_acl(Bucket=bucket, Key="k"), _me(s3)) == {_OWN}
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=_document(s3, Permission="FULL_CONTROL"))
    assert refused(s3.put_bucket_acl, Bucket=bucket, AccessControlPolicy=_document(s3)) == off
    assert refused(s3.put_object_acl, Bucket=bucket, Key="k", ACL="public-read") == off
    assert refused(s3.put_object, Bucket=bucket, Key="k", GrantRead=f"id={other}") == off
    assert refused(s3.create_multipart_upload, Bucket=bucket, Key="k", ACL="public-read") == off
    source = {"Bucket": bucket, "Key": "k"}
    assert refused(s3.copy_object, Bucket=bucket, Key="l", CopySource=source, ACL="public-read") == off


def test_a_new_bucket_is_not_made_public(s3: Any) -> None:
    name = f"acl-{secrets.token_hex(8)}"
    enforced = refused(s3.create_bucket, Bucket=name, ACL="public-read")
    assert enforced == ("InvalidBucketAclWithObjectOwnership", 400)
    blocked = refused(s3.create_bucket, Bucket=name, ACL="public-read", ObjectOwnership="ObjectWriter")
    assert blocked == ("InvalidBucketAclWithBlockPublicAccessError", 400)
    s3.create_bucket(Bucket=name, ACL="log-delivery-write", ObjectOwnership="ObjectWriter")
    assert len(s3.get_bucket_acl(Bucket=name)["Grants"]) == 3


def test_acls_are_turned_off_when_they_say_nothing_and_come_back_when_turned_on(s3: Any, open_bucket: str) -> None:
    def own(ownership: str) -> None:
        controls = {"Rules": [{"ObjectOwnership": ownership}]}
        s3.put_bucket_ownership_controls(Bucket=open_bucket, OwnershipControls=controls)

    s3.put_object(Bucket=open_bucket, Key="k", ACL="public-read")
    s3.put_bucket_acl(Bucket=open_bucket, ACL="public-read")
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    call = s3.put_bucket_ownership_controls
    refusal = refused(call, Bucket=open_bucket, OwnershipControls=controls)
    assert refusal == ("InvalidBucketAclWithObjectOwnership", 400)
    s3.put_bucket_acl(Bucket=open_bucket, ACL="private")
    own("BucketOwnerEnforced")
    assert _shown(s3.get_object_acl(Bucket=open_bucket, Key="k"), _me(s3)) == {_OWN}
    own("BucketOwnerPreferred")
    assert (_EVERYBODY, "READ") in _shown(s3.get_object_acl(Bucket=open_bucket, Key="k"), _me(s3))


def test_only_the_setting_for_acls_blocks_them(s3: Any, open_bucket: str) -> None:
    block = s3.put_public_access_block
    block(Bucket=open_bucket, PublicAccessBlockConfiguration={"BlockPublicPolicy": True, "IgnorePublicAcls": True})
    s3.put_bucket_acl(Bucket=open_bucket, ACL="public-read")
    s3.put_object(Bucket=open_bucket, Key="k", ACL="public-read")
    block(Bucket=open_bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    assert refused(s3.put_bucket_acl, Bucket=open_bucket, ACL="public-read") == DENIED
    assert refused(s3.put_object_acl, Bucket=open_bucket, Key="k", ACL="authenticated-read") == DENIED
    s3.put_bucket_acl(Bucket=open_bucket, ACL="log-delivery-write")


def test_versions_have_acls_of_their_own(s3: Any, open_bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=open_bucket, VersioningConfiguration={"Status": "Enabled"})
    old, new = (s3.put_object(Bucket=open_bucket, Key="k")["VersionId"] for _ in range(2))
    s3.put_object_acl(Bucket=open_bucket, Key="k", VersionId=old, ACL="public-read")
    counts = [len(s3.get_object_acl(Bucket=open_bucket, Key="k", VersionId=each)["Grants"]) for each in (old, new)]
    assert counts == [2, 1]
    assert len(s3.get_object_acl(Bucket=open_bucket, Key="k")["Grants"]) == 1
    assert refused(s3.get_object_acl, Bucket=open_bucket, Key="none") == ("NoSuchKey", 404)


def test_a_copy_is_private_and_an_upload_has_the_acl_that_it_began_with(s3: Any, open_bucket: str) -> None:
    s3.put_object(Bucket=open_bucket, Key="k", Body=b"x", ACL="public-read")
    s3.copy_object(Bucket=open_bucket, Key="l", CopySource={"Bucket": open_bucket, "Key": "k"})
    assert _shown(s3.get_object_acl(Bucket=open_bucket, Key="l"), _me(s3)) == {_OWN}
    where = {"Bucket": open_bucket, "Key": "m"}
    where["UploadId"] = s3.create_multipart_upload(**where, ACL="public-read")["UploadId"]
    etag = s3.upload_part(**where, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert len(s3.get_object_acl(Bucket=open_bucket, Key="m")["Grants"]) == 2
