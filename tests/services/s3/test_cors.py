"""Cross-origin resource sharing: which pages of other origins browsers let use a bucket."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.s3.raw import Answer, ask
from tests.services.s3.strict import refused

_SHOP = "https://shop.example.com"


def _configure(s3: Any, bucket: str, *rules: dict[str, Any]) -> None:
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": list(rules)})


def _rule(origins: list[str], methods: list[str], **more: Any) -> dict[str, Any]:
    return {"AllowedOrigins": origins, "AllowedMethods": methods, **more}


def _preflight(aws: Aws, bucket: str, origin: str, method: str, headers: str = "") -> Answer:
    asked = {"Access_Control_Request_Headers": headers} if headers else {}
    return ask(aws.endpoint, "OPTIONS", f"/{bucket}/k", Origin=origin, Access_Control_Request_Method=method, **asked)


def test_a_configuration_comes_back_as_it_was_put(s3: Any, bucket: str) -> None:
    assert refused(s3.get_bucket_cors, Bucket=bucket) == ("NoSuchCORSConfiguration", 404)
    rule = _rule(
        [_SHOP, "http://*.example.org"],
        ["GET", "PUT"],
        ID="one",
        AllowedHeaders=["x-amz-*"],
        ExposeHeaders=["ETag"],
        MaxAgeSeconds=60,
    )
    _configure(s3, bucket, rule, _rule(["*"], ["HEAD"]))
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule, _rule(["*"], ["HEAD"])]
    s3.delete_bucket_cors(Bucket=bucket)
    assert refused(s3.get_bucket_cors, Bucket=bucket) == ("NoSuchCORSConfiguration", 404)


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([], "MalformedXML"),
        ([_rule([], ["GET"])], "MalformedXML"),
        ([_rule(["*"], [])], "MalformedXML"),
        ([_rule(["*"], ["GET"])] * 101, "MalformedXML"),
        ([_rule(["*"], ["PATCH"])], "InvalidRequest"),
        ([_rule(["http://*.*.com"], ["GET"])], "InvalidRequest"),
        ([_rule(["*"], ["GET"], AllowedHeaders=["*-*"])], "InvalidRequest"),
        ([_rule(["*"], ["GET"], ExposeHeaders=["x-*"])], "InvalidRequest"),
        ([_rule(["*"], ["GET"], ExposeHeaders=["x\nSet-Cookie: a"])], "InvalidRequest"),
        ([_rule(["*"], ["GET"], ID="i" * 256)], "InvalidRequest"),
    ],
)
def test_what_is_no_configuration(s3: Any, bucket: str, rules: list[Any], code: str) -> None:
    assert refused(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration={"CORSRules": rules}) == (code, 400)


def test_a_preflight_tells_what_the_first_rule_that_fits_allows(aws: Aws, s3: Any, bucket: str) -> None:
    _configure(
        s3,
        bucket,
        _rule([_SHOP], ["PUT"], AllowedHeaders=["x-amz-*", "Content-Type"], ExposeHeaders=["ETag", "x-amz-id-2"]),
        _rule(["https://*.example.com"], ["GET", "PUT"], AllowedHeaders=["*"], MaxAgeSeconds=600),
    )
    answer = _preflight(aws, bucket, _SHOP, "PUT", "content-type, X-Amz-Meta-Color")
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == _SHOP
    assert answer.headers["access-control-allow-methods"] == "PUT"
    assert answer.headers["access-control-allow-headers"] == "content-type, x-amz-meta-color"
    assert answer.headers["access-control-expose-headers"] == "ETag, x-amz-id-2"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "access-control-max-age" not in answer.headers
    assert "Origin" in answer.headers["vary"]
    assert (answer.body, "content-length" in answer.headers) == (b"", False)
    other = _preflight(aws, bucket, _SHOP, "PUT", "authorization")
    assert (other.status, other.headers["access-control-allow-methods"]) == (200, "GET, PUT")
    assert other.headers["access-control-max-age"] == "600"


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("https://other.example.org", "GET", ""),
        ("http://shop.example.com", "GET", ""),
        (f"{_SHOP}.evil.org", "GET", ""),
        (_SHOP, "DELETE", ""),
        (_SHOP, "GET", "x-secret"),
    ],
)
def test_a_preflight_of_what_no_rule_allows(
    aws: Aws, s3: Any, bucket: str, origin: str, method: str, headers: str
) -> None:
    _configure(s3, bucket, _rule(["https://*.example.com"], ["GET"], AllowedHeaders=["x-open"]))
    answer = _preflight(aws, bucket, origin, method, headers)
    assert (answer.status, answer.code) == (403, "AccessForbidden")
    assert "content-length" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


def test_any_origin_is_told_as_any(aws: Aws, s3: Any, bucket: str) -> None:
    _configure(s3, bucket, _rule(["*"], ["GET"]))
    answer = _preflight(aws, bucket, _SHOP, "GET")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "BadRequest"),
        ({"Origin": _SHOP}, 400, "BadRequest"),
        ({"Origin": _SHOP, "Access_Control_Request_Method": "BREW"}, 400, "BadRequest"),
        ({"Origin": _SHOP, "Access_Control_Request_Method": "GET"}, 403, "AccessForbidden"),
    ],
)
def test_a_preflight_where_nothing_is_configured(
    aws: Aws, bucket: str, headers: dict[str, str], status: int, code: str
) -> None:
    for target in (f"/{bucket}", f"/{bucket}/k", "/no-such-bucket-at-all/k"):
        answer = ask(aws.endpoint, "OPTIONS", target, **headers)
        assert (answer.status, answer.code) == (status, code)


def test_an_answer_may_be_read_by_the_page_that_is_allowed_to(aws: Aws, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    _configure(s3, bucket, _rule([_SHOP], ["GET"], ExposeHeaders=["ETag"]))
    answer = ask(aws, "GET", f"/{bucket}/k", Origin=_SHOP)
    assert (answer.status, answer.body) == (200, b"x")
    assert answer.headers["access-control-allow-origin"] == _SHOP
    assert answer.headers["access-control-expose-headers"] == "ETag"
    missing = ask(aws, "GET", f"/{bucket}/none", Origin=_SHOP)
    assert (missing.status, missing.headers["access-control-allow-origin"]) == (404, _SHOP)
    plain = ask(aws, "GET", f"/{bucket}/k")
    assert "access-control-allow-origin" not in plain.headers


def test_a_page_that_no_rule_knows_is_told_nothing(aws: Aws, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    _configure(s3, bucket, _rule([_SHOP], ["GET"]))
    stranger = ask(aws, "GET", f"/{bucket}/k", Origin="https://other.example.org")
    assert "access-control-allow-origin" not in stranger.headers
    written = ask(aws, "PUT", f"/{bucket}/k", b"y", Origin=_SHOP)
    assert "access-control-allow-origin" not in written.headers
