"""MinIO's client, which signs and reads XML by itself: run by tests/e2e/test_python.py with the clients' Python."""

from __future__ import annotations

import io
import os
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from minio import Minio, S3Error
from minio.commonconfig import COMPLIANCE, ENABLED, ComposeSource, Filter, Tags
from minio.credentials import EnvAWSProvider
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from minio.retention import Retention

BUCKET = os.environ["BUCKET"]
MIB = 2**20
ODD = "a/b c+d%25 ü.txt"


@pytest.fixture
def client() -> Minio:
    host = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    return Minio(host, secure=False, credentials=EnvAWSProvider())


def test_objects(client: Minio) -> None:
    body = os.urandom(6 * MIB)
    client.put_object(BUCKET, ODD, io.BytesIO(body), length=-1, part_size=5 * MIB, metadata={"who": "ann"})
    client.put_object(BUCKET, "small", io.BytesIO(b"end"), 3, content_type="text/plain")
    assert client.get_object(BUCKET, ODD).read() == body
    assert client.stat_object(BUCKET, ODD).metadata["x-amz-meta-who"] == "ann"
    client.compose_object(BUCKET, "both", [ComposeSource(BUCKET, ODD), ComposeSource(BUCKET, "small")])
    assert client.get_object(BUCKET, "both", offset=len(body) - 1).read() == body[-1:] + b"end"
    assert [each.object_name for each in client.list_objects(BUCKET)] == ["both", "small", "a/"]

    tags = Tags.new_object_tags()
    tags["kind"] = "a + b"
    client.set_object_tags(BUCKET, "small", tags)
    assert client.get_object_tags(BUCKET, "small") == tags
    with pytest.raises(S3Error) as caught:
        client.stat_object(BUCKET, "none")
    assert caught.value.code == "NoSuchKey"

    names = [each.object_name for each in client.list_objects(BUCKET, recursive=True)]
    assert list(client.remove_objects(BUCKET, [DeleteObject(name) for name in names])) == []
    assert list(client.list_objects(BUCKET)) == []


def test_signed_addresses_and_forms(client: Minio) -> None:
    address = client.presigned_put_object(BUCKET, ODD)
    urllib.request.urlopen(urllib.request.Request(address, b"signed", method="PUT"))
    assert urllib.request.urlopen(client.presigned_get_object(BUCKET, ODD)).read() == b"signed"
    policy = PostPolicy(BUCKET, datetime.now(UTC) + timedelta(hours=1))
    policy.add_equals_condition("key", ODD)
    assert {"policy", "x-amz-signature"} <= client.presigned_post_policy(policy).keys()


def test_buckets_with_locks(client: Minio) -> None:
    locked = f"{BUCKET}-locked"
    client.make_bucket(locked, object_lock=True)
    assert client.bucket_exists(locked)
    client.set_bucket_lifecycle(
        locked, LifecycleConfig([Rule(ENABLED, Filter(prefix="logs/"), "old", expiration=Expiration(days=3))])
    )
    (rule,) = client.get_bucket_lifecycle(locked).rules
    assert (rule.rule_id, rule.expiration.days) == ("old", 3)

    version = client.put_object(locked, "k", io.BytesIO(b"kept"), 4).version_id
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    client.set_object_retention(locked, "k", Retention(COMPLIANCE, until))
    assert client.get_object_retention(locked, "k").retain_until_date == until
    with pytest.raises(S3Error) as caught:
        client.remove_object(locked, "k", version_id=version)
    assert caught.value.code == "AccessDenied"
    client.remove_object(locked, "k")
    found = client.list_objects(locked, include_version=True)
    assert {(each.version_id == version, each.is_delete_marker) for each in found} == {(False, True), (True, False)}
