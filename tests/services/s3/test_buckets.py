"""Buckets: their names, regions and owners, and how they are listed."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from botocore.config import Config

from cloudlet.testing.server import Aws, fresh_account
from tests.services.s3.strict import refused


def _name() -> str:
    return f"buckets-{secrets.token_hex(8)}"


def test_a_bucket_is_created_seen_and_deleted(s3: Any) -> None:
    name = _name()
    created = s3.create_bucket(Bucket=name)
    assert created["Location"] == f"/{name}"
    assert created["BucketArn"] == f"arn:aws:s3:::{name}"
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    (listed,) = s3.list_buckets()["Buckets"]
    assert listed["Name"] == name
    s3.delete_bucket(Bucket=name)
    assert s3.list_buckets()["Buckets"] == []
    assert refused(s3.head_bucket, Bucket=name) == ("404", 404)
    assert refused(s3.delete_bucket, Bucket=name) == ("NoSuchBucket", 404)
    assert refused(s3.list_objects_v2, Bucket=name) == ("NoSuchBucket", 404)


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Capital-letters",
        "under_score",
        "-hyphen-first",
        "hyphen-last-",
        "dot.last.",
        "two..dots",
        "192.168.5.4",
        "xn--punycode",
        "sthree-name",
        "amzn-s3-demo-name",
        "name-s3alias",
        "name--ol-s3",
        "name.mrap",
        "name--table-s3",
    ],
)
def test_names_that_no_bucket_can_have(s3: Any, name: str) -> None:
    assert refused(s3.create_bucket, Bucket=name) == ("InvalidBucketName", 400)


@pytest.mark.parametrize("name", ["a.b-{}", "{}.eu.example.com", "0-{}-9"])
def test_names_that_buckets_can_have(s3: Any, name: str) -> None:
    name = name.format(secrets.token_hex(8))
    s3.create_bucket(Bucket=name)
    s3.head_bucket(Bucket=name)


def test_a_name_in_an_accounts_own_namespace_says_whose_it_is(aws: Aws, s3: Any) -> None:
    asked = {"BucketNamespace": "account-regional"}
    name = f"own-{aws.account}-us-east-1-an"
    s3.create_bucket(Bucket=name, **asked)
    assert refused(s3.create_bucket, Bucket=_name(), **asked) == ("InvalidBucketName", 400)


@pytest.mark.parametrize(
    ("endpoint", "constraint", "region"),
    [
        ("us-east-1", "eu-central-1", "eu-central-1"),
        ("us-east-1", "EU", "eu-west-1"),
        ("eu-west-1", "EU", "eu-west-1"),
        ("eu-west-1", "eu-west-1", "eu-west-1"),
    ],
)
def test_regions_that_a_bucket_can_be_in(aws: Aws, endpoint: str, constraint: str, region: str) -> None:
    s3, name = Aws(aws.endpoint, aws.account, endpoint).client("s3"), _name()
    created = s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": constraint})
    assert created["Location"] == f"http://{name}.s3.amazonaws.com/"
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == constraint
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == region


@pytest.mark.parametrize(
    ("endpoint", "constraint", "code"),
    [
        ("eu-west-1", None, "IllegalLocationConstraintException"),
        ("eu-west-1", "us-west-2", "IllegalLocationConstraintException"),
        ("us-east-1", "us-east-1", "InvalidLocationConstraint"),
        ("us-east-1", "the-moon", "IllegalLocationConstraintException"),
        ("us-east-1", "cn-north-1", "IllegalLocationConstraintException"),
    ],
)
def test_regions_that_it_cannot_be_in(aws: Aws, endpoint: str, constraint: str | None, code: str) -> None:
    s3 = Aws(aws.endpoint, aws.account, endpoint).client("s3")
    wanted = {} if constraint is None else {"CreateBucketConfiguration": {"LocationConstraint": constraint}}
    assert refused(s3.create_bucket, Bucket=_name(), **wanted) == (code, 400)


def test_who_signs_for_no_region_is_told_which(aws: Aws) -> None:
    """botocore goes on from there, and so does s3cmd, which signs for US."""
    s3, name = Aws(aws.endpoint, aws.account, "US").client("s3"), _name()
    errors: list[dict[str, str]] = []

    def watch(response: Any, **_: Any) -> None:
        errors.append(response[1].get("Error", {}))

    s3.meta.events.register("needs-retry.s3.CreateBucket", watch)
    s3.create_bucket(Bucket=name)
    assert [(error.get("Code"), error.get("Region")) for error in errors] == [
        ("AuthorizationHeaderMalformed", "us-east-1"),
        (None, None),
    ]
    assert aws.client("s3").head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"


def test_a_name_belongs_to_who_had_it_first(aws: Aws, s3: Any) -> None:
    name = _name()
    s3.create_bucket(Bucket=name)
    other = Aws(aws.endpoint, fresh_account()).client("s3")
    assert refused(other.create_bucket, Bucket=name) == ("BucketAlreadyExists", 409)
    assert other.list_buckets()["Buckets"] == []


def test_creating_ones_own_bucket_again(aws: Aws, s3: Any) -> None:
    name = _name()
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k")
    s3.create_bucket(Bucket=name)
    assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 1
    away = Aws(aws.endpoint, aws.account, "eu-west-1").client("s3")
    there = {"Bucket": _name(), "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    away.create_bucket(**there)
    assert refused(away.create_bucket, **there) == ("BucketAlreadyOwnedByYou", 409)


def test_creating_ones_own_bucket_again_resets_its_acl(s3: Any) -> None:
    name = _name()
    s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket=name)
    s3.put_bucket_acl(Bucket=name, ACL="public-read")
    assert len(s3.get_bucket_acl(Bucket=name)["Grants"]) == 2
    s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    assert len(s3.get_bucket_acl(Bucket=name)["Grants"]) == 1


def test_a_bucket_is_made_with_its_tags(s3: Any) -> None:
    name, tags = _name(), [{"Key": "team", "Value": "search"}]
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": tags})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags


def test_a_bucket_has_to_be_empty_to_be_deleted(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    for each in (version, marker):
        assert refused(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
        s3.delete_object(Bucket=bucket, Key="k", VersionId=each)
    s3.create_multipart_upload(Bucket=bucket, Key="under-way")
    s3.delete_bucket(Bucket=bucket)


def test_a_bucket_that_is_made_anew_has_nothing_of_the_one_before(s3: Any, bucket: str) -> None:
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.create_multipart_upload(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_buckets_are_listed_in_pages_by_prefix_and_region(aws: Aws, s3: Any) -> None:
    stem = _name()
    names = [f"{stem}-{letter}" for letter in "abcde"]
    for name in reversed(names):
        s3.create_bucket(Bucket=name)
    away = f"{stem}-x"
    s3.create_bucket(Bucket=away, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    pages = s3.get_paginator("list_buckets").paginate(Prefix=stem, PaginationConfig={"PageSize": 2})
    listed = [[bucket["Name"] for bucket in page["Buckets"]] for page in pages]
    assert [len(page) for page in listed] == [2, 2, 2]
    assert [name for page in listed for name in page] == [*names, away]
    (only,) = s3.list_buckets(BucketRegion="eu-west-1")["Buckets"]
    assert (only["Name"], only["BucketRegion"]) == (away, "eu-west-1")
    assert {each["BucketRegion"] for each in s3.list_buckets(Prefix=stem)["Buckets"]} == {"us-east-1", "eu-west-1"}
    assert not any("BucketRegion" in each for each in s3.list_buckets()["Buckets"])
    assert s3.list_buckets(Prefix="no")["Buckets"] == []
    assert refused(s3.list_buckets, ContinuationToken="no token") == ("InvalidArgument", 400)
    of_metrics = s3.list_bucket_metrics_configurations
    assert refused(of_metrics, Bucket=away, ContinuationToken="no token") == ("InvalidArgument", 400)
    unchecked = aws.client("s3", config=Config(parameter_validation=False))
    for count in (0, 10_001):
        assert refused(unchecked.list_buckets, MaxBuckets=count) == ("InvalidArgument", 400)


def test_versioning_is_on_or_suspended_and_never_off_again(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status
    put = s3.put_bucket_versioning
    assert refused(put, Bucket=bucket, VersioningConfiguration={"Status": "Off"})[1] == 400
    illegal = ("IllegalVersioningConfigurationException", 400)
    assert refused(put, Bucket=bucket, VersioningConfiguration={}) == illegal
    suspended = {"Status": "Suspended"}
    refusal = refused(put, Bucket=bucket, VersioningConfiguration=suspended, MFA="serial 123456")
    assert refusal == ("NotImplemented", 501)
    locked = _name()
    s3.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    assert refused(put, Bucket=locked, VersioningConfiguration=suspended) == ("InvalidBucketState", 409)


def test_a_request_may_say_whose_bucket_it_expects(aws: Aws, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", ExpectedBucketOwner=aws.account)
    wrong = {"Bucket": bucket, "ExpectedBucketOwner": fresh_account()}
    calls: dict[Any, dict[str, Any]] = {
        s3.list_objects_v2: {},
        s3.get_bucket_policy: {},
        s3.put_bucket_tagging: {"Tagging": {"TagSet": []}},
        s3.get_object: {"Key": "k"},
        s3.put_object: {"Key": "k"},
        s3.delete_object: {"Key": "k"},
        s3.create_multipart_upload: {"Key": "k"},
    }
    for call, more in calls.items():
        assert refused(call, **wrong, **more) == ("AccessDenied", 403), call
