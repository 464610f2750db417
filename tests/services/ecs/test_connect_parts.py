"""Parts of Service Connect: the weights of tasks, the configuration of proxies, and what they count."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from cloudlet.engines.envoy.protobuf_messages import encode
from cloudlet.engines.envoy.snapshot import Kind
from cloudlet.engines.envoy.statistics import Statistics, parse
from cloudlet.services.ecs.connect_record import AccessLog, ConnectEndpoint, ConnectPort, TaskConnect
from cloudlet.services.ecs.connect_targets import Destination, Target, find_parts
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.running.connect_listeners import list_fields
from cloudlet.services.ecs.running.connect_measuring import Measurement, compare
from cloudlet.services.ecs.running.connect_snapshot import make_snapshot, write_rules
from cloudlet.services.ecs.service_record import Deployment, Revision, Service
from cloudlet.services.ecs.task_record import Task

WEB = ConnectPort("web", 8080, "http", "shop", 80, ingress_override=99, test_header="x-try", test_value="new")
OLD, NEW, FAILED = (Revision(name, 0.0, {}) for name in ("old", "new", "failed"))


def make_task(name: str, starter: str) -> Task:
    return Task("1", "us-east-1", "default", name, "web", 1, 0.0, [], "awsvpc", started_by=starter)


def make_service(**operation: Any) -> tuple[Service, ServiceDeployment]:
    """Return a service with a deployment of the new revision under way."""
    deployments = [Deployment(each.id, each, 0.0, 0.0) for each in (NEW, OLD, FAILED)]
    service = Service("1", "us-east-1", "default", "web", 0.0, "", 2, "REPLICA", "ECS", {}, deployments)
    made = ServiceDeployment("1", 0.0, 0.0, "new", "new", ["old"], {"strategy": "CANARY"}, **operation)
    return replace(service, last_completed=OLD), made


TASKS = [make_task("a", "old"), make_task("b", "old"), make_task("c", "new"), make_task("d", "failed")]


@pytest.mark.parametrize(
    ("shift", "production", "test"),
    [
        ({}, {"a": 1, "b": 1}, {"a": 1, "b": 1}),
        ({"test_percent": 100.0}, {"a": 1, "b": 1}, {"c": 1}),
        ({"test_percent": 100.0, "production_percent": 10.5}, {"c": 10500, "a": 44750, "b": 44750}, {"c": 1}),
        ({"test_percent": 100.0, "production_percent": 100.0}, {"c": 1}, {"c": 1}),
    ],
)
def test_tasks_have_the_traffic_of_their_revision(
    shift: dict[str, float], production: dict[str, int], test: dict[str, int]
) -> None:
    service, operation = make_service(**shift)
    assert find_parts(service, operation, TASKS) == (production, test)
    rolling = replace(operation, configuration={"strategy": "ROLLING"})
    assert find_parts(service, rolling, TASKS).production == dict.fromkeys("abcd", 1)


def test_others_take_over_where_nobody_is_left() -> None:
    service, operation = make_service(production_percent=50.0)
    assert find_parts(service, operation, TASKS[2:3]).production == {"c": 1}
    assert find_parts(service, operation, TASKS[3:]).production == {"d": 1}
    assert find_parts(service, operation, []) == ({}, {})


@pytest.mark.parametrize("protocol", ["http", "http2", "grpc", ""])
@pytest.mark.parametrize("form", ["TEXT", "JSON"])
def test_a_proxy_gets_what_envoy_understands(protocol: str, form: str) -> None:
    port = replace(WEB, protocol=protocol)
    old = ConnectEndpoint("127.255.0.1", replace(port, request_seconds=1))
    connect = TaskConnect(
        "internal", [old], access_log=AccessLog(form), ports=[port, replace(port, discovery_name="x")]
    )
    targets = [Target("10.0.0.1", 99, 2), Target("10.0.0.2", 99)]
    made = make_snapshot(connect, {"web": Destination(port, targets, targets[:1])})
    for kind in Kind:
        for resource in made.get(kind).values():
            encode(kind, resource)
    assert set(made.listeners) == {"127.255.0.1:80", "in:99"}
    assert set(made.clusters) == {"out.web", "in.web", *(["test.web"] if protocol else [])}
    assert all(each["circuit_breakers"] for each in made.clusters.values())
    # What the service wants by now holds, not what it was when the task was started.
    assert "'timeout': '1s'" not in str(made.listeners)
    assert "text_format_source" in str(made.listeners) if form == "TEXT" else "json_format" in str(made.listeners)


def test_what_is_for_a_proxy_is_led_there() -> None:
    connect = TaskConnect("internal", [ConnectEndpoint("127.255.0.1", WEB)], ports=[WEB])
    rules = write_rules(connect)
    assert "ip daddr 127.255.0.1 tcp dport 80 dnat to 127.0.0.1:15100" in rules
    assert "tcp dport 99 redirect to :15000" in rules


def test_queries_are_written_down_where_that_is_wanted() -> None:
    assert list_fields("http", has_queries=True)["path"] == "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"
    assert list_fields("http", has_queries=False)["path"] == "%PATH(NQ)%"
    assert list(list_fields("grpc", has_queries=False).values())[-1] == '"%STREAM_ID%"'
    assert "grpc_status" in list_fields("grpc", has_queries=False)


def test_metrics_are_what_was_counted_since_the_last_time() -> None:
    time = {"lower_bound": 100, "width": 10, "count": 3}
    answer = {
        "stats": [
            {"name": "http.in.web.downstream_rq_total", "value": 12},
            {"name": "http.in.web.downstream_cx_active", "value": 2},
            {"name": "tcp.in.db.downstream_cx_total", "value": 1},
            {"name": "cluster.out.web.upstream_rq_5xx", "value": 4},
            {"histograms": {"details": [{"name": "cluster.test.web.upstream_rq_time", "totals": [time]}]}},
        ]
    }
    before = Statistics(Counter({"http.in.web.downstream_rq_total": 10, "tcp.in.db.downstream_cx_total": 5}))
    assert list(compare(before, parse(json.dumps(answer).encode()), {"web"})) == [
        Measurement("RequestCount", "Count", "DiscoveryName", "web", 2),
        Measurement("GrpcRequestCount", "Count", "DiscoveryName", "web", 2),
        Measurement("ActiveConnectionCount", "Count", "DiscoveryName", "web", 2),
        # It was started again.
        Measurement("NewConnectionCount", "Count", "DiscoveryName", "db", 1),
        Measurement("HTTPCode_Target_5XX_Count", "Count", "TargetDiscoveryName", "web", 4),
        Measurement("TargetResponseTime", "Milliseconds", "TargetDiscoveryName", "web", 105, 3),
    ]
