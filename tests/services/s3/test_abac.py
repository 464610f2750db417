"""Attribute-based access control: policies look at a bucket's tags once it is enabled, and tags are then fixed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.s3.raw import ask
from tests.services.s3.strict import DENIED, Strict, refused, strict_server

_NOT_HERE = ("MethodNotAllowed", 405)
_RED = {"TagSet": [{"Key": "team", "Value": "red"}]}


@pytest.fixture(scope="module")
def strict() -> Iterator[Strict]:
    with strict_server() as running:
        yield running


def _set(s3: Any, bucket: str, status: str) -> None:
    s3.put_bucket_abac(Bucket=bucket, AbacStatus={"Status": status})


def test_it_is_disabled_until_it_is_enabled(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_abac(Bucket=bucket)["AbacStatus"] == {"Status": "Disabled"}
    for status in ("Disabled", "Enabled", "Enabled", "Disabled"):
        _set(s3, bucket, status)
        assert s3.get_bucket_abac(Bucket=bucket)["AbacStatus"] == {"Status": status}


def test_no_bucket_has_none(s3: Any, bucket: str) -> None:
    nowhere = f"{bucket}-no"
    assert refused(s3.get_bucket_abac, Bucket=nowhere) == ("NoSuchBucket", 404)
    assert refused(s3.put_bucket_abac, Bucket=nowhere, AbacStatus={"Status": "Enabled"}) == ("NoSuchBucket", 404)
    assert refused(s3.get_bucket_abac, Bucket=bucket, ExpectedBucketOwner="999999999999") == DENIED


@pytest.mark.parametrize("body", ["", "<Abac", "<AbacStatus/>", "<AbacStatus><Status>On</Status></AbacStatus>"])
def test_what_is_no_status(aws: Aws, s3: Any, bucket: str, body: str) -> None:
    answer = ask(aws, "PUT", f"/{bucket}?abac", body)
    assert (answer.status, answer.code) == (400, "MalformedXML" if body else "MissingRequestBodyError")
    assert s3.get_bucket_abac(Bucket=bucket)["AbacStatus"] == {"Status": "Disabled"}


def test_tags_are_not_put_while_it_is_enabled(s3: Any, bucket: str) -> None:
    s3.put_bucket_tagging(Bucket=bucket, Tagging=_RED)
    _set(s3, bucket, "Enabled")
    assert refused(s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": []}) == _NOT_HERE
    assert refused(s3.delete_bucket_tagging, Bucket=bucket) == _NOT_HERE
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == _RED["TagSet"]
    _set(s3, bucket, "Disabled")
    s3.delete_bucket_tagging(Bucket=bucket)
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)


@pytest.mark.parametrize("key", ["aws:ResourceTag/team", "s3:BucketTag/team"])
def test_a_policy_allows_by_tags_only_while_it_is_enabled(strict: Strict, key: str) -> None:
    bucket, mine, others = strict.bucket(), strict.owner.s3, strict.other.s3
    mine.put_object(Bucket=bucket, Key="k", Body=b"x")
    mine.put_bucket_tagging(Bucket=bucket, Tagging=_RED)
    who, what = {"AWS": strict.other.number}, ["s3:GetObject", "s3:ListBucket"]
    strict.allow(bucket, Principal=who, Action=what, Condition={"StringEquals": {key: "red"}})
    assert refused(others.get_object, Bucket=bucket, Key="k") == DENIED
    _set(mine, bucket, "Enabled")
    assert others.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    others.list_objects_v2(Bucket=bucket)
    strict.allow(bucket, Principal=who, Action=what, Condition={"StringEquals": {key: "blue"}})
    assert refused(others.list_objects_v2, Bucket=bucket) == DENIED
    _set(mine, bucket, "Disabled")
    strict.allow(bucket, Principal=who, Action=what, Condition={"StringEquals": {key: "red"}})
    assert refused(others.get_object, Bucket=bucket, Key="k") == DENIED


def test_a_bucket_that_is_created_with_tags_denies_by_them(strict: Strict) -> None:
    bucket = strict.bucket(CreateBucketConfiguration={"Tags": _RED["TagSet"]})
    mine = strict.owner.s3
    tagged = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    strict.allow(bucket, Effect="Deny", Action="s3:PutObject", Condition=tagged)
    mine.put_object(Bucket=bucket, Key="k")
    _set(mine, bucket, "Enabled")
    assert refused(mine.put_object, Bucket=bucket, Key="k") == DENIED
    mine.get_object(Bucket=bucket, Key="k")


def test_who_may_see_and_set_it(strict: Strict) -> None:
    bucket, others = strict.bucket(), strict.other.s3
    enabled = {"Status": "Enabled"}
    assert refused(others.get_bucket_abac, Bucket=bucket) == DENIED
    assert refused(others.put_bucket_abac, Bucket=bucket, AbacStatus=enabled) == DENIED
    strict.allow(bucket, Principal={"AWS": strict.other.number}, Action="s3:GetBucketAbac")
    assert others.get_bucket_abac(Bucket=bucket)["AbacStatus"] == {"Status": "Disabled"}
    assert refused(others.put_bucket_abac, Bucket=bucket, AbacStatus=enabled) == DENIED
    strict.allow(bucket, Principal={"AWS": strict.other.number}, Action="s3:PutBucketAbac")
    others.put_bucket_abac(Bucket=bucket, AbacStatus=enabled)
    assert strict.owner.s3.get_bucket_abac(Bucket=bucket)["AbacStatus"] == enabled
