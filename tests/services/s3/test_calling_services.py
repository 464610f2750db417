"""Other services that call S3, where permissions are enforced: what lets them in is the bucket's policy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import Principal, make_principal, root
from tests.in_process import InProcess

ACCOUNT = "111111111111"
DELIVERY = make_principal("service", ACCOUNT, "delivery.logs.amazonaws.com", "delivery.logs", "")


class _S3(InProcess):
    block = "s3"

    def call(self, operation: str, by: Principal, source_arn: str = "", **params: Any) -> Any:
        called = self.cloud.call(
            "s3", operation, params, principal=by, account=ACCOUNT, region="us-east-1", source_arn=source_arn
        )
        return self.run(called)

    def put(self, source_arn: str = "") -> str:
        """Have a service write an object; return the code of the error, "" for none."""
        try:
            self.call("PutObject", DELIVERY, source_arn, Bucket="logs-of-mine", Key="k", Body=b"x")
        except AwsError as error:
            return error.code
        return ""


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[_S3]:
    running = _S3(Config(data=tmp_path, auth="strict", durable=False))
    running.call("CreateBucket", root(ACCOUNT), Bucket="logs-of-mine")
    try:
        yield running
    finally:
        running.close()


def _allow(s3: _S3, condition: dict[str, Any] | None = None) -> None:
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": DELIVERY.arn},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::logs-of-mine/*",
        **({} if condition is None else {"Condition": condition}),
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    s3.call("PutBucketPolicy", root(ACCOUNT), Bucket="logs-of-mine", Policy=policy)


def test_a_service_is_not_the_root_of_the_account_that_it_works_for(s3: _S3) -> None:
    assert s3.put() == "AccessDenied"
    _allow(s3)
    assert s3.put() == ""


def test_a_condition_on_the_source_is_for_who_names_one(s3: _S3) -> None:
    group = "arn:aws:logs:us-east-1:111111111111:log-group:g:*"
    _allow(s3, {"ArnLike": {"aws:SourceArn": group}})
    assert s3.put() == "AccessDenied"
    assert s3.put(group) == ""
