"""CORS that the gateway does itself."""

from __future__ import annotations

import pytest

from tests.services.apigateway.cloud import Answer, GatewayCloud
from tests.services.apigateway.endpoint import Endpoint

SHOP = "https://shop.example"


@pytest.fixture
def api(cloud: GatewayCloud, endpoint: Endpoint) -> str:
    configuration = {
        "AllowOrigins": [SHOP, "https://*.sub.example"],
        "AllowMethods": ["GET", "POST"],
        "AllowHeaders": ["x-own", "authorization"],
        "ExposeHeaders": ["x-endpoint"],
        "MaxAge": 300,
        "AllowCredentials": True,
    }
    api = cloud.api(CorsConfiguration=configuration)
    cloud.route(api, "ANY /{proxy+}", cloud.to_url(api, f"{endpoint.url}/{{proxy}}"))
    return api


def _preflight(cloud: GatewayCloud, api: str, origin: str) -> Answer:
    headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    return cloud.ask(api, "/x", method="OPTIONS", headers=headers)


def _cors(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith("access-control-")}


def test_a_preflight_is_answered_by_the_gateway(cloud: GatewayCloud, api: str) -> None:
    answer = _preflight(cloud, api, SHOP)
    assert answer.status == 204
    assert _cors(answer) == {
        "access-control-allow-origin": SHOP,
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "x-own,authorization",
        "access-control-expose-headers": "x-endpoint",
        "access-control-max-age": "300",
        "access-control-allow-credentials": "true",
    }
    assert _cors(_preflight(cloud, api, "https://a.sub.example"))["access-control-allow-origin"] == (
        "https://a.sub.example"
    )
    for stranger in ("https://evil.example", "https://sub.example", "https://.sub.example.evil"):
        answer = _preflight(cloud, api, stranger)
        assert (answer.status, _cors(answer)) == (204, {})


def test_the_headers_of_the_endpoint_do_not_count(cloud: GatewayCloud, api: str) -> None:
    answer = cloud.ask(api, "/x", headers={"Origin": SHOP})
    assert _cors(answer) == {
        "access-control-allow-origin": SHOP,
        "access-control-expose-headers": "x-endpoint",
        "access-control-allow-credentials": "true",
    }
    assert _cors(cloud.ask(api, "/x")) == {}
    assert _cors(cloud.ask(api, "/x", headers={"Origin": "https://evil.example"})) == {}


def test_other_options_are_requests_like_any(cloud: GatewayCloud, api: str) -> None:
    answer = cloud.ask(api, "/x", method="OPTIONS")
    assert (answer.status, answer.json["method"]) == (200, "OPTIONS")


def test_without_a_configuration_the_endpoint_decides(cloud: GatewayCloud, api: str) -> None:
    cloud.client.delete_cors_configuration(ApiId=api)
    assert "CorsConfiguration" not in cloud.client.get_api(ApiId=api)
    answer = cloud.ask(api, "/x", headers={"Origin": SHOP})
    assert _cors(answer) == {"access-control-allow-origin": "https://backend.example"}
    assert _preflight(cloud, api, SHOP).json["method"] == "OPTIONS"


def test_errors_of_the_gateway_may_be_read_too(cloud: GatewayCloud) -> None:
    api = cloud.api(CorsConfiguration={"AllowOrigins": ["*"]})
    answer = cloud.ask(api, "/nowhere", headers={"Origin": SHOP})
    assert (answer.status, _cors(answer)) == (404, {"access-control-allow-origin": "*"})
