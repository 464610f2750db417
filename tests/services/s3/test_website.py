"""Buckets as websites: index and error documents, redirects, and errors as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.s3.own_work import open_to_all
from tests.services.s3.raw import Answer, ask
from tests.services.s3.strict import refused, strict_server

_PLAIN = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "oops.html"}}


def _publish(s3: Any, bucket: str, configuration: dict[str, Any], **pages: str) -> None:
    """Have everybody see some pages."""
    open_to_all(s3, bucket)
    _write(s3, bucket, configuration, **pages)


def _write(s3: Any, bucket: str, configuration: dict[str, Any], **pages: str) -> None:
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=configuration)
    for key, text in pages.items():
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="text/html")


def _visit(aws: Aws, bucket: str, path: str, method: str = "GET", **headers: str) -> Answer:
    return ask(aws.endpoint, method, path, host=f"{bucket}.s3-website.localhost", **headers)


def test_a_configuration_comes_back_as_it_was_put(s3: Any, bucket: str) -> None:
    assert refused(s3.get_bucket_website, Bucket=bucket) == ("NoSuchWebsiteConfiguration", 404)
    rule = {
        "Condition": {"KeyPrefixEquals": "old/", "HttpErrorCodeReturnedEquals": "404"},
        "Redirect": {"HostName": "example.com", "Protocol": "https", "HttpRedirectCode": "302", "ReplaceKeyWith": "k"},
    }
    wanted = {**_PLAIN, "RoutingRules": [rule]}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=wanted)
    shown = s3.get_bucket_website(Bucket=bucket)
    assert {name: shown[name] for name in wanted} == wanted
    s3.delete_bucket_website(Bucket=bucket)
    assert refused(s3.get_bucket_website, Bucket=bucket) == ("NoSuchWebsiteConfiguration", 404)


def _ruled(redirect: dict[str, str], **condition: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"Redirect": redirect}
    if condition:
        rule["Condition"] = condition
    return {**_PLAIN, "RoutingRules": [rule]}


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        ({}, "InvalidArgument"),
        ({"ErrorDocument": {"Key": "k"}}, "InvalidArgument"),
        ({"IndexDocument": {"Suffix": "a/index.html"}}, "InvalidArgument"),
        ({"RedirectAllRequestsTo": {"HostName": "a"}, **_PLAIN}, "InvalidArgument"),
        (_ruled({}), "MalformedXML"),
        (_ruled({"HostName": "a\nSet-Cookie: b"}), "InvalidRequest"),
        ({"RedirectAllRequestsTo": {"HostName": "a b"}}, "InvalidRequest"),
        (_ruled({"HostName": "a"}, KeyPrefixEquals="", HttpErrorCodeReturnedEquals="200"), "InvalidRequest"),
        (_ruled({"HttpRedirectCode": "300"}), "InvalidRequest"),
        (_ruled({"ReplaceKeyWith": "a", "ReplaceKeyPrefixWith": "b"}), "InvalidRequest"),
        ({**_PLAIN, "RoutingRules": [{"Redirect": {"HostName": "a"}}] * 51}, "InvalidRequest"),
    ],
)
def test_what_is_no_website(s3: Any, bucket: str, configuration: dict[str, Any], code: str) -> None:
    assert refused(s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration=configuration) == (code, 400)


def test_folders_are_answered_with_their_index(aws: Aws, s3: Any, bucket: str) -> None:
    _publish(s3, bucket, _PLAIN, **{"index.html": "home", "docs/index.html": "docs", "page.html": "page"})
    for path, text in {"/": "home", "/docs/": "docs", "/page.html": "page"}.items():
        answer = _visit(aws, bucket, path)
        assert (answer.status, answer.body.decode()) == (200, text)
        assert answer.headers["content-type"] == "text/html"
    head = _visit(aws, bucket, "/", "HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, "4", b"")
    moved = _visit(aws, bucket, "/docs")
    assert (moved.status, moved.headers["location"]) == (302, "/docs/")


def test_what_is_not_there_is_the_error_document(aws: Aws, s3: Any, bucket: str) -> None:
    _publish(s3, bucket, _PLAIN, **{"oops.html": "nothing here"})
    answer = _visit(aws, bucket, "/none")
    assert (answer.status, answer.body) == (404, b"nothing here")
    assert answer.headers["x-amz-error-code"] == "NoSuchKey"
    s3.delete_object(Bucket=bucket, Key="oops.html")
    answer = _visit(aws, bucket, "/none%3Cb%3E")
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert b"<h1>404 Not Found</h1>" in answer.body
    assert b"Key: none&lt;b&gt;" in answer.body
    assert b"Custom Error Document" in answer.body


def test_a_bucket_without_a_website(aws: Aws, bucket: str) -> None:
    for name, code in ((bucket, "NoSuchWebsiteConfiguration"), ("no-such-bucket-at-all", "NoSuchBucket")):
        answer = _visit(aws, name, "/")
        assert (answer.status, answer.headers["x-amz-error-code"]) == (404, code)
        assert f"Code: {code}".encode() in answer.body


def test_a_page_is_not_sent_again_to_who_has_it(aws: Aws, s3: Any, bucket: str) -> None:
    _publish(s3, bucket, _PLAIN, **{"index.html": "home"})
    etag = _visit(aws, bucket, "/").headers["etag"]
    assert _visit(aws, bucket, "/", If_None_Match=etag).status == 304
    part = _visit(aws, bucket, "/", Range="bytes=1-2")
    assert (part.status, part.body) == (206, b"om")


def test_a_condition_that_fails_is_told_as_people_read_it(aws: Aws, s3: Any, bucket: str) -> None:
    _publish(s3, bucket, {"IndexDocument": {"Suffix": "index.html"}}, **{"index.html": "home"})
    beyond = _visit(aws, bucket, "/", Range="bytes=9-")
    assert (beyond.status, beyond.headers["content-type"]) == (416, "text/html; charset=utf-8")
    assert beyond.headers["x-amz-error-code"] == "InvalidRange"
    assert b"<li>Code: InvalidRange</li>" in beyond.body
    other = _visit(aws, bucket, "/", If_Match='"other"')
    assert (other.status, b"<li>Code: PreconditionFailed</li>" in other.body) == (412, True)
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=_PLAIN)
    s3.put_object(Bucket=bucket, Key="oops.html", Body=b"oops")
    own = _visit(aws, bucket, "/", Range="bytes=9-")
    assert (own.status, own.body) == (416, b"oops")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/index.html"])
def test_a_website_is_only_looked_at(aws: Aws, s3: Any, bucket: str, method: str, path: str) -> None:
    _publish(s3, bucket, _PLAIN, **{"index.html": "home"})
    answer = ask(aws.endpoint, method, path, body=b"mine", host=f"{bucket}.s3-website.localhost")
    assert (answer.status, answer.headers["content-type"]) == (405, "text/html; charset=utf-8")
    assert answer.headers["x-amz-error-code"] == "MethodNotAllowed"
    assert b"<h1>405 Method Not Allowed</h1>" in answer.body
    assert f"<li>Method: {method}</li>".encode() in answer.body
    assert _visit(aws, bucket, "/").body == b"home"


def test_an_object_may_be_a_redirect(aws: Aws, s3: Any, bucket: str) -> None:
    _publish(s3, bucket, _PLAIN)
    s3.put_object(Bucket=bucket, Key="old", WebsiteRedirectLocation="https://example.com/new")
    answer = _visit(aws, bucket, "/old")
    assert (answer.status, answer.headers["location"]) == (301, "https://example.com/new")


def test_all_requests_may_be_redirected(aws: Aws, s3: Any, bucket: str) -> None:
    _publish(s3, bucket, {"RedirectAllRequestsTo": {"HostName": "example.com", "Protocol": "https"}})
    answer = _visit(aws, bucket, "/a/b")
    assert (answer.status, answer.headers["location"]) == (301, "https://example.com/a/b")


@pytest.mark.parametrize(
    ("rule", "path", "status", "location"),
    [
        (_ruled({"ReplaceKeyPrefixWith": "new/"}, KeyPrefixEquals="old/"), "/old/a", 301, "/new/a"),
        (_ruled({"ReplaceKeyWith": "one.html"}, KeyPrefixEquals="old/"), "/old/a", 301, "/one.html"),
        (
            _ruled({"HostName": "example.com", "HttpRedirectCode": "307"}, HttpErrorCodeReturnedEquals="404"),
            "/none",
            307,
            "http://example.com/none",
        ),
        (
            _ruled({"Protocol": "https", "HostName": "a.b", "ReplaceKeyPrefixWith": "report-404/"}, KeyPrefixEquals=""),
            "/x",
            301,
            "https://a.b/report-404/x",
        ),
    ],
)
def test_routing_rules(
    aws: Aws, s3: Any, bucket: str, rule: dict[str, Any], path: str, status: int, location: str
) -> None:
    _publish(s3, bucket, rule, **{"index.html": "home"})
    answer = _visit(aws, bucket, path)
    assert answer.status == status
    assert answer.headers["location"].endswith(location)
    if "HostName" not in rule["RoutingRules"][0]["Redirect"]:
        assert f"//{bucket}.s3-website.localhost" in answer.headers["location"]


def test_a_rule_about_errors_lets_through_what_is_there(aws: Aws, s3: Any, bucket: str) -> None:
    rule = _ruled({"HostName": "example.com"}, HttpErrorCodeReturnedEquals="404")
    _publish(s3, bucket, rule, **{"index.html": "home"})
    assert _visit(aws, bucket, "/").body == b"home"


def test_a_website_shows_what_is_public_to_everybody_and_nothing_else() -> None:
    with strict_server() as strict:
        aws, bucket = Aws(strict.endpoint, strict.owner.number), strict.open_bucket()
        _write(strict.owner.s3, bucket, _PLAIN, **{"index.html": "home", "open/a": "a"})
        closed = _visit(aws, bucket, "/")
        assert (closed.status, closed.headers["x-amz-error-code"]) == (403, "AccessDenied")
        strict.allow(bucket, Action="s3:GetObject", Resource=f"arn:aws:s3:::{bucket}/open/*")
        assert _visit(aws, bucket, "/open/a").body == b"a"
        assert _visit(aws, bucket, "/").status == 403
