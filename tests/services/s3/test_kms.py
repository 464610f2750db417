"""SSE-KMS: objects are encrypted by data keys that KMS makes for the caller, and nobody reads them without KMS."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server
from tests.services.cloudtrail.test_history import lookup
from tests.services.s3.own_work import bucket as make_bucket
from tests.services.s3.own_work import let_in
from tests.services.s3.raw import ask, fetch
from tests.services.s3.strict import DENIED, OTHER, Strict, User, grant, policy, refused, strict_server
from tests.standing import Standing, eventually
from tests.strict_accounts import allow, document

_PART = 5 << 20


@pytest.fixture
def kms(aws: Aws) -> Any:
    return aws.client("kms")


@pytest.fixture
def key(kms: Any) -> str:
    """The ARN of a key."""
    return make_key(kms)


@pytest.fixture(scope="module")
def strict() -> Iterator[Strict]:
    with strict_server() as running:
        yield running


def make_key(kms: Any, **more: Any) -> str:
    return str(kms.create_key(**more)["KeyMetadata"]["Arn"])


def by(key: str, **more: Any) -> dict[str, Any]:
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, **more}


def use_by_default(s3: Any, bucket: str, key: str | None = None, **more: Any) -> None:
    default = {"SSEAlgorithm": "aws:kms"} | ({} if key is None else {"KMSMasterKeyID": key})
    rule = {"ApplyServerSideEncryptionByDefault": default, **more}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def read(s3: Any, bucket: str, key: str = "k", **more: Any) -> bytes:
    return bytes(s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read())


def message(call: Any, /, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# -- what is written is read


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
@pytest.mark.parametrize("size", [0, 1, 100, 40_000, 65_536, 2_000_001])
def test_an_object_is_read_as_it_was_written(s3: Any, bucket: str, key: str, size: int, algorithm: str) -> None:
    data = os.urandom(size)
    asked = {"ServerSideEncryption": algorithm, "SSEKMSKeyId": key}
    written = s3.put_object(Bucket=bucket, Key="k", Body=data, **asked)
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["ContentLength"], got["ETag"]) == (data, size, written["ETag"])
    for answer in (written, got, s3.head_object(Bucket=bucket, Key="k")):
        assert {name: answer[name] for name in asked} == asked
    assert written["ETag"] != f'"{hashlib.md5(data).hexdigest()}"'
    for start, end in ((0, 1), (size // 3, size // 2 + 1), (65_535, 65_537), (size - 1, size)):
        if 0 <= start < end <= size:
            assert read(s3, bucket, Range=f"bytes={start}-{end - 1}") == data[start:end]


def test_a_key_has_several_names(s3: Any, kms: Any, bucket: str, key: str) -> None:
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    region_and_account = key.partition(":key/")[0]
    for name in (key, key.rpartition("/")[2], "alias/mine", f"{region_and_account}:alias/mine"):
        assert s3.put_object(Bucket=bucket, Key="k", Body=b"x", **by(name))["SSEKMSKeyId"] == key
        assert read(s3, bucket) == b"x"


def test_without_a_key_it_is_that_of_s3(s3: Any, kms: Any, bucket: str) -> None:
    written = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms")
    described = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (written["SSEKMSKeyId"], described["KeyManager"]) == (described["Arn"], "AWS")
    assert read(s3, bucket) == b"x"


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_bucket_encrypts_by_default(s3: Any, bucket: str, key: str, size: int) -> None:
    use_by_default(s3, bucket, key, BucketKeyEnabled=True)
    data = os.urandom(size)
    written = s3.put_object(Bucket=bucket, Key="k", Body=data)
    assert (written["ServerSideEncryption"], written["SSEKMSKeyId"]) == ("aws:kms", key)
    assert written["BucketKeyEnabled"] is True
    assert read(s3, bucket) == data
    assert s3.put_object(Bucket=bucket, Key="k", ServerSideEncryption="AES256")["ServerSideEncryption"] == "AES256"
    use_by_default(s3, bucket)
    assert s3.put_object(Bucket=bucket, Key="k", Body=data)["SSEKMSKeyId"] != key
    assert read(s3, bucket) == data


def test_parts_are_encrypted_one_by_one(s3: Any, bucket: str, key: str) -> None:
    source = os.urandom(_PART)
    s3.put_object(Bucket=bucket, Key="source", Body=source, **by(key))
    upload: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    begun = s3.create_multipart_upload(**upload, **by(key))
    assert begun["SSEKMSKeyId"] == key
    upload["UploadId"] = begun["UploadId"]
    first, last = os.urandom(_PART), os.urandom(1000)
    answers = [
        s3.upload_part(**upload, PartNumber=1, Body=first),
        s3.upload_part_copy(**upload, PartNumber=2, CopySource={"Bucket": bucket, "Key": "source"})["CopyPartResult"],
        s3.upload_part(**upload, PartNumber=3, Body=last),
    ]
    parts = [{"PartNumber": number, "ETag": answer["ETag"]} for number, answer in enumerate(answers, 1)]
    completed = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert completed["SSEKMSKeyId"] == key
    whole = first + source + last
    assert read(s3, bucket) == whole
    assert read(s3, bucket, PartNumber=2) == source
    assert read(s3, bucket, Range=f"bytes={_PART - 9}-{2 * _PART + 9}") == whole[_PART - 9 : 2 * _PART + 10]


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_copy_has_a_key_of_its_own(s3: Any, kms: Any, bucket: str, key: str, size: int) -> None:
    data, source = os.urandom(size), {"Bucket": bucket, "Key": "k"}
    written = s3.put_object(Bucket=bucket, Key="k", Body=data, **by(key))
    copied = s3.copy_object(Bucket=bucket, Key="plain", CopySource=source)
    assert copied["ServerSideEncryption"] == "AES256"
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    other = make_key(kms)
    copied = s3.copy_object(Bucket=bucket, Key="other", CopySource=source, **by(other))
    assert (copied["SSEKMSKeyId"], copied["CopyObjectResult"]["ETag"] != written["ETag"]) == (other, True)
    s3.copy_object(Bucket=bucket, Key="encrypted", CopySource={"Bucket": bucket, "Key": "plain"}, **by(key))
    kms.disable_key(KeyId=key)
    assert read(s3, bucket, "plain") == read(s3, bucket, "other") == data
    refusal = message(s3.copy_object, Bucket=bucket, Key="l", CopySource=source)
    assert refusal == ("KMS.DisabledException", f"{key} is disabled.")


def test_a_query_reads_what_is_encrypted(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"a,1\nb,2\n", **by(key))
    answer = s3.select_object_content(
        Bucket=bucket,
        Key="k",
        ExpressionType="SQL",
        Expression="SELECT s._1 FROM S3Object s WHERE s._2 = '2'",
        InputSerialization={"CSV": {}},
        OutputSerialization={"CSV": {}},
    )
    assert b"".join(each["Records"]["Payload"] for each in answer["Payload"] if "Records" in each) == b"b\n"


@pytest.mark.parametrize("size", [100, 100_000])
def test_annotations_are_encrypted_as_their_object(s3: Any, kms: Any, bucket: str, key: str, size: int) -> None:
    payload = secrets.token_hex(size // 2).encode()
    note: dict[str, Any] = {"AnnotationName": "note"}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **by(key))
    s3.put_object_annotation(Bucket=bucket, Key="k", **note, AnnotationPayload=payload)

    def annotation(name: str) -> bytes:
        return bytes(s3.get_object_annotation(Bucket=bucket, Key=name, **note)["AnnotationPayload"].read())

    assert annotation("k") == payload
    source, other = {"Bucket": bucket, "Key": "k"}, make_key(kms)
    s3.copy_object(Bucket=bucket, Key="other", CopySource=source, **by(other))
    s3.copy_object(Bucket=bucket, Key="plain", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="updated", CopySource={"Bucket": bucket, "Key": "plain"})
    s3.update_object_encryption(Bucket=bucket, Key="updated", ObjectEncryption={"SSEKMS": {"KMSKeyArn": other}})
    kms.disable_key(KeyId=key)
    refusal = message(s3.get_object_annotation, Bucket=bucket, Key="k", **note)
    assert refusal == ("KMS.DisabledException", f"{key} is disabled.")
    new = {"Bucket": bucket, "Key": "k", "AnnotationName": "new", "AnnotationPayload": b"x"}
    assert message(s3.put_object_annotation, **new)[0] == "KMS.DisabledException"
    for name in ("other", "plain", "updated"):
        assert annotation(name) == payload
    kms.disable_key(KeyId=other)
    for name in ("other", "updated"):
        assert refused(s3.get_object_annotation, Bucket=bucket, Key=name, **note)[1] == 400


def test_a_key_is_not_for_objects_that_are_not_there(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **by(key))
    etag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    with pytest.raises(ClientError, match="304"):
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag)
    assert refused(s3.get_object, Bucket=bucket, Key="none") == ("NoSuchKey", 404)


# -- what KMS refuses


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_key_that_is_disabled_or_deleted_opens_nothing(s3: Any, kms: Any, bucket: str, key: str, size: int) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**where, Body=bytes(size), **by(key))
    kms.disable_key(KeyId=key)
    disabled = ("KMS.DisabledException", f"{key} is disabled.")
    assert message(s3.get_object, **where) == disabled
    assert message(s3.put_object, Bucket=bucket, Key="new", Body=bytes(size), **by(key)) == disabled
    assert message(s3.create_multipart_upload, **where, **by(key)) == disabled
    # What is not encrypted of an object is told, and it can be deleted.
    assert s3.head_object(**where)["ContentLength"] == size
    assert refused(s3.head_object, **where, ChecksumMode="ENABLED")[1] == 400
    kms.enable_key(KeyId=key)
    assert read(s3, bucket) == bytes(size)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert message(s3.get_object, **where) == ("KMS.KMSInvalidStateException", f"{key} is pending deletion.")
    s3.delete_object(**where)
    assert refused(s3.head_object, Bucket=bucket, Key="new")[1] == 404


def test_a_part_needs_the_key_of_its_upload(s3: Any, kms: Any, bucket: str, key: str) -> None:
    upload: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, **by(key))["UploadId"]
    kms.disable_key(KeyId=key)
    assert message(s3.upload_part, **upload, PartNumber=1, Body=b"x")[0] == "KMS.DisabledException"


def test_keys_that_cannot_be(aws: Aws, s3: Any, kms: Any, bucket: str) -> None:
    def refusal(name: str) -> tuple[str, int]:
        return refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **by(name))

    none = f"arn:aws:kms:us-east-1:{aws.account}:key/12345678-1234-1234-1234-123456789012"
    assert refusal(none) == ("KMS.NotFoundException", 400)
    assert refusal("nonsense") == ("KMS.NotFoundException", 400)
    assert refusal("alias/none") == ("KMS.NotFoundException", 400)
    elsewhere = make_key(aws.client("kms", region_name="eu-west-1"))
    asked = {"Bucket": bucket, "Key": "k", **by(elsewhere)}
    assert message(s3.put_object, **asked) == ("KMS.NotFoundException", "Invalid arn eu-west-1")
    signing = make_key(kms, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    assert refusal(signing) == ("KMS.InvalidKeyUsageException", 400)
    asked = {"Bucket": bucket, "Key": "k", "ServerSideEncryption": "aws:kms:dsse", "BucketKeyEnabled": True}
    assert refused(s3.put_object, **asked) == ("InvalidArgument", 400)
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404


def test_the_key_is_of_the_buckets_region(aws: Aws) -> None:
    s3 = aws.client("s3", region_name="eu-west-1")
    name = f"kms-{secrets.token_hex(8)}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    there = make_key(aws.client("kms", region_name="eu-west-1"))
    # Whichever region a request is signed for.
    for client in (s3, aws.client("s3")):
        assert client.put_object(Bucket=name, Key="k", Body=b"x", **by(there))["SSEKMSKeyId"] == there
        assert read(client, name) == b"x"


# -- what KMS is asked


def _calls(account: Aws, name: str, count: int) -> list[dict[str, Any]]:
    return [json.loads(each["CloudTrailEvent"]) for each in lookup(account, count, EventName=name)]


def test_kms_is_told_of_which_object_it_is(aws: Aws, s3: Any, bucket: str, key: str) -> None:
    context = base64.b64encode(b'{"department": "10103.0"}').decode()
    s3.put_object(Bucket=bucket, Key="a/k", Body=b"x", **by(key), SSEKMSEncryptionContext=context)
    assert read(s3, bucket, "a/k") == b"x"
    wanted = {"aws:s3:arn": f"arn:aws:s3:::{bucket}/a/k", "department": "10103.0"}
    for name in ("GenerateDataKey", "Decrypt"):
        (call,) = _calls(aws, name, 1)
        assert call["requestParameters"]["encryptionContext"] == wanted
        assert call["userIdentity"]["invokedBy"] == "s3.amazonaws.com"
    for no_context in ('{"department": "10103.0"}', base64.b64encode(b'{"department": 1}').decode()):
        asked = {**by(key), "SSEKMSEncryptionContext": no_context}
        assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **asked) == ("InvalidArgument", 400)


def test_a_bucket_key_spares_kms(standing: Standing) -> None:
    account = standing.account()
    s3, key = account.client("s3"), make_key(account.client("kms"))
    name = make_bucket(s3)
    for number in range(5):
        s3.put_object(Bucket=name, Key=f"{number}", Body=b"x%d" % number, **by(key, BucketKeyEnabled=True))
    for number in range(5):
        assert read(s3, name, f"{number}") == b"x%d" % number
    (call,) = _calls(account, "GenerateDataKey", 1)
    assert call["requestParameters"]["encryptionContext"] == {"aws:s3:arn": f"arn:aws:s3:::{name}"}
    account.client("kms").disable_key(KeyId=key)
    assert read(s3, name, "0") == b"x0"
    standing.advance("301s")
    assert message(s3.get_object, Bucket=name, Key="0")[0] == "KMS.DisabledException"
    account.client("kms").enable_key(KeyId=key)
    s3.put_object(Bucket=name, Key="new", Body=b"x", **by(key, BucketKeyEnabled=True))
    assert read(s3, name, "0") == b"x0"
    _calls(account, "GenerateDataKey", 2)
    standing.freeze("2030-03-14T12:00:00Z")


# -- at rest


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_what_is_on_disk_cannot_be_read_without_kms(tmp_path: Path, algorithm: str) -> None:
    account = "111111111111"
    secret = b"a secret that is said again and again. "
    sizes = {"small": secret * 20, "large": secret * 3000}
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        s3, key = aws.client("s3"), make_key(aws.client("kms"))
        s3.create_bucket(Bucket="secrets")
        s3.put_object(Bucket="secrets", Key="plain", Body=secret.replace(b"secret", b"riddle") * 20)
        asked = {"ServerSideEncryption": algorithm, "SSEKMSKeyId": key}
        for name, data in sizes.items():
            s3.put_object(Bucket="secrets", Key=name, Body=data, **asked)
            s3.put_object_annotation(
                Bucket="secrets", Key=name, AnnotationName="note", AnnotationPayload=data, ChecksumAlgorithm="CRC32"
            )
            s3.put_object(Bucket="secrets", Key=f"updated-{name}", Body=data.replace(b"secret", b"hidden"))
        upload: dict[str, Any] = {"Bucket": "secrets", "Key": "parts"}
        upload["UploadId"] = s3.create_multipart_upload(**upload, **asked)["UploadId"]
        etag = s3.upload_part(**upload, PartNumber=1, Body=sizes["large"])["ETag"]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        server.kill()
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"a riddle that is said" in written
    assert b"a secret that is said" not in written
    with Server.start("--data", str(tmp_path)) as server:
        s3 = Aws(server.endpoint, account).client("s3")
        for name, data in {**sizes, "parts": sizes["large"]}.items():
            assert read(s3, "secrets", name) == data
        for name in sizes:
            s3.update_object_encryption(
                Bucket="secrets", Key=f"updated-{name}", ObjectEncryption={"SSEKMS": {"KMSKeyArn": key}}
            )
        _damage(tmp_path, s3)
    blobs = b"".join(file.read_bytes() for file in (tmp_path / "blocks" / "s3" / "blobs").rglob("*") if file.is_file())
    assert b"a secret that is said" not in blobs


def _damage(data: Path, s3: Any) -> None:
    """Change a byte in each file of an object, and see that none of it is answered."""
    s3.delete_object(Bucket="secrets", Key="large")
    for file in (data / "blocks" / "s3" / "blobs").rglob("*"):
        if file.is_file():
            raw = bytearray(file.read_bytes())
            raw[100] ^= 1
            file.write_bytes(raw)
    with pytest.raises(Exception, match=r"Connection broken|IncompleteRead|InternalError|closed"):
        read(s3, "secrets", "parts")


# -- where permissions are enforced


def _user(strict: Strict, *actions: str, **more: Any) -> User:
    return strict.user(grant("s3:*"), *([grant(list(actions), **more)] if actions else []))


def test_the_caller_needs_the_keys_permissions(strict: Strict) -> None:
    bucket, key = strict.bucket(), make_key(strict.root(strict.owner.number, "kms"))
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    nobody = _user(strict)
    code, text = message(nobody.s3.put_object, **where, Body=b"x", **by(key))
    assert (code, "kms:GenerateDataKey" in text, key in text) == ("AccessDenied", True, True)
    writer, reader = _user(strict, "kms:GenerateDataKey"), _user(strict, "kms:Decrypt")
    for size in (100, 100_000):
        writer.s3.put_object(**where, Body=bytes(size), **by(key))
        code, text = message(writer.s3.get_object, **where)
        assert (code, "kms:Decrypt" in text) == ("AccessDenied", True)
        assert read(reader.s3, bucket) == bytes(size)
    assert refused(reader.s3.put_object, **where, Body=b"x", **by(key)) == DENIED
    writer.s3.head_object(**where)
    assert refused(writer.s3.head_object, **where, ChecksumMode="ENABLED")[1] == 403
    reader.s3.head_object(**where, ChecksumMode="ENABLED")
    assert refused(reader.s3.copy_object, Bucket=bucket, Key="l", CopySource=where, **by(key)) == DENIED
    assert refused(writer.s3.copy_object, Bucket=bucket, Key="l", CopySource=where, **by(key)) == DENIED
    _user(strict, "kms:*").s3.copy_object(Bucket=bucket, Key="l", CopySource=where, **by(key))
    upload = {**where, "UploadId": writer.s3.create_multipart_upload(**where, **by(key))["UploadId"]}
    assert refused(writer.s3.upload_part, **upload, PartNumber=1, Body=b"x") == DENIED
    reader.s3.upload_part(**upload, PartNumber=1, Body=b"x")


def test_a_keys_policy_may_look_at_the_object_and_the_service(strict: Strict) -> None:
    bucket, kms = strict.bucket(), strict.root(strict.owner.number, "kms")
    key = make_key(kms)
    own = json.loads(kms.get_key_policy(KeyId=key)["Policy"])["Statement"]
    wanted = {
        "kms:ViaService": "s3.us-east-1.amazonaws.com",
        "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}/in",
    }
    denials = [
        {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
            "Resource": "*",
            "Condition": {"StringNotEquals": {name: value}},
        }
        for name, value in wanted.items()
    ]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(*own, *denials))
    user = _user(strict, "kms:*")
    user.s3.put_object(Bucket=bucket, Key="in", Body=b"x", **by(key))
    assert read(user.s3, bucket, "in") == b"x"
    assert refused(user.s3.put_object, Bucket=bucket, Key="out", Body=b"x", **by(key)) == DENIED
    context = {"aws:s3:arn": f"arn:aws:s3:::{bucket}/in"}
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)


def test_a_bucket_key_is_a_requesters_own(strict: Strict) -> None:
    bucket, key = strict.bucket(), make_key(strict.root(strict.owner.number, "kms"))
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    strict.owner.s3.put_object(**where, Body=b"x", **by(key, BucketKeyEnabled=True))
    assert read(strict.owner.s3, bucket) == b"x"
    assert refused(_user(strict).s3.get_object, **where) == DENIED
    assert refused(_user(strict).s3.put_object, **where, **by(key, BucketKeyEnabled=True)) == DENIED


def test_a_policy_may_demand_a_key(strict: Strict) -> None:
    bucket, kms = strict.bucket(), strict.root(strict.owner.number, "kms")
    key, other = make_key(kms), make_key(kms)
    demanded = {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key}}
    strict.allow(bucket, Effect="Deny", Action="s3:PutObject", Condition=demanded)
    put = strict.owner.s3.put_object
    assert refused(put, Bucket=bucket, Key="k", **by(other)) == DENIED
    assert refused(put, Bucket=bucket, Key="k") == DENIED
    put(Bucket=bucket, Key="k", **by(key))


def test_another_account_needs_the_key_as_well(strict: Strict) -> None:
    bucket, kms = strict.bucket(), strict.root(strict.owner.number, "kms")
    key = make_key(kms)
    strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x", **by(key))
    strict.allow(bucket, Principal={"AWS": OTHER}, Action="s3:GetObject")
    assert refused(strict.other.s3.get_object, Bucket=bucket, Key="k") == DENIED
    own = json.loads(kms.get_key_policy(KeyId=key)["Policy"])["Statement"]
    theirs = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "kms:Decrypt", "Resource": "*"}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(*own, theirs))
    assert read(strict.other.s3, bucket) == b"x"


def test_who_has_not_signed_reads_nothing_that_kms_protects(strict: Strict) -> None:
    bucket, key = strict.open_bucket(), make_key(strict.root(strict.owner.number, "kms"))
    strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read", **by(key))
    code, text = message(strict.nobody.s3.get_object, Bucket=bucket, Key="k")
    assert (code, "require AWS Signature Version 4" in text) == ("InvalidArgument", True)
    url = strict.owner.s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    assert fetch(url).body == b"x"
    index = {"IndexDocument": {"Suffix": "k"}}
    strict.owner.s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=index)
    port = strict.endpoint.rpartition(":")[2]
    assert ask(strict.endpoint, "GET", "/", Host=f"{bucket}.s3-website.localhost:{port}").status == 400


def _settled(s3: Any, bucket: str, key: str, version: str) -> str:
    """Return what became of the replication of a version."""

    def look() -> str:
        return str(s3.head_object(Bucket=bucket, Key=key, VersionId=version)["ReplicationStatus"])

    return eventually(look, lambda seen: seen != "PENDING")


def test_replicas_are_encrypted_under_the_rules_key(strict: Strict) -> None:
    s3, kms = strict.owner.s3, strict.root(strict.owner.number, "kms")
    source, target = (make_bucket(s3, versioned=True) for _ in range(2))
    key, replicas = make_key(kms), make_key(kms)
    rule = {
        "ID": "all",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": {
            "Bucket": f"arn:aws:s3:::{target}",
            "EncryptionConfiguration": {"ReplicaKmsKeyID": replicas},
        },
    }
    decrypt, generate = grant("kms:Decrypt", key), grant("kms:GenerateDataKey", replicas)
    for statements, outcome in (([decrypt], "FAILED"), ([generate], "FAILED"), ([decrypt, generate], "COMPLETED")):
        role = strict.role(grant("s3:*"), *statements, trusts={"Service": "s3.amazonaws.com"})
        s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": [rule]})
        for name, size in (("small", 100), ("large", 100_000)):
            version = s3.put_object(Bucket=source, Key=name, Body=bytes(size), **by(key))["VersionId"]
            assert _settled(s3, source, name, version) == outcome
    assert s3.head_object(Bucket=target, Key="small")["SSEKMSKeyId"] == replicas
    kms.disable_key(KeyId=key)
    assert (read(s3, target, "small"), read(s3, target, "large")) == (bytes(100), bytes(100_000))
    s3.put_object_tagging(Bucket=source, Key="large", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    eventually(lambda: s3.get_object_tagging(Bucket=target, Key="large")["TagSet"])
    kms.enable_key(KeyId=key)
    role = strict.role(grant("s3:*"), grant("kms:*"), trusts={"Service": "s3.amazonaws.com"})
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": [rule]})
    note = {"Key": "large", "AnnotationName": "note"}
    s3.put_object_annotation(Bucket=source, **note, AnnotationPayload=b"a note")
    eventually(lambda: s3.list_object_annotations(Bucket=target, Key="large").get("Annotations"))
    kms.disable_key(KeyId=key)
    assert s3.get_object_annotation(Bucket=target, **note)["AnnotationPayload"].read() == b"a note"


def test_what_s3_delivers_is_encrypted_by_the_buckets_default(aws: Aws, s3: Any, kms: Any, bucket: str) -> None:
    delivery = allow("kms:GenerateDataKey", Principal={"Service": "s3.amazonaws.com"})
    admin = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{aws.account}:root"})
    target, key = make_bucket(s3), make_key(kms, Policy=document(admin, delivery))
    use_by_default(s3, target, key)
    let_in(s3, target, "s3.amazonaws.com")
    configuration = {
        "Id": "all",
        "IsEnabled": True,
        "IncludedObjectVersions": "Current",
        "Schedule": {"Frequency": "Daily"},
        "Destination": {"S3BucketDestination": {"Bucket": f"arn:aws:s3:::{target}", "Format": "CSV"}},
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_inventory_configuration(Bucket=bucket, Id="all", InventoryConfiguration=configuration)
    listed = eventually(lambda: s3.list_objects_v2(Bucket=target).get("Contents", []), lambda seen: len(seen) > 2)
    for each in listed:
        assert s3.head_object(Bucket=target, Key=each["Key"])["SSEKMSKeyId"] == key
        read(s3, target, each["Key"])
