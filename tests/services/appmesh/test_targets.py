"""The targets of requests: who is found, who is healthy, and how many may ask at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cloudlet.services.appmesh.proxy.outbound import EGRESS_PORT
from tests.services.appmesh.envoys import Application, Envoys, request
from tests.services.appmesh.grpc_calls import GrpcApplication, call_grpc
from tests.services.appmesh.mesh_cloud import MeshCloud, go_to, listen
from tests.services.route53.zone_cloud import ZoneCloud
from tests.standing import eventually


def test_names_of_private_zones_are_found(cloud: MeshCloud, envoys: Envoys) -> None:
    """By DNS, a name stands for one address, or for all that it has (responseType ENDPOINTS)."""
    zones = ZoneCloud(cloud.aws)
    zone = zones.create_zone("shop.internal", VPC=zones.make_vpc())
    addresses = [envoys.pick_address() for _ in range(2)]
    for number, address in enumerate(addresses):
        envoys.serve(f"color{number}", address)
    records = [{"Value": address} for address in addresses]
    target = {"HostedZoneId": zone, "DNSName": "all.shop.internal", "EvaluateTargetHealth": False}
    sets: list[Any] = [
        {"Name": "all.shop.internal", "Type": "A", "TTL": 1, "ResourceRecords": records},
        {"Name": "alias.shop.internal", "Type": "A", "AliasTarget": target},
        {
            "Name": "color.shop.internal",
            "Type": "CNAME",
            "TTL": 1,
            "ResourceRecords": [{"Value": "alias.shop.internal"}],
        },
    ]
    cloud.aws.client("route53").change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": each} for each in sets]},
    )
    cloud.create_node("color", listen(8080), host="color.shop.internal")
    cloud.create_service("color.local", node="color")
    envoys.add_client("color.local")
    assert len(envoys.count("color.local", 8)) == 1
    discovery = {"dns": {"hostname": "color.shop.internal", "responseType": "ENDPOINTS"}}
    cloud.update_node("color", serviceDiscovery=discovery)
    eventually(lambda: set(envoys.count("color.local", 8)), lambda names: names == {"color0", "color1"})


def test_hosts_that_fail_their_health_check_get_no_requests(cloud: MeshCloud, envoys: Envoys) -> None:
    zones = ZoneCloud(cloud.aws)
    zone = zones.create_zone("health.internal", VPC=zones.make_vpc())
    addresses = [envoys.pick_address() for _ in range(3)]
    applications = [envoys.serve(f"color{number}", address) for number, address in enumerate(addresses)]
    applications[2].status = 500
    change = {
        "Name": "color.health.internal",
        "Type": "A",
        "TTL": 1,
        "ResourceRecords": [{"Value": address} for address in addresses],
    }
    cloud.aws.client("route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": change}]}
    )
    check = {
        "protocol": "http",
        "path": "/ping",
        "healthyThreshold": 2,
        "intervalMillis": 5000,
        "timeoutMillis": 2000,
        "unhealthyThreshold": 2,
    }
    discovery = {"dns": {"hostname": "color.health.internal", "responseType": "ENDPOINTS"}}
    cloud.create_node("color", listen(8080, healthCheck=check), serviceDiscovery=discovery)
    cloud.create_service("color.local", node="color")
    envoys.add_client("color.local")
    eventually(lambda: envoys.count("color.local", 9), lambda counted: set(counted) == {"color0", "color1"})
    assert applications[2].paths.count("/ping") >= 1


def ask_at_once(application: Application, address: str, port: int, refused: int) -> list[int]:
    """Make five requests at once, of which some are refused while the application is busy; return all statuses."""
    application.delay = lambda: None
    # A connection is there: one that is being made would be waited for by all.
    assert request(address, port, "x").status == 200
    released = threading.Event()
    application.delay = lambda: released.wait(10)
    with ThreadPoolExecutor(5) as threads:
        asked = [threads.submit(request, address, port, "x") for _ in range(5)]
        eventually(lambda: sum(each.done() for each in asked), lambda done: done == refused)
        released.set()
        return sorted(each.result().status for each in asked)


def test_a_pool_limits_requests(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-circuit-breakers: one connection, and one request that waits for it."""
    pool: dict[str, Any] = {"connectionPool": {"http": {"maxConnections": 1, "maxPendingRequests": 1}}}
    blue = envoys.add_node("blue", listen(8080, **pool))
    assert ask_at_once(blue, envoys.addresses["blue"], 8080, 3) == [200, 200, 503, 503, 503]
    cloud.update_node("blue", listeners=[listen(8080)])
    cloud.create_service("color.local", node="blue")
    cloud.create_gateway("g", listen(8088, **pool))
    cloud.create_gateway_route(httpRoute=go_to("color.local"))
    gateway = envoys.start("virtualGateway/g")
    assert ask_at_once(blue, envoys.addresses["blue"], 8080, 0) == [200] * 5
    assert ask_at_once(blue, gateway, 8088, 3) == [200, 200, 503, 503, 503]


def test_a_node_has_several_listeners(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-multiple-listeners: of HTTP, HTTP/2 and gRPC, each at its own port."""
    address, application = envoys.pick_address(), envoys.pick_address()
    cloud.create_node("teller", listen(8080), listen(9090, "grpc"), host=address)
    envoys.serve("color", application, 8080)
    GrpcApplication("food").start(application, 9090)
    envoys.start("virtualNode/teller", address, application)
    cloud.create_router("r", listen(80), listen(90, "grpc"))
    targets = [[{"virtualNode": "teller", "weight": 1, "port": port}] for port in (8080, 9090)]
    http: dict[str, Any] = {"match": {"prefix": "/", "port": 80}, "action": {"weightedTargets": targets[0]}}
    grpc: dict[str, Any] = {"match": {"port": 90}, "action": {"weightedTargets": targets[1]}}
    cloud.create_route("http", httpRoute=http)
    cloud.create_route("grpc", grpcRoute=grpc)
    cloud.create_service("teller.local", router="r")
    front = envoys.add_client("teller.local")
    assert envoys.call("teller.local:80").body == "color"
    assert call_grpc(front, EGRESS_PORT, "teller.local:90", "/food.Teller/Tell") == ("0", "food")
    cloud.create_gateway("g", listen(8081), listen(8082, "grpc"))
    to_color = go_to("teller.local", prefix="/", port=8081)
    to_color["action"]["target"]["port"] = 80
    to_food = go_to("teller.local", port=8082)
    to_food["action"]["target"]["port"] = 90
    cloud.create_gateway_route("color", httpRoute=to_color)
    cloud.create_gateway_route("food", grpcRoute=to_food)
    gateway = envoys.start("virtualGateway/g")
    assert request(gateway, 8081, "x").body == "color"
    assert call_grpc(gateway, 8082, "x", "/food.Teller/Tell") == ("0", "food")
