"""Buckets that are named by the host."""

from __future__ import annotations

import pytest

from cloudlet.edge.buckets import to_path_style
from cloudlet.wire import HttpRequest


@pytest.mark.parametrize(
    ("host", "path", "service", "expected"),
    [
        ("b.localhost:4566", "/k", "s3", ("/b/k", "")),
        ("b.c.localhost", "/", "s3", ("/b.c", "")),
        ("b.localhost", "/k/l/", "", ("/b/k/l/", "")),
        ("b.cloud.example.com", "/k", "s3", ("/b/k", "")),
        ("b.s3.us-east-1.amazonaws.com", "/k", "s3", ("/b/k", "")),
        ("b.s3-us-west-2.amazonaws.com", "/k", "", ("/b/k", "")),
        ("my.s3.bucket.s3.localhost.localstack.cloud:4566", "/k", "", ("/my.s3.bucket/k", "")),
        ("b.s3-website.localhost:4566", "/", "", ("/b", "x-cloudlet-website")),
        ("b.s3-website-us-east-1.amazonaws.com", "/a/", "", ("/b/a/", "x-cloudlet-website")),
        ("localhost:4566", "/b/k", "s3", None),
        ("127.0.0.1:4566", "/b/k", "s3", None),
        ("s3.us-east-1.localhost", "/b/k", "", None),
        ("sqs.us-east-1.localhost", "/", "", None),
        ("b.localhost", "/", "sqs", None),
        ("cloud.example.com", "/b", "s3", None),
        ("", "/b", "s3", None),
    ],
)
def test_what_a_host_says(host: str, path: str, service: str, expected: tuple[str, str] | None) -> None:
    request = HttpRequest("GET", path, "", {"host": host})
    assert to_path_style(request, service, "cloud.example.com") == expected


def test_a_website_keeps_its_query() -> None:
    request = HttpRequest("GET", "/k", "a=b", {"host": "b.s3-website.localhost"})
    assert to_path_style(request, "", "localhost") == ("/b/k", "a=b&x-cloudlet-website")
