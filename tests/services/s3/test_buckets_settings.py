"""What is configured for a bucket: each configuration comes back as it was put, and what is none is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.s3.raw import ask
from tests.services.s3.strict import refused

_MALFORMED = ("MalformedXML", 400)


def _tags(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs]}


def test_tags(s3: Any, bucket: str) -> None:
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)
    put = s3.put_bucket_tagging(Bucket=bucket, Tagging=_tags(("team", "a b"), ("env", "")))
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == _tags(("env", ""), ("team", "a b"))["TagSet"]
    s3.put_bucket_tagging(Bucket=bucket, Tagging=_tags())
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)
    s3.put_bucket_tagging(Bucket=bucket, Tagging=_tags(("team", "a")))
    s3.delete_bucket_tagging(Bucket=bucket)
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([("k" * 129, "v")], "InvalidTag"),
        ([("k", "v" * 257)], "InvalidTag"),
        ([("aws:k", "v")], "InvalidTag"),
        ([("k", "<v>")], "InvalidTag"),
        ([("k", "1"), ("k", "2")], "InvalidTag"),
        ([(f"k{number}", "v") for number in range(51)], "BadRequest"),
    ],
)
def test_what_are_no_tags(s3: Any, bucket: str, pairs: list[tuple[str, str]], code: str) -> None:
    assert refused(s3.put_bucket_tagging, Bucket=bucket, Tagging=_tags(*pairs)) == (code, 400)


def _encryption(**rule: Any) -> dict[str, Any]:
    return {"Rules": [rule]}


def _by_default(algorithm: str, **more: str) -> dict[str, Any]:
    return {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm, **more}}


def test_a_bucket_always_encrypts(s3: Any, bucket: str) -> None:
    def rule() -> Any:
        return s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]

    assert rule()["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    wanted = _by_default("aws:kms", KMSMasterKeyID="alias/mine") | {"BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=_encryption(**wanted))
    assert rule() == wanted
    s3.delete_bucket_encryption(Bucket=bucket)
    assert rule()["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        ({"Rules": []}, "MalformedXML"),
        (_encryption(BucketKeyEnabled=True), "MalformedXML"),
        (_encryption(**_by_default("rot13")), "MalformedXML"),
        (_encryption(**_by_default("AES256", KMSMasterKeyID="k")), "InvalidArgument"),
        (_encryption(**_by_default("aws:kms:dsse"), BucketKeyEnabled=True), "InvalidArgument"),
    ],
)
def test_what_is_no_encryption(s3: Any, bucket: str, configuration: Any, code: str) -> None:
    put = s3.put_bucket_encryption
    assert refused(put, Bucket=bucket, ServerSideEncryptionConfiguration=configuration) == (code, 400)


def test_who_pays(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "Requester"
    wrong = {"Payer": "Nobody"}
    assert refused(s3.put_bucket_request_payment, Bucket=bucket, RequestPaymentConfiguration=wrong) == _MALFORMED


def test_acceleration(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": status})
        assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == status
    put = s3.put_bucket_accelerate_configuration
    assert refused(put, Bucket=bucket, AccelerateConfiguration={}) == _MALFORMED
    dotted = f"{bucket}.dotted"
    s3.create_bucket(Bucket=dotted)
    assert refused(put, Bucket=dotted, AccelerateConfiguration={"Status": "Enabled"}) == ("InvalidRequest", 400)


def test_blocked_public_access(s3: Any, bucket: str) -> None:
    def blocked() -> Any:
        return s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]

    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    assert blocked() == dict.fromkeys(names, True)
    some = {name: name.endswith("Acls") for name in names}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=some)
    assert blocked() == some
    s3.delete_public_access_block(Bucket=bucket)
    assert refused(s3.get_public_access_block, Bucket=bucket) == ("NoSuchPublicAccessBlockConfiguration", 404)


def test_ownership(s3: Any, bucket: str) -> None:
    def owner() -> Any:
        return s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"][0]["ObjectOwnership"]

    assert owner() == "BucketOwnerEnforced"
    put = s3.put_bucket_ownership_controls
    for each in ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"):
        put(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": each}]})
        assert owner() == each
    assert refused(put, Bucket=bucket, OwnershipControls={"Rules": []}) == _MALFORMED
    wrong = {"Rules": [{"ObjectOwnership": "Nobody"}]}
    assert refused(put, Bucket=bucket, OwnershipControls=wrong) == _MALFORMED
    private = f"{bucket}-private"
    s3.create_bucket(Bucket=private, ACL="private")
    rules = s3.get_bucket_ownership_controls(Bucket=private)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    gone = refused(s3.get_bucket_ownership_controls, Bucket=bucket)
    assert gone == ("OwnershipControlsNotFoundError", 404)
    invalid = refused(s3.create_bucket, Bucket=f"{bucket}-other", ObjectOwnership="Nobody")
    assert invalid == ("InvalidArgument", 400)


def test_logging(s3: Any, bucket: str) -> None:
    target = f"{bucket}-logs"
    s3.create_bucket(Bucket=target)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    wanted = {"TargetBucket": target, "TargetPrefix": "logs/"}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": wanted})
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"] == wanted
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    nowhere = {"LoggingEnabled": {"TargetBucket": "no-such-bucket-at-all", "TargetPrefix": ""}}
    wrong = refused(s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus=nowhere)
    assert wrong == ("InvalidTargetBucketForLogging", 400)
    elsewhere = {"LoggingEnabled": {"TargetBucket": f"{bucket}-away", "TargetPrefix": ""}}
    s3.create_bucket(Bucket=f"{bucket}-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    wrong = refused(s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus=elsewhere)
    assert wrong == ("CrossLocationLoggingProhibitted", 403)


_INVENTORY = {
    "Id": "one",
    "IsEnabled": False,
    "IncludedObjectVersions": "Current",
    "Schedule": {"Frequency": "Daily"},
    "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::somewhere", "Format": "CSV"}},
}
_ANALYTICS = {"Id": "one", "StorageClassAnalysis": {}}
_TIERING = {"Id": "one", "Status": "Enabled", "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}]}


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("analytics", _ANALYTICS, "MalformedXML"),
        ("intelligent_tiering", _TIERING, "MalformedXML"),
        ("inventory", _INVENTORY, "IdMismatch"),
        ("metrics", {"Id": "one"}, "MalformedXML"),
    ],
)
def test_configurations_that_have_names(s3: Any, bucket: str, kind: str, value: dict[str, Any], code: str) -> None:
    member = "".join(part.title() for part in kind.split("_")) + "Configuration"
    put, get, delete = (getattr(s3, f"{verb}_bucket_{kind}_configuration") for verb in ("put", "get", "delete"))
    listed = getattr(s3, f"list_bucket_{kind}_configurations")
    assert refused(get, Bucket=bucket, Id="one") == ("NoSuchConfiguration", 404)
    for name in ("one", "two"):
        done = put(Bucket=bucket, Id=name, **{member: {**value, "Id": name}})
        assert done["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert get(Bucket=bucket, Id="one")[member] == value
    assert [each["Id"] for each in listed(Bucket=bucket)[f"{member}List"]] == ["one", "two"]
    assert refused(put, Bucket=bucket, Id="other", **{member: value}) == (code, 400)
    delete(Bucket=bucket, Id="one")
    assert refused(delete, Bucket=bucket, Id="one") == ("NoSuchConfiguration", 404)


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
        ("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"),
        ("requestPayment", "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"),
        ("notification", "<NotificationConfiguration/>"),
        ("logging", "<BucketLoggingStatus/>"),
        (
            "ownershipControls",
            "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
        ),
    ],
)
def test_a_document_of_another_name_is_none(aws: Aws, bucket: str, query: str, document: str) -> None:
    named = document.partition(">")[0].strip("</")
    other = document.replace(named, "Another")
    answer = ask(aws, "PUT", f"/{bucket}?{query}", other)
    assert (answer.code, answer.status) == _MALFORMED
    namespace = f'{named} xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    for right in (document, document.replace(named, namespace, 1)):
        assert ask(aws, "PUT", f"/{bucket}?{query}", right).status == (204 if query == "tagging" else 200)
