"""The seven kinds of resources: created, shown, changed, listed, deleted, and what may not be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.services.appmesh.mesh_cloud import MeshCloud, go_to, listen, route_to


def fill(cloud: MeshCloud) -> None:
    """Create one resource of each kind."""
    cloud.create_node("n", listen(8080))
    cloud.create_router("r")
    cloud.create_route("x", "r", httpRoute=route_to("n"))
    cloud.create_service("s.local", router="r")
    cloud.create_gateway("g")
    cloud.create_gateway_route("y", "g", httpRoute=go_to("s.local"))


def test_a_resource_is_created_and_shown(cloud: MeshCloud) -> None:
    spec = {"egressFilter": {"type": "ALLOW_ALL"}}
    made = cloud.api.create_mesh(meshName="shop", spec=spec)["mesh"]
    assert (made["meshName"], made["spec"], made["status"]) == ("shop", spec, {"status": "ACTIVE"})
    metadata = made["metadata"]
    assert metadata["arn"] == f"arn:aws:appmesh:us-east-1:{cloud.account}:mesh/shop"
    assert (metadata["meshOwner"], metadata["resourceOwner"]) == (cloud.account, cloud.account)
    assert (metadata["version"], len(metadata["uid"])) == (1, 36)
    assert metadata["createdAt"] == metadata["lastUpdatedAt"]
    shown = cloud.api.describe_mesh(meshName="shop")["mesh"]
    assert shown == made


def test_arns_are_paths(cloud: MeshCloud) -> None:
    fill(cloud)
    arn = f"arn:aws:appmesh:us-east-1:{cloud.account}:mesh/m/"
    route = cloud.api.describe_route(meshName="m", virtualRouterName="r", routeName="x")["route"]
    assert route["metadata"]["arn"] == f"{arn}virtualRouter/r/route/x"
    assert (route["virtualRouterName"], route["routeName"]) == ("r", "x")
    gateway_route = cloud.api.describe_gateway_route(meshName="m", virtualGatewayName="g", gatewayRouteName="y")
    assert gateway_route["gatewayRoute"]["metadata"]["arn"] == f"{arn}virtualGateway/g/gatewayRoute/y"
    service = cloud.api.describe_virtual_service(meshName="m", virtualServiceName="s.local")["virtualService"]
    assert service["metadata"]["arn"] == f"{arn}virtualService/s.local"


def test_an_update_makes_a_version(cloud: MeshCloud) -> None:
    before = cloud.create_node("n", listen(8080))
    after = cloud.api.update_virtual_node(meshName="m", virtualNodeName="n", spec={})["virtualNode"]
    assert after["metadata"]["version"] == 2
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["createdAt"] == before["metadata"]["createdAt"] < after["metadata"]["lastUpdatedAt"]
    assert after["spec"] == {}


def test_all_kinds_are_listed_and_deleted(cloud: MeshCloud) -> None:
    fill(cloud)
    cloud.create_route("x2", "r", httpRoute=route_to("n"))
    listed = cloud.api.list_routes(meshName="m", virtualRouterName="r", limit=1)
    assert [each["routeName"] for each in listed["routes"]] == ["x"]
    rest = cloud.api.list_routes(meshName="m", virtualRouterName="r", nextToken=listed["nextToken"])
    assert [(each["routeName"], each["version"]) for each in rest["routes"]] == [("x2", 1)]
    assert code_of(cloud.api.list_meshes, nextToken="?") == "BadRequestException"
    assert [each["meshName"] for each in cloud.api.list_meshes()["meshes"]] == ["m"]
    assert [each["virtualNodeName"] for each in cloud.api.list_virtual_nodes(meshName="m")["virtualNodes"]] == ["n"]
    services = cloud.api.list_virtual_services(meshName="m")["virtualServices"]
    assert [each["virtualServiceName"] for each in services] == ["s.local"]
    deleted = cloud.api.delete_gateway_route(meshName="m", virtualGatewayName="g", gatewayRouteName="y")
    assert deleted["gatewayRoute"]["status"] == {"status": "DELETED"}
    cloud.api.delete_virtual_gateway(meshName="m", virtualGatewayName="g")
    cloud.api.delete_virtual_service(meshName="m", virtualServiceName="s.local")
    for name in ("x", "x2"):
        cloud.api.delete_route(meshName="m", virtualRouterName="r", routeName=name)
    cloud.api.delete_virtual_router(meshName="m", virtualRouterName="r")
    cloud.api.delete_virtual_node(meshName="m", virtualNodeName="n")
    assert cloud.api.delete_mesh(meshName="m")["mesh"]["status"] == {"status": "DELETED"}
    assert refused(cloud.api.describe_mesh, meshName="m") == (
        "NotFoundException",
        f"Mesh with name m is not present for account {cloud.account}",
    )


def test_what_others_use_is_not_deleted(cloud: MeshCloud) -> None:
    fill(cloud)
    deletions: dict[str, Callable[[], Any]] = {
        "Mesh with name m cannot be deleted because it has active VirtualServices": lambda: cloud.api.delete_mesh(
            meshName="m"
        ),
        "VirtualRouter with name r cannot be deleted because it has active Routes": lambda: (
            cloud.api.delete_virtual_router(meshName="m", virtualRouterName="r")
        ),
        "VirtualNode n is being referenced in the following: ROUTE: [x]": lambda: cloud.api.delete_virtual_node(
            meshName="m", virtualNodeName="n"
        ),
        "VirtualService s.local is being referenced in the following: GATEWAY_ROUTE: [y]": lambda: (
            cloud.api.delete_virtual_service(meshName="m", virtualServiceName="s.local")
        ),
        "VirtualGateway with name g cannot be deleted because it has active GatewayRoutes": lambda: (
            cloud.api.delete_virtual_gateway(meshName="m", virtualGatewayName="g")
        ),
    }
    for message, delete in deletions.items():
        assert refused(delete) == ("ResourceInUseException", message)
    cloud.api.delete_route(meshName="m", virtualRouterName="r", routeName="x")
    assert refused(cloud.api.delete_virtual_router, meshName="m", virtualRouterName="r") == (
        "ResourceInUseException",
        "VirtualRouter with name r cannot be deleted because it is a VirtualService provider",
    )
    cloud.api.delete_virtual_node(meshName="m", virtualNodeName="n")


def test_an_update_moves_references(cloud: MeshCloud) -> None:
    fill(cloud)
    cloud.create_node("other", listen(8080))
    cloud.update_route("x", httpRoute=route_to("other"))
    cloud.api.delete_virtual_node(meshName="m", virtualNodeName="n")
    assert code_of(cloud.api.delete_virtual_node, meshName="m", virtualNodeName="other") == "ResourceInUseException"


def test_a_call_with_the_same_client_token_is_answered_again(cloud: MeshCloud) -> None:
    spec = {"egressFilter": {"type": "DROP_ALL"}}
    made = cloud.api.create_mesh(meshName="t", clientToken="one", spec=spec)["mesh"]
    assert cloud.api.create_mesh(meshName="t", clientToken="one", spec=spec)["mesh"] == made
    other = {"egressFilter": {"type": "ALLOW_ALL"}}
    assert code_of(cloud.api.create_mesh, meshName="t", clientToken="one", spec=other) == "ConflictException"
    assert refused(cloud.api.create_mesh, meshName="t", clientToken="two", spec=spec) == (
        "ConflictException",
        f"Mesh with name t already exists for account {cloud.account}",
    )
    changed = cloud.api.update_mesh(meshName="t", clientToken="three", spec=other)["mesh"]
    assert cloud.api.update_mesh(meshName="t", clientToken="three", spec=other)["mesh"] == changed
    assert changed["metadata"]["version"] == 2
    assert code_of(cloud.api.create_mesh, meshName="u", clientToken="not/one") == "BadRequestException"


def test_what_is_not_there(cloud: MeshCloud) -> None:
    assert refused(cloud.api.describe_virtual_node, meshName="m", virtualNodeName="n") == (
        "NotFoundException",
        f"VirtualNode with name n is not present under mesh m for account {cloud.account}",
    )
    for call in (cloud.api.list_virtual_nodes, cloud.api.list_virtual_routers):
        assert code_of(call, meshName="none") == "NotFoundException"
    assert code_of(cloud.create_route, "x", "none", httpRoute=route_to("n")) == "NotFoundException"
    cloud.create_router()
    assert code_of(cloud.create_route, "x", "r", httpRoute=route_to("n")) == "NotFoundException"
    assert code_of(cloud.create_service, "s", node="n") == "NotFoundException"
    cloud.create_gateway()
    assert code_of(cloud.create_gateway_route, httpRoute=go_to("s")) == "NotFoundException"
    assert code_of(cloud.api.update_mesh, meshName="none") == "NotFoundException"


def test_a_backend_need_not_be_there(cloud: MeshCloud) -> None:
    backends = [{"virtualService": {"virtualServiceName": "later.local"}}]
    assert cloud.create_node("n", backends=backends)["spec"]["backends"] == backends


def test_meshes_of_others_are_refused(cloud: MeshCloud) -> None:
    assert cloud.api.describe_mesh(meshName="m", meshOwner=cloud.account)["mesh"]["meshName"] == "m"
    assert code_of(cloud.api.describe_mesh, meshName="m", meshOwner="123456789012") == "ForbiddenException"


def test_resources_have_tags(cloud: MeshCloud) -> None:
    arn = cloud.api.create_mesh(meshName="t", tags=[{"key": "a", "value": "1"}])["mesh"]["metadata"]["arn"]
    cloud.api.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}, {"key": "c", "value": ""}])
    page = cloud.api.list_tags_for_resource(resourceArn=arn, limit=2)
    assert page["tags"] == [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
    rest = cloud.api.list_tags_for_resource(resourceArn=arn, nextToken=page["nextToken"])
    assert (rest["tags"], "nextToken" in rest) == ([{"key": "c", "value": ""}], False)
    cloud.api.untag_resource(resourceArn=arn, tagKeys=["a", "b"])
    assert cloud.api.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "c", "value": ""}]
    many = [{"key": f"k{number}", "value": ""} for number in range(50)]
    assert code_of(cloud.api.tag_resource, resourceArn=arn, tags=many) == "TooManyTagsException"
    assert code_of(cloud.api.tag_resource, resourceArn=arn + "x", tags=[]) == "NotFoundException"
    assert code_of(cloud.api.list_tags_for_resource, resourceArn="x") == "BadRequestException"
    cloud.api.delete_mesh(meshName="t")
    cloud.api.create_mesh(meshName="t")
    assert cloud.api.list_tags_for_resource(resourceArn=arn)["tags"] == []


def test_there_are_quotas(cloud: MeshCloud) -> None:
    for number in range(3):
        cloud.create_gateway(f"g{number}")
    assert code_of(cloud.create_gateway, "g3") == "LimitExceededException"
    backends = [{"virtualService": {"virtualServiceName": f"s{number}"}} for number in range(51)]
    assert code_of(cloud.create_node, "n", backends=backends) == "LimitExceededException"


TLS = {"mode": "STRICT", "certificate": {"file": {"certificateChain": "/c", "privateKey": "/k"}}}
CHECK = {
    "protocol": "http",
    "healthyThreshold": 2,
    "intervalMillis": 5000,
    "timeoutMillis": 2000,
    "unhealthyThreshold": 2,
}
SECOND = {"unit": "s", "value": 1}
TRUST = {"acm": {"certificateAuthorityArns": ["arn:aws:acm-pca:us-east-1:1:certificate-authority/a"]}}

AGES = {"unit": "s", "value": 2**40}
OUTLIERS = {"maxServerErrors": 1, "maxEjectionPercent": 1, "interval": SECOND, "baseEjectionDuration": SECOND}

NODES: dict[str, dict[str, Any]] = {
    "trust in a private CA": {"backendDefaults": {"clientPolicy": {"tls": {"validation": {"trust": TRUST}}}}},
    "listeners without service discovery": {"serviceDiscovery": None},
    "two listeners on one port": {"listeners": [listen(1), listen(1, "tcp")]},
    "the pool of another protocol": {"listeners": [listen(1, connectionPool={"tcp": {"maxConnections": 1}})]},
    "the timeout of another protocol": {"listeners": [listen(1, timeout={"tcp": {"idle": SECOND}})]},
    "half a duration": {"listeners": [listen(1, timeout={"http": {"idle": {"unit": "s"}}})]},
    "a health check of another port": {"listeners": [listen(1, healthCheck={**CHECK, "port": 2, "path": "/"})]},
    "a health check without a path": {"listeners": [listen(1, healthCheck=CHECK)]},
    "a backend twice": {"backends": [{"virtualService": {"virtualServiceName": "s"}}] * 2},
    "an interval of nothing": {
        "listeners": [listen(1, outlierDetection={**OUTLIERS, "interval": {"unit": "s", "value": 0}})]
    },
    "an interval of ages": {"listeners": [listen(1, outlierDetection={**OUTLIERS, "interval": AGES})]},
    "errors without end": {"listeners": [listen(1, outlierDetection={**OUTLIERS, "maxServerErrors": 2**40})]},
    "a timeout of ages": {"listeners": [listen(1, timeout={"http": {"idle": AGES}})]},
    "a health check of gRPC over HTTP/1": {"listeners": [listen(1, healthCheck={**CHECK, "protocol": "grpc"})]},
    "a health check of two lines": {"listeners": [listen(1, healthCheck={**CHECK, "path": "/\n"})]},
    "a secret without a name": {
        "listeners": [listen(1, tls={"mode": "STRICT", "certificate": {"sds": {"secretName": ""}}})]
    },
}


@pytest.mark.parametrize("change", NODES.values(), ids=NODES)
def test_nodes_that_make_no_sense(cloud: MeshCloud, change: dict[str, Any]) -> None:
    spec = {"listeners": [listen(1)], "serviceDiscovery": {"dns": {"hostname": "x"}}, **change}
    given = {name: value for name, value in spec.items() if value is not None}
    call = cloud.api.create_virtual_node
    assert code_of(call, meshName="m", virtualNodeName="n", spec=given) == "BadRequestException"


def test_names_have_letters_digits_hyphens_and_underscores(cloud: MeshCloud) -> None:
    assert code_of(cloud.create_node, "a.b") == "BadRequestException"
    cloud.create_service("a.b-c.local")


ROUTES: dict[str, dict[str, Any]] = {
    "no type": {},
    "two types": {"httpRoute": route_to("n"), "http2Route": route_to("n")},
    "TCP on a listener of HTTP": {"tcpRoute": {"action": route_to("n")["action"]}},
    "a port that the router does not have": {"httpRoute": route_to("n", match={"prefix": "/", "port": 1})},
    "a prefix without a slash": {"httpRoute": route_to("n", match={"prefix": "x"})},
    "a prefix and a path": {"httpRoute": route_to("n", match={"prefix": "/", "path": {"exact": "/"}})},
    "two paths": {"httpRoute": route_to("n", match={"path": {"exact": "/", "regex": "/"}})},
    "a scheme for HTTP/1": {"httpRoute": route_to("n", match={"prefix": "/", "scheme": "http"})},
    "an empty range": {
        "httpRoute": route_to(
            "n", match={"prefix": "/", "headers": [{"name": "h", "match": {"range": {"start": 2, "end": 2}}}]}
        )
    },
    "retries without events": {
        "httpRoute": route_to("n", retryPolicy={"maxRetries": 1, "perRetryTimeout": {"unit": "s", "value": 1}})
    },
    "retries without end": {
        "httpRoute": route_to(
            "n", retryPolicy={"maxRetries": 2**40, "perRetryTimeout": SECOND, "httpRetryEvents": ["server-error"]}
        )
    },
    "a header of two words": {"httpRoute": route_to("n", match={"prefix": "/", "headers": [{"name": "a b"}]})},
    "a header of two lines": {
        "httpRoute": route_to("n", match={"prefix": "/", "headers": [{"name": "a", "match": {"exact": "x\ny"}}]})
    },
    "a parameter without a name": {
        "httpRoute": route_to("n", match={"prefix": "/", "queryParameters": [{"name": ""}]})
    },
    "an unknown event": {
        "httpRoute": route_to(
            "n", retryPolicy={"maxRetries": 1, "perRetryTimeout": SECOND, "httpRetryEvents": ["teapot"]}
        )
    },
    "a method without a service": {"grpcRoute": route_to("n", match={"methodName": "x"})},
    "the same target twice": {"httpRoute": route_to("n", "n")},
    "a target's port that is not there": {
        "httpRoute": {
            "match": {"prefix": "/"},
            "action": {"weightedTargets": [{"virtualNode": "n", "weight": 1, "port": 1}]},
        }
    },
    "too much weight": {
        "httpRoute": {
            "match": {"prefix": "/"},
            "action": {"weightedTargets": [{"virtualNode": "n", "weight": 99}, {"virtualNode": "n2", "weight": 99}]},
        }
    },
}


@pytest.mark.parametrize("spec", ROUTES.values(), ids=ROUTES)
def test_routes_that_make_no_sense(cloud: MeshCloud, spec: dict[str, Any]) -> None:
    cloud.create_router()
    for name in ("n", "n2"):
        cloud.create_node(name, listen(8080))
    assert code_of(cloud.create_route, **spec) == "BadRequestException"


GATEWAY_ROUTES: dict[str, dict[str, Any]] = {
    "a rewrite of two": {"prefix": {"defaultPrefix": "DISABLED"}, "path": {"exact": "/"}},
    "a path for a prefix": {"path": {"exact": "/"}},
    "no slash at the end": {"prefix": {"value": "/x"}},
    "two prefixes": {"prefix": {"value": "/x/", "defaultPrefix": "DISABLED"}},
}


@pytest.mark.parametrize("rewrite", GATEWAY_ROUTES.values(), ids=GATEWAY_ROUTES)
def test_rewrites_that_make_no_sense(cloud: MeshCloud, rewrite: dict[str, Any]) -> None:
    cloud.create_gateway()
    cloud.create_service("s")
    route = go_to("s")
    route["action"]["rewrite"] = rewrite
    assert code_of(cloud.create_gateway_route, httpRoute=route) == "BadRequestException"


def test_with_several_listeners_ports_must_be_named(cloud: MeshCloud) -> None:
    cloud.create_node("n", listen(8080), listen(9090))
    cloud.create_router("r", listen(80), listen(81))
    assert refused(cloud.create_route, httpRoute=route_to("n")) == (
        "BadRequestException",
        "Route must define a port match criteria if the Virtual Router has multiple listeners",
    )
    match = {"prefix": "/", "port": 80}
    assert code_of(cloud.create_route, httpRoute=route_to("n", match=match)) == "BadRequestException"
    targets = [{"virtualNode": "n", "weight": 1, "port": 8080}]
    cloud.create_route(httpRoute={"match": match, "action": {"weightedTargets": targets}})
    spec = {"listeners": [listen(81)]}
    assert code_of(cloud.api.update_virtual_router, meshName="m", virtualRouterName="r", spec=spec) == (
        "BadRequestException"
    )
    assert code_of(cloud.update_node, "n", listeners=[listen(9090)]) == "BadRequestException"
    cloud.create_service("s", router="r")
    cloud.create_gateway()
    assert code_of(cloud.create_gateway_route, httpRoute=go_to("s")) == "BadRequestException"
