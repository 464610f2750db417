"""Health checks that check: endpoints on real sockets, calculated ones, and alarms."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.certificates import make_pair
from tests.services.route53.zone_cloud import ZoneCloud, alias, fails, record
from tests.standing import Standing, eventually

UNKNOWN = "12345678-1234-1234-1234-123456789012"


@dataclass
class Endpoint:
    """A server whose answers a test chooses."""

    status: int = 200
    body: bytes = b"all is well"
    requests: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    yield from serve(Endpoint())


@pytest.fixture
def other() -> Iterator[Endpoint]:
    yield from serve(Endpoint())


def serve(made: Endpoint, context: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.requests.append((self.path, self.headers["Host"]))
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(made.body)))
            self.end_headers()
            self.wfile.write(made.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_port
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


class HealthCloud(ZoneCloud):
    """Route 53 of an account where a test moves the clock."""

    def __init__(self, aws: Aws, standing: Standing) -> None:
        super().__init__(aws)
        self.standing = standing

    def check(self, **config: Any) -> str:
        """Create a health check; return its id."""
        made = self.route53.create_health_check(CallerReference=self.make_reference(), HealthCheckConfig=config)
        identifier: str = made["HealthCheck"]["Id"]
        return identifier

    def check_http(self, endpoint: Endpoint, **more: Any) -> str:
        config = {"Type": "HTTP", "IPAddress": "127.0.0.1", "Port": endpoint.port, "RequestInterval": 10, **more}
        return self.check(**{"FailureThreshold": 1, **config})

    def get_report(self, check: str) -> tuple[str, float]:
        """Return what was found last, and when; nothing before that."""
        found = self.route53.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
        if not found:
            return "", 0
        return found[0]["StatusReport"]["Status"], found[0]["StatusReport"]["CheckedTime"].timestamp()

    def ask_later(self, zone: str, name: str) -> list[str]:
        """Return what is answered a while later."""
        self.standing.advance("10s")
        return self.ask(zone, name)

    def wait_for(self, check: str, start: str) -> str:
        """Wait until a report begins with a text, as time goes on; return it."""

        def look() -> str:
            self.standing.advance("10s")
            return self.get_report(check)[0]

        return eventually(look, lambda report: report.startswith(start))


@pytest.fixture
def cloud(standing: Standing) -> HealthCloud:
    return HealthCloud(standing.account(), standing)


@pytest.fixture
def zone(cloud: HealthCloud) -> str:
    return cloud.create_zone()


def test_a_health_check_is_created_shown_and_deleted(cloud: HealthCloud) -> None:
    config = {"Type": "HTTP", "IPAddress": "192.0.2.1", "ResourcePath": "/up"}
    made = cloud.route53.create_health_check(CallerReference="one", HealthCheckConfig=config)["HealthCheck"]
    assert made["HealthCheckConfig"] == {
        **config,
        "Port": 80,
        "RequestInterval": 30,
        "FailureThreshold": 3,
        "MeasureLatency": False,
        "Inverted": False,
        "Disabled": False,
    }
    again = cloud.route53.create_health_check(CallerReference="one", HealthCheckConfig=config)["HealthCheck"]
    assert again["Id"] == made["Id"]
    changed = {**config, "IPAddress": "192.0.2.2"}
    fails(
        "HealthCheckAlreadyExists", cloud.route53.create_health_check, CallerReference="one", HealthCheckConfig=changed
    )
    assert cloud.route53.get_health_check_count()["HealthCheckCount"] == 1
    assert [each["Id"] for each in cloud.route53.list_health_checks()["HealthChecks"]] == [made["Id"]]
    cloud.route53.delete_health_check(HealthCheckId=made["Id"])
    fails("NoSuchHealthCheck", cloud.route53.get_health_check, HealthCheckId=made["Id"])


INVALID: dict[str, dict[str, Any]] = {
    "nobody": {"Type": "HTTP"},
    "TCP without a port": {"Type": "TCP", "IPAddress": "192.0.2.1"},
    "no string": {"Type": "HTTP_STR_MATCH", "IPAddress": "192.0.2.1"},
    "a path for TCP": {"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80, "ResourcePath": "/"},
    "a path of several lines": {"Type": "HTTP", "IPAddress": "192.0.2.1", "ResourcePath": "/\r\nHost: other"},
    "another interval": {"Type": "HTTP", "IPAddress": "192.0.2.1", "RequestInterval": 20},
    "children that are not there": {"Type": "CALCULATED", "ChildHealthChecks": [UNKNOWN], "HealthThreshold": 1},
    "an alarm that is not there": {
        "Type": "CLOUDWATCH_METRIC",
        "AlarmIdentifier": {"Region": "us-east-1", "Name": "nothing"},
        "InsufficientDataHealthStatus": "Healthy",
    },
    "recovery control": {"Type": "RECOVERY_CONTROL", "RoutingControlArn": "arn:aws:x"},
}


@pytest.mark.parametrize("config", INVALID.values(), ids=INVALID)
def test_what_no_health_check_is_told(cloud: HealthCloud, config: dict[str, Any]) -> None:
    fails("InvalidInput", cloud.check, **config)


def test_an_endpoint_is_asked_again_and_again(cloud: HealthCloud, endpoint: Endpoint) -> None:
    check = cloud.check_http(endpoint, ResourcePath="/up?x=1", FullyQualifiedDomainName="shop.example")
    assert cloud.wait_for(check, "Success") == "Success: HTTP Status Code 200, OK"
    assert endpoint.requests[0] == ("/up?x=1", f"shop.example:{endpoint.port}")
    endpoint.status = 503
    assert cloud.wait_for(check, "Failure") == "Failure: HTTP Status Code 503, Service Unavailable"
    endpoint.status = 301
    assert cloud.wait_for(check, "Success") == "Success: HTTP Status Code 301, Moved Permanently"
    last = cloud.route53.get_health_check_last_failure_reason(HealthCheckId=check)["HealthCheckObservations"]
    assert last[0]["StatusReport"]["Status"] == "Failure: HTTP Status Code 503, Service Unavailable"


def test_findings_are_metrics(cloud: HealthCloud, endpoint: Endpoint) -> None:
    check = cloud.check_http(endpoint)
    cloud.wait_for(check, "Success")
    cloudwatch = cloud.aws.client("cloudwatch", region_name="us-east-1")

    def look() -> set[tuple[str, str]]:
        cloud.standing.advance("60s")
        found = cloudwatch.list_metrics(Namespace="AWS/Route53")["Metrics"]
        return {(each["MetricName"], each["Dimensions"][0]["Value"]) for each in found}

    wanted = {("HealthCheckStatus", check), ("HealthCheckPercentageHealthy", check)}
    eventually(look, lambda found: found == wanted)


def test_a_string_is_looked_for(cloud: HealthCloud, endpoint: Endpoint) -> None:
    check = cloud.check_http(endpoint, Type="HTTP_STR_MATCH", SearchString="is well")
    assert cloud.wait_for(check, "Success").endswith("String matched")
    endpoint.body = b"x" * 5120 + b"is well"
    assert "was not found" in cloud.wait_for(check, "Failure")


def test_connections(cloud: HealthCloud, endpoint: Endpoint) -> None:
    check = cloud.check_http(endpoint, Type="TCP")
    assert cloud.wait_for(check, "Success") == "Success: Connection established"
    refused = cloud.check(Type="TCP", IPAddress="127.0.0.1", Port=1, FailureThreshold=1)
    assert "Connection failed" in cloud.wait_for(refused, "Failure")


def test_certificates_are_not_verified(cloud: HealthCloud, tmp_path: Path) -> None:
    pair = make_pair("nobody.example")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(pair.body)
    key.write_bytes(pair.private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    names: list[str | None] = []
    context.sni_callback = lambda connection, name, context: names.append(name)
    for endpoint in serve(Endpoint(), context):
        check = cloud.check_http(endpoint, Type="HTTPS", FullyQualifiedDomainName="shop.example")
        assert cloud.wait_for(check, "Success") == "Success: HTTP Status Code 200, OK"
        assert set(names) == {"shop.example"}


def test_names_of_our_own_zones_are_found(cloud: HealthCloud, endpoint: Endpoint) -> None:
    zone = cloud.create_zone(f"{cloud.account}.example")
    cloud.create(zone, record(f"up.{cloud.account}.example", "A", "127.0.0.1"))
    name = f"up.{cloud.account}.example"
    check = cloud.check(Type="HTTP", FullyQualifiedDomainName=name, Port=endpoint.port, FailureThreshold=1)
    cloud.wait_for(check, "Success")


def test_several_failures_in_a_row_make_it_unhealthy(cloud: HealthCloud, zone: str, endpoint: Endpoint) -> None:
    endpoint.status = 500
    check = cloud.check_http(endpoint, FailureThreshold=3)
    make_failover(cloud, zone, check)
    cloud.wait_for(check, "Failure")
    eventually(lambda: cloud.ask_later(zone, "f.example.com"), lambda found: found == ["192.0.2.2"])
    assert len(endpoint.requests) >= 3


def make_failover(cloud: HealthCloud, zone: str, check: str) -> None:
    """Create two records of which the first has a health check."""
    primary: dict[str, Any] = {"SetIdentifier": "one", "Failover": "PRIMARY", "HealthCheckId": check}
    cloud.create(
        zone,
        record("f.example.com", "A", "192.0.2.1", **primary),
        record("f.example.com", "A", "192.0.2.2", SetIdentifier="two", Failover="SECONDARY"),
    )


def test_answers_follow_health(cloud: HealthCloud, zone: str, endpoint: Endpoint) -> None:
    check = cloud.check_http(endpoint)
    make_failover(cloud, zone, check)
    cloud.create(zone, alias("www.example.com", "A", zone, "f.example.com", evaluates=True))
    assert cloud.ask(zone, "f.example.com") == ["192.0.2.1"]
    endpoint.status = 500
    cloud.wait_for(check, "Failure")
    assert cloud.ask(zone, "f.example.com") == ["192.0.2.2"]
    assert cloud.ask(zone, "www.example.com") == ["192.0.2.2"]
    cloud.route53.update_health_check(HealthCheckId=check, Disabled=True)
    eventually(lambda: cloud.ask(zone, "f.example.com"), lambda found: found == ["192.0.2.1"])
    cloud.route53.update_health_check(HealthCheckId=check, Inverted=True)
    eventually(lambda: cloud.ask(zone, "f.example.com"), lambda found: found == ["192.0.2.2"])


def test_a_calculated_check_counts_its_children(
    cloud: HealthCloud, zone: str, endpoint: Endpoint, other: Endpoint
) -> None:
    children = [cloud.check_http(endpoint), cloud.check_http(other)]
    check = cloud.check(Type="CALCULATED", ChildHealthChecks=children, HealthThreshold=2)
    make_failover(cloud, zone, check)
    assert cloud.ask(zone, "f.example.com") == ["192.0.2.1"]
    other.status = 500
    cloud.wait_for(children[1], "Failure")
    eventually(lambda: cloud.ask(zone, "f.example.com"), lambda found: found == ["192.0.2.2"])
    cloud.route53.update_health_check(HealthCheckId=check, HealthThreshold=1)
    eventually(lambda: cloud.ask(zone, "f.example.com"), lambda found: found == ["192.0.2.1"])
    fails("InvalidInput", cloud.route53.get_health_check_status, HealthCheckId=check)
    fails("InvalidInput", cloud.check, Type="CALCULATED", ChildHealthChecks=[check], HealthThreshold=1)


def test_an_alarm_is_followed(cloud: HealthCloud, zone: str) -> None:
    cloudwatch = cloud.aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="slow",
        Namespace="Shop",
        MetricName="Latency",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    named = {"Region": "us-east-1", "Name": "slow"}
    check = cloud.check(Type="CLOUDWATCH_METRIC", AlarmIdentifier=named, InsufficientDataHealthStatus="LastKnownStatus")
    shown = cloud.route53.get_health_check(HealthCheckId=check)["HealthCheck"]["CloudWatchAlarmConfiguration"]
    assert (shown["MetricName"], shown["Threshold"]) == ("Latency", 1)
    make_failover(cloud, zone, check)
    for state, address in (("ALARM", "192.0.2.2"), ("OK", "192.0.2.1")):
        cloudwatch.set_alarm_state(AlarmName="slow", StateValue=state, StateReason="a test")
        eventually(
            lambda: cloud.ask_later(zone, "f.example.com"),
            lambda found, address=address: found == [address],
        )


def test_an_update_has_a_version(cloud: HealthCloud, endpoint: Endpoint) -> None:
    check = cloud.check_http(endpoint, ResourcePath="/up", FullyQualifiedDomainName="shop.example")
    changed = cloud.route53.update_health_check(HealthCheckId=check, FailureThreshold=5, HealthCheckVersion=1)
    assert changed["HealthCheck"]["HealthCheckVersion"] == 2
    assert changed["HealthCheck"]["HealthCheckConfig"]["FailureThreshold"] == 5
    fails("HealthCheckVersionMismatch", cloud.route53.update_health_check, HealthCheckId=check, HealthCheckVersion=1)
    reset = cloud.route53.update_health_check(HealthCheckId=check, ResetElements=["ResourcePath"])
    assert "ResourcePath" not in reset["HealthCheck"]["HealthCheckConfig"]
    fails("NoSuchHealthCheck", cloud.route53.update_health_check, HealthCheckId=UNKNOWN)


def test_the_addresses_of_checkers(cloud: HealthCloud) -> None:
    assert cloud.route53.get_checker_ip_ranges()["CheckerIpRanges"] == ["127.0.0.1/32", "::1/128"]


def test_tags_of_health_checks(cloud: HealthCloud, endpoint: Endpoint) -> None:
    told = {"ResourceType": "healthcheck", "ResourceId": cloud.check_http(endpoint)}
    cloud.route53.change_tags_for_resource(**told, AddTags=[{"Key": "Name", "Value": "shop"}])
    assert cloud.route53.list_tags_for_resource(**told)["ResourceTagSet"]["Tags"][0]["Value"] == "shop"
    unknown = {**told, "ResourceId": UNKNOWN}
    fails("NoSuchHealthCheck", cloud.route53.list_tags_for_resource, **unknown)
