"""What is there to break S3: numbers that are too large."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.modes import meaningless_in

MANY = "9" * 5_000
LATEST = 2**31 - 1


@pytest.fixture
def s3(aws: Aws) -> Any:
    return aws.client("s3")


@pytest.fixture
def bucket(aws: Aws, s3: Any) -> str:
    s3.create_bucket(Bucket=f"of-numbers-{aws.account}")
    s3.put_object(Bucket=f"of-numbers-{aws.account}", Key="k", Body=b"0123456789")
    return f"of-numbers-{aws.account}"


def code(call: Any, /, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return str(caught.value.response["Error"]["Code"])


def test_what_is_no_range_is_ignored_and_what_is_none_to_copy_refused(s3: Any, bucket: str) -> None:
    for given in (f"bytes=0-{MANY}", f"bytes={MANY}-", f"bytes=-{MANY}"):
        assert s3.get_object(Bucket=bucket, Key="k", Range=given)["Body"].read() == b"0123456789"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": 1, "CopySource": f"{bucket}/k"}
    for given in (f"bytes=0-{MANY}", f"bytes={MANY}-{MANY}"):
        assert code(s3.upload_part_copy, **part, CopySourceRange=given) == "InvalidArgument"


def test_a_routing_rule_has_a_status(s3: Any, bucket: str) -> None:
    for rule in (
        {"Redirect": {"HttpRedirectCode": MANY}},
        {"Redirect": {"HttpRedirectCode": "301"}, "Condition": {"HttpErrorCodeReturnedEquals": MANY}},
        {"Redirect": {"HttpRedirectCode": "٣٠١"}},
    ):
        website = {"IndexDocument": {"Suffix": "index"}, "RoutingRules": [rule]}
        assert code(s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration=website) == "InvalidRequest"


@meaningless_in("strict", because="there, nothing can be changed of what was signed")
def test_a_form_has_a_size(aws: Aws, s3: Any, bucket: str) -> None:
    form = s3.generate_presigned_post(bucket, "f", Conditions=[["content-length-range", 0, 10]])
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    text = json.dumps(policy).replace("0, 10]", "0, 1e999]")
    assert "1e999" in text
    fields = form["fields"] | {"policy": base64.b64encode(text.encode()).decode()}
    body = "".join(
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    body += '--B\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--B--\r\n'
    request = Request(f"{aws.endpoint}/{bucket}", body.encode(), {"Content-Type": "multipart/form-data; boundary=B"})
    with pytest.raises(HTTPError) as caught:
        urlopen(request, timeout=10)
    with caught.value as refusal:
        assert refusal.code == 400
        assert b"InvalidPolicyDocument" in refusal.read()


def test_what_expires_in_some_million_years_has_no_date_of_that(s3: Any, bucket: str) -> None:
    rule = {
        "ID": "late",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"Days": LATEST},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": LATEST},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="k")
    assert "AbortDate" not in s3.create_multipart_upload(Bucket=bucket, Key="m")


def test_a_policys_wildcards_take_no_time(aws: Aws, s3: Any) -> None:
    bucket = f"{'a' * 50}{aws.account}"
    s3.create_bucket(Bucket=bucket)

    def policy(name: str) -> str:
        statement = {"Effect": "Allow", "Principal": {"AWS": aws.account}, "Action": "s3:GetObject"}
        return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": f"arn:aws:s3:::{name}/*"}]})

    s3.put_bucket_policy(Bucket=bucket, Policy=policy(f"{'*a' * 25}*{aws.account[-1]}"))
    assert code(s3.put_bucket_policy, Bucket=bucket, Policy=policy(f"{'*a' * 25}*b")) == "MalformedPolicy"
