"""Inventories: a list of what is in a bucket, written into another one each day or week."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb
import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.services.s3.own_work import bucket, keys, let_in, strict_server
from tests.standing import Standing, eventually


@pytest.fixture
def s3(standing: Standing) -> Any:
    return standing.account().client("s3")


def configure(s3: Any, name: str, target: str, id: str = "daily", **more: Any) -> None:
    """Have reports written into a bucket, which lets S3 in."""
    let_in(s3, target, "s3.amazonaws.com")
    put(s3, name, target, id, **more)


def put(s3: Any, name: str, target: str, id: str, **more: Any) -> None:
    destination = {"Bucket": f"arn:aws:s3:::{target}", "Format": "CSV", "Prefix": "lists", **more.pop("Into", {})}
    s3.put_bucket_inventory_configuration(
        Bucket=name,
        Id=id,
        InventoryConfiguration={
            "Id": id,
            "IsEnabled": True,
            "IncludedObjectVersions": "Current",
            "Schedule": {"Frequency": "Daily"},
            "Destination": {"S3BucketDestination": destination},
            **more,
        },
    )


def manifests(s3: Any, target: str) -> list[str]:
    """Return the keys of the manifests of all reports that are complete."""
    found = keys(s3, target)
    # The link is written last.
    return [key for key in found if key.endswith("manifest.json")] if any("hive/" in key for key in found) else []


def report(s3: Any, target: str, number: int = 1) -> tuple[str, dict[str, Any], bytes]:
    """Wait for so many reports; return the key and the contents of the last one's manifest, and its data."""
    key = eventually(lambda: manifests(s3, target), lambda seen: len(seen) == number)[-1]
    raw = s3.get_object(Bucket=target, Key=key)["Body"].read()
    checksum = s3.get_object(Bucket=target, Key=key.replace(".json", ".checksum"))["Body"].read()
    assert checksum.decode() == hashlib.md5(raw).hexdigest()
    manifest = json.loads(raw)
    (file,) = manifest["files"]
    data = s3.get_object(Bucket=target, Key=file["key"])["Body"].read()
    assert (file["size"], file["MD5checksum"]) == (len(data), hashlib.md5(data).hexdigest())
    return key, manifest, data


def rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(gzip.decompress(data).decode())))


def test_a_report_lists_the_objects_and_a_manifest_names_it(s3: Any) -> None:
    name, target = bucket(s3), bucket(s3)
    for number in range(450):
        s3.put_object(Bucket=name, Key=f"n/{number:03d}")
    s3.put_object(Bucket=name, Key='a "b", ü')
    configure(s3, name, target, IncludedObjectVersions="All")
    key, manifest, data = report(s3, target)
    at = s3.head_object(Bucket=target, Key=key)["LastModified"]
    assert key == f"lists/{name}/daily/{at:%Y-%m-%dT%H-%MZ}/manifest.json"
    assert manifest["sourceBucket"] == name
    assert manifest["destinationBucket"] == f"arn:aws:s3:::{target}"
    schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker"
    assert (manifest["fileFormat"], manifest["fileSchema"]) == ("CSV", schema)
    assert manifest["creationTimestamp"] == str(int(at.timestamp() * 1000))
    listed = rows(data)
    assert listed[0] == [name, "a%20%22b%22%2C%20%C3%BC", "", "true", "false"]
    assert [(row[1], row[3]) for row in listed[1:]] == [(f"n/{number:03d}", "true") for number in range(450)]
    (link,) = keys(s3, target, f"lists/{name}/daily/hive/dt={at:%Y-%m-%d-%H-%M}/")
    linked = s3.get_object(Bucket=target, Key=link)["Body"].read().decode()
    assert linked == f"s3://{target}/{manifest['files'][0]['key']}\n"


def test_an_expiry_that_no_calendar_has_is_not_told(s3: Any) -> None:
    name, target = bucket(s3), bucket(s3)
    configuration = {"Rules": [{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 2_147_483_647}}]}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=configuration)
    s3.put_object(Bucket=name, Key="k")
    configure(s3, name, target, OptionalFields=["LifecycleExpirationDate"])
    assert rows(report(s3, target)[2]) == [[name, "k", ""]]


def test_the_fields_that_are_asked_for(s3: Any) -> None:
    name, target = bucket(s3, ObjectLockEnabledForBucket=True), bucket(s3)
    configuration = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=configuration)
    first = s3.put_object(Bucket=name, Key="k", Body=b"12345", ObjectLockLegalHoldStatus="ON")
    marker = s3.delete_object(Bucket=name, Key="k")["VersionId"]
    plain = s3.put_object(Bucket=name, Key="p", Body=b"1", StorageClass="GLACIER_IR", ChecksumAlgorithm="SHA1")
    s3.put_object(Bucket=name, Key="q", ServerSideEncryption="aws:kms", BucketKeyEnabled=True)
    s3.put_object(Bucket=name, Key="out")
    fields = [
        "Size", "LastModifiedDate", "StorageClass", "ETag", "IsMultipartUploaded", "ReplicationStatus",
        "EncryptionStatus", "ObjectLockRetainUntilDate", "ObjectLockMode", "ObjectLockLegalHoldStatus",
        "IntelligentTieringAccessTier", "BucketKeyStatus", "ChecksumAlgorithm", "ObjectAccessControlList",
        "ObjectOwner", "LifecycleExpirationDate",
    ]  # fmt: skip
    configure(s3, name, target, IncludedObjectVersions="All", OptionalFields=fields, Filter={"Prefix": ""})
    _, manifest, data = report(s3, target)
    names = manifest["fileSchema"].split(", ")
    assert names == ["Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", *fields]
    found = [dict(zip(names, row, strict=True)) for row in rows(data)]
    assert [(row["Key"], row["VersionId"], row["IsLatest"], row["IsDeleteMarker"]) for row in found[:2]] == [
        ("k", marker, "true", "true"),
        ("k", first["VersionId"], "false", "false"),
    ]
    held, last = found[1], found[3]
    assert (held["Size"], held["ETag"]) == ("5", first["ETag"].strip('"'))
    assert (held["ObjectLockLegalHoldStatus"], held["ObjectLockMode"]) == ("ON", "")
    assert (last["VersionId"], last["StorageClass"], last["ChecksumAlgorithm"]) == (
        plain["VersionId"],
        "GLACIER_IR",
        "SHA1",
    )
    assert (last["EncryptionStatus"], last["BucketKeyStatus"], last["IsMultipartUploaded"]) == (
        "SSE-S3",
        "DISABLED",
        "false",
    )
    assert (found[4]["EncryptionStatus"], found[4]["BucketKeyStatus"]) == ("SSE-KMS", "ENABLED")
    assert held["LifecycleExpirationDate"] == ""
    assert last["LifecycleExpirationDate"].endswith("T00:00:00.000Z")
    owner = s3.list_buckets()["Owner"]["ID"]
    assert last["ObjectOwner"] == owner
    assert json.loads(last["ObjectAccessControlList"])["grants"] == [
        {"canonicalId": owner, "type": "Canonical", "permission": "FULL_CONTROL"}
    ]


def test_only_what_is_current_and_below_the_prefix(s3: Any) -> None:
    name, target = bucket(s3, versioned=True), bucket(s3)
    for key in ("in/a", "in/gone", "out/a"):
        s3.put_object(Bucket=name, Key=key)
    s3.put_object(Bucket=name, Key="in/a", Body=b"newer")
    s3.delete_object(Bucket=name, Key="in/gone")
    configure(s3, name, target, Filter={"Prefix": "in/"}, OptionalFields=["Size"], Into={"Encryption": {"SSES3": {}}})
    _, manifest, data = report(s3, target)
    assert rows(data) == [[name, "in/a", "5"]]
    assert s3.head_object(Bucket=target, Key=manifest["files"][0]["key"])["ServerSideEncryption"] == "AES256"


def test_parquet(s3: Any, tmp_path: Path) -> None:
    name, target = bucket(s3, versioned=True), bucket(s3)
    bodies = {"a \"b\", 'c', ü": b"12345678901", "d": b""}
    made = [s3.put_object(Bucket=name, Key=key, Body=body)["VersionId"] for key, body in bodies.items()]
    fields = ["Size", "LastModifiedDate", "ETag"]
    configure(s3, name, target, IncludedObjectVersions="All", OptionalFields=fields, Into={"Format": "Parquet"})
    _, manifest, data = report(s3, target)
    file = tmp_path / "inventory.parquet"
    file.write_bytes(data)
    table = duckdb.sql(f"SELECT * FROM '{file}'")
    types = dict(zip(table.columns, map(str, table.types), strict=True))
    assert types == {
        "bucket": "VARCHAR", "key": "VARCHAR", "version_id": "VARCHAR", "is_latest": "BOOLEAN",
        "is_delete_marker": "BOOLEAN", "size": "BIGINT", "last_modified_date": "TIMESTAMP", "e_tag": "VARCHAR",
    }  # fmt: skip
    assert table.select("key, version_id, is_latest, size").fetchall() == [
        ("a \"b\", 'c', ü", made[0], True, 11),
        ("d", made[1], True, 0),
    ]
    (moment,) = table.select("last_modified_date").fetchall()[0]
    assert moment.replace(tzinfo=UTC, microsecond=0) == s3.head_object(Bucket=name, Key="d")["LastModified"]
    assert "optional int64 last_modified_date (TIMESTAMP_MILLIS);" in manifest["fileSchema"]
    assert manifest["fileFormat"] == "Parquet"
    assert manifest["fileSchema"].startswith("message s3.inventory {")


def test_reports_come_daily_or_on_sundays_or_not_at_all(standing: Standing, s3: Any) -> None:
    name = bucket(s3)
    daily, weekly, never = (bucket(s3) for _ in range(3))
    configure(s3, name, daily)
    configure(s3, name, weekly, "weekly", Schedule={"Frequency": "Weekly"})
    configure(s3, name, never, "never", IsEnabled=False)
    key, _, _ = report(s3, daily)
    report(s3, weekly)
    today = s3.head_object(Bucket=daily, Key=key)["LastModified"]
    for number in range(1, 8):
        standing.advance("1d")
        report(s3, daily, number + 1)
        if (today.weekday() + number) % 7 == 6:
            report(s3, weekly, 2)
    assert len(manifests(s3, weekly)) == 2
    assert not keys(s3, never)
    s3.delete_bucket_inventory_configuration(Bucket=name, Id="daily")
    configure(s3, name, never, "other")
    report(s3, never)
    standing.advance("1d")
    report(s3, never, 2)
    assert len(manifests(s3, daily)) == 8


def test_in_strict_mode_the_target_has_to_let_reports_in() -> None:
    with strict_server() as strict:
        s3 = strict.client("s3")
        name, closed, open_to_it = (bucket(s3) for _ in range(3))
        strict.admit(open_to_it, "s3.amazonaws.com", name)
        strict.admit(closed, "s3.amazonaws.com", open_to_it)
        put(s3, name, closed, "a")
        put(s3, name, open_to_it, "b")
        report(s3, open_to_it)
        assert not keys(s3, closed)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"Into": {"Format": "ORC"}}, "NotImplemented"),
        ({"Into": {"Encryption": {"SSEKMS": {"KeyId": "arn:aws:kms:us-east-1:1:key/k"}}}}, "NotImplemented"),
        ({"Into": {"Bucket": "nonsense"}}, "InvalidS3DestinationBucket"),
        ({"Into": {"Bucket": "arn:aws:sqs:us-east-1:1:q"}}, "InvalidS3DestinationBucket"),
        ({"Into": {"Bucket": "arn:aws:s3::123456789012:reports"}}, "InvalidS3DestinationBucket"),
    ],
)
def test_reports_that_could_not_be_written_are_refused(aws: Aws, changed: dict[str, Any], code: str) -> None:
    s3 = aws.client("s3")
    name = bucket(s3)
    with pytest.raises(ClientError) as caught:
        configure(s3, name, name, **changed)
    assert caught.value.response["Error"]["Code"] == code
    assert not s3.list_bucket_inventory_configurations(Bucket=name).get("InventoryConfigurationList")
