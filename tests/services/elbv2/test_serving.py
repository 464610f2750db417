"""Load balancers at work: real Envoys before tasks of Amazon ECS and functions, as clients of this machine see them."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import time
from contextlib import suppress
from typing import Any

import pytest
from cryptography import x509

from cloudlet.testing.server import Aws
from tests.certificates import bring
from tests.services.ecs.containers import LOGS, Tasks
from tests.services.elbv2.envoys import make_context
from tests.services.elbv2.lb_cloud import LbCloud
from tests.services.lambda_.cloud import package
from tests.standing import eventually, standing_server

_OFFSET = 0 if os.geteuid() == 0 else 8000
_QUICK: dict[str, Any] = {
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
    "HealthyThresholdCount": 2,
}
_HTTPD = ("httpd", "-f", "-p", "8080", "-h", "/srv")


def find_port(port: int) -> int:
    """Return the port of this machine for one of a listener."""
    return port + _OFFSET if port < 1024 else port


class Served:
    """A load balancer, and requests to it."""

    def __init__(self, cloud: LbCloud, **more: Any) -> None:
        self.cloud = cloud
        self.balancer = cloud.create(**more)
        self.arn: str = self.balancer["LoadBalancerArn"]

    @property
    def address(self) -> str:
        """The address on this machine."""
        found = eventually(lambda: _find_address(self.cloud, self.arn), bool)
        return str(found)

    def wait_until_active(self) -> None:
        eventually(lambda: self.cloud.get(self.arn)["State"]["Code"], lambda state: state == "active")

    def ask(self, path: str = "/", port: int = 80, **headers: str) -> tuple[int, str]:
        """Return the status and the body of a response."""
        connection = http.client.HTTPConnection(self.address, find_port(port), timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def wait_until_refused(self) -> None:
        """Wait until nobody listens."""

        def is_refused() -> bool:
            try:
                self.ask()
            except ConnectionRefusedError:
                return True
            except OSError:
                pass
            return False

        eventually(is_refused)

    def eventually(self, status: int, path: str = "/", port: int = 80) -> str:
        """Return the body once a request has a status."""

        def ask() -> tuple[int, str]:
            try:
                return self.ask(path, port)
            except OSError as error:
                return 0, str(error)

        return eventually(ask, lambda answer: answer[0] == status)[1]


def _find_address(cloud: LbCloud, arn: str) -> str:
    addresses = cloud.get(arn)["AvailabilityZones"][0].get("LoadBalancerAddresses") or [{}]
    return str(addresses[0].get("IpAddress", ""))


def run_task(
    cloud: LbCloud, tasks: Tasks, group: str, body: str = "", command: list[str] | None = None
) -> tuple[str, str]:
    """Run a web server, or another command, in the VPC; return the task's ARN and its address."""
    script = f"echo {body} > /srv/index.html; " if body else ""
    command = command or ["sh", "-c", f"{script}exec {' '.join(_HTTPD)}"]
    network = {"awsvpcConfiguration": {"subnets": cloud.subnets[:1], "securityGroups": [group]}}
    definition = {
        "command": command,
        "portMappings": [{"containerPort": 8080}],
        "stopTimeout": 2,
        "logConfiguration": LOGS,
    }
    arn = tasks.run(definition, mode="awsvpc", run={"networkConfiguration": network})
    # A command may be over before anybody has seen it run.
    found = tasks.wait(arn, lambda each: each["lastStatus"] in ("RUNNING", "STOPPED"))
    details = {each["name"]: each["value"] for each in found["attachments"][0]["details"]}
    return arn, details["privateIPv4Address"]


@pytest.fixture
def served(cloud: LbCloud) -> Served:
    return Served(cloud)


@pytest.fixture
def tasks(aws: Aws) -> Tasks:
    return Tasks(aws)


def open_group(cloud: LbCloud, name: str, *sources: str) -> str:
    """Return a security group that lets other groups in, or all."""
    group = cloud.make_group(name)
    pairs = [{"GroupId": each} for each in sources]
    permission: dict[str, Any] = {"IpProtocol": "-1"}
    permission |= {"UserIdGroupPairs": pairs} if pairs else {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    cloud.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    return group


def _hello(body: str) -> dict[str, Any]:
    return {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": body}}


def test_a_load_balancer_answers(served: Served) -> None:
    listener = served.cloud.listen(served.arn, DefaultActions=[_hello("hello")])
    served.wait_until_active()
    assert served.eventually(200) == "hello"
    changed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "201", "MessageBody": "changed"}}
    served.cloud.elb.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=[changed])
    assert served.eventually(201) == "changed"
    rule = served.cloud.add_rule(listener["ListenerArn"], path="/a*")
    assert served.eventually(200, "/abc") == ""
    served.cloud.elb.delete_rule(RuleArn=rule["RuleArn"])
    assert served.eventually(201, "/abc") == "changed"
    served.cloud.elb.delete_load_balancer(LoadBalancerArn=served.arn)


def test_tasks_are_targets(aws: Aws, cloud: LbCloud, tasks: Tasks) -> None:
    front = open_group(cloud, "front")
    back = open_group(cloud, "back", front)
    served = Served(cloud, SecurityGroups=[front])
    group = cloud.create_group(Port=8080, HealthCheckPath="/index.html", **_QUICK)
    cloud.listen(served.arn, group)
    found = [run_task(cloud, tasks, back, body) for body in ("one", "two")]
    targets = [{"Id": address} for _, address in found]
    cloud.elb.register_targets(TargetGroupArn=group, Targets=targets)
    states = lambda: [each["TargetHealth"]["State"] for each in cloud.health(group)]  # noqa: E731
    eventually(states, lambda now: now == ["healthy", "healthy"])
    assert {served.ask("/index.html")[1] for _ in range(10)} == {"one\n", "two\n"}
    tasks.ecs.stop_task(task=found[0][0])
    eventually(states, lambda now: sorted(now) == ["healthy", "unhealthy"])
    assert {served.ask("/index.html") for _ in range(10)} == {(200, "two\n")}
    reasons = {each["TargetHealth"].get("Reason") for each in cloud.health(group)}
    assert reasons <= {None, "Target.FailedHealthChecks", "Target.Timeout"}
    cloud.elb.deregister_targets(TargetGroupArn=group, Targets=targets)
    assert "503 Service Temporarily Unavailable" in served.eventually(503, "/index.html")
    assert {each["TargetHealth"]["State"] for each in cloud.health(group)} == {"draining"}
    tasks.ecs.stop_task(task=found[1][0])


def test_listeners_come_and_go(aws: Aws, served: Served) -> None:
    first = served.cloud.listen(served.arn, DefaultActions=[_hello("first")])["ListenerArn"]
    assert served.eventually(200) == "first"
    served.cloud.elb.delete_listener(ListenerArn=first)
    served.wait_until_refused()
    second = served.cloud.listen(served.arn, DefaultActions=[_hello("second")])["ListenerArn"]
    assert served.eventually(200) == "second"
    certificates = [{"CertificateArn": bring(aws, "www.example.com")}]
    served.cloud.elb.modify_listener(ListenerArn=second, Protocol="HTTPS", Certificates=certificates)
    eventually(lambda: _find_certificate(served, 80), lambda name: name == "CN=www.example.com")
    served.cloud.elb.modify_listener(ListenerArn=second, Port=8081)
    eventually(lambda: _find_certificate(served, 8081), lambda name: name == "CN=www.example.com")
    served.wait_until_refused()


_FUNCTION = """
def handler(event, context):
    if event["path"] == "/fail":
        raise ValueError
    body = event["httpMethod"] + " " + event["path"] + " " + event["requestContext"]["elb"]["targetGroupArn"]
    return {"statusCode": 202, "headers": {"Content-Type": "text/plain"}, "body": body}
"""


def test_functions_are_targets(aws: Aws, served: Served) -> None:
    functions = aws.client("lambda")
    made = functions.create_function(
        FunctionName="f",
        Runtime="python3.13",
        Handler="main.handler",
        Role=f"arn:aws:iam::{aws.account}:role/r",
        Code={"ZipFile": package({"main.py": _FUNCTION})},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="f")
    group = served.cloud.create_group(TargetType="lambda")
    functions.add_permission(
        FunctionName="f",
        StatementId="elb",
        Action="lambda:InvokeFunction",
        Principal="elasticloadbalancing.amazonaws.com",
        SourceArn=group,
    )
    served.cloud.listen(served.arn, group)
    served.cloud.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": made["FunctionArn"]}])
    assert served.eventually(202, "/a") == f"GET /a {group}"
    assert served.ask("/fail")[0] == 502
    state = eventually(lambda: served.cloud.health(group)[0]["TargetHealth"]["State"], lambda now: now != "initial")
    assert state == "unavailable"


def test_certificates_are_served(aws: Aws, served: Served) -> None:
    certificate = bring(aws, "www.example.com")
    listening: dict[str, Any] = {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": certificate}]}
    served.cloud.listen(served.arn, port=443, **listening)
    eventually(lambda: _find_certificate(served, 443), lambda name: name == "CN=www.example.com")


def _find_certificate(served: Served, port: int) -> str:
    """Return the subject of the certificate that clients get, or why they get none."""
    try:
        plain = socket.create_connection((served.address, find_port(port)), timeout=5)
        with make_context().wrap_socket(plain, server_hostname="www.example.com") as end:
            found = end.getpeercert(binary_form=True) or b""
    except OSError as error:
        return str(error)
    return x509.load_der_x509_certificate(found).subject.rfc4514_string()


def test_network_load_balancers_pass_connections_on(cloud: LbCloud, tasks: Tasks) -> None:
    served = Served(cloud, Type="network")
    group = cloud.create_group(Protocol="TCP", Port=8080, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2)
    cloud.listen(served.arn, group, port=8080, Protocol="TCP")
    arn, address = run_task(cloud, tasks, open_group(cloud, "back"), "one")
    cloud.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address}])
    assert served.eventually(200, "/index.html", 8080) == "one\n"
    eventually(lambda: cloud.health(group)[0]["TargetHealth"]["State"], lambda state: state == "healthy")
    tasks.ecs.stop_task(task=arn)


def test_targets_see_clients_within_the_vpc_by_their_own_addresses(cloud: LbCloud, tasks: Tasks) -> None:
    client = cloud.make_group("client")
    front = open_group(cloud, "front", client)
    served = Served(cloud, Type="network", SecurityGroups=[front])
    group = cloud.create_group(Protocol="TCP", Port=8080, **_QUICK)
    attribute = {"Key": "preserve_client_ip.enabled", "Value": "true"}
    cloud.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[attribute])
    cloud.listen(served.arn, group, port=81, Protocol="TCP")
    # It lets nothing in but what comes by the load balancer.
    command = ["sh", "-c", f"echo one > /srv/index.html; exec {' '.join(_HTTPD)} -v"]
    arn, address = run_task(cloud, tasks, open_group(cloud, "back", front), command=command)
    cloud.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address}])
    served.wait_until_active()
    inner = cloud.get(served.arn)["AvailabilityZones"][0]["LoadBalancerAddresses"][0]["PrivateIPv4Address"]
    asking = [
        f"for n in 1 2 3 4 5 6 7 8; do wget -q -T 2 -O - http://{host}:81/index.html && break; sleep 1; done"
        for host in (inner, served.balancer["DNSName"])
    ]
    asker, source = run_task(cloud, tasks, client, command=["sh", "-c", "; ".join(asking)])
    tasks.wait(asker, "STOPPED")
    assert tasks.read(asker) == ["one", "one"]
    eventually(
        lambda: sum(source in line and "response:200" in line for line in tasks.read(arn)), lambda number: number == 2
    )
    tasks.ecs.stop_task(task=arn)


def test_clients_that_keep_their_addresses_reach_healthy_targets_alone(cloud: LbCloud, tasks: Tasks) -> None:
    back = open_group(cloud, "back")
    served = Served(cloud, Type="network")
    group = cloud.create_group(Protocol="TCP", Port=8080, **_QUICK)
    attribute = {"Key": "preserve_client_ip.enabled", "Value": "true"}
    cloud.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[attribute])
    cloud.listen(served.arn, group, port=81, Protocol="TCP")
    one, two = (run_task(cloud, tasks, back, body) for body in ("one", "two"))
    cloud.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address} for _, address in (one, two)])
    states = lambda: sorted(each["TargetHealth"]["State"] for each in cloud.health(group))  # noqa: E731
    eventually(states, lambda now: now == ["healthy", "healthy"])
    tasks.ecs.stop_task(task=one[0])
    eventually(states, lambda now: now == ["healthy", "unhealthy"])
    inner = cloud.get(served.arn)["AvailabilityZones"][0]["LoadBalancerAddresses"][0]["PrivateIPv4Address"]
    asking = f"for n in 1 2 3 4 5 6 7 8; do wget -q -T 2 -O - http://{inner}:81/index.html; done"
    asker, _ = run_task(cloud, tasks, back, command=["sh", "-c", asking])
    tasks.wait(asker, "STOPPED")
    assert tasks.read(asker) == ["two"] * 8
    tasks.ecs.stop_task(task=two[0])


def _wait_for_greeting(served: Served, port: int) -> socket.socket:
    """Return a connection to a target, which has greeted."""

    def greet() -> socket.socket | None:
        with suppress(OSError):
            made = socket.create_connection((served.address, port), timeout=20)
            if made.recv(2) == b"hi":
                return made
            made.close()
        return None

    found = eventually(greet, bool)
    assert found is not None
    return found


def test_connections_end_with_the_deregistration_delay_where_that_is_wanted(cloud: LbCloud, tasks: Tasks) -> None:
    served = Served(cloud, Type="network")
    serve = "nc -ll -p {} -e sh -c 'echo -n hi; read line; echo -n bye; sleep 100'"
    command = ["sh", "-c", f"{serve.format(8081)} & exec {serve.format(8082)}"]
    arn, address = run_task(cloud, tasks, open_group(cloud, "back"), command=command)
    groups: list[str] = []
    ends: list[socket.socket] = []
    for port, is_ended in ((8081, "false"), (8082, "true")):
        group = cloud.create_group(Protocol="TCP", Port=port)
        values = {"connection_termination.enabled": is_ended, "timeout_seconds": "1"}
        attributes = [{"Key": f"deregistration_delay.{key}", "Value": value} for key, value in values.items()]
        cloud.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=attributes)
        cloud.listen(served.arn, group, port=port, Protocol="TCP")
        cloud.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address}])
        groups.append(group)
        ends.append(_wait_for_greeting(served, port))
    for group in groups:
        cloud.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": address}])
    kept, ended = ends
    with kept, ended:
        with suppress(ConnectionResetError):
            assert ended.recv(1) == b""
        eventually(lambda: cloud.health(groups[0]), lambda found: not found)
        kept.send(b"go\n")
        assert kept.recv(3) == b"bye"
    tasks.ecs.stop_task(task=arn)


def test_datagrams_reach_tasks(cloud: LbCloud, tasks: Tasks) -> None:
    client = cloud.make_group("client")
    served = Served(cloud, Type="network")
    # The kernel counts datagrams for ports at which nobody listens.
    wait = "while ! grep -q '^Udp: [0-9]* [1-9]' /proc/net/snmp; do sleep 0.1; done"
    arns = []
    # One lets nothing in but clients of a group, whose addresses are preserved; the other one all.
    for port, sources in ((53, [client]), (54, [])):
        group = cloud.create_group(Protocol="UDP", Port=53, HealthCheckPort="8080", **_QUICK)
        cloud.listen(served.arn, group, port=port, Protocol="UDP")
        security = open_group(cloud, f"back{port}", *sources)
        arn, address = run_task(cloud, tasks, security, command=["sh", "-c", f"{wait}; echo arrived"])
        cloud.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address}])
        arns.append(arn)
    served.wait_until_active()
    sending = f"while true; do nslookup example.com {served.address}; sleep 0.2; done"
    sender, _ = run_task(cloud, tasks, client, command=["sh", "-c", sending])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as machine:

        def find_status() -> str:
            machine.sendto(b"hello", (served.address, find_port(54)))
            return tasks.describe(arns[1])["lastStatus"]

        eventually(find_status, lambda status: status == "STOPPED")
    tasks.wait(arns[0], "STOPPED")
    assert [tasks.read(arn) for arn in arns] == [["arrived"]] * 2
    tasks.ecs.stop_task(task=sender)


def test_a_load_balancer_in_other_subnets_answers_on(served: Served) -> None:
    cloud = served.cloud
    listener = cloud.listen(served.arn, DefaultActions=[_hello("hello")])["ListenerArn"]
    served.wait_until_active()
    served.eventually(200)
    cloud.elb.set_subnets(LoadBalancerArn=served.arn, Subnets=cloud.subnets[1:])
    cloud.wait_for_interfaces(served.arn, 2)
    # What is changed from now on is taken, too.
    changed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "201"}}
    cloud.elb.modify_listener(ListenerArn=listener, DefaultActions=[changed])
    served.eventually(201)
    served.wait_until_active()


def test_a_load_balancer_takes_the_place_of_the_last_one(served: Served) -> None:
    served.cloud.listen(served.arn)
    served.wait_until_active()
    served.cloud.elb.delete_load_balancer(LoadBalancerArn=served.arn)
    following = Served(served.cloud)
    following.cloud.listen(following.arn, DefaultActions=[_hello("following")])
    assert following.eventually(200) == "following"
    following.wait_until_active()


def test_load_balancers_are_reached_within_their_vpc_by_name(cloud: LbCloud, tasks: Tasks) -> None:
    front = open_group(cloud, "front")
    served = Served(cloud, SecurityGroups=[front])
    cloud.listen(served.arn, DefaultActions=[_hello("hello")])
    served.wait_until_active()
    name = served.balancer["DNSName"]
    network = {"awsvpcConfiguration": {"subnets": cloud.subnets[:1], "securityGroups": [front]}}
    script = f"for n in 1 2 3 4 5 6 7 8; do wget -q -O - http://{name}/ && break; sleep 1; done"
    definition = {"command": ["sh", "-c", script], "logConfiguration": LOGS}
    arn = tasks.run(definition, mode="awsvpc", run={"networkConfiguration": network})
    tasks.wait(arn, "STOPPED")
    assert tasks.read(arn)[-1] == "hello"


def test_a_listener_whose_port_is_taken_on_this_machine_is_at_the_next_one(served: Served) -> None:
    with socket.create_server((served.address, 8123)):
        served.cloud.listen(served.arn, port=8123, DefaultActions=[_hello("near")])
        assert served.eventually(200, port=8124) == "near"
    served.wait_until_active()


def make_log_policy(bucket: str) -> str:
    """Return the policy of a bucket that takes logs."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": [f"arn:aws:s3:::{bucket}/AWSLogs/*", f"arn:aws:s3:::{bucket}/own/AWSLogs/*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def list_log_files(storage: Any, bucket: str) -> list[str]:
    found = storage.list_objects_v2(Bucket=bucket).get("Contents") or ()
    return [each["Key"] for each in found if each["Key"].endswith(".log.gz")]


def test_requests_are_logged_and_measured() -> None:
    with standing_server() as standing:
        aws = standing.account()
        cloud = LbCloud(aws)
        served = Served(cloud)
        storage = aws.client("s3")
        storage.create_bucket(Bucket="logs-of-a-load-balancer")
        storage.put_bucket_policy(Bucket="logs-of-a-load-balancer", Policy=make_log_policy("logs-of-a-load-balancer"))
        attributes = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "logs-of-a-load-balancer"}
        pairs = [{"Key": key, "Value": value} for key, value in {**attributes, "access_logs.s3.prefix": "own"}.items()]
        cloud.elb.modify_load_balancer_attributes(LoadBalancerArn=served.arn, Attributes=pairs)
        cloud.listen(served.arn, DefaultActions=[_hello("hello")])
        served.eventually(200)
        for _ in range(3):
            served.ask("/logged", User_Agent="test")
        time.sleep(1.5)
        standing.advance("6m")
        (key,) = eventually(lambda: list_log_files(storage, "logs-of-a-load-balancer"))
        resource = served.arn.partition("loadbalancer/")[2]
        begin = f"own/AWSLogs/{aws.account}/elasticloadbalancing/us-east-1/2030/03/13/"
        assert key.startswith(f"{begin}{aws.account}_elasticloadbalancing_us-east-1_{resource.replace('/', '.')}_2030")
        assert key.endswith(".log.gz")
        body = storage.get_object(Bucket="logs-of-a-load-balancer", Key=key)["Body"].read()
        lines = [line for line in gzip.decompress(body).decode().splitlines() if "/logged" in line]
        assert len(lines) == 3
        assert all(line.startswith("http ") and '"fixed-response"' in line for line in lines)
        standing.advance("2m")
        query = {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "HTTP_Fixed_Response_Count",
            "Dimensions": [{"Name": "LoadBalancer", "Value": resource}],
            "StartTime": "2030-03-13T11:00:00Z",
            "EndTime": "2030-03-13T13:00:00Z",
            "Period": 3600,
            "Statistics": ["Sum"],
        }
        cloudwatch = aws.client("cloudwatch")
        found = eventually(lambda: cloudwatch.get_metric_statistics(**query)["Datapoints"])
        assert sum(each["Sum"] for each in found) >= 4
