"""Query logging: each query is a line in CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Iterator

import dns.edns
import pytest

from cloudlet.edge.instances import find
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.route53.dns_client import DnsClient
from tests.services.route53.zone_cloud import ZoneCloud, fails, record
from tests.standing import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server.start("--ephemeral", "--dns", "0") as server:
        yield server


@pytest.fixture
def cloud(server: Server) -> ZoneCloud:
    return ZoneCloud(Aws(server.endpoint, fresh_account()))


@pytest.fixture
def client(server: Server) -> DnsClient:
    running = find(int(server.port))
    assert running is not None
    assert running.dns is not None
    host, _, port = running.dns.partition(":")
    return DnsClient(host, int(port))


@pytest.fixture
def group(cloud: ZoneCloud) -> str:
    """The ARN of a log group."""
    cloud.aws.client("logs", region_name="us-east-1").create_log_group(logGroupName="/aws/route53/example")
    return f"arn:aws:logs:us-east-1:{cloud.account}:log-group:/aws/route53/example"


def test_queries_are_logged(cloud: ZoneCloud, client: DnsClient, group: str) -> None:
    zone = cloud.create_zone("logged.example")
    cloud.create(zone, record("www.logged.example", "A", "192.0.2.1"))
    made = cloud.route53.create_query_logging_config(HostedZoneId=zone, CloudWatchLogsLogGroupArn=group)
    logs = cloud.aws.client("logs", region_name="us-east-1")

    def read() -> list[list[str]]:
        events = logs.filter_log_events(logGroupName="/aws/route53/example")["events"]
        return sorted(event["message"].split(" ")[2:] for event in events)

    def ask() -> list[list[str]]:
        client.ask("www.logged.example")
        client.ask("www.logged.example", tcp=True)
        option = dns.edns.ECSOption("198.51.100.0", 24)
        client.query("nothing.logged.example", "AAAA", use_edns=0, options=[option])
        return read()

    wanted = [
        [zone, "nothing.logged.example", "AAAA", "NXDOMAIN", "UDP", "LOCAL", "127.0.0.1", "198.51.100.0/24"],
        [zone, "www.logged.example", "A", "NOERROR", "TCP", "LOCAL", "127.0.0.1", "-"],
        [zone, "www.logged.example", "A", "NOERROR", "UDP", "LOCAL", "127.0.0.1", "-"],
    ]
    eventually(ask, lambda found: all(line in found for line in wanted))
    cloud.route53.delete_query_logging_config(Id=made["QueryLoggingConfig"]["Id"])
    assert not cloud.route53.list_query_logging_configs()["QueryLoggingConfigs"]


def test_the_configuration_of_a_deleted_zone_is_gone(cloud: ZoneCloud, group: str) -> None:
    zone = cloud.create_zone("gone.example")
    cloud.route53.create_query_logging_config(HostedZoneId=zone, CloudWatchLogsLogGroupArn=group)
    cloud.route53.delete_hosted_zone(Id=zone)
    assert cloud.route53.list_query_logging_configs()["QueryLoggingConfigs"] == []


def test_configurations(cloud: ZoneCloud, group: str) -> None:
    zone = cloud.create_zone("configured.example")
    arguments = {"HostedZoneId": zone, "CloudWatchLogsLogGroupArn": group}
    made = cloud.route53.create_query_logging_config(**arguments)["QueryLoggingConfig"]
    assert made == {"Id": made["Id"], **arguments}
    assert cloud.route53.get_query_logging_config(Id=made["Id"])["QueryLoggingConfig"] == made
    assert cloud.route53.list_query_logging_configs(HostedZoneId=zone)["QueryLoggingConfigs"] == [made]
    fails("QueryLoggingConfigAlreadyExists", cloud.route53.create_query_logging_config, **arguments)
    missing = {**arguments, "CloudWatchLogsLogGroupArn": f"{group}x"}
    fails("NoSuchCloudWatchLogsLogGroup", cloud.route53.create_query_logging_config, **missing)
    elsewhere = {**arguments, "CloudWatchLogsLogGroupArn": group.replace("us-east-1", "eu-west-1")}
    fails("InvalidInput", cloud.route53.create_query_logging_config, **elsewhere)
    unknown = "12345678-1234-1234-1234-123456789012"
    fails("NoSuchQueryLoggingConfig", cloud.route53.get_query_logging_config, Id=unknown)
