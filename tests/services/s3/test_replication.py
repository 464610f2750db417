"""Replication: which versions are copied where, what the copies are like, and what follows the changes of either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.s3.own_work import bucket, event, queue, replication_role, tell_queue
from tests.services.s3.strict import grant
from tests.standing import eventually, standing_server

ROLE = "arn:aws:iam::111111111111:role/replicator"


@pytest.fixture
def s3(aws: Aws) -> Any:
    return aws.client("s3")


@pytest.fixture
def source(s3: Any) -> str:
    return bucket(s3, versioned=True)


@pytest.fixture
def target(s3: Any) -> str:
    return bucket(s3, versioned=True)


def rule(target: str, number: int = 1, prefix: str = "", **more: Any) -> dict[str, Any]:
    return {
        "ID": f"rule-{number}",
        "Priority": number,
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        **more,
        "Destination": {"Bucket": f"arn:aws:s3:::{target}", **more.get("Destination", {})},
    }


def configure(s3: Any, source: str, *rules: dict[str, Any]) -> None:
    role = replication_role(s3)
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": list(rules)})


def refusal(s3: Any, source: str, *rules: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as caught:
        configure(s3, source, *rules)
    return str(caught.value.response["Error"]["Code"])


def put(s3: Any, source: str, key: str, body: bytes = b"x", **more: Any) -> str:
    """Store an object and wait until it is replicated; return its version."""
    version = str(s3.put_object(Bucket=source, Key=key, Body=body, **more)["VersionId"])
    settled(s3, source, key, version)
    return version


def status(s3: Any, name: str, key: str, version: str) -> str | None:
    found = s3.head_object(Bucket=name, Key=key, VersionId=version).get("ReplicationStatus")
    return None if found is None else str(found)


def settled(s3: Any, source: str, key: str, version: str) -> str | None:
    return eventually(lambda: status(s3, source, key, version), lambda seen: seen != "PENDING")


def entries(s3: Any, name: str) -> list[tuple[str, str]]:
    """Return the keys and ids of all versions, the newest of a key first, and then those of delete markers."""
    listed = s3.list_object_versions(Bucket=name)
    found = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
    return [(each["Key"], each["VersionId"]) for each in found]


def tags(s3: Any, name: str, key: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=name, Key=key)["TagSet"]}


def test_a_replica_is_the_same_version(s3: Any, source: str, target: str) -> None:
    configure(s3, source, rule(target))
    body = b"x" * 200_000
    told = {"Metadata": {"m": "1"}, "Tagging": "t=2", "ContentType": "text/x", "ChecksumAlgorithm": "SHA256"}
    version = put(s3, source, "a/ü", body, **told)
    assert status(s3, source, "a/ü", version) == "COMPLETED"
    original = s3.get_object(Bucket=source, Key="a/ü", ChecksumMode="ENABLED")
    replica = s3.get_object(Bucket=target, Key="a/ü", ChecksumMode="ENABLED")
    assert replica["Body"].read() == original["Body"].read() == body
    assert replica["ReplicationStatus"] == "REPLICA"
    same = ("VersionId", "LastModified", "ETag", "ContentType", "Metadata", "TagCount", "ChecksumSHA256")
    assert {name: replica[name] for name in same} == {name: original[name] for name in same}
    # Each has its own contents.
    s3.delete_object(Bucket=source, Key="a/ü", VersionId=version)
    assert s3.get_object(Bucket=target, Key="a/ü")["Body"].read() == body


def test_all_versions_come_in_their_order_and_from_then_on_only(s3: Any, source: str, target: str) -> None:
    before = s3.put_object(Bucket=source, Key="k", Body=b"before")["VersionId"]
    configure(s3, source, rule(target))
    assert status(s3, source, "k", before) is None
    made = [put(s3, source, "k", b"%d" % number) for number in range(3)]
    assert entries(s3, target) == [("k", version) for version in reversed(made)]
    # Not what was there before, not even for a change of its tags.
    s3.put_object_tagging(Bucket=source, Key="k", VersionId=before, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    last = put(s3, source, "k", b"last")
    assert entries(s3, target) == [("k", version) for version in (last, *reversed(made))]
    # A version that is deleted is not deleted there.
    s3.delete_object(Bucket=source, Key="k", VersionId=last)
    put(s3, source, "other")
    assert entries(s3, target)[0] == ("k", last)


def test_uploads_and_copies_are_replicated_too(s3: Any, source: str, target: str) -> None:
    configure(s3, source, rule(target))
    upload = s3.create_multipart_upload(Bucket=source, Key="big")["UploadId"]
    sizes = (5 << 20, 1000)
    parts = []
    for number, size in enumerate(sizes, 1):
        part = {"Bucket": source, "Key": "big", "UploadId": upload, "PartNumber": number}
        parts.append({"PartNumber": number, "ETag": s3.upload_part(**part, Body=b"%d" % number * size)["ETag"]})
    made = s3.complete_multipart_upload(Bucket=source, Key="big", UploadId=upload, MultipartUpload={"Parts": parts})
    copied = s3.copy_object(Bucket=source, Key="copy", CopySource={"Bucket": source, "Key": "big"})["VersionId"]
    assert settled(s3, source, "big", made["VersionId"]) == settled(s3, source, "copy", copied) == "COMPLETED"
    second = s3.get_object(Bucket=target, Key="big", PartNumber=2)
    assert (second["PartsCount"], second["Body"].read()) == (2, b"2" * 1000)
    assert s3.head_object(Bucket=target, Key="copy")["ContentLength"] == sum(sizes)


def test_filters_and_priorities_choose(s3: Any, source: str, target: str) -> None:
    other = bucket(s3, versioned=True)
    tagged = {"And": {"Prefix": "in/", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}}
    configure(
        s3,
        source,
        rule(target, 1, "in/"),
        rule(target, 2, "in/cold/", Destination={"StorageClass": "GLACIER"}),
        rule(other, 3, Filter=tagged),
        rule(other, 4, "off/", Status="Disabled"),
    )
    for key, tagging in (("in/a", ""), ("in/cold/b", "a=1&b=2"), ("in/c", "a=1"), ("off/d", ""), ("e", "a=1&b=2")):
        put(s3, source, key, Tagging=tagging)
    found = s3.list_objects_v2(Bucket=target)["Contents"]
    assert {each["Key"]: each["StorageClass"] for each in found} == {
        "in/a": "STANDARD",
        "in/cold/b": "GLACIER",
        "in/c": "STANDARD",
    }
    assert [key for key, _ in entries(s3, other)] == ["in/cold/b"]
    assert "ReplicationStatus" not in s3.head_object(Bucket=source, Key="off/d")


def test_delete_markers_are_replicated_where_that_is_asked_for(s3: Any, source: str, target: str) -> None:
    other = bucket(s3, versioned=True)
    configure(s3, source, rule(target, 1, DeleteMarkerReplication={"Status": "Enabled"}), rule(other, 2))
    version = put(s3, source, "k")
    marker = s3.delete_object(Bucket=source, Key="k")["VersionId"]
    eventually(lambda: entries(s3, target), lambda seen: set(seen) == {("k", marker), ("k", version)})
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=target, Key="k")
    put(s3, source, "later")
    assert entries(s3, other)[0] == ("k", version)
    assert s3.head_object(Bucket=other, Key="k")["VersionId"] == version


def test_changes_of_tags_and_locks_follow(s3: Any) -> None:
    source, target = (bucket(s3, ObjectLockEnabledForBucket=True) for _ in range(2))
    configure(s3, source, rule(target))
    put(s3, source, "k", Tagging="a=1")
    s3.put_object_tagging(Bucket=source, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "2"}]})
    eventually(lambda: tags(s3, target, "k") == {"a": "2"})
    s3.put_object_legal_hold(Bucket=source, Key="k", LegalHold={"Status": "ON"})
    eventually(lambda: s3.head_object(Bucket=target, Key="k").get("ObjectLockLegalHoldStatus") == "ON")
    s3.delete_object_tagging(Bucket=source, Key="k")
    eventually(lambda: not tags(s3, target, "k"))
    assert len(entries(s3, target)) == 1


def test_changes_follow_also_while_the_clock_stands() -> None:
    with standing_server() as standing:
        s3 = standing.account().client("s3")
        source, target = bucket(s3, versioned=True), bucket(s3, versioned=True)
        configure(s3, source, rule(target))
        versions = {}
        for key in map(str, range(50)):
            versions[key] = s3.put_object(Bucket=source, Key=key, Body=b"x" * 50_000)["VersionId"]
            s3.put_object_tagging(Bucket=source, Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        for key, version in versions.items():
            assert settled(s3, source, key, version) == "COMPLETED"
            assert tags(s3, target, key) == {"a": "b"}


def test_what_is_written_to_both_buckets_in_one_moment_is_kept() -> None:
    with standing_server() as standing:
        account = standing.account()
        s3 = account.client("s3")
        buckets = [bucket(s3, versioned=True) for _ in range(2)]
        for source, target in (buckets, reversed(buckets)):
            configure(s3, source, rule(target))

        def fill(name: str) -> list[tuple[str, str]]:
            client = account.client("s3")
            return [(key, client.put_object(Bucket=name, Key=key)["VersionId"]) for key in map(str, range(100))]

        with ThreadPoolExecutor() as threads:
            written = [version for found in threads.map(fill, buckets) for version in found]
        for name in buckets:
            eventually(lambda name=name: set(entries(s3, name)), lambda seen: seen == set(written))


def test_changes_of_replicas_go_back_where_that_is_asked_for(s3: Any, source: str, target: str) -> None:
    third = bucket(s3, versioned=True)
    both = {"SourceSelectionCriteria": {"ReplicaModifications": {"Status": "Enabled"}}}
    configure(s3, source, rule(target, **both))
    configure(s3, target, rule(source, 1, **both), rule(third, 2, **both))
    put(s3, source, "k", Tagging="a=1")
    s3.put_object_tagging(Bucket=target, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "2"}]})
    eventually(lambda: tags(s3, source, "k") == {"a": "2"})
    put(s3, target, "own")
    # What is a replica is not replicated on.
    assert [key for key, _ in entries(s3, third)] == ["own"]


def test_changes_of_replicas_stay_where_they_are_else(s3: Any, source: str, target: str) -> None:
    configure(s3, source, rule(target))
    configure(s3, target, rule(source))
    put(s3, source, "k", Tagging="a=1")
    s3.put_object_tagging(Bucket=target, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "2"}]})
    put(s3, target, "own")
    assert tags(s3, source, "k") == {"a": "1"}


def test_what_kms_has_encrypted_needs_a_key_for_its_replicas(aws: Aws, s3: Any, source: str, target: str) -> None:
    kms = aws.client("kms")
    own, key = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": own}
    configure(s3, source, rule(target))
    put(s3, source, "not", **encrypted)
    wanted = {"SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}}}
    assert refusal(s3, source, rule(target, **wanted)) == "InvalidRequest"
    configure(s3, source, rule(target, **wanted, Destination={"EncryptionConfiguration": {"ReplicaKmsKeyID": key}}))
    put(s3, source, "k", **encrypted)
    assert s3.head_object(Bucket=target, Key="k")["SSEKMSKeyId"] == key
    assert s3.get_object(Bucket=target, Key="k")["Body"].read() == b"x"
    assert [key for key, _ in entries(s3, target)] == ["k"]


def test_a_target_that_cannot_take_it_makes_the_status_say_so(s3: Any, source: str, target: str) -> None:
    configure(s3, source, rule(target))
    s3.put_bucket_versioning(Bucket=target, VersioningConfiguration={"Status": "Suspended"})
    version = s3.put_object(Bucket=source, Key="k")["VersionId"]
    assert settled(s3, source, "k", version) == "FAILED"
    assert entries(s3, target) == []


def test_a_replica_is_an_event_at_its_target(aws: Aws, s3: Any, source: str, target: str) -> None:
    sqs = aws.client("sqs")
    url, arn = queue(aws, "q")
    tell_queue(s3, sqs, target, url, arn, "s3:ObjectCreated:*")
    configure(s3, source, rule(target))
    version = put(s3, source, "k")
    assert event(sqs, url)["s3"]["object"]["versionId"] == version


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"Destination": {"Bucket": "nonsense"}}, "InvalidArgument"),
        ({"Destination": {"Bucket": "arn:aws:s3:::absent-bucket-of-nobody"}}, "InvalidRequest"),
        ({"Destination": {"Account": "999999999999"}}, "InvalidRequest"),
        ({"Status": "on"}, "MalformedXML"),
        ({"Prefix": "both"}, "MalformedXML"),
        ({"ID": "x" * 256}, "InvalidArgument"),
        ({"ExistingObjectReplication": {"Status": "Enabled"}}, "NotImplemented"),
        (
            {"Destination": {"EncryptionConfiguration": {"UseSourceMultiRegionKey": {"Status": "Enabled"}}}},
            "NotImplemented",
        ),
        (
            {"Filter": {"Tag": {"Key": "a", "Value": "b"}}, "DeleteMarkerReplication": {"Status": "Enabled"}},
            "InvalidRequest",
        ),
    ],
)
def test_what_is_no_rule(s3: Any, source: str, target: str, changed: dict[str, Any], code: str) -> None:
    assert refusal(s3, source, rule(target, **changed)) == code


def first_version(target: str, number: int, prefix: str) -> dict[str, Any]:
    """Return a rule as they were before there was a Filter."""
    destination = {"Bucket": f"arn:aws:s3:::{target}"}
    return {"ID": f"first-{number}", "Status": "Enabled", "Prefix": prefix, "Destination": destination}


def test_rules_are_all_of_one_version(s3: Any, source: str, target: str) -> None:
    first, second = first_version(target, 1, "a"), rule(target, 2, "b")
    for mixed in ([first, second], [second, first]):
        assert refusal(s3, source, *mixed) == "InvalidRequest"
    configure(s3, source, first, first_version(target, 2, "b"))
    configure(s3, source, rule(target, 1, "a"), second)


def test_rules_of_the_first_version_have_one_destination(s3: Any, source: str, target: str) -> None:
    rules = [first_version(target, 1, "a"), first_version(bucket(s3, versioned=True), 2, "b")]
    with pytest.raises(ClientError, match="Number of distinct destination bucket ARNs cannot exceed 1"):
        configure(s3, source, *rules)


def test_both_buckets_have_versions(s3: Any, source: str) -> None:
    assert refusal(s3, bucket(s3), rule(source)) == "InvalidRequest"
    assert refusal(s3, source, rule(bucket(s3))) == "InvalidRequest"
    assert refusal(s3, source, rule(source)) == "InvalidRequest"
    with pytest.raises(ClientError, match="ReplicationConfigurationNotFoundError"):
        s3.get_bucket_replication(Bucket=source)


def test_rules_that_are_deleted_copy_no_more(s3: Any, source: str, target: str) -> None:
    configure(s3, source, rule(target))
    put(s3, source, "a")
    s3.delete_bucket_replication(Bucket=source)
    put(s3, source, "b")
    configure(s3, source, rule(target))
    put(s3, source, "c")
    assert [key for key, _ in entries(s3, target)] == ["a", "c"]


# -- between accounts


@pytest.fixture(scope="module")
def accounts() -> Iterator[tuple[Any, Any]]:
    """Two accounts on a server that enforces permissions."""
    numbers = ("111111111111", "222222222222")
    options = [part for number in numbers for part in ("--root-key", f"{number}:AKIATEST{number}:of-tests")]
    with Server.start("--ephemeral", "--auth", "strict", *options) as server:
        owner, other = (
            boto3.client(
                "s3",
                endpoint_url=server.endpoint,
                region_name="us-east-1",
                aws_access_key_id=f"AKIATEST{number}",
                aws_secret_access_key="of-tests",
            )
            for number in numbers
        )
        yield owner, other


def allow(other: Any, target: str, *actions: str) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": list(actions),
        "Resource": f"arn:aws:s3:::{target}/*",
    }
    other.put_bucket_policy(Bucket=target, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def test_another_accounts_bucket_has_to_let_the_role_in(accounts: tuple[Any, Any]) -> None:
    owner, other = accounts
    source, target = bucket(owner, versioned=True), bucket(other, versioned=True)
    configure(owner, source, rule(target))
    version = owner.put_object(Bucket=source, Key="k")["VersionId"]
    assert settled(owner, source, "k", version) == "FAILED"
    allow(other, target, "s3:ReplicateObject")
    version = put(owner, source, "k")
    assert status(owner, source, "k", version) == "COMPLETED"
    assert other.head_object(Bucket=target, Key="k")["VersionId"] == version


def test_a_bucket_of_the_same_account_may_keep_replicas_out(accounts: tuple[Any, Any]) -> None:
    owner, _ = accounts
    source, target = bucket(owner, versioned=True), bucket(owner, versioned=True)
    configure(owner, source, rule(target))
    put(owner, source, "k")
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{target}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    owner.put_bucket_policy(Bucket=target, Policy=policy)
    version = owner.put_object(Bucket=source, Key="k")["VersionId"]
    assert settled(owner, source, "k", version) == "FAILED"


def test_the_role_has_to_trust_s3_and_to_be_allowed_both_sides(accounts: tuple[Any, Any]) -> None:
    owner, _ = accounts
    source, target = bucket(owner, versioned=True), bucket(owner, versioned=True)
    configured = grant("s3:GetReplicationConfiguration", f"arn:aws:s3:::{source}")
    read = grant(["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl"], f"arn:aws:s3:::{source}/*")
    write = grant("s3:ReplicateObject", f"arn:aws:s3:::{target}/*")
    tags = grant(["s3:GetObjectVersionTagging", "s3:ReplicateTags"])
    for number, (statements, outcome, count) in enumerate(
        (
            ((configured, read), "FAILED", 0),
            ((configured, write), "FAILED", 0),
            ((read, write), "FAILED", 0),
            ((configured, read, write), "COMPLETED", 0),
            ((configured, read, write, tags), "COMPLETED", 1),
        )
    ):
        role = replication_role(owner, *statements, name=f"limited-{number}")
        rules = [rule(target)]
        owner.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": rules})
        version = owner.put_object(Bucket=source, Key="k", Tagging="a=b")["VersionId"]
        assert settled(owner, source, "k", version) == outcome
        if outcome == "COMPLETED":
            assert owner.head_object(Bucket=target, Key="k", VersionId=version).get("TagCount", 0) == count
    owner.put_bucket_replication(
        Bucket=source, ReplicationConfiguration={"Role": f"{ROLE}-that-is-gone", "Rules": [rule(target)]}
    )
    assert settled(owner, source, "k", owner.put_object(Bucket=source, Key="k")["VersionId"]) == "FAILED"


def test_a_replica_belongs_to_whom_the_rule_says(accounts: tuple[Any, Any]) -> None:
    owner, other = accounts
    source = bucket(owner, versioned=True)
    kept, given = (bucket(other, versioned=True, ObjectOwnership="ObjectWriter") for _ in range(2))
    translated = {"Account": "222222222222", "AccessControlTranslation": {"Owner": "Destination"}}
    configure(owner, source, rule(kept, 1), rule(given, 2, Destination=translated))
    for target in (kept, given):
        allow(other, target, "s3:ReplicateObject", "s3:ObjectOwnerOverrideToBucketOwner")
    put(owner, source, "k")
    assert other.get_object(Bucket=given, Key="k")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="AccessDenied"):
        other.get_object(Bucket=kept, Key="k")
    allow(other, given, "s3:ReplicateObject")
    version = owner.put_object(Bucket=source, Key="k")["VersionId"]
    assert settled(owner, source, "k", version) == "FAILED"


def test_what_was_acknowledged_is_replicated_after_a_crash(tmp_path: Any) -> None:
    account = fresh_account()
    count = 100
    with Server.start("--data", str(tmp_path)) as server:
        s3 = Aws(server.endpoint, account).client("s3")
        source, target = bucket(s3, versioned=True), bucket(s3, versioned=True)
        configure(s3, source, rule(target))
        for number in range(count):
            s3.put_object(Bucket=source, Key=f"{number:03d}", Body=b"x" * 2000)
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        s3 = Aws(server.endpoint, account).client("s3")
        eventually(lambda: entries(s3, target), lambda seen: len(seen) == count)
        assert entries(s3, target) == entries(s3, source)
        assert s3.get_object(Bucket=target, Key="099")["Body"].read() == b"x" * 2000
        for key, version in entries(s3, source):
            assert settled(s3, source, key, version) == "COMPLETED"
