"""How a bucket is named in a request: in the path or in the host; and URLs that carry their signature."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from cloudlet.testing.server import Aws
from tests.modes import meaningless_in
from tests.services.s3.raw import Answer, ask, fetch
from tests.services.s3.strict import SECRET, Strict, refused, strict_server

_V4 = Config(signature_version="s3v4", s3={"addressing_style": "path"})


@pytest.fixture(scope="module")
def strict() -> Iterator[Strict]:
    with strict_server() as running:
        yield running


@pytest.fixture(scope="module")
def owner(strict: Strict) -> Any:
    """A client whose URLs have signatures of version 4."""
    return boto3.client(
        "s3",
        endpoint_url=strict.endpoint,
        region_name="us-east-1",
        aws_access_key_id=f"AKIATEST{strict.owner.number}",
        aws_secret_access_key=SECRET,
        config=_V4,
    )


def _signed(strict: Strict, method: str, host: str, target: str, body: bytes = b"") -> Answer:
    """Send a request to a host, with the owner's signature."""
    request = AWSRequest(method, f"http://{host}{target}", data=body)
    S3SigV4Auth(Credentials(f"AKIATEST{strict.owner.number}", SECRET), "s3", "us-east-1").add_auth(request)
    headers = {name.replace("-", "_"): value for name, value in request.headers.items()}
    return ask(strict.endpoint, method, target, body, host=host, **headers)


@pytest.mark.parametrize("host", ["{}.localhost", "{}.s3.amazonaws.com", "{}.s3.us-east-1.amazonaws.com"])
def test_a_host_may_name_the_bucket(strict: Strict, host: str) -> None:
    bucket = strict.bucket()
    at = f"{host.format(bucket)}:{urlsplit(strict.endpoint).port}"
    assert _signed(strict, "PUT", at, "/a/b%20c", b"text").status == 200
    assert _signed(strict, "GET", at, "/a/b%20c").body == b"text"
    listed = _signed(strict, "GET", at, "/?list-type=2&prefix=a%2F")
    assert (listed.status, b"<Key>a/b c</Key>" in listed.body) == (200, True)
    assert strict.owner.s3.get_object(Bucket=bucket, Key="a/b c")["Body"].read() == b"text"
    assert ask(strict.endpoint, "GET", "/a/b%20c", host=at).code == "AccessDenied"
    missing = _signed(strict, "GET", at.replace(bucket, "no-such-bucket-at-all"), "/")
    assert (missing.status, missing.code) == (404, "NoSuchBucket")


def test_the_sdk_names_the_bucket_in_the_host(aws: Aws) -> None:
    named = aws.endpoint.replace("127.0.0.1", "localhost")
    s3 = aws.client("s3", endpoint_url=named, config=Config(s3={"addressing_style": "virtual"}))
    bucket = f"virtual-{aws.account}"
    hosts: list[str] = []

    def note(request: Any, **_: Any) -> None:
        # No resolver is asked for names below localhost: the connection goes to the server, the host stays.
        parts = urlsplit(request.url)
        hosts.append(parts.netloc)
        request.headers["Host"] = parts.netloc
        request.url = request.url.replace(parts.netloc, urlsplit(aws.endpoint).netloc, 1)

    s3.meta.events.register("before-send.s3", note)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert {host.partition(".")[0] for host in hosts} == {bucket}


def test_a_url_gets_and_puts_for_who_has_no_key(strict: Strict, owner: Any) -> None:
    bucket = strict.bucket()
    where = {"Bucket": bucket, "Key": "a/ü &+"}
    put = owner.generate_presigned_url("put_object", Params={**where, "ContentType": "text/x"}, ExpiresIn=60)
    assert fetch(put, "PUT", b"text", Content_Type="text/x").status == 200
    get = owner.generate_presigned_url("get_object", Params={**where, "ResponseContentType": "text/y"}, ExpiresIn=60)
    answer = fetch(get)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"text", "text/y")
    assert fetch(f"{strict.endpoint}/{bucket}/a").code == "AccessDenied"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (("X-Amz-Signature=", "X-Amz-Signature=0"), 403, "SignatureDoesNotMatch"),
        (("/k?", "/l?"), 403, "SignatureDoesNotMatch"),
        (("X-Amz-Expires=60", "X-Amz-Expires=61"), 403, "SignatureDoesNotMatch"),
        (("X-Amz-Expires=60", "X-Amz-Expires=604801"), 400, "AuthorizationQueryParametersError"),
        (("X-Amz-Expires=60", "X-Amz-Expires=-1"), 400, "AuthorizationQueryParametersError"),
        (("X-Amz-Expires=60", "X-Amz-Expires=soon"), 400, "AuthorizationQueryParametersError"),
        (("AKIATEST", "AKIANOBODY"), 403, "InvalidAccessKeyId"),
    ],
)
def test_a_url_that_was_changed(strict: Strict, owner: Any, change: tuple[str, str], status: int, code: str) -> None:
    url = owner.generate_presigned_url("get_object", Params={"Bucket": strict.bucket(), "Key": "k"}, ExpiresIn=60)
    answer = fetch(url.replace(*change))
    assert (answer.status, answer.code) == (status, code)


def test_a_url_is_for_one_method_and_one_time(strict: Strict, owner: Any) -> None:
    bucket = strict.bucket()
    owner.put_object(Bucket=bucket, Key="k", Body=b"x")
    where = {"Bucket": bucket, "Key": "k"}
    url = owner.generate_presigned_url("get_object", Params=where, ExpiresIn=60)
    assert fetch(url, "PUT", b"y").code == "SignatureDoesNotMatch"
    assert fetch(url, "DELETE").code == "SignatureDoesNotMatch"
    short = owner.generate_presigned_url("get_object", Params=where, ExpiresIn=1)
    signed_at = time.monotonic()
    while (answer := fetch(short)).status == 200:
        assert time.monotonic() - signed_at < 5
        time.sleep(0.1)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"Request has expired" in answer.body


def _by_default(strict: Strict, operation: str, params: dict[str, Any], seconds: int = 60) -> str:
    """Return a URL as boto3 makes it where it is told nothing: with a signature of version 2."""
    url: str = strict.owner.s3.generate_presigned_url(operation, Params=params, ExpiresIn=seconds)
    assert "AWSAccessKeyId=" in url
    return url


def test_the_urls_that_boto3_makes_by_default(strict: Strict) -> None:
    where = {"Bucket": strict.bucket(), "Key": "a/ü &+"}
    put = _by_default(strict, "put_object", {**where, "ContentType": "text/x", "ServerSideEncryption": "AES256"})
    assert fetch(put, "PUT", b"text", Content_Type="text/x").status == 200
    assert fetch(put, "PUT", b"text", Content_Type="text/y").code == "SignatureDoesNotMatch"
    answer = fetch(_by_default(strict, "get_object", {**where, "ResponseContentType": "text/y; charset=x"}))
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"text", "text/y; charset=x")
    assert b"<TagSet" in fetch(_by_default(strict, "get_object_tagging", where)).body
    assert fetch(_by_default(strict, "delete_object", where), "DELETE").status == 204


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (("Signature=", "Signature=A"), 403, "SignatureDoesNotMatch"),
        (("/k?", "/l?"), 403, "SignatureDoesNotMatch"),
        (("Expires=", "Expires=1"), 403, "SignatureDoesNotMatch"),
        (("Expires=", "Expires=x"), 403, "AccessDenied"),
        (("Expires=", "Other="), 403, "AccessDenied"),
        (("AKIATEST", "AKIANOBODY"), 403, "InvalidAccessKeyId"),
    ],
)
def test_a_url_of_version_2_that_was_changed(strict: Strict, change: tuple[str, str], status: int, code: str) -> None:
    url = _by_default(strict, "get_object", {"Bucket": strict.bucket(), "Key": "k"})
    answer = fetch(url.replace(*change))
    assert (answer.status, answer.code) == (status, code)


def test_a_url_of_version_2_expires(strict: Strict) -> None:
    bucket = strict.bucket()
    answer = fetch(_by_default(strict, "get_object", {"Bucket": bucket, "Key": "k"}, seconds=-5))
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"Request has expired" in answer.body


@pytest.mark.parametrize(("target", "path"), [("/a%20b", "/{}/a%20b"), ("/?list-type=2", "/{}/")])
def test_a_url_of_version_2_with_the_bucket_in_the_host(strict: Strict, target: str, path: str) -> None:
    bucket, expires = strict.bucket(), int(time.time()) + 60
    strict.owner.s3.put_object(Bucket=bucket, Key="a b", Body=b"x")
    text = f"GET\n\n\n{expires}\n{path.format(bucket)}"
    signature = base64.b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha1")).decode()
    key = f"AKIATEST{strict.owner.number}"
    signed = urlencode({"AWSAccessKeyId": key, "Signature": signature, "Expires": expires})
    joint = "&" if "?" in target else "?"
    answer = ask(strict.endpoint, "GET", f"{target}{joint}{signed}", host=f"{bucket}.localhost")
    assert answer.status == 200


@meaningless_in("strict", because="there, everybody is known")
def test_a_url_of_version_2_is_taken_of_anybody_where_nobody_is_known(s3: Any, bucket: str) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    assert fetch(url, "PUT", b"x", Content_Type="text/x").status == 200
    (listed,) = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"]
    assert listed["Owner"] == s3.list_buckets()["Owner"]


def test_a_url_for_a_part(strict: Strict, owner: Any) -> None:
    bucket = strict.bucket()
    begun = owner.create_multipart_upload(Bucket=bucket, Key="k")
    where = {"Bucket": bucket, "Key": "k", "UploadId": begun["UploadId"]}
    url = owner.generate_presigned_url("upload_part", Params={**where, "PartNumber": 1}, ExpiresIn=60)
    etag = fetch(url, "PUT", b"part").headers["etag"]
    owner.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert owner.get_object(Bucket=bucket, Key="k")["Body"].read() == b"part"


def test_a_header_of_version_2_is_refused(strict: Strict) -> None:
    answer = ask(strict.endpoint, "GET", f"/{strict.bucket()}", Authorization="AWS AKIATEST111111111111:c2ln")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert b"Please use AWS4-HMAC-SHA256." in answer.body


def test_an_address_of_nothing(aws: Aws, s3: Any) -> None:
    assert refused(s3.get_object, Bucket="no-such-bucket-at-all", Key="k") == ("NoSuchBucket", 404)
    odd = ask(aws, "PATCH", "/a-bucket/k")
    assert odd.status in (400, 404, 405)
