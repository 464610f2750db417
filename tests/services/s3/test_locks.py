"""Object Lock: what is retained, or held, is not deleted. User guide, "Locking objects with Object Lock"."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.services.s3.strict import DENIED, refused
from tests.standing import Standing

_NOON = datetime(2030, 3, 13, 12, tzinfo=UTC)
_SOON, _LATER = _NOON + timedelta(days=1), _NOON + timedelta(days=2)


@pytest.fixture
def still(standing: Standing) -> Any:
    """A client where the time is what tests make of it."""
    return standing.account().client("s3")


def _bucket(s3: Any, **default: Any) -> str:
    """Create a bucket with Object Lock, and a default retention if one is given."""
    name = f"locked-{secrets.token_hex(8)}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    if default:
        rule = {"DefaultRetention": default}
        configured = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=configured)
    return name


def _put(s3: Any, bucket: str, **lock: Any) -> dict[str, str]:
    """Write an object; return what names the version."""
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"kept", **lock)["VersionId"]
    return {"Bucket": bucket, "Key": "k", "VersionId": version}


def test_a_retained_version_is_not_deleted_but_hidden(aws: Any) -> None:
    s3 = aws.client("s3")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    bucket = _bucket(s3)
    version = _put(s3, bucket, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)
    read = s3.head_object(**version)
    assert (read["ObjectLockMode"], read["ObjectLockRetainUntilDate"]) == ("COMPLIANCE", until)
    assert s3.get_object_retention(**version)["Retention"] == {"Mode": "COMPLIANCE", "RetainUntilDate": until}
    assert refused(s3.delete_object, **version) == DENIED
    assert refused(s3.delete_object, **version, BypassGovernanceRetention=True) == DENIED
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": version["VersionId"]}]})
    assert [each["Code"] for each in answer["Errors"]] == ["AccessDenied"]
    assert s3.delete_object(Bucket=bucket, Key="k")["DeleteMarker"] is True
    s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    assert s3.get_object(**version)["Body"].read() == b"kept"


def test_governance_may_be_bypassed(aws: Any) -> None:
    s3 = aws.client("s3")
    until = datetime.now(UTC) + timedelta(days=1)
    version = _put(s3, _bucket(s3), ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)
    assert refused(s3.delete_object, **version) == DENIED
    s3.delete_object(**version, BypassGovernanceRetention=True)
    assert refused(s3.get_object, **version) == ("NoSuchVersion", 404)


def test_a_retention_is_made_longer_and_not_shorter(aws: Any) -> None:
    s3 = aws.client("s3")
    now = datetime.now(UTC).replace(microsecond=0)
    soon, later = now + timedelta(days=1), now + timedelta(days=2)
    version = _put(s3, _bucket(s3))
    assert refused(s3.get_object_retention, **version) == ("NoSuchObjectLockConfiguration", 404)

    def retain(mode: str, until: datetime) -> dict[str, Any]:
        return {**version, "Retention": {"Mode": mode, "RetainUntilDate": until}}

    past = ("InvalidArgument", 400)
    assert refused(s3.put_object_retention, **retain("GOVERNANCE", now - timedelta(days=1))) == past
    s3.put_object_retention(**retain("GOVERNANCE", later))
    assert refused(s3.put_object_retention, **retain("GOVERNANCE", soon)) == DENIED
    assert refused(s3.put_object_retention, **version, Retention={}) == DENIED
    s3.put_object_retention(**retain("GOVERNANCE", soon), BypassGovernanceRetention=True)
    s3.put_object_retention(**retain("COMPLIANCE", soon), BypassGovernanceRetention=True)
    s3.put_object_retention(**retain("COMPLIANCE", later))
    shorter = retain("COMPLIANCE", soon)
    assert refused(s3.put_object_retention, **shorter, BypassGovernanceRetention=True) == DENIED
    weaker = retain("GOVERNANCE", later)
    assert refused(s3.put_object_retention, **weaker, BypassGovernanceRetention=True) == DENIED
    assert s3.get_object_retention(**version)["Retention"]["RetainUntilDate"] == later


def test_a_legal_hold_lasts_until_it_is_lifted(aws: Any) -> None:
    s3 = aws.client("s3")
    version = _put(s3, _bucket(s3), ObjectLockLegalHoldStatus="ON")
    assert s3.get_object_legal_hold(**version)["LegalHold"] == {"Status": "ON"}
    assert s3.head_object(**version)["ObjectLockLegalHoldStatus"] == "ON"
    assert refused(s3.delete_object, **version, BypassGovernanceRetention=True) == DENIED
    s3.put_object_legal_hold(**version, LegalHold={"Status": "OFF"})
    s3.delete_object(**version)


def test_retention_ends_with_time(still: Any, standing: Standing) -> None:
    bucket = _bucket(still, Mode="COMPLIANCE", Days=1)
    version = _put(still, bucket)
    head = still.head_object(**version)
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockRetainUntilDate"] == head["LastModified"] + timedelta(days=1)
    own = head["LastModified"] + timedelta(days=3)
    longer = _put(still, bucket, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=own)
    assert refused(still.delete_object, **version) == DENIED
    standing.advance("23h")
    assert refused(still.delete_object, **version) == DENIED
    standing.advance("2h")
    still.delete_object(**version)
    assert refused(still.delete_object, **longer) == DENIED


def test_uploads_in_parts_and_copies_are_locked_too(aws: Any) -> None:
    s3 = aws.client("s3")
    bucket = _bucket(s3, Mode="GOVERNANCE", Years=1)
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    upload = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert refused(s3.delete_object, Bucket=bucket, Key="k", VersionId=done["VersionId"]) == DENIED
    source = {"Bucket": bucket, "Key": "k"}
    copy = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, ObjectLockLegalHoldStatus="ON")["VersionId"]
    head = s3.head_object(Bucket=bucket, Key="copy", VersionId=copy)
    assert (head["ObjectLockMode"], head["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")


def test_what_cannot_be_locked(s3: Any, bucket: str) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    invalid = ("InvalidRequest", 400)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **lock) == invalid
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(s3.get_object_retention, Bucket=bucket, Key="k") == invalid
    assert refused(s3.put_object_legal_hold, Bucket=bucket, Key="k", LegalHold={"Status": "ON"}) == invalid
    absent = ("ObjectLockConfigurationNotFoundError", 404)
    assert refused(s3.get_object_lock_configuration, Bucket=bucket) == absent
    locked = _bucket(s3)
    assert refused(s3.put_object, Bucket=locked, Key="k", ObjectLockMode="GOVERNANCE") == ("InvalidArgument", 400)
    unknown = {**lock, "ObjectLockMode": "FOREVER"}
    assert refused(s3.put_object, Bucket=locked, Key="k", **unknown) == ("InvalidArgument", 400)


@pytest.mark.parametrize(
    ("default", "code"),
    [
        ({"Mode": "GOVERNANCE"}, "MalformedXML"),
        ({"Mode": "GOVERNANCE", "Days": 1, "Years": 1}, "MalformedXML"),
        ({"Mode": "FOREVER", "Days": 1}, "MalformedXML"),
        ({"Days": 1}, "MalformedXML"),
        ({"Mode": "GOVERNANCE", "Days": 0}, "InvalidArgument"),
        ({"Mode": "COMPLIANCE", "Years": 101}, "InvalidArgument"),
    ],
)
def test_defaults_that_cannot_be(s3: Any, default: dict[str, Any], code: str) -> None:
    bucket = _bucket(s3)
    configured = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": default}}
    refusal = refused(s3.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=configured)
    assert refusal == (code, 400)
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == {
        "ObjectLockEnabled": "Enabled"
    }


def test_tokens_are_refused(s3: Any, bucket: str) -> None:
    configured = {"ObjectLockEnabled": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    refusal = refused(s3.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=configured, Token="t")
    assert refusal == ("NotImplemented", 501)
    assert refused(s3.get_object_lock_configuration, Bucket=bucket) == ("ObjectLockConfigurationNotFoundError", 404)


def test_locks_need_versions(s3: Any, bucket: str) -> None:
    configured = {"ObjectLockEnabled": "Enabled"}
    refusal = refused(s3.put_object_lock_configuration, Bucket=bucket, ObjectLockConfiguration=configured)
    assert refusal == ("InvalidBucketState", 409)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configured)
    suspended = {"Status": "Suspended"}
    refusal = refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=suspended)
    assert refusal == ("InvalidBucketState", 409)
