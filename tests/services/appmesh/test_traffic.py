"""Traffic through real Envoys: what AWS's examples of App Mesh show, counted."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from cloudlet.services.appmesh.proxy.outbound import EGRESS_PORT
from tests.modes import meaningless_in
from tests.services.appmesh.envoys import Envoys, request
from tests.services.appmesh.grpc_calls import GrpcApplication, call_grpc
from tests.services.appmesh.mesh_cloud import MeshCloud, go_to, listen, route_to
from tests.standing import eventually


def test_traffic_is_split_by_weights(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, colorapp: a canary gets a tenth of the requests, and then all of them."""
    for color in ("blue", "green"):
        envoys.add_node(color, listen(8080))
    cloud.create_router("r", listen(80))
    weights = [{"virtualNode": "blue", "weight": 9}, {"virtualNode": "green", "weight": 1}]
    match = {"prefix": "/"}
    cloud.create_route(httpRoute={"match": match, "action": {"weightedTargets": weights}})
    cloud.create_service("color.local", router="r")
    envoys.add_client("color.local")
    counted = envoys.count("color.local", 200)
    assert counted["blue"] + counted["green"] == 200
    assert 5 <= counted["green"] <= 45
    cloud.update_route(httpRoute=route_to("green"))
    started = time.monotonic()
    eventually(lambda: envoys.count("color.local:80", 20), lambda counted: counted == {"green": 20})
    assert time.monotonic() - started < 2


@meaningless_in("strict", "replicas", because="a process tells in open mode alone of its own Envoys")
def test_the_service_shows_its_envoys(cloud: MeshCloud, envoys: Envoys) -> None:
    cloud.create_node("n")
    envoys.start("virtualNode/n")
    own = f":{cloud.account}:mesh/m/virtualNode/n@"
    shown = eventually(
        lambda: [each for each in envoys.show()["envoys"] if own in each["id"]], lambda found: found[0]["isApplied"]
    )
    assert shown[0]["refusals"] == {}


def test_a_change_takes_effect_at_once(cloud: MeshCloud, envoys: Envoys) -> None:
    """Fewer than 50 ms from the answer of the API to the first request that goes elsewhere."""
    for color in ("blue", "green"):
        envoys.add_node(color, listen(8080))
    cloud.create_router("r", listen(80))
    cloud.create_route(httpRoute=route_to("blue"))
    cloud.create_service("color.local", router="r")
    envoys.add_client("color.local")
    took = []
    for color in ("green", "blue", "green", "blue", "green"):
        cloud.update_route(httpRoute=route_to(color))
        started = time.monotonic()
        while envoys.call("color.local").body != color:
            assert time.monotonic() - started < 5
        took.append(time.monotonic() - started)
    # On a busy machine requests themselves take longer.
    assert min(took) < 0.05


def test_requests_are_retried(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-http-retries."""
    blue = envoys.add_node("blue", listen(8080))
    cloud.create_router("r", listen(80))
    retries = {
        "maxRetries": 4,
        "perRetryTimeout": {"unit": "s", "value": 2},
        "httpRetryEvents": ["server-error"],
        "tcpRetryEvents": ["connection-error"],
    }
    cloud.create_route(httpRoute=route_to("blue", retryPolicy=retries))
    cloud.create_service("color.local", router="r")
    envoys.add_client("color.local")
    blue.failures = 4
    assert envoys.call("color.local").status == 200
    assert len(blue.paths) == 5
    no_retries = {"maxRetries": 0, "perRetryTimeout": {"unit": "s", "value": 2}, "httpRetryEvents": ["client-error"]}
    cloud.update_route(httpRoute=route_to("blue", retryPolicy=no_retries))
    blue.status = 503
    eventually(lambda: envoys.call("color.local").status, lambda status: status == 503)
    before = len(blue.paths)
    assert envoys.call("color.local").status == 503
    assert len(blue.paths) == before + 1


def test_there_are_two_retries_by_default(cloud: MeshCloud, envoys: Envoys) -> None:
    """Envoy defaults set by App Mesh: 503 is retried twice, also for a virtual node as provider."""
    blue = envoys.add_node("blue", listen(8080))
    cloud.create_service("color.local", node="blue")
    envoys.add_client("color.local")
    blue.failures = 2
    assert envoys.call("color.local").status == 200
    blue.failures = 3
    assert envoys.call("color.local").status == 503
    assert len(blue.paths) == 6
    blue.status = 500
    assert envoys.call("color.local").status == 500
    assert len(blue.paths) == 7


def test_requests_time_out(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-timeout-policy: 504 by the route, and by the virtual node's own listener."""
    blue = envoys.add_node("blue", listen(8080))
    cloud.create_router("r", listen(80))
    limit = {"perRequest": {"unit": "ms", "value": 150}}
    cloud.create_route(httpRoute=route_to("blue", timeout=limit))
    cloud.create_service("color.local", router="r")
    envoys.add_client("color.local")
    assert envoys.call("color.local").status == 200
    blue.delay = lambda: time.sleep(0.4)
    assert envoys.call("color.local").status == 504
    cloud.update_route(httpRoute=route_to("blue"))
    eventually(lambda: envoys.call("color.local").status, lambda status: status == 200)
    cloud.update_node("blue", listeners=[listen(8080, timeout={"http": limit})])
    eventually(lambda: envoys.call("color.local").status, lambda status: status == 504)


ROUTES: dict[str, dict[str, Any]] = {
    "exact": {"path": {"exact": "/exact"}},
    # Envoy by itself takes no regular expression of more than some hundred characters.
    "regex": {"path": {"regex": f"/regex/(?:{'x' * 200}|[0-9]+)"}},
    "prefix": {"prefix": "/prefix"},
    "method": {"prefix": "/", "method": "POST"},
    "header": {"prefix": "/", "headers": [{"name": "Version", "match": {"range": {"start": 5, "end": 9}}}]},
    "suffix": {"prefix": "/", "headers": [{"name": "x", "match": {"suffix": "end"}}]},
    "present": {"prefix": "/", "headers": [{"name": "y"}]},
    "query": {"prefix": "/q", "queryParameters": [{"name": "a", "match": {"exact": "1"}}]},
}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "/exact": ("exact", {}),
    "/exact?x=1": ("exact", {}),
    "/exacter": ("rest", {}),
    "/regex/12": ("regex", {}),
    "/regex/x": ("rest", {}),
    "/prefixed": ("prefix", {}),
    "/a": ("method", {"method": "POST"}),
    "/b": ("header", {"headers": {"version": "8"}}),
    "/c": ("rest", {"headers": {"version": "9"}}),
    "/d": ("suffix", {"headers": {"x": "the end"}}),
    "/e": ("present", {"headers": {"y": ""}}),
    "/q?a=1": ("query", {}),
    "/q?a=2": ("rest", {}),
}


def test_routes_match_requests(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-http-headers, and all other matches of a request."""
    cloud.create_router("r", listen(80))
    address = envoys.pick_address()
    port = 9000
    for number, (name, match) in enumerate({**ROUTES, "rest": {"prefix": "/"}}.items()):
        cloud.create_node(name, listen(port + number), host=address)
        envoys.serve(name, address, port + number)
        cloud.create_route(name, priority=number, httpRoute=route_to(name, match=match))
    cloud.create_service("s.local", router="r")
    envoys.add_client("s.local")
    got = {path: envoys.call("s.local", path, **more).body for path, (_, more) in REQUESTS.items()}
    assert got == {path: name for path, (name, _) in REQUESTS.items()}


def test_a_gateway_lets_requests_in(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-match-and-rewrite-at-ingress."""
    red = envoys.add_node("red", listen(8080))
    yellow = envoys.add_node("yellow", listen(8080))
    cloud.create_router("r", listen(8080))
    cloud.create_route(httpRoute=route_to("red", match={"prefix": "/tell"}))
    cloud.create_service("red.local", router="r")
    cloud.create_service("yellow.local", node="yellow")
    check = {
        "protocol": "http",
        "path": "/red/tell/health",
        "healthyThreshold": 2,
        "intervalMillis": 5000,
        "timeoutMillis": 2000,
        "unhealthyThreshold": 2,
    }
    cloud.create_gateway("g", listen(8088, healthCheck=check))
    cloud.create_gateway_route("red", httpRoute=go_to("red.local", prefix="/red"))
    hostname = {"hostname": {"exact": "www.example.com"}, "prefix": "/"}
    cloud.create_gateway_route("host", httpRoute=go_to("yellow.local", **hostname))
    cloud.create_gateway_route("suffix", httpRoute=go_to("yellow.local", hostname={"suffix": ".example.org"}))
    path = go_to("yellow.local", path={"exact": "/from"})
    path["action"]["rewrite"] = {"path": {"exact": "/to"}}
    cloud.create_gateway_route("path", httpRoute=path)
    maroon = go_to("yellow.local", prefix="/maroon/", queryParameters=[{"name": "fishes", "match": {"exact": "nemo"}}])
    maroon["action"]["rewrite"] = {"prefix": {"value": "/red/"}, "hostname": {"defaultTargetHostname": "DISABLED"}}
    cloud.create_gateway_route("maroon", httpRoute=maroon)
    kept = go_to("yellow.local", prefix="/kept/")
    kept["action"]["rewrite"] = {"prefix": {"defaultPrefix": "DISABLED"}}
    cloud.create_gateway_route("kept", httpRoute=kept)
    address = envoys.start("virtualGateway/g")

    def ask(path: str, host: str = "localhost") -> tuple[int, str]:
        answer = request(address, 8088, host, path)
        return answer.status, answer.body

    assert ask("/red/tell") == (200, "red")
    assert (red.paths[-1], red.headers[-1]["host"]) == ("/tell", "red.local")
    assert "x-appmesh-target" not in red.headers[-1]
    assert ask("/red/other")[0] == 404
    assert ask("/nothing")[0] == 404
    assert ask("/", "www.example.com:8088") == (200, "yellow")
    assert ask("/", "a.example.org") == (200, "yellow")
    assert ask("/from?x=1") == (200, "yellow")
    assert yellow.paths[-1] == "/to?x=1"
    assert ask("/maroon/tell?fishes=nemo", "own.example") == (200, "yellow")
    assert (yellow.paths[-1], yellow.headers[-1]["host"]) == ("/red/tell?fishes=nemo", "own.example")
    assert ask("/maroon/tell?fishes=dory")[0] == 404
    assert ask("/kept/x") == (200, "yellow")
    assert yellow.paths[-1] == "/kept/x"
    # Its own Envoy checks its health, by gateway routes.
    checks = "cds_ingress_m_g_health_http_8088.health_check.attempt"
    eventually(lambda: envoys.read_stats(envoys.started, checks), lambda found: any(found.values()))


def test_cloud_map_is_followed(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-servicediscovery-cloudmap: by attributes of instances, as they come and go."""
    found: Any = cloud.aws.client("servicediscovery")
    operation = found.create_http_namespace(Name="shop")["OperationId"]
    done = eventually(
        lambda: found.get_operation(OperationId=operation)["Operation"], lambda each: each["Status"] == "SUCCESS"
    )
    service = found.create_service(Name="color", NamespaceId=done["Targets"]["NAMESPACE"])["Service"]["Id"]
    one, two = envoys.pick_address(), envoys.pick_address()
    envoys.serve("one", one)
    envoys.serve("two", two)
    discovery = {
        "awsCloudMap": {
            "namespaceName": "shop",
            "serviceName": "color",
            "attributes": [{"key": "stage", "value": "live"}],
        }
    }
    cloud.create_node("blue", listen(8080), serviceDiscovery=discovery)
    cloud.create_service("color.local", node="blue")
    envoys.add_client("color.local")
    assert envoys.call("color.local").status == 503

    def register(name: str, address: str, stage: str) -> None:
        attributes = {"AWS_INSTANCE_IPV4": address, "stage": stage}
        found.register_instance(ServiceId=service, InstanceId=name, Attributes=attributes)

    register("one", one, "live")
    register("other", "127.0.0.1", "test")
    envoys.expect("color.local", "one")
    register("two", two, "live")
    envoys.expect("color.local", "two")
    assert set(envoys.count("color.local", 10)) == {"one", "two"}
    found.deregister_instance(ServiceId=service, InstanceId="one")
    eventually(lambda: set(envoys.count("color.local", 6)), lambda names: names == {"two"})


def test_connections_of_tcp_are_passed_on(cloud: MeshCloud, envoys: Envoys) -> None:
    address, application = envoys.pick_address(), envoys.pick_address()
    cloud.create_node("db", listen(3306, "tcp"), host=address)
    envoys.start("virtualNode/db", address, application)
    with socket.create_server((application, 3306)) as server:
        server.settimeout(10)
        with socket.create_connection((address, 3306), timeout=10) as client:
            inner, _ = server.accept()
            with inner:
                inner.sendall(b"hello")
                assert client.recv(5) == b"hello"


def test_a_failing_host_is_ejected(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-outlier-detection."""
    found: Any = cloud.aws.client("servicediscovery")
    operation = found.create_http_namespace(Name="out")["OperationId"]
    done = eventually(
        lambda: found.get_operation(OperationId=operation)["Operation"], lambda each: each["Status"] == "SUCCESS"
    )
    service = found.create_service(Name="color", NamespaceId=done["Targets"]["NAMESPACE"])["Service"]["Id"]
    applications = []
    for name in ("good", "bad"):
        address = envoys.pick_address()
        applications.append(envoys.serve(name, address))
        found.register_instance(ServiceId=service, InstanceId=name, Attributes={"AWS_INSTANCE_IPV4": address})
    applications[1].status = 500
    outliers = {
        "maxServerErrors": 3,
        "interval": {"unit": "ms", "value": 100},
        "baseEjectionDuration": {"unit": "s", "value": 30},
        "maxEjectionPercent": 50,
    }
    discovery = {"awsCloudMap": {"namespaceName": "out", "serviceName": "color"}}
    cloud.create_node("color", listen(8080, outlierDetection=outliers), serviceDiscovery=discovery)
    cloud.create_service("color.local", node="color")
    envoys.add_client("color.local")
    eventually(lambda: set(envoys.count("color.local", 8)), lambda names: names == {"good"})
    assert 3 <= len(applications[1].paths) < 100


def test_requests_are_logged(cloud: MeshCloud, envoys: Envoys) -> None:
    pairs = [{"key": "path", "value": "%REQ(:PATH)%"}, {"key": "code", "value": "%RESPONSE_CODE%"}]

    def log(name: str, form: dict[str, Any]) -> dict[str, Any]:
        return {"accessLog": {"file": {"path": str(envoys.folder / name), "format": form}}}

    envoys.add_node("blue", listen(8080), logging=log("blue.log", {"json": pairs}))
    cloud.create_service("color.local", node="blue")
    envoys.add_client("color.local", logging=log("front.log", {"text": "%REQ(:PATH)% %RESPONSE_CODE%\n"}))
    envoys.call("color.local", "/x")
    written = envoys.folder / "blue.log"
    line = eventually(lambda: written.read_text() if written.exists() else "", bool)
    assert json.loads(line) == {"path": "/x", "code": 200}
    assert eventually((envoys.folder / "front.log").read_text, bool) == "/x 200\n"


def test_grpc_is_routed_by_service_and_method(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-grpc: one method goes elsewhere; UNAVAILABLE is retried."""
    address = envoys.pick_address()
    applications = {}
    for number, name in enumerate(("get", "meta", "rest")):
        cloud.create_node(name, listen(9000 + number, "grpc"), host=address)
        applications[name] = GrpcApplication(name)
        applications[name].start(address, 9000 + number)
    cloud.create_router("r", listen(80, "grpc"))
    service = "color.ColorService"
    retries = {"maxRetries": 3, "perRetryTimeout": {"unit": "s", "value": 1}, "grpcRetryEvents": ["unavailable"]}
    method = {"serviceName": service, "methodName": "GetColor"}
    cloud.create_route("get", priority=1, grpcRoute=route_to("get", match=method, retryPolicy=retries))
    metadata = {"metadata": [{"name": "stage", "match": {"prefix": "te"}}]}
    cloud.create_route("meta", priority=2, grpcRoute=route_to("meta", match=metadata))
    cloud.create_route("rest", priority=3, grpcRoute=route_to("rest", match={"serviceName": service}))
    cloud.create_service("color.local", router="r")
    front = envoys.add_client("color.local")

    def call(path: str, **headers: str) -> tuple[str, str]:
        return call_grpc(front, EGRESS_PORT, "color.local", path, headers)

    applications["get"].failures = 3
    assert call(f"/{service}/GetColor") == ("0", "get")
    assert len(applications["get"].paths) == 4
    assert call(f"/{service}/SetColor") == ("0", "rest")
    assert call(f"/{service}/SetColor", stage="test") == ("0", "meta")
    assert call("/other.Service/X") == ("12", "")


def test_a_gateway_of_grpc(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-grpc-ingress-gateway, to a virtual node behind an Envoy."""
    node, inner = envoys.pick_address(), envoys.pick_address()
    cloud.create_node("color", listen(9000, "grpc"), host=node)
    GrpcApplication("color").start(inner, 9000)
    envoys.start("virtualNode/color", node, inner)
    cloud.create_service("color.local", node="color")
    cloud.create_gateway("g", listen(8088, "grpc"))
    cloud.create_gateway_route(grpcRoute=go_to("color.local", serviceName="color.ColorService"))
    gateway = envoys.start("virtualGateway/g")
    assert call_grpc(gateway, 8088, "example.com", "/color.ColorService/GetColor") == ("0", "color")
    assert call_grpc(gateway, 8088, "example.com", "/other.Service/X") == ("12", "")


def test_all_envoys_end_up_with_the_last_change(cloud: MeshCloud, envoys: Envoys) -> None:
    """However quickly changes come one after the other, and whatever has to be looked up meanwhile."""
    cloud.create_router("r", listen(80))
    nodes = []
    for number in range(12):
        address = envoys.pick_address()
        nodes.append(f"node{number}")
        cloud.create_node(nodes[-1], listen(8080), host=address)
        envoys.serve(nodes[-1], address)
    cloud.create_route(httpRoute=route_to("node0"))
    cloud.create_service("s.local", router="r")
    clients = ("one", "two", "three")
    for client in clients:
        envoys.add_client("s.local", name=client)
    for node in nodes:
        cloud.update_route(httpRoute=route_to(node))
    for client in clients:
        envoys.expect("s.local", nodes[-1], client=client)
        assert envoys.call("s.local", client=client).status == 200
