"""Which route a request to an HTTP API takes, and what a route may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.apigateway.http.table import Router
from tests.modes import meaningless_in
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint

one_process = meaningless_in("replicas", because="each process counts for itself")

ROUTES = (
    "GET /pets/dog/1",
    "GET /pets/dog/{id}",
    "GET /pets/{proxy+}",
    "ANY /{proxy+}",
    "POST /pets/dog/{other}",
    "GET /a/{x}/b",
    "GET /a/{rest+}",
    "GET /",
    "$default",
)


@pytest.mark.parametrize(
    ("method", "path", "route", "variables"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1", {}),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("POST", "/pets/dog/2", "POST /pets/dog/{other}", {"other": "2"}),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}),
        ("PUT", "/pets/dog/1", "ANY /{proxy+}", {"proxy": "pets/dog/1"}),
        ("POST", "/test/5", "ANY /{proxy+}", {"proxy": "test/5"}),
        ("GET", "/a/1/b", "GET /a/{x}/b", {"x": "1"}),
        ("GET", "/a/1/c", "GET /a/{rest+}", {"rest": "1/c"}),
        ("GET", "/", "GET /", {}),
        ("POST", "/", "$default", {}),
    ],
)
def test_the_most_specific_route_is_taken(method: str, path: str, route: str, variables: dict[str, str]) -> None:
    """The first five are the examples of the developer guide, "Routing API requests"."""
    table: Router[str] = Router()
    for key in ROUTES:
        table.add(key, key)
    assert table.find(method, path) == (route, variables)


_SEGMENTS = st.sampled_from(["a", "b", "{x}", "{y}"])
_KEYS = st.builds(
    lambda method, segments, greedy: f"{method} /{'/'.join([*segments, *(['{rest+}'] if greedy else [])])}",
    st.sampled_from(["GET", "POST", "ANY"]),
    st.lists(_SEGMENTS, max_size=3),
    st.booleans(),
)


def _rank(key: str, method: str, path: str) -> tuple[bool, tuple[int, ...], bool] | None:
    """Return how well a route fits, None where it does not: the higher the better."""
    wanted, _, pattern = key.partition(" ")
    parts, segments = pattern[1:].split("/"), path[1:].split("/")
    is_greedy = parts[-1].endswith("+}")
    heads = parts[:-1] if is_greedy else parts
    if wanted not in (method, "ANY"):
        return None
    if (
        (len(segments) <= len(heads) or not "/".join(segments[len(heads) :]))
        if is_greedy
        else len(segments) != len(heads)
    ):
        return None
    fits = [
        2 if part == segment else 1 if part.startswith("{") and segment else 0
        for part, segment in zip(heads, segments, strict=False)
    ]
    return None if 0 in fits else (not is_greedy, tuple(fits), wanted == method)


@given(
    st.lists(_KEYS, max_size=8),
    st.sampled_from(["GET", "POST"]),
    st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=4),
)
def test_the_best_route_is_taken_whatever_there_is(keys: list[str], method: str, segments: list[str]) -> None:
    table: Router[str] = Router()
    for key in keys:
        table.add(key, key)
    path = f"/{'/'.join(segments)}"
    ranks = {key: rank for key in keys if (rank := _rank(key, method, path)) is not None}
    found = table.find(method, path)
    if not ranks:
        assert found is None
    else:
        assert found is not None
        assert ranks[found[0]] == max(ranks.values())


def test_without_a_default_route_nothing_is_found() -> None:
    table: Router[str] = Router()
    table.add("GET /pets/{id}", "pets")
    assert table.find("GET", "/pets/") is None
    assert table.find("GET", "/pets/1/2") is None
    assert table.find("POST", "/pets/1") is None
    assert table.find("GET", "/pets/1") == ("pets", {"id": "1"})


def test_changes_answer_from_the_next_request_on(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    answer = cloud.ask(api, "/one")
    assert (answer.status, answer.json) == (404, {"message": "Not Found"})
    one, two = (cloud.to_url(api, f"{endpoint.url}/{name}") for name in ("one", "two"))
    route = cloud.route(api, "GET /one", one)
    assert cloud.ask(api, "/one").json["path"] == "/one"
    cloud.client.update_route(ApiId=api, RouteId=route, Target=f"integrations/{two}")
    assert cloud.ask(api, "/one").json["path"] == "/two"
    cloud.client.update_route(ApiId=api, RouteId=route, RouteKey="POST /one")
    assert cloud.ask(api, "/one").status == 404
    assert cloud.ask(api, "/one", method="POST").status == 200
    cloud.client.delete_route(ApiId=api, RouteId=route)
    assert cloud.ask(api, "/one", method="POST").status == 404


def test_a_route_without_an_integration(cloud: GatewayCloud) -> None:
    api = cloud.api()
    cloud.route(api, "GET /")
    answer = cloud.ask(api)
    assert (answer.status, answer.json) == (500, {"message": "Internal Server Error"})


def test_routes_are_kept(cloud: GatewayCloud) -> None:
    api = cloud.api()
    route = cloud.route(api, "GET /a", OperationName="list")
    assert cloud.client.get_route(ApiId=api, RouteId=route)["OperationName"] == "list"
    others = [cloud.route(api, f"GET /{number}") for number in range(4)]
    first = cloud.client.get_routes(ApiId=api, MaxResults="3")
    second = cloud.client.get_routes(ApiId=api, MaxResults="3", NextToken=first["NextToken"])
    assert "NextToken" not in second
    assert {each["RouteId"] for each in [*first["Items"], *second["Items"]]} == {route, *others}
    cloud.client.update_route(ApiId=api, RouteId=route, OperationName="")
    assert "OperationName" not in cloud.client.get_route(ApiId=api, RouteId=route)


@pytest.mark.parametrize(
    "key", ["get /a", "GET a", "FETCH /a", "GET", "GET /{a+}/b", "GET /a{b}", "GET /{a", "$connect"]
)
def test_keys_that_are_none(cloud: GatewayCloud, key: str) -> None:
    code, message, status = cloud.refused("create_route", ApiId=cloud.api(), RouteKey=key)
    assert (code, status) == ("BadRequestException", 400)
    assert message.startswith("The provided route key is not formatted properly for HTTP protocol.")


def test_what_routes_may_not_be(cloud: GatewayCloud) -> None:
    api = cloud.api()
    cloud.route(api, "GET /a")
    assert cloud.refused("create_route", ApiId=api, RouteKey="GET /a") == (
        "ConflictException",
        "Route with key GET /a already exists for this API",
        409,
    )
    for more, code in (
        ({"Target": "integrations/nowhere"}, "NotFoundException"),
        ({"Target": "somewhere"}, "BadRequestException"),
        ({"ApiKeyRequired": True}, "BadRequestException"),
        ({"AuthorizationType": "JWT"}, "BadRequestException"),
        ({"AuthorizationType": "CUSTOM", "AuthorizerId": "nobody"}, "NotFoundException"),
        ({"AuthorizationScopes": ["read"]}, "BadRequestException"),
        ({"RouteResponseSelectionExpression": "$default"}, "BadRequestException"),
    ):
        assert cloud.refused("create_route", ApiId=api, RouteKey="GET /b", **more)[0] == code, more
    assert cloud.refused("get_route", ApiId=api, RouteId="nowhere")[0] == "NotFoundException"
    assert cloud.refused("get_routes", ApiId="nowhere") == (
        "NotFoundException",
        f"Invalid API identifier specified {cloud.account}:nowhere",
        404,
    )


def test_what_is_in_use_stays(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    integration = cloud.to_url(api, endpoint.url)
    route = cloud.route(api, "GET /", integration)
    assert cloud.refused("delete_integration", ApiId=api, IntegrationId=integration)[0] == "ConflictException"
    cloud.client.delete_route(ApiId=api, RouteId=route)
    cloud.client.delete_integration(ApiId=api, IntegrationId=integration)
    assert cloud.client.get_integrations(ApiId=api)["Items"] == []


@one_process
def test_routes_are_throttled(cloud: GatewayCloud, endpoint: Endpoint) -> None:
    api = cloud.api()
    integration = cloud.to_url(api, endpoint.url)
    for key in ("GET /slow", "GET /free"):
        cloud.route(api, key, integration)
    settings = {"GET /slow": {"ThrottlingRateLimit": 0.001, "ThrottlingBurstLimit": 2}}
    cloud.client.update_stage(ApiId=api, StageName="$default", RouteSettings=settings)
    assert [cloud.ask(api, "/slow").status for _ in range(3)] == [200, 200, 429]
    assert cloud.ask(api, "/slow").json == {"message": "Too Many Requests"}
    assert cloud.ask(api, "/free").status == 200
