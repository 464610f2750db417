"""Who may do what, where permissions are enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.services.s3.raw import ask, fetch
from tests.services.s3.strict import DENIED, SECRET, Strict, refused, strict_server

_ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


@pytest.fixture(scope="module")
def strict() -> Iterator[Strict]:
    with strict_server() as running:
        yield running


def test_a_bucket_is_its_owners_alone(strict: Strict) -> None:
    bucket = strict.bucket()
    strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for stranger in (strict.other.s3, strict.nobody.s3):
        assert refused(stranger.get_object, Bucket=bucket, Key="k") == DENIED
        assert refused(stranger.list_objects_v2, Bucket=bucket) == DENIED
        assert refused(stranger.put_object, Bucket=bucket, Key="k", Body=b"y") == DENIED
        assert refused(stranger.delete_bucket, Bucket=bucket) == DENIED
    assert strict.owner.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_a_policy_lets_an_account_in(strict: Strict) -> None:
    bucket = strict.bucket()
    strict.owner.s3.put_object(Bucket=bucket, Key="in/k", Body=b"x")
    strict.allow(
        bucket,
        Principal={"AWS": strict.other.number},
        Action="s3:GetObject",
        Resource=f"arn:aws:s3:::{bucket}/in/*",
    )
    assert strict.other.s3.get_object(Bucket=bucket, Key="in/k")["Body"].read() == b"x"
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="out/k") == DENIED
    assert refused(strict.nobody.s3.get_object, Bucket=bucket, Key="in/k") == DENIED


def test_a_policy_that_lets_everybody_in_is_refused_while_that_is_blocked(strict: Strict) -> None:
    bucket = strict.bucket()
    policy = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    assert refused(strict.owner.s3.put_bucket_policy, Bucket=bucket, Policy=text) == DENIED
    strict.owner.s3.delete_public_access_block(Bucket=bucket)
    strict.owner.s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert strict.owner.s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
    strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert strict.nobody.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_a_public_policy_is_not_for_strangers_where_that_is_restricted(strict: Strict) -> None:
    bucket = strict.open_bucket()
    strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    strict.allow(bucket, Action="s3:GetObject")
    strict.nobody.s3.get_object(Bucket=bucket, Key="k")
    blocked = {"RestrictPublicBuckets": True}
    strict.owner.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocked)
    assert refused(strict.nobody.s3.get_object, Bucket=bucket, Key="k") == DENIED
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="k") == DENIED
    strict.owner.s3.get_object(Bucket=bucket, Key="k")
    strict.owner.s3.get_bucket_versioning(Bucket=bucket)


def test_a_deny_is_for_the_owner_too_but_he_can_take_it_back(strict: Strict) -> None:
    bucket = strict.bucket()
    strict.allow(bucket, Effect="Deny", Action="s3:*")
    assert refused(strict.owner.s3.list_objects_v2, Bucket=bucket) == DENIED
    assert refused(strict.owner.s3.get_bucket_tagging, Bucket=bucket) == DENIED
    strict.owner.s3.delete_bucket_policy(Bucket=bucket)
    strict.owner.s3.list_objects_v2(Bucket=bucket)


def test_conditions_see_the_request_and_the_object(strict: Strict) -> None:
    bucket = strict.open_bucket()
    for key, kind in (("a", "public"), ("b", "secret")):
        strict.owner.s3.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging=f"kind={kind}")
    tagged = {"StringEquals": {"s3:ExistingObjectTag/kind": "public"}}
    strict.allow(bucket, Action="s3:GetObject", Condition=tagged)
    strict.other.s3.get_object(Bucket=bucket, Key="a")
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="b") == DENIED
    strict.allow(bucket, Action="s3:ListBucket", Condition={"StringLike": {"s3:prefix": "home/*"}})
    strict.other.s3.list_objects_v2(Bucket=bucket, Prefix="home/ann")
    assert refused(strict.other.s3.list_objects_v2, Bucket=bucket) == DENIED
    encrypted = {"StringEquals": {"s3:x-amz-server-side-encryption": "AES256"}}
    strict.allow(bucket, Action="s3:PutObject", Condition=encrypted)
    strict.other.s3.put_object(Bucket=bucket, Key="c", Body=b"x", ServerSideEncryption="AES256")
    assert refused(strict.other.s3.put_object, Bucket=bucket, Key="d", Body=b"x") == DENIED


def test_a_presigned_url_is_seen_by_conditions_as_headers_are(strict: Strict) -> None:
    bucket = strict.open_bucket()
    strict.allow(bucket, Effect="Deny", Action="s3:PutObject", Condition={"StringLike": {"s3:x-amz-acl": "public-*"}})
    old = Config(signature_version="s3")
    keys = {"aws_access_key_id": f"AKIATEST{strict.owner.number}", "aws_secret_access_key": SECRET}
    signer = boto3.client("s3", endpoint_url=strict.endpoint, region_name="us-east-1", config=old, **keys)
    for acl, status in (("public-read", 403), ("private", 200)):
        url = signer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k", "ACL": acl})
        assert f"x-amz-acl={acl}" in url
        assert fetch(url, "PUT", b"x").status == status


def test_what_is_not_there_is_told_to_those_who_may_list(strict: Strict) -> None:
    bucket = strict.open_bucket()
    strict.allow(bucket, Action="s3:GetObject")
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="none") == DENIED
    strict.allow(bucket, Action=["s3:GetObject", "s3:ListBucket"])
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="none") == ("NoSuchKey", 404)


def test_acls_are_off_in_a_new_bucket(strict: Strict) -> None:
    bucket = strict.bucket()
    unsupported = ("AccessControlListNotSupported", 400)
    assert refused(strict.owner.s3.put_bucket_acl, Bucket=bucket, ACL="public-read") == unsupported
    assert refused(strict.owner.s3.put_object, Bucket=bucket, Key="k", ACL="public-read") == unsupported
    strict.owner.s3.put_object(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    (grant,) = strict.owner.s3.get_bucket_acl(Bucket=bucket)["Grants"]
    assert grant["Permission"] == "FULL_CONTROL"


def test_who_grants_something_on_what_he_writes_may_do_so(strict: Strict) -> None:
    bucket = strict.open_bucket()
    s3 = strict.other.s3
    source = {"Bucket": bucket, "Key": "k"}
    strict.allow(bucket, Action=["s3:PutObject", "s3:GetObject"])
    s3.put_object(**source)
    s3.put_object(**source, ACL="bucket-owner-full-control")
    for grant in ({"ACL": "public-read"}, {"GrantRead": f'uri="{_ALL_USERS}"'}):
        assert refused(s3.put_object, **source, **grant) == DENIED
        assert refused(s3.copy_object, Bucket=bucket, Key="l", CopySource=source, **grant) == DENIED
        assert refused(s3.create_multipart_upload, **source, **grant) == DENIED
    strict.allow(bucket, Action=["s3:PutObject", "s3:PutObjectAcl"])
    s3.put_object(**source, ACL="public-read")
    strict.allow(bucket, Effect="Deny", Action="s3:PutObjectAcl")
    assert refused(strict.owner.s3.put_object, **source, ACL="public-read") == DENIED
    strict.owner.s3.put_object(**source)
    strict.owner.s3.delete_bucket_policy(Bucket=bucket)
    strict.owner.s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    s3.put_object(**source, ACL="public-read")


@pytest.mark.parametrize(
    ("acl", "reads", "writes"),
    [
        ("private", False, False),
        ("public-read", True, False),
        ("public-read-write", True, True),
        ("authenticated-read", False, False),
    ],
)
def test_canned_acls_of_a_bucket(strict: Strict, acl: str, reads: bool, writes: bool) -> None:
    bucket = strict.open_bucket()
    strict.owner.s3.put_bucket_acl(Bucket=bucket, ACL=acl)
    nobody = strict.nobody.s3
    if reads:
        nobody.list_objects_v2(Bucket=bucket)
    else:
        assert refused(nobody.list_objects_v2, Bucket=bucket) == DENIED
    if writes:
        nobody.put_object(Bucket=bucket, Key="k", Body=b"x")
    else:
        assert refused(nobody.put_object, Bucket=bucket, Key="k", Body=b"x") == DENIED
    if acl == "authenticated-read":
        strict.other.s3.list_objects_v2(Bucket=bucket)


def test_an_object_has_an_acl_of_its_own(strict: Strict) -> None:
    bucket = strict.open_bucket()
    strict.owner.s3.put_object(Bucket=bucket, Key="open", Body=b"x", ACL="public-read")
    strict.owner.s3.put_object(Bucket=bucket, Key="closed", Body=b"x")
    assert strict.nobody.s3.get_object(Bucket=bucket, Key="open")["Body"].read() == b"x"
    assert refused(strict.nobody.s3.get_object, Bucket=bucket, Key="closed") == DENIED
    strict.owner.s3.put_object_acl(Bucket=bucket, Key="closed", ACL="public-read")
    strict.nobody.s3.get_object(Bucket=bucket, Key="closed")
    shown = strict.owner.s3.get_object_acl(Bucket=bucket, Key="closed")
    assert {"Grantee": {"Type": "Group", "URI": _ALL_USERS}, "Permission": "READ"} in shown["Grants"]


def test_an_object_belongs_to_who_wrote_it_where_writers_own(strict: Strict) -> None:
    bucket = strict.open_bucket()
    strict.owner.s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    strict.other.s3.put_object(Bucket=bucket, Key="k", Body=b"theirs")
    assert refused(strict.owner.s3.get_object, Bucket=bucket, Key="k") == DENIED
    assert strict.other.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"theirs"
    strict.other.s3.put_object_acl(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    assert strict.owner.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"theirs"
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    strict.owner.s3.put_bucket_acl(Bucket=bucket, ACL="private")
    strict.owner.s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=enforced)
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="k") == DENIED
    assert refused(strict.other.s3.get_object_acl, Bucket=bucket, Key="k") == DENIED
    (listed,) = strict.owner.s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"]
    assert listed["Owner"] == strict.owner.s3.list_buckets()["Owner"]


def test_the_owner_of_a_bucket_is_given_what_is_written_with_full_control_for_him(strict: Strict) -> None:
    bucket = strict.open_bucket("BucketOwnerPreferred")
    strict.owner.s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    strict.other.s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="bucket-owner-full-control")
    mine = strict.owner.s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"]
    assert strict.owner.s3.get_object_acl(Bucket=bucket, Key="k")["Owner"]["ID"] == mine
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="k") == DENIED


def test_grants_name_accounts_by_their_canonical_ids(strict: Strict) -> None:
    bucket = strict.open_bucket()
    theirs = strict.other.s3.list_buckets()["Owner"]["ID"]
    strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x", GrantRead=f'id="{theirs}"')
    assert strict.other.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert refused(strict.nobody.s3.get_object, Bucket=bucket, Key="k") == DENIED
    put = strict.owner.s3.put_object_acl
    assert refused(put, Bucket=bucket, Key="k", GrantRead='id="nobody"') == ("InvalidArgument", 400)
    assert refused(put, Bucket=bucket, Key="k", GrantRead='emailAddress="a@b.c"') == ("MethodNotAllowed", 405)
    assert refused(put, Bucket=bucket, Key="k", GrantRead='uri="http://a"') == ("InvalidArgument", 400)


def test_public_acls_can_be_blocked_and_ignored(strict: Strict) -> None:
    bucket = strict.open_bucket()
    strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    blocked = {"BlockPublicAcls": True, "IgnorePublicAcls": True}
    strict.owner.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocked)
    assert refused(strict.nobody.s3.get_object, Bucket=bucket, Key="k") == DENIED
    assert refused(strict.owner.s3.put_object, Bucket=bucket, Key="l", ACL="public-read") == DENIED
    assert refused(strict.owner.s3.put_bucket_acl, Bucket=bucket, ACL="public-read") == DENIED


def test_the_requester_pays_and_says_so(strict: Strict) -> None:
    bucket = strict.bucket()
    strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    strict.allow(bucket, Principal={"AWS": strict.other.number}, Action="s3:GetObject")
    payer = {"Payer": "Requester"}
    strict.owner.s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration=payer)
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="k") == DENIED
    paid = strict.other.s3.get_object(Bucket=bucket, Key="k", RequestPayer="requester")
    assert paid["RequestCharged"] == "requester"
    assert "RequestCharged" not in strict.owner.s3.get_object(Bucket=bucket, Key="k")


def test_a_request_may_expect_an_owner(strict: Strict) -> None:
    bucket = strict.bucket()
    strict.owner.s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner=strict.owner.number)
    expecting = strict.owner.s3.list_objects_v2
    assert refused(expecting, Bucket=bucket, ExpectedBucketOwner=strict.other.number) == DENIED


def test_nobody_has_no_buckets(strict: Strict) -> None:
    assert refused(strict.nobody.s3.list_buckets) == DENIED
    assert refused(strict.nobody.s3.create_bucket, Bucket="nobodys-bucket") == DENIED


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({"Resource": "arn:aws:s3:::another"}, "Policy has invalid resource"),
        ({"Action": "sqs:SendMessage"}, "Policy has invalid action"),
        ({"Action": "s3:ListBucket"}, "Action does not apply to any resource(s) in statement"),
        ({"Principal": {"AWS": "nobody"}}, "Invalid principal in policy"),
    ],
)
def test_what_is_no_policy_of_a_bucket(strict: Strict, statement: dict[str, str], message: str) -> None:
    bucket = strict.bucket()
    usual = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**usual, **statement}]})
    with pytest.raises(strict.owner.s3.exceptions.ClientError, match="MalformedPolicy") as caught:
        strict.owner.s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert message in str(caught.value)


def test_only_its_owners_account_has_to_do_with_a_policy(strict: Strict) -> None:
    bucket = strict.bucket()
    strict.allow(bucket, Principal={"AWS": strict.other.number}, Action="s3:*")
    policy = strict.owner.s3.get_bucket_policy(Bucket=bucket)["Policy"]
    assert refused(strict.other.s3.get_bucket_policy, Bucket=bucket) == ("MethodNotAllowed", 405)
    assert refused(strict.other.s3.put_bucket_policy, Bucket=bucket, Policy=policy) == ("MethodNotAllowed", 405)
    assert refused(strict.other.s3.delete_bucket_policy, Bucket=bucket) == ("MethodNotAllowed", 405)
    assert strict.other.s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False


def test_who_began_an_upload_may_give_it_up(strict: Strict) -> None:
    bucket = strict.bucket()
    other = {"AWS": strict.other.number}
    strict.allow(bucket, Principal=other, Action="s3:PutObject")
    mine, theirs = (
        each.s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"] for each in (strict.owner, strict.other)
    )
    s3, where = strict.other.s3, {"Bucket": bucket, "Key": "k"}
    assert s3.list_parts(**where, UploadId=theirs).get("Parts", []) == []
    assert refused(s3.list_parts, **where, UploadId=mine) == DENIED
    assert refused(s3.abort_multipart_upload, **where, UploadId=mine) == DENIED
    s3.abort_multipart_upload(**where, UploadId=theirs)
    denied = s3.create_multipart_upload(**where)["UploadId"]
    strict.allow(bucket, Effect="Deny", Principal=other, Action="s3:AbortMultipartUpload")
    assert refused(s3.abort_multipart_upload, **where, UploadId=denied) == DENIED
    strict.owner.s3.abort_multipart_upload(**where, UploadId=denied)


def test_nobody_begins_an_upload_in_parts(strict: Strict) -> None:
    bucket = strict.open_bucket()
    strict.allow(bucket, Action="s3:PutObject")
    strict.nobody.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(strict.nobody.s3.create_multipart_upload, Bucket=bucket, Key="k") == DENIED


def test_everybody_is_told_where_a_bucket_is(strict: Strict) -> None:
    bucket = strict.bucket(CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    answer = ask(strict.endpoint, "HEAD", f"/{bucket}")
    assert (answer.status, answer.headers["x-amz-bucket-region"]) == (403, "eu-west-1")
    owners = strict.owner.s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    assert owners["x-amz-bucket-region"] == "eu-west-1"


def test_conditional_writes_can_be_demanded(strict: Strict) -> None:
    bucket = strict.bucket()
    unconditional = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    strict.allow(bucket, Effect="Deny", Action="s3:PutObject", Condition=unconditional)
    s3, where = strict.owner.s3, {"Bucket": bucket, "Key": "k"}
    assert refused(s3.put_object, **where) == DENIED
    s3.put_object(Bucket=bucket, Key="l", IfNoneMatch="*")
    where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
    etag = s3.upload_part(**where, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    assert refused(s3.complete_multipart_upload, **where, MultipartUpload=parts) == DENIED
    s3.complete_multipart_upload(**where, MultipartUpload=parts, IfNoneMatch="*")


def test_an_entity_tag_is_a_condition_for_those_who_may_read(strict: Strict) -> None:
    bucket = strict.bucket()
    where = {"Bucket": bucket, "Key": "k"}
    etag = strict.owner.s3.put_object(**where, Body=b"x")["ETag"]
    writes, other = ["s3:PutObject", "s3:DeleteObject"], strict.other.s3
    strict.allow(bucket, Principal={"AWS": strict.other.number}, Action=writes)
    other.put_object(**where, Body=b"x")
    assert refused(other.put_object, **where, Body=b"y", IfMatch=etag) == DENIED
    assert refused(other.delete_object, **where, IfMatch=etag) == DENIED
    other.delete_object(**where, IfMatch="*")
    strict.owner.s3.put_object(**where, Body=b"x")
    strict.allow(bucket, Principal={"AWS": strict.other.number}, Action=[*writes, "s3:GetObject"])
    other.put_object(**where, Body=b"x", IfMatch=etag)
    other.delete_object(**where, IfMatch=etag)


def test_nobody_cannot_be_charged(strict: Strict) -> None:
    bucket = strict.open_bucket()
    strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    strict.allow(bucket, Action="s3:GetObject")
    payer = {"Payer": "Requester"}
    strict.owner.s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration=payer)
    assert refused(strict.nobody.s3.get_object, Bucket=bucket, Key="k", RequestPayer="requester") == DENIED
    where = {"Bucket": bucket, "Key": "k"}
    plain, payed = (
        strict.other.s3.generate_presigned_url("get_object", Params={**where, **more})
        for more in ({}, {"RequestPayer": "requester"})
    )
    assert fetch(plain).status == 403
    answer = fetch(payed)
    assert (answer.status, answer.headers["x-amz-request-charged"]) == (200, "requester")


def test_who_may_write_into_a_bucket_may_delete_what_is_his(strict: Strict) -> None:
    bucket = strict.open_bucket()
    user = strict.other.s3.list_buckets()["Owner"]["ID"]
    own = strict.owner.s3.list_buckets()["Owner"]["ID"]
    strict.owner.s3.put_bucket_acl(Bucket=bucket, GrantWrite=f"id={user}", GrantFullControl=f"id={own}")
    strict.owner.s3.put_object(Bucket=bucket, Key="owners")
    strict.other.s3.put_object(Bucket=bucket, Key="others")
    assert refused(strict.other.s3.list_objects_v2, Bucket=bucket) == DENIED
    assert refused(strict.other.s3.delete_object, Bucket=bucket, Key="owners") == DENIED
    strict.other.s3.delete_object(Bucket=bucket, Key="others")
    assert refused(strict.nobody.s3.delete_object, Bucket=bucket, Key="owners") == DENIED
    listed = strict.owner.s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [each["Key"] for each in listed] == ["owners"]


def test_logs_go_where_a_policy_or_an_acl_lets_them(strict: Strict) -> None:
    bucket, target = strict.bucket(), strict.open_bucket()
    status = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "logs/"}}
    put = strict.owner.s3.put_bucket_logging
    invalid = ("InvalidTargetBucketForLogging", 400)
    assert refused(put, Bucket=bucket, BucketLoggingStatus=status) == invalid
    service = {"Service": "logging.s3.amazonaws.com"}
    source = {
        "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"},
        "StringEquals": {"aws:SourceAccount": strict.owner.number},
    }
    strict.allow(target, Principal=service, Action="s3:PutObject", Condition=source)
    put(Bucket=bucket, BucketLoggingStatus=status)
    strict.owner.s3.delete_bucket_policy(Bucket=target)
    assert refused(put, Bucket=bucket, BucketLoggingStatus=status) == invalid
    strict.owner.s3.put_bucket_acl(Bucket=target, ACL="log-delivery-write")
    put(Bucket=bucket, BucketLoggingStatus=status)


_OF_BUCKETS = {
    "READ": ("list_objects_v2", "list_object_versions", "list_multipart_uploads"),
    "WRITE": ("put_object",),
    "READ_ACP": ("get_bucket_acl",),
    "WRITE_ACP": ("put_bucket_acl",),
}
_OF_OBJECTS = {
    "READ": ("get_object", "head_object", "get_object_attributes"),
    "READ_ACP": ("get_object_acl",),
    "WRITE_ACP": ("put_object_acl",),
}
_HEADERS = {"READ": "Read", "WRITE": "Write", "READ_ACP": "ReadACP", "WRITE_ACP": "WriteACP"} | {
    "FULL_CONTROL": "FullControl"
}
_MORE: dict[str, dict[str, Any]] = {
    "get_object_attributes": {"ObjectAttributes": ["ETag"]},
    "put_bucket_acl": {"ACL": "private"},
    "put_object": {"Key": "new"},
    "put_object_acl": {"ACL": "private"},
}


@pytest.mark.parametrize("permission", [*_OF_BUCKETS, "FULL_CONTROL"])
def test_what_each_permission_on_a_bucket_is_for(strict: Strict, permission: str) -> None:
    bucket = strict.open_bucket()
    user = strict.other.s3.list_buckets()["Owner"]["ID"]
    header = f"Grant{_HEADERS[permission]}"
    strict.owner.s3.put_bucket_acl(Bucket=bucket, **{header: f"id={user}"})
    for needed, calls in _OF_BUCKETS.items():
        for name in calls:
            call, params = getattr(strict.other.s3, name), {"Bucket": bucket, **_MORE.get(name, {})}
            if permission in (needed, "FULL_CONTROL"):
                call(**params)
            else:
                assert refused(call, **params) == DENIED, name


@pytest.mark.parametrize("permission", [*_OF_OBJECTS, "FULL_CONTROL"])
def test_what_each_permission_on_an_object_is_for(strict: Strict, permission: str) -> None:
    bucket = strict.open_bucket()
    user = strict.other.s3.list_buckets()["Owner"]["ID"]
    header = f"Grant{_HEADERS[permission]}"
    strict.owner.s3.put_object(Bucket=bucket, Key="k", **{header: f"id={user}"})
    for needed, calls in _OF_OBJECTS.items():
        for name in calls:
            call, params = getattr(strict.other.s3, name), {"Bucket": bucket, "Key": "k", **_MORE.get(name, {})}
            if permission in (needed, "FULL_CONTROL"):
                call(**params)
            else:
                assert refused(call, **params)[1] == 403, name


def test_who_may_list_by_an_acl_is_told_what_is_not_there(strict: Strict) -> None:
    bucket = strict.open_bucket()
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="none") == DENIED
    strict.owner.s3.put_bucket_acl(Bucket=bucket, ACL="authenticated-read")
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="none") == ("NoSuchKey", 404)
    assert refused(strict.nobody.s3.get_object, Bucket=bucket, Key="none") == DENIED


def test_who_owns_an_object_has_to_do_with_its_acl_whatever_that_says(strict: Strict) -> None:
    bucket = strict.open_bucket()
    strict.owner.s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    nobodys = {"Bucket": bucket, "Key": "k"}
    owner = strict.owner.s3.list_buckets()["Owner"]["ID"]
    strict.other.s3.put_object(**nobodys, GrantReadACP=f"id={owner}")
    assert len(strict.other.s3.get_object_acl(**nobodys)["Grants"]) == 1
    assert refused(strict.other.s3.get_object, **nobodys) == DENIED
    assert refused(strict.owner.s3.put_object_acl, **nobodys, ACL="private") == DENIED
    strict.other.s3.put_object_acl(**nobodys, ACL="private")
    strict.other.s3.get_object(**nobodys)


def test_a_gift_changes_the_owner_only_where_that_is_preferred(strict: Strict) -> None:
    user = strict.other.s3.list_buckets()["Owner"]["ID"]
    for ownership, owned in (("ObjectWriter", True), ("BucketOwnerPreferred", False)):
        bucket = strict.open_bucket(ownership)
        strict.owner.s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
        strict.other.s3.put_object(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
        shown = strict.owner.s3.get_object_acl(Bucket=bucket, Key="k")
        assert (shown["Owner"]["ID"] == user) is owned
        strict.other.s3.put_object(Bucket=bucket, Key="l")
        assert refused(strict.owner.s3.get_object, Bucket=bucket, Key="l") == DENIED
