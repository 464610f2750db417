"""Which requests are for applications, and for which."""

from __future__ import annotations

import pytest

from cloudlet.edge.data_plane_routing import DataPlaneRoute, find_route
from cloudlet.edge.routing import route
from cloudlet.wire import HttpRequest


def request(host: str, path: str = "/", query: str = "", **headers: str) -> HttpRequest:
    return HttpRequest("GET", path, query, {"host": host, **headers})


@pytest.mark.parametrize(
    ("host", "path", "found"),
    [
        (
            "abc123.execute-api.us-east-1.amazonaws.com",
            "/v1/pets",
            DataPlaneRoute("apigateway", "abc123", "/v1/pets", ""),
        ),
        ("ABC123.execute-api.localhost:4566", "/", DataPlaneRoute("apigateway", "abc123", "/", "")),
        ("u1.lambda-url.eu-west-1.on.aws", "/x", DataPlaneRoute("lambda", "u1", "/x", "")),
        (
            "localhost:4566",
            "/_aws/execute-api/a1/v1/x",
            DataPlaneRoute("apigateway", "a1", "/v1/x", "/_aws/execute-api/a1"),
        ),
        ("localhost:4566", "/_aws/execute-api/a1", DataPlaneRoute("apigateway", "a1", "/", "/_aws/execute-api/a1")),
        ("localhost", "/_aws/execute-api/a.b/x", DataPlaneRoute("apigateway", "a.b", "/x", "/_aws/execute-api/a.b")),
        ("localhost:4566", "/_aws/lambda-url/u1/x", DataPlaneRoute("lambda", "u1", "/x", "/_aws/lambda-url/u1")),
        ("localhost", "/restapis/a1/v1/_user_request_/p", DataPlaneRoute("apigateway", "a1", "/v1/p", "/restapis/a1")),
        ("localhost", "/restapis/a1/v1/_user_request_", DataPlaneRoute("apigateway", "a1", "/v1/", "/restapis/a1")),
        ("api.shop.example:80", "/x", DataPlaneRoute("apigateway", "", "/x", "")),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "/v2/shop/web/tags/list",
            DataPlaneRoute("ecr", "123456789012/eu-west-1", "/v2/shop/web/tags/list", ""),
        ),
        (
            "123456789012.dkr.ecr.eu-west-1.localhost:4566",
            "/",
            DataPlaneRoute("ecr", "123456789012/eu-west-1", "/", ""),
        ),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "/v2/", DataPlaneRoute("ecr", "123456789012/eu-west-1", "/v2/", "")),
        ("127.0.0.1:4566", "/v2/", DataPlaneRoute("ecr", "registry", "/v2/", "")),
        ("localhost:4566", "/v2/a/b/manifests/v1", DataPlaneRoute("ecr", "registry", "/v2/a/b/manifests/v1", "")),
        ("cloudlet:4566", "/v2/a/blobs/uploads/", DataPlaneRoute("ecr", "registry", "/v2/a/blobs/uploads/", "")),
        ("cloud.example", "/v2/_catalog", DataPlaneRoute("ecr", "registry", "/v2/_catalog", "")),
        ("localhost:4566", "/v2/apis/a1/routes", None),
        ("localhost:4566", "/v2/tags/arn:aws:apigateway:us-east-1::/apis/a1", None),
        ("api.shop.example", "/v2/a/blobs/b", DataPlaneRoute("apigateway", "", "/v2/a/blobs/b", "")),
        ("localhost:4566", "/restapis/a1/stages", None),
        ("127.0.0.1:4566", "/x", None),
        ("[::1]:4566", "/x", None),
        ("sqs.us-east-1.amazonaws.com", "/", None),
        ("cloud.example", "/", None),
        ("", "/", None),
    ],
)
def test_an_application_is_named_by_the_host_or_the_path(host: str, path: str, found: DataPlaneRoute | None) -> None:
    assert find_route(request(host, path), "cloud.example") == found


def test_what_is_signed_for_aws_is_for_no_registry() -> None:
    path = "/v2/a/manifests/v1"
    assert find_route(request("localhost", path, authorization="AWS4-HMAC-SHA256 …"), "localhost") is None
    found = DataPlaneRoute("ecr", "registry", path, "")
    assert find_route(request("localhost", path, authorization="Basic …"), "localhost") == found


def test_what_is_signed_is_for_no_domain_of_an_application() -> None:
    assert find_route(request("bucket.localhost:4566", authorization="AWS4-HMAC-SHA256 …"), "localhost") is None
    assert find_route(request("bucket.localhost:4566", authorization="AWS 123456789012:c2lnbmVk"), "localhost") is None
    assert find_route(request("bucket.localhost:4566", query="X-Amz-Signature=0"), "localhost") is None
    found = DataPlaneRoute("apigateway", "", "/", "")
    assert find_route(request("bucket.localhost:4566"), "localhost") == found
    assert find_route(request("bucket.localhost:4566", authorization="Bearer …"), "localhost") == found
    scope = "Credential=A/20300313/us-east-1/execute-api/aws4_request"
    assert find_route(request("api.example", authorization=f"AWS4-HMAC-SHA256 {scope}"), "localhost") == found
    query = "X-Amz-Credential=A%2F20300313%2Fus-east-1%2Fexecute-api%2Faws4_request&X-Amz-Signature=0"
    assert find_route(request("api.example", query=query), "localhost") == found


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("localhost:4566", "/@connections/c1"),
        ("localhost:4566", "/_aws/execute-api/a1/v1/@connections/c1"),
        ("a1.execute-api.us-east-1.amazonaws.com", "/v1/@connections/c1"),
    ],
)
def test_what_is_sent_to_clients_is_an_operation_of_the_api(host: str, path: str) -> None:
    asked = request(host, path)
    assert find_route(asked, "localhost") is None
    found = route(asked, None)
    assert (found.model.name, found.operation.name) == ("apigatewaymanagementapi", "GetConnection")
    assert found.address is not None
    assert found.address.path == "/@connections/c1"
