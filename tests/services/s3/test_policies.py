"""Bucket policies: what is one, what makes it public, and the conditions that a request is held against."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.services.s3.raw import ask, fetch
from tests.services.s3.strict import DENIED, Strict, refused, strict_server


@pytest.fixture(scope="module")
def strict() -> Iterator[Strict]:
    with strict_server() as running:
        yield running


def _document(bucket: str, **statement: Any) -> str:
    usual = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**usual, **statement}]})


def test_a_policy_comes_back_as_it_was_put(s3: Any, bucket: str) -> None:
    assert refused(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)
    assert refused(s3.get_bucket_policy_status, Bucket=bucket) == ("NoSuchBucketPolicy", 404)
    text = _document(bucket, Principal={"AWS": "123456789012"}).replace(", ", ",\n  ")
    assert s3.put_bucket_policy(Bucket=bucket, Policy=text)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_bucket_policy(Bucket=bucket)
    assert refused(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)


def test_what_is_done_to_annotations_is_done_to_objects(s3: Any, bucket: str) -> None:
    actions = [f"s3:{name}" for name in ("GetObjectAnnotation", "PutObjectAnnotation", "DeleteObjectAnnotation")]
    actions.append("s3:ListObjectAnnotations")
    owner = {"AWS": "123456789012"}
    s3.put_bucket_policy(Bucket=bucket, Policy=_document(bucket, Principal=owner, Action=actions))
    of_bucket = _document(bucket, Principal=owner, Action=actions, Resource=f"arn:aws:s3:::{bucket}")
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=of_bucket) == ("MalformedPolicy", 400)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        "{",
        "{}",
        '{"Statement": []}',
        '{"Version": "2020-01-01", "Statement": []}',
        '{"Statement": [{"Effect": "Allow"}]}',
    ],
)
def test_what_is_no_policy(aws: Aws, bucket: str, text: str) -> None:
    answer = ask(aws, "PUT", f"/{bucket}?policy", text)
    assert (answer.status, answer.code) == (400, "MalformedPolicy")


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Maybe"},
        {"Action": "s3:NoSuchThing*", "Resource": "arn:aws:s3:::other/*"},
        {"Action": "ec2:RunInstances"},
        {"Principal": {"AWS": "arn:aws:iam::12:root"}},
        {"Condition": {"StringSortOf": {"s3:prefix": "a"}}},
        {"Resource": "arn:aws:sqs:us-east-1:123456789012:q"},
        {"Action": "s3:CreateBucket"},
        {"Condition": {"StringEquals": {"s3:no-such-key": "a"}}},
    ],
)
def test_what_is_no_statement(s3: Any, bucket: str, statement: dict[str, Any]) -> None:
    s3.delete_public_access_block(Bucket=bucket)
    put = s3.put_bucket_policy
    assert refused(put, Bucket=bucket, Policy=_document(bucket, **statement)) == ("MalformedPolicy", 400)


_NARROW = {"Condition": {"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}}


@pytest.mark.parametrize(
    ("statement", "public"),
    [
        ({}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": {"AWS": "123456789012"}}, False),
        ({"Effect": "Deny"}, False),
        (_NARROW, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}}, True),
        ({"Condition": {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}}, False),
        ({"Condition": {"StringLike": {"aws:PrincipalAccount": "*"}}}, True),
        ({"Condition": {"StringEquals": {"aws:UserAgent": "me"}}}, True),
        ({"Condition": {"StringNotEquals": {"aws:PrincipalAccount": "123456789012"}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}, False),
    ],
)
def test_the_meaning_of_public(s3: Any, bucket: str, statement: dict[str, Any], public: bool) -> None:
    text = _document(bucket, **statement)
    if public:
        assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=text) == DENIED
        s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is public


def test_all_but_somebody_is_everybody(s3: Any, bucket: str) -> None:
    s3.delete_public_access_block(Bucket=bucket)
    text = _document(bucket).replace('"Principal": "*"', '"NotPrincipal": {"AWS": "123456789012"}')
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True


def test_a_policy_has_20_kilobytes(s3: Any, bucket: str) -> None:
    def sized(size: int) -> str:
        text = _document(bucket, Effect="Deny", Condition={"StringEquals": {"aws:UserAgent": "@"}})
        return text.replace("@", "x" * (size - len(text) + 1))

    s3.put_bucket_policy(Bucket=bucket, Policy=sized(20480))
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=sized(20481)) == ("MalformedPolicy", 400)


def test_who_locks_himself_out_says_that_he_means_it(strict: Strict) -> None:
    bucket = strict.bucket()
    locked_out = _document(bucket, Effect="Deny", Action="s3:*", Resource=f"arn:aws:s3:::{bucket}")
    strict.owner.s3.put_bucket_policy(Bucket=bucket, Policy=locked_out, ConfirmRemoveSelfBucketAccess=True)
    assert refused(strict.owner.s3.list_objects_v2, Bucket=bucket) == DENIED
    strict.owner.s3.delete_bucket_policy(Bucket=bucket)
    strict.owner.s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        ({"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}, {"ACL": "bucket-owner-full-control"}, {}),
        ({"StringEquals": {"s3:x-amz-storage-class": "STANDARD_IA"}}, {"StorageClass": "STANDARD_IA"}, {}),
        (
            {"StringEquals": {"s3:RequestObjectTag/kind": "x"}},
            {"Tagging": "kind=x&other=y"},
            {"Tagging": "kind=y"},
        ),
        (
            {"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["a", "b"]}},
            {"Tagging": "a=1"},
            {"Tagging": "a=1&c=2"},
        ),
        ({"Null": {"s3:if-none-match": "false"}}, {"IfNoneMatch": "*"}, {}),
        (
            {"StringLike": {"s3:x-amz-website-redirect-location": "/in/*"}},
            {"WebsiteRedirectLocation": "/in/a"},
            {"WebsiteRedirectLocation": "/out"},
        ),
    ],
)
def test_conditions_on_what_is_written(
    strict: Strict, condition: dict[str, Any], good: dict[str, str], bad: dict[str, str]
) -> None:
    bucket = strict.bucket()
    other = {"AWS": strict.other.number}
    strict.allow(bucket, Principal=other, Action=["s3:PutObject", "s3:PutObjectTagging"], Condition=condition)
    strict.other.s3.put_object(Bucket=bucket, Key="good", **good)
    assert refused(strict.other.s3.put_object, Bucket=bucket, Key="bad", **bad) == DENIED


def _in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


_TEN_DAYS = {"NumericLessThanEqualsIfExists": {"s3:object-lock-remaining-retention-days": "10"}}
_UNTIL_THEN = {"DateLessThanIfExists": {"s3:object-lock-retain-until-date": _in_days(10.5)}}
_MD5 = "ndTkYSaMgDT1yFZOFVxnpg=="
_GOVERNED = {"StringEqualsIfExists": {"s3:object-lock-mode": "GOVERNANCE"}}


@pytest.mark.parametrize(
    ("condition", "wrong"),
    [
        (_TEN_DAYS, {"ObjectLockRetainUntilDate": _in_days(11)}),
        (_UNTIL_THEN, {"ObjectLockRetainUntilDate": _in_days(11)}),
        (_GOVERNED, {"ObjectLockMode": "COMPLIANCE"}),
    ],
)
@pytest.mark.parametrize("way", ["header", "query", "document"])
def test_conditions_on_locks(strict: Strict, condition: dict[str, Any], wrong: dict[str, str], way: str) -> None:
    """User guide, "Setting limits on retention periods with a bucket policy"."""
    bucket = strict.bucket(ObjectLockEnabledForBucket=True)
    actions = ["s3:PutObject", "s3:PutObjectRetention"]
    strict.allow(bucket, Principal={"AWS": strict.other.number}, Action=actions, Condition=condition)
    s3, named = strict.other.s3, {"Bucket": bucket, "Key": "k"}

    def answer(lock: dict[str, str]) -> int:
        if way == "query":
            url = s3.generate_presigned_url("put_object", {**named, **lock, "ContentMD5": _MD5})
            assert "x-amz-object-lock-retain-until-date=" in url
            return fetch(url, "PUT", b"x", Content_MD5=_MD5).status
        try:
            s3.put_object(**named, **(lock if way == "header" else {}))
            if way == "document":
                retention = {name.removeprefix("ObjectLock"): value for name, value in lock.items()}
                s3.put_object_retention(**named, Retention=retention)
        except ClientError as error:
            return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        return 200

    right = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": _in_days(9.5)}
    assert answer(right) == 200
    assert answer(right | wrong) == 403


def test_who_may_retain_may_not_hold(strict: Strict) -> None:
    bucket = strict.bucket(ObjectLockEnabledForBucket=True)
    other = {"AWS": strict.other.number}
    strict.allow(bucket, Principal=other, Action=["s3:PutObject", "s3:PutObjectRetention"])
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": _in_days(1)}
    strict.other.s3.put_object(Bucket=bucket, Key="k", **lock)
    hold = {"ObjectLockLegalHoldStatus": "ON"}
    assert refused(strict.other.s3.put_object, Bucket=bucket, Key="k", **lock, **hold) == DENIED


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        ({"StringEquals": {"s3:prefix": "a/"}}, {"Prefix": "a/"}, {"Prefix": "a"}),
        ({"StringEquals": {"s3:delimiter": "/"}}, {"Delimiter": "/"}, {}),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"MaxKeys": 10}, {"MaxKeys": 11}),
    ],
)
def test_conditions_on_what_is_listed(
    strict: Strict, condition: dict[str, Any], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    bucket = strict.bucket()
    strict.allow(bucket, Principal={"AWS": strict.other.number}, Action="s3:ListBucket", Condition=condition)
    strict.other.s3.list_objects_v2(Bucket=bucket, **good)
    assert refused(strict.other.s3.list_objects_v2, Bucket=bucket, **bad) == DENIED


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"NotIpAddress": {"aws:SourceIp": "127.0.0.1/32"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
        ({"StringLike": {"aws:UserAgent": "*oto3*"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": "222222222222"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, False),
        ({"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}, False),
        ({"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}, True),
        ({"StringEquals": {"s3:ResourceAccount": "111111111111"}}, True),
        ({"StringLike": {"aws:Referer": "http://example.com/*"}}, False),
    ],
)
def test_conditions_on_who_comes_how(strict: Strict, condition: dict[str, Any], allowed: bool) -> None:
    bucket = strict.open_bucket()
    strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    strict.allow(bucket, Action="s3:GetObject", Condition=condition)
    if allowed:
        strict.other.s3.get_object(Bucket=bucket, Key="k")
    else:
        assert refused(strict.other.s3.get_object, Bucket=bucket, Key="k") == DENIED


def test_everything_but_what_is_named(strict: Strict) -> None:
    bucket = strict.bucket()
    for key in ("open/k", "closed/k"):
        strict.owner.s3.put_object(Bucket=bucket, Key=key)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": strict.other.number},
        "NotAction": "s3:DeleteObject",
        "NotResource": f"arn:aws:s3:::{bucket}/closed/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    strict.owner.s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    strict.other.s3.get_object(Bucket=bucket, Key="open/k")
    strict.other.s3.list_objects_v2(Bucket=bucket)
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="closed/k") == DENIED
    assert refused(strict.other.s3.delete_object, Bucket=bucket, Key="open/k") == DENIED


def test_a_policy_names_an_account_by_its_canonical_user(strict: Strict) -> None:
    bucket = strict.bucket()
    strict.owner.s3.put_object(Bucket=bucket, Key="k")
    user = strict.other.s3.list_buckets()["Owner"]["ID"]
    strict.allow(bucket, Principal={"CanonicalUser": user}, Action="s3:GetObject")
    strict.other.s3.get_object(Bucket=bucket, Key="k")
    assert refused(strict.nobody.s3.get_object, Bucket=bucket, Key="k") == DENIED
