"""What all answers have in common: who has answered which request, and how that is told."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.services.s3.own_work import open_to_all
from tests.services.s3.raw import Answer, ask
from tests.services.s3.strict import refused

_ELEMENTS = re.compile(r"<(\w+)>([^<]*)</\1>")


def _error(answer: Answer) -> dict[str, str]:
    """Return the members of the error that an answer is."""
    return dict(_ELEMENTS.findall(answer.body.decode()))


def _headers(answer: Any) -> dict[str, str]:
    headers: dict[str, str] = answer["ResponseMetadata"]["HTTPHeaders"]
    return headers


def test_each_answer_names_the_request_and_the_host(s3: Any, bucket: str) -> None:
    answers = [
        s3.put_object(Bucket=bucket, Key="k", Body=b"x"),
        s3.get_object(Bucket=bucket, Key="k"),
        s3.list_objects_v2(Bucket=bucket),
        s3.head_bucket(Bucket=bucket),
        s3.delete_object(Bucket=bucket, Key="k"),
    ]
    requests = [_headers(each)["x-amz-request-id"] for each in answers]
    hosts = [_headers(each)["x-amz-id-2"] for each in answers]
    assert len({*requests, *hosts}) == 2 * len(answers)
    assert {_headers(each)["server"] for each in answers} == {"AmazonS3"}


def test_an_error_names_the_request_and_the_host(aws: Aws, bucket: str) -> None:
    answer = ask(aws, "GET", f"/{bucket}/none")
    error = _error(answer)
    assert (error["Code"], answer.headers["server"]) == ("NoSuchKey", "AmazonS3")
    assert (error["RequestId"], error["HostId"]) == (answer.headers["x-amz-request-id"], answer.headers["x-amz-id-2"])
    assert error["RequestId"] != error["HostId"]


def test_a_websites_error_names_the_host_too(aws: Aws, s3: Any, bucket: str) -> None:
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    open_to_all(s3, bucket)
    answer = ask(aws.endpoint, "GET", "/", host=f"{bucket}.s3-website.localhost")
    assert (answer.status, answer.headers["server"]) == (404, "AmazonS3")
    assert f"<li>HostId: {answer.headers['x-amz-id-2']}</li>".encode() in answer.body


def test_who_heads_a_bucket_is_told_a_type(s3: Any, bucket: str) -> None:
    assert _headers(s3.head_bucket(Bucket=bucket))["content-type"] == "application/xml"


@pytest.mark.parametrize("expected", ["", "1234", "12345678901a", "1234567890123"])
def test_an_owner_that_is_expected_has_an_account_id(s3: Any, bucket: str, expected: str) -> None:
    wrong = ("InvalidBucketOwnerAWSAccountID", 400)
    assert refused(s3.list_objects_v2, Bucket=bucket, ExpectedBucketOwner=expected) == wrong
    assert refused(s3.put_object, Bucket=bucket, Key="k", ExpectedBucketOwner=expected) == wrong
    s3.put_object(Bucket=bucket, Key="k")
    copying = {"Bucket": bucket, "Key": "copy", "CopySource": {"Bucket": bucket, "Key": "k"}}
    assert refused(s3.copy_object, **copying, ExpectedSourceBucketOwner=expected) == wrong


@pytest.mark.parametrize(
    "target",
    [
        "{}?versioning",
        "{}?tagging",
        "{}?lifecycle",
        "{}?notification",
        "{}?object-lock",
        "{}?inventory&id=one",
        "{}/k?retention",
        "{}/k?legal-hold",
        "{}/k?tagging",
    ],
)
def test_a_document_that_is_not_there_is_missed(aws: Aws, s3: Any, bucket: str, target: str) -> None:
    s3.put_object(Bucket=bucket, Key="k")
    answer = ask(aws, "PUT", f"/{target.format(bucket)}")
    assert (answer.status, answer.code) == (400, "MissingRequestBodyError")


def test_who_has_not_signed_may_not_choose_headers(aws: Aws, s3: Any, bucket: str) -> None:
    """Also where everybody is let in."""
    open_to_all(s3, bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert ask(aws.endpoint, "GET", f"/{bucket}/k").body == b"x"
    answer = ask(aws.endpoint, "GET", f"/{bucket}/k?response-content-type=text/html")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    signed = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k", "ResponseContentType": "text/html"})
    told = ask(aws.endpoint, "GET", signed.removeprefix(aws.endpoint))
    assert (told.status, told.headers["content-type"]) == (200, "text/html")


@pytest.mark.parametrize("operation", ["list_buckets", "list_objects_v2", "list_bucket_metrics_configurations"])
def test_a_continuation_token_is_not_empty(s3: Any, bucket: str, operation: str) -> None:
    named = {} if operation == "list_buckets" else {"Bucket": bucket}
    with pytest.raises(ClientError) as caught:
        getattr(s3, operation)(**named, ContinuationToken="")
    error: Any = caught.value.response["Error"]
    assert (error["Code"], error["ArgumentName"]) == ("InvalidArgument", "continuation-token")
