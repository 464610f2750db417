"""Forms that browsers send: what their policy allows is written, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cloudlet.testing.server import Aws
from tests.modes import meaningless_in
from tests.services.s3.raw import Answer, ask, form
from tests.services.s3.strict import DENIED, SECRET, Account, Strict, refused, strict_server


@pytest.fixture(scope="module")
def strict() -> Iterator[Strict]:
    with strict_server() as running:
        yield running


@pytest.fixture(scope="module")
def name(strict: Strict) -> str:
    return strict.bucket()


def _send(
    endpoint: str, bucket: str, fields: dict[str, str], file: bytes = b"hello", filename: str = "f.txt"
) -> Answer:
    body, content_type = form(fields, file, filename)
    return ask(endpoint, "POST", f"/{bucket}", body, Content_Type=content_type)


def _signed(
    strict: Strict,
    bucket: str,
    key: str,
    fields: dict[str, str] | None = None,
    conditions: list[Any] | None = None,
    by: Account | None = None,
) -> dict[str, str]:
    """Return a form as the SDK makes it; there is a condition for each of `fields` by itself."""
    named = fields or {}
    s3 = boto3.client(
        "s3",
        endpoint_url=strict.endpoint,
        region_name="us-east-1",
        aws_access_key_id=f"AKIATEST{(by or strict.owner).number}",
        aws_secret_access_key=SECRET,
        config=Config(signature_version="s3v4"),
    )
    wanted = [*(conditions or []), *({field: value} for field, value in named.items())]
    signed: dict[str, str] = s3.generate_presigned_post(bucket, key, Fields=dict(named), Conditions=wanted)["fields"]
    return signed


def _with_policy(document: Any) -> dict[str, str]:
    """Return the fields of a form with a policy as it is given, signed by the owner."""
    day = datetime.now(UTC).strftime("%Y%m%d")
    text = document if isinstance(document, str) else json.dumps(document)
    policy = base64.b64encode(text.encode()).decode()
    key = f"AWS4{SECRET}".encode()
    for part in (day, "us-east-1", "s3", "aws4_request", policy):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return {
        "key": "k",
        "policy": policy,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AKIATEST111111111111/{day}/us-east-1/s3/aws4_request",
        "X-Amz-Date": f"{day}T000000Z",
        "X-Amz-Signature": key.hex(),
    }


def _signed_by(aws: Aws, bucket: str, key: str, **fields: str) -> dict[str, str]:
    """Return a form that an account has signed, in which fields may have any value."""
    s3 = aws.client("s3", config=Config(signature_version="s3v4"))
    conditions = [["starts-with", f"${name}", ""] for name in fields]
    signed: dict[str, str] = s3.generate_presigned_post(bucket, key, Fields=dict(fields), Conditions=conditions)
    return dict(signed["fields"])  # type: ignore[call-overload]


def _policy(*conditions: Any, hours: float = 1) -> dict[str, Any]:
    expires = datetime.now(UTC) + timedelta(hours=hours)
    algorithm = ["starts-with", "$x-amz-algorithm", ""], ["starts-with", "$x-amz-credential", ""]
    return {
        "expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "conditions": [*algorithm, ["starts-with", "$x-amz-date", ""], *conditions],
    }


def test_forms_are_signed_by_the_systems_clock(account: Aws) -> None:
    s3 = account.client("s3", config=Config(signature_version="s3v4"))
    s3.create_bucket(Bucket="forms")
    fields = s3.generate_presigned_post("forms", "k", ExpiresIn=60)["fields"]
    assert _send(account.endpoint, "forms", fields).status == 204


def test_a_signed_form_is_written_as_its_fields_say(strict: Strict, name: str) -> None:
    fields = _signed(
        strict,
        name,
        "up/${filename}",
        {
            "Content-Type": "text/x-form",
            "Cache-Control": "no-store",
            "x-amz-meta-color": "red",
            "x-amz-storage-class": "STANDARD_IA",
            "tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
        },
        [["content-length-range", 1, 100]],
    )
    answer = _send(strict.endpoint, name, fields, filename="me.txt")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["location"].endswith(f"/{name}/up/me.txt")
    read = strict.owner.s3.get_object(Bucket=name, Key="up/me.txt")
    assert read["Body"].read() == b"hello"
    assert answer.headers["etag"] == read["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert (read["ContentType"], read["CacheControl"]) == ("text/x-form", "no-store")
    assert (read["Metadata"], read["StorageClass"], read["TagCount"]) == ({"color": "red"}, "STANDARD_IA", 1)


@pytest.mark.parametrize(("asked", "status"), [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("x", 204)])
def test_a_form_says_how_it_is_answered(strict: Strict, name: str, asked: str, status: int) -> None:
    answer = _send(strict.endpoint, name, _signed(strict, name, "a&b", {"success_action_status": asked}))
    assert answer.status == status
    if status == 201:
        assert b"<Key>a&amp;b</Key>" in answer.body
        assert f"<Bucket>{name}</Bucket>".encode() in answer.body
    else:
        assert answer.body == b""


@pytest.mark.parametrize("field", ["success_action_redirect", "redirect"])
def test_a_browser_is_sent_on_to_a_page(strict: Strict, name: str, field: str) -> None:
    page = "http://example.com/done?a=b"
    answer = _send(strict.endpoint, name, _signed(strict, name, "a b", {field: page}))
    assert answer.status == 303
    etag = answer.headers["etag"].strip('"')
    assert answer.headers["location"] == f"{page}&bucket={name}&key=a+b&etag=%22{etag}%22"


def test_fields_that_are_to_be_ignored(strict: Strict, name: str) -> None:
    fields = _signed(strict, name, "ignored") | {"x-ignore-me": "anything", "go": "now"}
    assert _send(strict.endpoint, name, fields).status == 403
    del fields["go"]
    assert _send(strict.endpoint, name, fields).status == 204


@pytest.mark.parametrize(
    ("conditions", "given", "broken"),
    [
        ([], {"x-amz-meta-a": "b"}, "Extra input fields: x-amz-meta-a"),
        ([{"acl": "private"}], {"acl": "public-read"}, "Policy Condition failed"),
        ([["starts-with", "$Content-Type", "image/"]], {"Content-Type": "text/plain"}, "Policy Condition failed"),
        ([["starts-with", "$Content-Type", ""]], {}, "Policy Condition failed"),
        ([["eq", "$key", "another"]], {}, "Policy Condition failed"),
        ([{"bucket": "another"}], {}, "Policy Condition failed"),
    ],
)
def test_a_form_keeps_to_its_policy(
    strict: Strict, name: str, conditions: list[Any], given: dict[str, str], broken: str
) -> None:
    fields = _with_policy(_policy(["starts-with", "$key", ""], *conditions)) | given
    answer = _send(strict.endpoint, name, fields)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"Invalid according to Policy: " + broken.encode() in answer.body


def test_a_field_that_cannot_be_is_told_as_in_a_put(strict: Strict, name: str) -> None:
    fields = _with_policy(_policy(["starts-with", "$key", ""], ["starts-with", "$x-amz-storage-class", ""]))
    answer = _send(strict.endpoint, name, fields | {"x-amz-storage-class": "FLOPPY"})
    assert (answer.status, answer.code) == (400, "InvalidStorageClass")


def test_a_policy_expires(strict: Strict, name: str) -> None:
    fresh, stale = (_with_policy(_policy({"key": "k"}, hours=hours)) for hours in (1, -1))
    assert _send(strict.endpoint, name, fresh).status == 204
    answer = _send(strict.endpoint, name, stale)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"Policy expired" in answer.body


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        {"conditions": []},
        {"expiration": "2100-01-01T00:00:00Z"},
        {"expiration": "tomorrow", "conditions": []},
        {"expiration": "2100-01-01T00:00:00Z", "conditions": {}},
        {"expiration": "2100-01-01T00:00:00Z", "conditions": [], "more": 1},
        {"expiration": "2100-01-01T00:00:00Z", "conditions": [{}]},
        {"expiration": "2100-01-01T00:00:00Z", "conditions": [{"key": 1}]},
        {"expiration": "2100-01-01T00:00:00Z", "conditions": [["eq", "$key"]]},
        {"expiration": "2100-01-01T00:00:00Z", "conditions": [["eq", "key", "k"]]},
        {"expiration": "2100-01-01T00:00:00Z", "conditions": [["is", "$key", "k"]]},
        {"expiration": "2100-01-01T00:00:00Z", "conditions": [["content-length-range", "a", "b"]]},
    ],
)
def test_what_is_no_policy(strict: Strict, name: str, document: Any) -> None:
    answer = _send(strict.endpoint, name, _with_policy(document))
    assert (answer.status, answer.code) == (400, "InvalidPolicyDocument")


@pytest.mark.parametrize(
    ("least", "most", "status", "code"),
    [(0, 5, 204, ""), (5, 5, 204, ""), (6, 10, 400, "EntityTooSmall"), (0, 4, 400, "EntityTooLarge")],
)
def test_a_file_has_the_size_that_is_allowed(
    strict: Strict, name: str, least: int, most: int, status: int, code: str
) -> None:
    key = f"sized-{least}-{most}"
    answer = _send(
        strict.endpoint, name, _signed(strict, name, key, conditions=[["content-length-range", least, most]])
    )
    assert (answer.status, answer.code) == (status, code)
    listed = strict.owner.s3.list_objects_v2(Bucket=name, Prefix=key)["KeyCount"]
    assert listed == (status == 204)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"x-amz-signature": "0" * 64}, 403, "SignatureDoesNotMatch"),
        ({"x-amz-credential": "AKIANOBODY/20300101/us-east-1/s3/aws4_request"}, 400, "InvalidArgument"),
        ({"x-amz-credential": "nonsense"}, 400, "InvalidArgument"),
        ({"x-amz-algorithm": "ROT13"}, 400, "InvalidArgument"),
        ({"x-amz-date": ""}, 400, "InvalidArgument"),
        ({"x-amz-signature": ""}, 400, "InvalidArgument"),
        ({"key": ""}, 400, "InvalidArgument"),
    ],
)
def test_a_form_that_nobody_has_signed_so(
    strict: Strict, name: str, change: dict[str, str], status: int, code: str
) -> None:
    answer = _send(strict.endpoint, name, _signed(strict, name, "k") | change)
    assert (answer.status, answer.code) == (status, code)


def test_a_key_that_nobody_has(strict: Strict, name: str) -> None:
    fields = _signed(strict, name, "k")
    fields["x-amz-credential"] = fields["x-amz-credential"].replace("AKIATEST111111111111", "AKIANOBODY")
    answer = _send(strict.endpoint, name, fields)
    assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")


def test_the_old_signature_is_taken_too(strict: Strict, name: str) -> None:
    document = {"expiration": "2100-01-01T00:00:00Z", "conditions": [{"bucket": name}, {"key": "old"}]}
    policy = base64.b64encode(json.dumps(document).encode()).decode()
    signature = base64.b64encode(hmac.digest(SECRET.encode(), policy.encode(), hashlib.sha1)).decode()
    fields = {"key": "old", "policy": policy, "AWSAccessKeyId": "AKIATEST111111111111", "signature": signature}
    assert _send(strict.endpoint, name, fields).status == 204
    answer = _send(strict.endpoint, name, {**fields, "signature": "AAAA"})
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_without_a_policy_everybody_writes_where_everybody_may(strict: Strict, name: str) -> None:
    answer = _send(strict.endpoint, name, {"key": "anyone"})
    assert (answer.status, answer.code) == (403, "AccessDenied")
    public = strict.open_bucket()
    strict.owner.s3.put_bucket_acl(Bucket=public, ACL="public-read-write")
    assert _send(strict.endpoint, public, {"key": "anyone", "acl": "public-read"}).status == 204
    assert strict.nobody.s3.get_object(Bucket=public, Key="anyone")["Body"].read() == b"hello"


def test_a_policy_may_let_in_forms_alone(strict: Strict) -> None:
    bucket, other = strict.bucket(), strict.other
    condition = {"StringEquals": {"s3:authType": "POST"}}
    strict.allow(bucket, Principal={"AWS": other.number}, Action="s3:PutObject", Condition=condition)
    assert _send(strict.endpoint, bucket, _signed(strict, bucket, "k", by=other)).status == 204
    assert refused(other.s3.put_object, Bucket=bucket, Key="k") == DENIED


def test_a_form_needs_a_file_at_its_end(aws: Aws, bucket: str) -> None:
    body, content_type = form(_signed_by(aws, bucket, "k"), b"x")
    without = body.partition(b'Content-Disposition: form-data; name="file"')[0].rpartition(b"--")[0] + b"--x--"
    assert ask(aws.endpoint, "POST", f"/{bucket}", without, Content_Type=content_type).status == 400
    cut = ask(aws.endpoint, "POST", f"/{bucket}", body[:-20], Content_Type=content_type)
    assert (cut.status, cut.code) == (400, "MalformedPOSTRequest")
    long = _send(aws.endpoint, bucket, {"key": "k", "x-ignore-long": "x" * 30_000})
    assert (long.status, long.code) == (400, "MaxPostPreDataLengthExceeded")
    for other in (
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary*=utf-8''%E6",
    ):
        answer = ask(aws.endpoint, "POST", f"/{bucket}", b"key=k", Content_Type=other)
        assert (answer.status, answer.code) == (412, "PreconditionFailed")


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"Content-Disposition: form-data\r\n",
        b'Content-Disposition: form-data; name="key"\r\n\r\n\xff\r\n--x--',
        b"X" * 30_000,
    ],
)
def test_a_part_that_says_nothing_of_itself(aws: Aws, bucket: str, part: bytes) -> None:
    body = b"--x\r\n" + part + b"\r\n\r\n--x--"
    assert ask(aws.endpoint, "POST", f"/{bucket}", body, Content_Type="multipart/form-data; boundary=x").status == 400


def test_a_form_has_no_thousands_of_fields(aws: Aws, bucket: str) -> None:
    """Also none that is there again and again: whoever may send a form kept everybody waiting by them."""
    part = b'--b\r\nContent-Disposition: form-data; name="x-ignore-f"\r\n\r\nx\r\n'
    file = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n'
    signed = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value.encode())
        for name, value in _signed_by(aws, bucket, "x").items()
    )
    kind = "multipart/form-data; boundary=b"
    for count, status in ((400, 204), (5000, 400)):
        answer = ask(aws.endpoint, "POST", f"/{bucket}", signed + part * count + file, Content_Type=kind)
        assert answer.status == status
    assert answer.code == "MaxPostPreDataLengthExceeded"


def test_a_field_that_is_a_header_is_one_line(aws: Aws, bucket: str) -> None:
    fields = _signed_by(aws, bucket, "k", **{"x-amz-meta-color": "red\r\nSet-Cookie: a"})
    answer = _send(aws.endpoint, bucket, fields)
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert _send(aws.endpoint, bucket, _signed_by(aws, bucket, "k\r\nk")).headers["location"].endswith("/k%0D%0Ak")


def test_a_large_file_arrives_whole(aws: Aws, s3: Any, bucket: str) -> None:
    file = bytes(range(256)) * 4096 * 5 + b"\r\n--not-the-boundary"
    answer = _send(aws.endpoint, bucket, _signed_by(aws, bucket, "large"), file)
    assert answer.status == 204
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == file


def test_a_form_writes_a_version(aws: Aws, s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = _send(aws.endpoint, bucket, _signed_by(aws, bucket, "k")).headers["x-amz-version-id"]
    assert s3.head_object(Bucket=bucket, Key="k")["VersionId"] == version


@meaningless_in("strict", because="it is about open mode")
def test_forms_of_pages_from_elsewhere_are_refused_where_everybody_is_let_in(aws: Aws, s3: Any, bucket: str) -> None:
    body, content_type = form({"key": "k"}, b"x")
    signed = s3.generate_presigned_post(bucket, "k")["fields"]
    signed_body, signed_type = form(signed, b"x")
    for origin, status in (("https://evil.example", 403), ("null", 403), ("http://localhost:3000", 204)):
        for sent, kind in ((body, content_type), (signed_body, signed_type)):
            answer = ask(aws.endpoint, "POST", f"/{bucket}", sent, Content_Type=kind, Origin=origin)
            assert answer.status == status
            assert status == 204 or answer.code == "AccessDenied"


def test_a_form_signed_by_a_known_key_may_come_from_everywhere(strict: Strict, name: str) -> None:
    body, content_type = form(_signed(strict, name, "from-elsewhere"), b"x")
    answer = ask(strict.endpoint, "POST", f"/{name}", body, Content_Type=content_type, Origin="https://app.example")
    assert answer.status == 204
