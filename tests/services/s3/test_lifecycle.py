"""Lifecycle rules and restored copies: what becomes of objects while time passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.services.s3.own_work import bucket, event, keys, queue, tell_queue
from tests.standing import Standing, eventually

LARGE = b"x" * (128 << 10)


@pytest.fixture
def s3(account: Aws) -> Any:
    return account.client("s3")


def rule(number: int = 1, prefix: str = "", **actions: Any) -> dict[str, Any]:
    filtered = {} if "Filter" in actions else {"Filter": {"Prefix": prefix}}
    return {"ID": f"rule-{number}", "Status": "Enabled", **filtered, **actions}


def configure(s3: Any, name: str, *rules: dict[str, Any], **more: Any) -> None:
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": list(rules)}, **more)


def refusal(s3: Any, name: str, *rules: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as caught:
        configure(s3, name, *rules)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(caught.value.response["Error"]["Code"])


def moves(*steps: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"StorageClass": storage_class, "Days": days} for storage_class, days in steps]


def versions(s3: Any, name: str) -> list[str]:
    """Return the ids of all versions, the newest of a key first."""
    return [each["VersionId"] for each in s3.list_object_versions(Bucket=name).get("Versions", [])]


def markers(s3: Any, name: str) -> list[str]:
    """Return the keys of all delete markers."""
    return [each["Key"] for each in s3.list_object_versions(Bucket=name).get("DeleteMarkers", [])]


def storage_classes(s3: Any, name: str) -> dict[str, str]:
    return {each["Key"]: each["StorageClass"] for each in s3.list_objects_v2(Bucket=name)["Contents"]}


def midnight(moment: datetime) -> datetime:
    """Return the midnight that follows."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def test_objects_expire_after_days_or_at_a_date_where_the_filter_says(standing: Standing, s3: Any) -> None:
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="days/a")
    s3.put_object(Bucket=name, Key="tag/a", Tagging="kind=log&level=3")
    s3.put_object(Bucket=name, Key="tag/b", Tagging="kind=log")
    for size in (10, 11, 19, 20):
        s3.put_object(Bucket=name, Key=f"size/{size}", Body=b"x" * size)
    s3.put_object(Bucket=name, Key="dated/a")
    s3.put_object(Bucket=name, Key="stays/a")
    now = s3.head_object(Bucket=name, Key="days/a")["LastModified"]
    both = {"And": {"Tags": [{"Key": "kind", "Value": "log"}, {"Key": "level", "Value": "3"}]}}
    sized = {"And": {"Prefix": "size/", "ObjectSizeGreaterThan": 10, "ObjectSizeLessThan": 20}}
    configure(
        s3,
        name,
        rule(1, "days/", Expiration={"Days": 1}),
        rule(2, Filter=both, Expiration={"Days": 1}),
        rule(3, Filter=sized, Expiration={"Days": 2}),
        rule(4, "dated/", Expiration={"Date": midnight(now)}),
        {**rule(5, "stays/", Expiration={"Days": 1}), "Status": "Disabled"},
    )
    told = s3.head_object(Bucket=name, Key="days/a")["Expiration"]
    # A day later, rounded up to the next midnight.
    due = midnight(now + timedelta(days=1))
    assert told == f'expiry-date="{due:%a, %d %b %Y %H:%M:%S GMT}", rule-id="rule-1"'
    assert "Expiration" not in s3.head_object(Bucket=name, Key="stays/a")
    everything = keys(s3, name)
    standing.advance("1d")
    left = eventually(lambda: keys(s3, name), lambda seen: "dated/a" not in seen)
    assert left == [key for key in everything if key != "dated/a"]
    standing.advance("1d")
    left = eventually(lambda: keys(s3, name), lambda seen: "days/a" not in seen)
    assert left == ["size/10", "size/11", "size/19", "size/20", "stays/a", "tag/b"]
    standing.advance("1d")
    left = eventually(lambda: keys(s3, name), lambda seen: "size/11" not in seen)
    assert left == ["size/10", "size/20", "stays/a", "tag/b"]


def test_of_two_rules_the_one_that_is_due_first_counts(standing: Standing, s3: Any) -> None:
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="logs/a")
    s3.put_object(Bucket=name, Key="logs/keep/a")
    configure(s3, name, rule(1, "logs/", Expiration={"Days": 5}), rule(2, "logs/keep/", Expiration={"Days": 1}))
    assert 'rule-id="rule-2"' in s3.head_object(Bucket=name, Key="logs/keep/a")["Expiration"]
    standing.advance("2d")
    assert eventually(lambda: keys(s3, name), lambda seen: len(seen) == 1) == ["logs/a"]


def test_a_new_rule_holds_for_what_is_there_and_none_after_it_is_deleted(standing: Standing, s3: Any) -> None:
    name, other = bucket(s3), bucket(s3)
    for each in (name, other):
        s3.put_object(Bucket=each, Key="a")
    configure(s3, other, rule(Expiration={"Days": 2}))
    standing.advance("2d")
    configure(s3, name, rule(Expiration={"Days": 1}))
    eventually(lambda: not keys(s3, name))
    s3.delete_bucket_lifecycle(Bucket=other)
    s3.put_object(Bucket=name, Key="b")
    standing.advance("3d")
    eventually(lambda: not keys(s3, name))
    assert keys(s3, other) == ["a"]


def test_a_versioned_bucket_keeps_what_expires_as_noncurrent(standing: Standing, account: Aws, s3: Any) -> None:
    name = bucket(s3, versioned=True)
    url, arn = queue(account, "q")
    sqs = account.client("sqs")
    tell_queue(s3, sqs, name, url, arn, "s3:LifecycleExpiration:*")
    first = s3.put_object(Bucket=name, Key="a", Body=b"1")["VersionId"]
    actions: dict[str, Any] = {"Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}}
    configure(s3, name, rule(**actions))
    standing.advance("2d")
    eventually(lambda: markers(s3, name) == ["a"])
    assert versions(s3, name) == [first]
    assert event(sqs, url)["eventName"] == "LifecycleExpiration:DeleteMarkerCreated"
    # Three days from the delete marker on, rounded up to midnight.
    standing.advance("3d")
    standing.advance("1d")
    eventually(lambda: not versions(s3, name))
    removed = event(sqs, url)
    assert removed["eventName"] == "LifecycleExpiration:Delete"
    assert removed["s3"]["object"]["versionId"] == first
    assert removed["userIdentity"] == {"principalId": "AmazonS3"}
    # A marker that is alone goes a day after it was made, as an object would.
    standing.advance("1d")
    eventually(lambda: not markers(s3, name))


def test_the_newest_noncurrent_versions_are_kept(standing: Standing, s3: Any) -> None:
    name = bucket(s3, versioned=True)
    made = [s3.put_object(Bucket=name, Key="a", Body=b"%d" % number)["VersionId"] for number in range(5)]
    kept = {"NoncurrentDays": 1, "NewerNoncurrentVersions": 2}
    configure(s3, name, rule(NoncurrentVersionExpiration=kept))
    standing.advance("2d")
    eventually(lambda: versions(s3, name), lambda seen: seen == made[:1:-1])


def test_delete_markers_with_nothing_behind_them_are_cleared_away(standing: Standing, s3: Any) -> None:
    name = bucket(s3, versioned=True)
    version = s3.put_object(Bucket=name, Key="backed")["VersionId"]
    for key in ("backed", "alone"):
        s3.delete_object(Bucket=name, Key=key)
    configure(s3, name, rule(Expiration={"ExpiredObjectDeleteMarker": True}))
    assert eventually(lambda: markers(s3, name), lambda seen: len(seen) == 1) == ["backed"]
    s3.delete_object(Bucket=name, Key="backed", VersionId=version)
    standing.advance("1d")
    eventually(lambda: not markers(s3, name))


def test_locked_versions_outlive_their_rules(standing: Standing, s3: Any) -> None:
    name = bucket(s3, ObjectLockEnabledForBucket=True)
    held = s3.put_object(Bucket=name, Key="a", ObjectLockLegalHoldStatus="ON")["VersionId"]
    free = s3.put_object(Bucket=name, Key="a")["VersionId"]
    newest = s3.put_object(Bucket=name, Key="a")["VersionId"]
    configure(s3, name, rule(NoncurrentVersionExpiration={"NoncurrentDays": 1}))
    standing.advance("2d")
    assert free not in eventually(lambda: versions(s3, name), lambda seen: free not in seen)
    assert versions(s3, name) == [newest, held]
    s3.put_object_legal_hold(Bucket=name, Key="a", VersionId=held, LegalHold={"Status": "OFF"})
    standing.advance("1d")
    eventually(lambda: versions(s3, name) == [newest])


def test_uploads_that_nobody_completes_are_aborted(standing: Standing, s3: Any) -> None:
    name = bucket(s3)
    configure(s3, name, rule(1, "in/", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}))
    begun = s3.create_multipart_upload(Bucket=name, Key="in/a")
    s3.upload_part(Bucket=name, Key="in/a", UploadId=begun["UploadId"], PartNumber=1, Body=b"part")
    assert begun["AbortRuleId"] == "rule-1"
    initiated = s3.list_multipart_uploads(Bucket=name)["Uploads"][0]["Initiated"]
    assert begun["AbortDate"] == midnight(initiated + timedelta(days=1))
    s3.create_multipart_upload(Bucket=name, Key="out/a")

    def uploads() -> list[str]:
        return [each["Key"] for each in s3.list_multipart_uploads(Bucket=name).get("Uploads", [])]

    standing.advance("2d")
    assert eventually(uploads, lambda seen: len(seen) == 1) == ["out/a"]


def test_storage_classes_change_in_time_and_downwards_only(standing: Standing, account: Aws, s3: Any) -> None:
    name = bucket(s3)
    url, arn = queue(account, "q")
    sqs = account.client("sqs")
    s3.put_object(Bucket=name, Key="large", Body=LARGE)
    s3.put_object(Bucket=name, Key="small", Body=b"x")
    s3.put_object(Bucket=name, Key="archived", Body=LARGE, StorageClass="DEEP_ARCHIVE")
    tell_queue(s3, sqs, name, url, arn, "s3:LifecycleTransition")
    steps = [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 60, "StorageClass": "GLACIER"}]
    configure(s3, name, rule(Transitions=steps))
    standing.advance("31d")
    seen = eventually(lambda: storage_classes(s3, name), lambda seen: seen["large"] != "STANDARD")
    assert seen == {"large": "STANDARD_IA", "small": "STANDARD", "archived": "DEEP_ARCHIVE"}
    assert event(sqs, url)["s3"]["object"]["key"] == "large"
    standing.advance("30d")
    eventually(lambda: storage_classes(s3, name)["large"] == "GLACIER")
    with pytest.raises(ClientError, match="InvalidObjectState"):
        s3.get_object(Bucket=name, Key="large")
    # Archives take small objects too, if that is asked for.
    configure(s3, name, rule(Transitions=steps), TransitionDefaultMinimumObjectSize="varies_by_storage_class")
    eventually(lambda: storage_classes(s3, name)["small"] == "GLACIER")


def test_noncurrent_versions_move_on_their_own(standing: Standing, s3: Any) -> None:
    name = bucket(s3, versioned=True)
    for _ in range(2):
        s3.put_object(Bucket=name, Key="a", Body=LARGE)
    step = {"NoncurrentDays": 0, "StorageClass": "GLACIER_IR"}
    configure(s3, name, rule(NoncurrentVersionTransitions=[step]))
    standing.advance("1d")

    def look() -> list[str]:
        return [each["StorageClass"] for each in s3.list_object_versions(Bucket=name)["Versions"]]

    eventually(look, lambda seen: seen == ["STANDARD", "GLACIER_IR"])


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"Expiration": {"Days": 0}}, "InvalidArgument"),
        ({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "MalformedXML"),
        ({"Expiration": {"Date": datetime(2030, 1, 1, 1, tzinfo=UTC)}}, "InvalidArgument"),
        ({"ID": "x" * 256}, "InvalidArgument"),
        ({"Status": "enabled"}, "MalformedXML"),
        ({"Prefix": "both"}, "MalformedXML"),
        ({"Filter": {"Prefix": "a", "ObjectSizeLessThan": 5}}, "MalformedXML"),
        ({"Filter": {"And": {"ObjectSizeGreaterThan": 5, "ObjectSizeLessThan": 5}}}, "InvalidRequest"),
        ({"Transitions": [{"Days": 29, "StorageClass": "STANDARD_IA"}]}, "InvalidArgument"),
        ({"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}, "InvalidArgument"),
        ({"Transitions": [{"Days": 0, "StorageClass": "STANDARD"}]}, "MalformedXML"),
        ({"Expiration": {"Days": 99}, "Transitions": moves(("STANDARD_IA", 30), ("GLACIER", 59))}, "InvalidArgument"),
        ({"Expiration": {"Days": 99}, "Transitions": moves(("GLACIER", 0), ("ONEZONE_IA", 30))}, "InvalidArgument"),
        (
            {
                "NoncurrentVersionTransitions": [
                    {"NoncurrentDays": 30, "StorageClass": "STANDARD_IA"},
                    {"NoncurrentDays": 40, "StorageClass": "DEEP_ARCHIVE"},
                ]
            },
            "InvalidArgument",
        ),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}}, "InvalidArgument"),
        ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 0}}, "InvalidArgument"),
    ],
)
def test_what_is_no_rule(aws: Aws, changed: dict[str, Any], code: str) -> None:
    s3 = aws.client("s3")
    assert refusal(s3, bucket(s3), {**rule(Expiration={"Days": 1}), **changed}) == code


def test_infrequent_access_is_paid_for_30_days(aws: Aws) -> None:
    s3 = aws.client("s3")
    name = bucket(s3)
    configure(s3, name, rule(Transitions=moves(("STANDARD_IA", 30), ("ONEZONE_IA", 60), ("GLACIER", 90))))
    configure(s3, name, rule(1, Transitions=moves(("STANDARD_IA", 30))), rule(2, Transitions=moves(("GLACIER", 31))))


def test_rules_have_an_action_and_an_id_of_their_own(aws: Aws) -> None:
    s3 = aws.client("s3")
    name = bucket(s3)
    assert refusal(s3, name, rule()) == "InvalidRequest"
    assert refusal(s3, name, rule(Expiration={"Days": 1}), rule(Expiration={"Days": 2})) == "InvalidArgument"
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=name)


def test_an_archived_object_is_restored_for_some_days(standing: Standing, account: Aws, s3: Any) -> None:
    name = bucket(s3)
    url, arn = queue(account, "q")
    sqs = account.client("sqs")
    tell_queue(s3, sqs, name, url, arn, "s3:ObjectRestore:*")
    s3.put_object(Bucket=name, Key="a", Body=b"old", StorageClass="GLACIER")
    restore = {"Days": 2, "GlacierJobParameters": {"Tier": "Standard"}}
    answer = s3.restore_object(Bucket=name, Key="a", RestoreRequest=restore)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert event(sqs, url)["eventName"] == "ObjectRestore:Post"
    assert s3.head_object(Bucket=name, Key="a")["Restore"] == 'ongoing-request="true"'
    with pytest.raises(ClientError, match="RestoreAlreadyInProgress"):
        s3.restore_object(Bucket=name, Key="a", RestoreRequest=restore)
    with pytest.raises(ClientError, match="InvalidObjectState"):
        s3.get_object(Bucket=name, Key="a")
    standing.advance("5h")
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"old"
    completed = event(sqs, url)
    assert completed["eventName"] == "ObjectRestore:Completed"
    now = datetime.fromisoformat(completed["eventTime"])
    until = midnight(now + timedelta(days=2))
    told = s3.head_object(Bucket=name, Key="a")
    assert told["Restore"] == f'ongoing-request="false", expiry-date="{until:%a, %d %b %Y %H:%M:%S GMT}"'
    assert told["StorageClass"] == "GLACIER"
    # Asked for again, the copy stays longer.
    again = s3.restore_object(Bucket=name, Key="a", RestoreRequest={"Days": 3})
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert event(sqs, url)["eventName"] == "ObjectRestore:Post"
    standing.advance("2d12h")
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"old"
    standing.advance("1d7h")
    assert event(sqs, url)["eventName"] == "ObjectRestore:Delete"
    with pytest.raises(ClientError, match="InvalidObjectState"):
        s3.get_object(Bucket=name, Key="a")
    assert "Restore" not in s3.head_object(Bucket=name, Key="a")


def test_what_is_not_restored(aws: Aws) -> None:
    s3 = aws.client("s3")
    name = bucket(s3)
    s3.put_object(Bucket=name, Key="a")
    s3.put_object(Bucket=name, Key="deep", StorageClass="DEEP_ARCHIVE")

    def code(key: str, **request: Any) -> str:
        with pytest.raises(ClientError) as caught:
            s3.restore_object(Bucket=name, Key=key, RestoreRequest=request)
        return str(caught.value.response["Error"]["Code"])

    assert code("a", Days=1) == "InvalidObjectState"
    assert code("deep", Days=1, Tier="Expedited") == "InvalidArgument"
    assert code("deep") == "MalformedXML"
    assert code("deep", Days=2_147_483_647) == "InvalidArgument"
    assert code("absent", Days=1) == "NoSuchKey"
    assert code("deep", Type="SELECT", Tier="Standard") == "NotImplemented"
