"""Signatures: every form that AWS knows is verified for a known key, and what is wrong gets AWS's error."""

from __future__ import annotations

import datetime
import http.client
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.session import Session

from cloudlet.testing.server import Server
from cloudlet.wire import sigv2

ACCOUNT, KEY, SECRET = "123456789012", "AKIDEXAMPLE000000001", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ROOT_KEY = f"{ACCOUNT}:{KEY}:{SECRET}"


@pytest.fixture(scope="module")
def strict_server() -> Iterator[Server]:
    with Server.start("--ephemeral", "--auth", "strict", "--root-key", ROOT_KEY) as server:
        yield server


@pytest.fixture(scope="module")
def open_server() -> Iterator[Server]:
    with Server.start("--ephemeral", "--root-key", ROOT_KEY) as server:
        yield server


def _access(server: Server, key: str = KEY, secret: str = SECRET, token: str | None = None) -> dict[str, Any]:
    return {
        "endpoint_url": server.endpoint,
        "aws_access_key_id": key,
        "aws_secret_access_key": secret,
        "aws_session_token": token,
        "region_name": "eu-west-1",
    }


def client(server: Server, service: str, key: str = KEY, secret: str = SECRET, token: str | None = None) -> Any:
    return boto3.client(service, **_access(server, key, secret, token), config=Config(retries={"max_attempts": 0}))


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def send(server: Server, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(server.endpoint).netloc, timeout=10)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.read().decode(errors="replace")


def signed(server: Server, when: datetime.datetime | None = None, **changes: Any) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a signed GetCallerIdentity."""
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest(
        "POST", server.endpoint + "/", headers={"Content-Type": "application/x-www-form-urlencoded"}, data=body
    )
    signer = SigV4Auth(Credentials(KEY, SECRET), "sts", "eu-west-1")
    if when is None:
        signer.add_auth(request)
    else:
        request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
        request.headers["X-Amz-Date"] = request.context["timestamp"]
        canonical = signer.canonical_request(request)
        text = signer.string_to_sign(request, canonical)
        request.headers["Authorization"] = ", ".join(
            [
                f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}",
                f"SignedHeaders={signer.signed_headers(signer.headers_to_sign(request))}",
                f"Signature={signer.signature(text, request)}",
            ]
        )
    return dict(request.headers.items()) | changes, body


def test_a_known_key_is_who_it_belongs_to(strict_server: Server) -> None:
    identity = client(strict_server, "sts").get_caller_identity()
    assert identity["Account"] == ACCOUNT
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


@pytest.mark.parametrize("service", ["sts", "sqs"])
def test_a_wrong_secret_is_refused_and_shows_what_was_expected(strict_server: Server, service: str) -> None:
    wrong = client(strict_server, service, secret="wrong")
    with pytest.raises(ClientError) as error:
        wrong.get_caller_identity() if service == "sts" else wrong.list_queues()
    assert code_of(error) == "SignatureDoesNotMatch"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    message = error.value.response["Error"]["Message"]
    assert "The Canonical String for this request should have been\n'POST\n/\n" in message
    assert "The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n" in message


def test_values_of_a_repeated_header_are_signed_with_a_comma_between_them(strict_server: Server) -> None:
    request = AWSRequest("GET", strict_server.endpoint + "/", headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    request.headers["x-amz-a"] = "1"
    request.headers["x-amz-a"] = "2"
    S3SigV4Auth(Credentials(KEY, SECRET), "s3", "eu-west-1").add_auth(request)
    connection = http.client.HTTPConnection(urlsplit(strict_server.endpoint).netloc, timeout=10)
    connection.putrequest("GET", "/")
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 200


def test_a_known_key_is_verified_in_open_mode_too(open_server: Server) -> None:
    with pytest.raises(ClientError) as error:
        client(open_server, "sts", secret="wrong").get_caller_identity()
    assert code_of(error) == "SignatureDoesNotMatch"


@pytest.mark.parametrize(("service", "code"), [("sts", "InvalidClientTokenId"), ("sqs", "InvalidClientTokenId")])
def test_an_unknown_key_is_refused_in_strict_mode(strict_server: Server, service: str, code: str) -> None:
    unknown = client(strict_server, service, key="AKIDUNKNOWN")
    with pytest.raises(ClientError) as error:
        unknown.get_caller_identity() if service == "sts" else unknown.list_queues()
    assert code_of(error) == code
    assert error.value.response["Error"]["Message"] == "The security token included in the request is invalid."


def test_an_unknown_key_is_the_root_of_its_account_in_open_mode(open_server: Server) -> None:
    assert client(open_server, "sts", key="210987654321").get_caller_identity()["Account"] == "210987654321"
    assert client(open_server, "sts", key="test").get_caller_identity()["Account"] == "000000000000"


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_url_signed_with_a_deleted_key_is_refused_in_open_mode(open_server: Server, version: str) -> None:
    iam = client(open_server, "iam")
    name = f"signer-{version}"
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    keys = _access(open_server, made["AccessKeyId"], made["SecretAccessKey"])
    s3 = boto3.client("s3", **keys, config=Config(signature_version=version, s3={"addressing_style": "path"}))
    own = f"deleted-{version}"
    newer = boto3.client("s3", **keys)
    newer.create_bucket(Bucket=own, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    urls = [s3.generate_presigned_url("list_objects_v2", Params={"Bucket": own})]
    urls.append(s3.generate_presigned_url("put_object", Params={"Bucket": own, "Key": "k"}))
    path = [url.removeprefix(open_server.endpoint) for url in urls]
    assert [send(open_server, method, each, {})[0] for method, each in zip(("GET", "PUT"), path, strict=True)] == [
        200
    ] * 2
    iam.delete_access_key(UserName=name, AccessKeyId=made["AccessKeyId"])
    for method, each in zip(("GET", "PUT"), path, strict=True):
        status, text = send(open_server, method, each, {})
        assert (status, "<Code>InvalidAccessKeyId</Code>" in text) == (403, True)


def test_an_unsigned_request(strict_server: Server, open_server: Server) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    status, text = send(strict_server, "POST", "/", headers, body)
    assert status == 403
    assert "<Code>MissingAuthenticationToken</Code>" in text
    status, text = send(open_server, "POST", "/", headers, body)
    assert status == 200
    assert "<Account>000000000000</Account>" in text


def test_nobody_makes_queues_or_topics_without_signing(strict_server: Server) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for query in (
        "Action=CreateQueue&QueueName=evil&Version=2012-11-05",
        "Action=ListQueues&Version=2012-11-05",
        "Action=CreateTopic&Name=evil&Version=2010-03-31",
        "Action=ListTopics&Version=2010-03-31",
    ):
        status, text = send(strict_server, "POST", "/", headers, query.encode())
        assert (status, "MissingAuthenticationToken" in text) == (403, True), (query, text)


def test_a_queue_policy_may_let_in_who_has_not_signed(strict_server: Server) -> None:
    sqs = client(strict_server, "sqs")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    public = sqs.create_queue(QueueName="public", Attributes={"Policy": policy})["QueueUrl"]
    private = sqs.create_queue(QueueName="private")["QueueUrl"]
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Host": "sqs.eu-west-1.localhost.localstack.cloud"}
    for url, expected in ((public, 200), (private, 403)):
        status, text = send(
            strict_server, "POST", urlsplit(url).path, headers, b"Action=SendMessage&MessageBody=hi&Version=2012-11-05"
        )
        assert status == expected, text
    assert "<Code>AccessDenied</Code>" in text
    assert sqs.receive_message(QueueUrl=public)["Messages"][0]["Body"] == "hi"
    assert "Messages" not in sqs.receive_message(QueueUrl=private)


def test_temporary_credentials_act_as_their_issuer_until_they_expire(strict_server: Server) -> None:
    issued = client(strict_server, "sts").get_session_token(DurationSeconds=900)["Credentials"]
    remaining = issued["Expiration"] - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(seconds=880) < remaining < datetime.timedelta(seconds=910)
    key, secret, token = issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"]
    assert client(strict_server, "sts", key, secret, token).get_caller_identity()["Account"] == ACCOUNT
    assert client(strict_server, "sts").get_access_key_info(AccessKeyId=key)["Account"] == ACCOUNT
    with pytest.raises(ClientError) as error:
        client(strict_server, "sts", key, secret, token[1:] + token[:1]).get_caller_identity()
    assert code_of(error) == "InvalidClientTokenId"
    with pytest.raises(ClientError) as error:
        client(strict_server, "sts", key, "wrong", token).get_caller_identity()
    assert code_of(error) == "SignatureDoesNotMatch"
    with pytest.raises(ClientError) as error:
        client(strict_server, "sts", KEY, SECRET, token).get_caller_identity()
    assert code_of(error) == "InvalidClientTokenId"


@pytest.mark.parametrize("wanted", [0, 1, 500, 1_001, 4_096])
def test_a_session_token_is_as_long_as_it_is_asked_for(strict_server: Server, wanted: int) -> None:
    plain = client(strict_server, "sts").get_session_token()
    answer = client(strict_server, "sts").get_session_token(MinimumSessionTokenSize=wanted)
    issued = answer["Credentials"]
    size = answer["SessionTokenSize"]
    assert size == len(issued["SessionToken"]) >= wanted
    assert size <= min(4096, max(plain["SessionTokenSize"], wanted + 24))
    assert answer["SessionTokenUtilization"] == size * 100 // 4096
    session = client(strict_server, "sts", issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
    assert session.get_caller_identity()["Account"] == ACCOUNT


def test_temporary_credentials_do_not_renew_themselves(strict_server: Server) -> None:
    issued = client(strict_server, "sts").get_session_token()["Credentials"]
    session = client(strict_server, "sts", issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
    assert session.get_caller_identity()["Account"] == ACCOUNT
    with pytest.raises(ClientError) as error:
        session.get_session_token()
    assert code_of(error) == "AccessDenied"


@pytest.mark.parametrize(("minutes", "accepted"), [(0, True), (-14, True), (14, True), (-16, False), (16, False)])
def test_clocks_may_differ_by_15_minutes(strict_server: Server, minutes: int, accepted: bool) -> None:
    when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    headers, body = signed(strict_server, when)
    status, text = send(strict_server, "POST", "/", headers, body)
    assert status == (200 if accepted else 403)
    if not accepted:
        assert "<Code>SignatureDoesNotMatch</Code>" in text
        assert ("Signature expired: " if minutes < 0 else "Signature not yet current: ") in text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Authorization": "AWS4-HMAC-SHA256 nonsense"}, "IncompleteSignature"),
        ({"Authorization": "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00"}, "IncompleteSignature"),
        ({"Authorization": "AWS4-ECDSA-P256-SHA256 Credential=a, SignedHeaders=b, Signature=c"}, "IncompleteSignature"),
        ({"Authorization": "AWS AKID:c2ln"}, "IncompleteSignature"),
        ({"Authorization": "Basic YTpi"}, "IncompleteSignature"),
        ({"X-Amz-Date": "yesterday"}, "IncompleteSignature"),
        ({"X-Amz-Date": ""}, "IncompleteSignature"),
    ],
)
def test_what_cannot_be_read_is_incomplete(strict_server: Server, change: dict[str, str], code: str) -> None:
    headers, body = signed(strict_server, **change)
    status, text = send(strict_server, "POST", "/", headers, body)
    assert (status, f"<Code>{code}</Code>" in text) == (403, True), text


def test_a_changed_body_or_header_breaks_the_signature(strict_server: Server) -> None:
    headers, body = signed(strict_server)
    status, _ = send(strict_server, "POST", "/", headers, body + b"&More=1")
    assert status == 403
    date = headers["X-Amz-Date"]
    status, _ = send(strict_server, "POST", "/", headers | {"X-Amz-Date": date[:-2] + f"{9 - int(date[-2])}Z"}, body)
    assert status == 403


def test_a_body_too_large_to_be_collected_at_once_is_verified_as_well(strict_server: Server) -> None:
    sqs = client(strict_server, "sqs")
    url = sqs.create_queue(QueueName="large")["QueueUrl"]
    with pytest.raises(ClientError) as error:
        sqs.send_message(QueueUrl=url, MessageBody="x" * (4 << 20))
    assert code_of(error) == "InvalidParameterValue"
    assert "shorter than 1048576 bytes" in error.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as error:
        client(strict_server, "sqs", secret="wrong").send_message(QueueUrl=url, MessageBody="x" * (4 << 20))
    assert code_of(error) == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("dynamodb", "put_item", {"TableName": "orders", "Item": {"a": {"B": bytes(13 << 20)}}}),
        ("events", "put_events", {"Entries": [{"Source": "s", "DetailType": "t", "Detail": "x" * (7 << 20)}]}),
    ],
)
def test_no_request_is_larger_than_what_its_service_may_take(
    strict_server: Server, service: Any, operation: str, params: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client(strict_server, service), operation)(**params)
    assert code_of(caught) == "RequestEntityTooLarge"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_strangers_who_send_slowly_keep_nobody_waiting(strict_server: Server) -> None:
    """Only so many large bodies are collected at once, but strangers have places of their own."""
    address = urlsplit(strict_server.endpoint)
    form = "Content-Type: application/x-www-form-urlencoded"
    head = f"POST / HTTP/1.1\r\nHost: {address.netloc}\r\n{form}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
    with ExitStack() as stack:
        for _ in range(20):
            stranger = stack.enter_context(socket.create_connection((address.hostname, address.port)))
            stranger.sendall(head.encode())
        known = boto3.client(
            "sqs", **_access(strict_server), config=Config(retries={"max_attempts": 0}, read_timeout=10)
        )
        url = known.create_queue(QueueName="slow")["QueueUrl"]
        with pytest.raises(ClientError) as error:
            known.send_message(QueueUrl=url, MessageBody="x" * (4 << 20))
        assert code_of(error) == "InvalidParameterValue"
    name, _, kind = form.partition(": ")
    assert send(strict_server, "POST", "/", {name: kind}, b"x" * (2 << 20))[0] == 413


def test_an_account_that_sends_slowly_keeps_no_other_waiting(open_server: Server) -> None:
    """Of the large bodies that are collected at once, half may be one account's."""
    address = urlsplit(open_server.endpoint)
    slow = "Credential=111122223333/20260101/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature={'0' * 64}"
    head = (
        f"POST / HTTP/1.1\r\nHost: {address.netloc}\r\nX-Amz-Date: 20260101T000000Z\r\n"
        f"Authorization: AWS4-HMAC-SHA256 {slow}\r\nContent-Type: application/x-amz-json-1.0\r\n"
        "X-Amz-Target: AmazonSQS.SendMessage\r\nContent-Length: 4000000\r\n\r\n{"
    )
    with ExitStack() as stack:
        for _ in range(20):
            sender = stack.enter_context(socket.create_connection((address.hostname, address.port)))
            sender.sendall(head.encode())
        patience = Config(retries={"max_attempts": 0}, read_timeout=20)
        other = boto3.client("sqs", **_access(open_server, "444455556666"), config=patience)
        with pytest.raises(ClientError) as error:
            other.send_message(QueueUrl=f"{open_server.endpoint}/444455556666/none", MessageBody="x" * (4 << 20))
        assert code_of(error) == "AWS.SimpleQueueService.NonExistentQueue"


def test_a_presigned_url_is_verified_and_expires(strict_server: Server) -> None:
    def presigned(expires: int, secret: str = SECRET) -> str:
        url = f"{strict_server.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15"
        request = AWSRequest("GET", url)
        SigV4QueryAuth(Credentials(KEY, secret), "sts", "eu-west-1", expires=expires).add_auth(request)
        parts = urlsplit(request.url)
        return f"{parts.path}?{parts.query}"

    status, text = send(strict_server, "GET", presigned(60), {})
    assert (status, ACCOUNT in text) == (200, True), text
    status, text = send(strict_server, "GET", presigned(60, "wrong"), {})
    assert (status, "SignatureDoesNotMatch" in text) == (403, True)
    status, text = send(strict_server, "GET", presigned(-1), {})
    assert status == 403
    status, text = send(strict_server, "GET", presigned(10**9), {})
    assert (status, "IncompleteSignature" in text) == (403, True)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_of_a_bucket_is_verified(strict_server: Server, version: str) -> None:
    s3 = client(strict_server, "s3")
    s3.create_bucket(Bucket="presigned", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    try:
        signing = boto3.client("s3", **_access(strict_server), config=Config(signature_version=version))
        for operation in ("list_objects_v2", "get_bucket_acl"):
            url = urlsplit(signing.generate_presigned_url(operation, {"Bucket": "presigned"}))
            status, text = send(strict_server, "GET", f"{url.path}?{url.query}", {})
            assert status == 200, text
    finally:
        s3.delete_bucket(Bucket="presigned")


@pytest.fixture
def signing(strict_server: Server) -> Iterator[Any]:
    """A client that signs URLs of the bucket "version-2" in version 2."""
    s3 = client(strict_server, "s3")
    s3.create_bucket(Bucket="version-2", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="version-2", Key="k", Body=b"x")
    yield boto3.client("s3", **_access(strict_server), config=Config(signature_version="s3"))
    s3.delete_object(Bucket="version-2", Key="k")
    s3.delete_bucket(Bucket="version-2")


def test_nobody_makes_a_url_of_version_2_last_longer(strict_server: Server, signing: Any) -> None:
    url = signing.generate_presigned_url("get_object", {"Bucket": "version-2", "Key": "k"}, ExpiresIn=-5)
    parts = urlsplit(url)
    stated = dict(parse_qsl(parts.query))["Expires"]
    for others in (f"Expires=9999999999&expires={stated}", f"expires=9999999999&Expires={stated}"):
        query = parts.query.replace(f"Expires={stated}", others)
        status, text = send(strict_server, "GET", f"{parts.path}?{query}", {})
        assert (status, "takes each parameter once" in text) == (403, True), text


@pytest.mark.parametrize("other", ["retention", "legal-hold", "encryption", "tagging", "annotation&annotationName=a"])
def test_a_url_of_version_2_is_for_nothing_else(strict_server: Server, signing: Any, other: str) -> None:
    parts = urlsplit(signing.generate_presigned_url("put_object", {"Bucket": "version-2", "Key": "k"}))
    status, text = send(strict_server, "PUT", f"{parts.path}?{parts.query}&{other}", {}, b"<x/>")
    assert (status, "<Code>SignatureDoesNotMatch</Code>" in text) == (403, True), text


def test_version_2_signs_all_that_says_what_a_request_is_about() -> None:
    model = Session().get_service_model("s3")
    paths = [model.operation_model(name).http["requestUri"] for name in model.operation_names]
    named = {name for path in paths for name, _ in parse_qsl(urlsplit(path).query, keep_blank_values=True)}
    assert named - sigv2.SUBRESOURCES <= {"list-type", "x-id"}


def test_a_presigned_url_makes_no_other_call(strict_server: Server) -> None:
    """JSON's header of the operation would count before the query that was signed."""
    url = f"{strict_server.endpoint}/?Action=ListQueues&Version=2012-11-05"
    request = AWSRequest("GET", url)
    SigV4QueryAuth(Credentials(KEY, SECRET), "sqs", "eu-west-1", expires=60).add_auth(request)
    parts = urlsplit(request.url)
    assert send(strict_server, "GET", f"{parts.path}?{parts.query}", {})[0] == 200
    status, text = send(strict_server, "GET", f"{parts.path}?{parts.query}", {"X-Amz-Target": "AmazonSQS.ListQueues"})
    assert (status, "SignatureDoesNotMatch" in text) == (403, True), text


@pytest.mark.parametrize("date", ["20269999T999999Z", "00000000T000000Z", "Mon, 1 Jan 99999999999 00:00:00 GMT"])
def test_a_date_that_is_none_is_no_fault(strict_server: Server, date: str) -> None:
    headers, body = signed(strict_server)
    headers.pop("X-Amz-Date")
    status, text = send(strict_server, "POST", "/", headers | {"Date" if "," in date else "X-Amz-Date": date}, body)
    assert (status, "IncompleteSignature" in text) == (403, True), text


def test_a_signature_of_other_letters_is_wrong(strict_server: Server) -> None:
    headers, body = signed(strict_server)
    headers["Authorization"] = headers["Authorization"].rpartition("=")[0] + "=\xe9"
    status, text = send(strict_server, "POST", "/", headers, body)
    assert (status, "SignatureDoesNotMatch" in text) == (403, True), text
    query = f"AWSAccessKeyId={KEY}&Expires=9999999999&Signature=%C3%A9"
    status, text = send(strict_server, "GET", f"/bucket/k?{query}", {})
    assert (status, "SignatureDoesNotMatch" in text) == (403, True), text


def test_s3_takes_only_headers_that_were_signed(strict_server: Server) -> None:
    s3 = client(strict_server, "s3")
    s3.create_bucket(Bucket="unsigned", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="unsigned", Key="secret", Body=b"x")
    signing = boto3.client("s3", **_access(strict_server), config=Config(signature_version="s3v4"))
    url = urlsplit(signing.generate_presigned_url("put_object", {"Bucket": "unsigned", "Key": "k"}))
    path = f"{url.path}?{url.query}"
    status, text = send(strict_server, "PUT", path, {"x-amz-copy-source": "unsigned/secret"})
    assert (status, "<HeadersNotSigned>x-amz-copy-source</HeadersNotSigned>" in text) == (403, True), text
    assert "<Code>AccessDenied</Code>" in text
    assert send(strict_server, "PUT", path, {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, b"y")[0] == 200
    status, text = send(strict_server, "PUT", path, {"Authorization": "Bearer of-something-else"}, b"y")
    assert (status, "<Code>InvalidArgument</Code><Message>Only one auth mechanism" in text) == (400, True), text


def test_open_mode_looks_at_what_needs_no_secret(open_server: Server) -> None:
    scope = "Credential=AKIDUNKNOWN/20200101/us-east-1/s3/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
    headers["X-Amz-Date"] = "20200101T000000Z"
    query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-{scope.replace('/', '%2F')}&X-Amz-SignedHeaders=host"
    query += "&X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-Signature=0"
    refused = [
        ("a URL that has expired", f"/bucket/key?{query}", {}, "Request has expired"),
        (
            "a wrong hash of the body",
            "/bucket/key",
            {**headers, "X-Amz-Content-Sha256": "0" * 64},
            "ContentSHA256Mismatch",
        ),
        ("what is no hash", "/bucket/key", {**headers, "X-Amz-Content-Sha256": "foo"}, "InvalidArgument"),
        ("version 2 of signatures", "/bucket/key", {**headers, "Authorization": "AWS x:y"}, "AWS4-HMAC-SHA256"),
        ("an old URL", "/bucket/key?AWSAccessKeyId=x&Signature=y&Expires=1", {}, "Request has expired"),
        (
            "an empty key id",
            "/bucket/key",
            {**headers, "Authorization": headers["Authorization"].replace("AKIDUNKNOWN", "")},
            "non-empty Access Key",
        ),
    ]
    for what, path, sent, told in refused:
        status, text = send(open_server, "PUT", path, sent, b"contents")
        assert 400 <= status < 404, what
        assert told in text, what


def test_s3_says_what_it_has_no_method_for(open_server: Server) -> None:
    for method, path in [("PATCH", "/bucket/key"), ("POST", "/"), ("DELETE", "/")]:
        status, text = send(open_server, method, path, {})
        assert (status, "<Code>MethodNotAllowed</Code>" in text) == (405, True), (method, path, text)
    for path in ("/bucket/%", "/bucket/%zz", "/bucket/%ff"):
        status, text = send(open_server, "PUT", path, {})
        assert (status, "<Code>InvalidURI</Code>" in text) == (400, True), (path, text)


def test_json_services_name_their_errors_in_their_own_way(strict_server: Server) -> None:
    with pytest.raises(ClientError) as error:
        client(strict_server, "dynamodb", key="AKIDUNKNOWN").list_tables()
    assert code_of(error) == "UnrecognizedClientException"
    with pytest.raises(ClientError) as error:
        client(strict_server, "dynamodb", secret="wrong").list_tables()
    assert code_of(error) == "InvalidSignatureException"


def test_what_is_not_built_says_so_in_the_callers_protocol(open_server: Server) -> None:
    calls = [
        ("codepipeline", "list_pipelines", {}),
        ("ec2", "describe_instances", {}),
        ("route53", "update_hosted_zone_features", {"HostedZoneId": "Z1"}),
        ("cloudformation", "list_hook_results", {}),
        ("polly", "describe_voices", {}),
        ("sts", "get_delegated_access_token", {"TradeInToken": "token"}),
    ]
    for service, operation, params in calls:
        with pytest.raises(ClientError) as error:
            getattr(client(open_server, service), operation)(**params)
        assert code_of(error) == "NotImplemented", service
        assert service in error.value.response["Error"]["Message"]


def test_every_answer_has_a_request_id(open_server: Server) -> None:
    answer = client(open_server, "sts").get_caller_identity()["ResponseMetadata"]
    assert answer["RequestId"] == answer["HTTPHeaders"]["x-amzn-requestid"]
    with pytest.raises(ClientError) as error:
        client(open_server, "sqs").get_queue_url(QueueName="none")
    assert error.value.response["ResponseMetadata"]["RequestId"]


def test_health_is_for_everybody_and_changes_are_not(strict_server: Server) -> None:
    for path in ("/_cloudlet/health", "/_localstack/health"):
        status, text = send(strict_server, "GET", path, {})
        health = json.loads(text)
        assert status == 200
        assert health["version"]
        assert health["services"].keys() >= {"sqs", "sts"}
    # Scripts that wait for LocalStack look for this text.
    assert '"services": {"' in text
    assert send(strict_server, "POST", "/_cloudlet/reset", {})[0] == 403
    assert send(strict_server, "PUT", "/_cloudlet/snapshots/a", {"x-cloudlet-admin": "guess"})[0] == 403
    assert send(strict_server, "GET", "/_cloudlet/snapshots", {})[0] == 403
    assert send(strict_server, "GET", "/_cloudlet/nothing", {})[0] in (403, 404)


def test_random_requests_get_an_aws_error_and_never_a_fault(open_server: Server) -> None:
    import random

    randomness = random.Random(7)
    services = ["sqs", "s3", "ec2", "x", ""]
    targets = ["AmazonSQS.SendMessage", "AmazonSQS.Nothing", "DynamoDB_20120810.GetItem", "x", "."]
    types = ["application/x-amz-json-1.0", "application/x-www-form-urlencoded", "application/cbor", "text/xml", ""]
    bodies = [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"QueueUrl": 5}',
        b"Action=SendMessage",
        b"Action=",
        b"<a>",
        b"\xff\xfe",
        b"{}" * 9,
    ]
    for _ in range(400):
        headers = {"Content-Type": randomness.choice(types)}
        if randomness.random() < 0.5:
            headers["X-Amz-Target"] = randomness.choice(targets)
        if randomness.random() < 0.2:
            headers["smithy-protocol"] = "rpc-v2-cbor"
        if randomness.random() < 0.3:
            headers["Authorization"] = (
                f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{randomness.choice(services)}/aws4_request, "
                "SignedHeaders=host, Signature=00"
            )
            headers["X-Amz-Date"] = "20260101T000000Z"
        path = randomness.choice(
            ["/", "/a/b?c", "/%00%ff", "/?Action=ListQueues", "/service/x/operation/y", "//", "/a?uploads"]
        )
        body = randomness.choice([*bodies, randomness.randbytes(50)])
        status, text = send(
            open_server, randomness.choice(["GET", "POST", "PUT", "DELETE", "HEAD"]), path, headers, body
        )
        assert status < 500 or status == 501, (path, headers, body, text)


def test_a_plus_in_a_path_of_s3_is_a_space_and_is_signed_as_one(strict_server: Server) -> None:
    s3 = client(strict_server, "s3")
    s3.create_bucket(Bucket="of-pluses", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key in ("a desk", "a+desk"):
        s3.put_object(Bucket="of-pluses", Key=key, Body=key.encode())
    found = {}
    for path in ("/of-pluses/a%20desk", "/of-pluses/a+desk", "/of-pluses/a%2Bdesk"):
        # As S3 reads the path, and so as clients that know of it sign it.
        read = path.replace("+", "%20")
        signed = AWSRequest(
            "GET", f"{strict_server.endpoint}{read}", headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
        )
        S3SigV4Auth(Credentials(KEY, SECRET), "s3", "eu-west-1").add_auth(signed)
        found[path] = send(strict_server, "GET", path, dict(signed.headers.items()))
    assert found == {
        "/of-pluses/a%20desk": (200, "a desk"),
        "/of-pluses/a+desk": (200, "a desk"),
        "/of-pluses/a%2Bdesk": (200, "a+desk"),
    }


def test_a_plus_in_a_query_of_s3_is_a_space_and_is_signed_as_one(strict_server: Server) -> None:
    """So the SDK for Java, version 1, writes and signs it, and with it Hadoop and Spark."""
    s3 = client(strict_server, "s3")
    s3.create_bucket(Bucket="of-pluses-asked", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key in ("a desk", "a+desk"):
        s3.put_object(Bucket="of-pluses-asked", Key=key, Body=b"")
    found = {}
    for prefix in ("a%20d", "a+d", "a%2Bd"):
        path = f"/of-pluses-asked/?list-type=2&prefix={prefix}"
        url = f"{strict_server.endpoint}{path.replace('+', '%20')}"
        signed = AWSRequest("GET", url, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
        S3SigV4Auth(Credentials(KEY, SECRET), "s3", "eu-west-1").add_auth(signed)
        status, text = send(strict_server, "GET", path, dict(signed.headers.items()))
        found[prefix] = (status, re.findall("<Key>(.*?)</Key>", text))
    assert found == {"a%20d": (200, ["a desk"]), "a+d": (200, ["a desk"]), "a%2Bd": (200, ["a+desk"])}


def test_a_target_says_nothing_to_services_that_have_none(strict_server: Server) -> None:
    s3 = client(strict_server, "s3")
    s3.meta.events.register("before-sign.s3", lambda request, **_: request.headers.add_header("X-Amz-Target", "a"))
    s3.create_bucket(Bucket="of-targets", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="of-targets", Key="a", Body=b"kept")
    assert s3.get_object(Bucket="of-targets", Key="a")["Body"].read() == b"kept"


def test_all_that_a_request_is_told_in_headers_of_aws_is_signed(strict_server: Server) -> None:
    """Else who sees a signed request could make another one of it."""
    request = AWSRequest(
        "POST", strict_server.endpoint + "/", headers={"Content-Type": "application/x-amz-json-1.0"}, data=b"{}"
    )
    SigV4Auth(Credentials(KEY, SECRET), "sqs", "eu-west-1").add_auth(request)
    headers = dict(request.headers)
    status, answer = send(strict_server, "POST", "/", {**headers, "X-Amz-Target": "AmazonSQS.ListQueues"}, b"{}")
    assert status == 403
    assert "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization." in answer
