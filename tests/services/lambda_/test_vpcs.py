"""Functions in VPCs: what they reach, by the interfaces that they share, as root and as an ordinary user."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines.keeper.client import KeeperError
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.cloudformation.deploying import Stacks
from tests.services.ec2.cloud import MISSING, make_group, make_interface, make_subnet, make_vpc
from tests.services.ec2.machine import Machine, machine
from tests.services.lambda_.cloud import RUNTIME, FunctionCloud
from tests.services.lambda_.contained import ImageCloud, Images
from tests.services.lambda_.programs import invoke, module, program, python
from tests.services.lambda_.test_invoke import BOOTSTRAP, EXTENSION, logged
from tests.services.lambda_.test_subsegments import SEND, names, told
from tests.services.lambda_.test_surroundings import is_readable
from tests.services.lambda_.test_telemetry import extended, received, subscription
from tests.standing import Standing, eventually

_ORDINARY = 54_321
HELLO = "hello from a container\n"
FETCH = """
import urllib.request, urllib.error
try:
    with urllib.request.urlopen(event["url"], timeout=event.get("seconds", 10)) as answer:
        return answer.read().decode()
except (urllib.error.URLError, OSError) as error:
    return type(error).__name__
"""


@pytest.fixture(scope="module", params=["root", "ordinary user"])
def shared(request: pytest.FixtureRequest) -> Iterator[Machine]:
    user = None
    if request.param == "ordinary user":
        if os.geteuid() != 0:
            pytest.skip("the other tests are run by an ordinary user already")
        if not is_readable(sys.executable) or not is_readable(__file__):
            pytest.skip("other users cannot read where the tests are")
        user = _ORDINARY
    with machine(user) as made:
        yield made


class Vpc(FunctionCloud):
    """An account with a VPC, in which members of a group reach each other at port 80."""

    def __init__(self, host: Machine) -> None:
        self.host = Machine(host.folder, host.server, fresh_account())
        super().__init__(Aws(host.server.endpoint, self.host.account))
        self.ec2 = self.host.ec2
        self.id = make_vpc(self.ec2)
        self.subnet = make_subnet(self.ec2, self.id)
        self.group = make_group(self.ec2, self.id, "web")
        self.stranger = make_group(self.ec2, self.id, "stranger")
        pairs = [{"GroupId": self.group}]
        permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": pairs}
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[permission])

    def config(self, *groups: str) -> dict[str, Any]:
        return {"SubnetIds": [self.subnet], "SecurityGroupIds": list(groups) or [self.group]}

    def fetching(self, name: str = "f", *groups: str) -> None:
        """Create a function that answers what a URL has."""
        python(self, FETCH, name, VpcConfig=self.config(*groups), Timeout=30)

    def serve(self) -> str:
        """Start a web server in the VPC; return its address."""
        interface = make_interface(self.ec2, self.subnet, Groups=[self.group])
        self.host.serve(self.host.await_interface(interface["NetworkInterfaceId"]))
        return str(interface["PrivateIpAddress"])

    def list_interfaces(self) -> list[dict[str, Any]]:
        """Return the interfaces that Lambda has made."""
        filters = [{"Name": "description", "Values": ["AWS Lambda VPC ENI-*"]}]
        return list(self.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"])

    def fetch(self, url: str, name: str = "f", **event: Any) -> Any:
        return invoke(self, {"url": url, **event}, name=name).value


@pytest.fixture
def vpc(shared: Machine) -> Vpc:
    return Vpc(shared)


def test_a_function_reaches_what_is_in_its_vpc(vpc: Vpc) -> None:
    address = vpc.serve()
    vpc.fetching()
    assert vpc.fetch(f"http://{address}/index.html") == HELLO


def test_names_of_the_vpc_are_known(vpc: Vpc) -> None:
    address = vpc.serve()
    route53, discovery = vpc.aws.client("route53"), vpc.aws.client("servicediscovery")
    zone = route53.create_hosted_zone(
        Name="shop.internal", CallerReference="1", VPC={"VPCRegion": "us-east-1", "VPCId": vpc.id}
    )["HostedZone"]["Id"]
    record = {"Name": "web.shop.internal", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": address}]}
    changes = [{"Action": "CREATE", "ResourceRecordSet": record}]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    operation = discovery.create_private_dns_namespace(Name="apps.local", Vpc=vpc.id)["OperationId"]
    done = eventually(
        lambda: discovery.get_operation(OperationId=operation)["Operation"], lambda each: each["Status"] == "SUCCESS"
    )
    service = discovery.create_service(
        Name="web",
        NamespaceId=done["Targets"]["NAMESPACE"],
        DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 1}]},
    )["Service"]["Id"]
    registered = discovery.register_instance(
        ServiceId=service, InstanceId="i", Attributes={"AWS_INSTANCE_IPV4": address}
    )["OperationId"]
    eventually(
        lambda: discovery.get_operation(OperationId=registered)["Operation"]["Status"],
        lambda status: status == "SUCCESS",
    )
    vpc.fetching()
    assert vpc.fetch("http://web.shop.internal/index.html") == HELLO
    eventually(lambda: vpc.fetch("http://web.apps.local/index.html"), lambda said: said == HELLO)


def test_security_groups_bind(vpc: Vpc) -> None:
    address = vpc.serve()
    vpc.fetching("f", vpc.stranger)
    assert vpc.fetch(f"http://{address}/index.html", seconds=1) in ("URLError", "TimeoutError")
    vpc.client.update_function_configuration(FunctionName="f", VpcConfig=vpc.config())
    vpc.wait()
    assert vpc.fetch(f"http://{address}/index.html") == HELLO


def test_nobody_connects_to_a_function(vpc: Vpc) -> None:
    pairs = [{"GroupId": vpc.group}]
    permission = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": pairs}
    vpc.ec2.authorize_security_group_ingress(GroupId=vpc.group, IpPermissions=[permission])
    source = """
import socket
server = socket.create_server(("0.0.0.0", 8080))

def handler(event, context):
    return socket.create_connection(("127.0.0.1", 8080), 2).getpeername()
"""
    module(vpc, source, VpcConfig=vpc.config())
    assert invoke(vpc).value == ["127.0.0.1", 8080]
    (interface,) = vpc.list_interfaces()
    other = make_interface(vpc.ec2, vpc.subnet, Groups=[vpc.group])
    client = vpc.host.await_interface(other["NetworkInterfaceId"])
    assert not vpc.host.can_reach(client, interface["PrivateIpAddress"], 8080)


def test_there_is_no_way_out_without_a_gateway(vpc: Vpc) -> None:
    vpc.fetching()
    assert vpc.fetch("http://198.51.100.1/", seconds=1) in ("URLError", "TimeoutError")


def test_cloudlet_is_reached(vpc: Vpc) -> None:
    body = """
import boto3
s3 = boto3.client("s3")
s3.put_object(Bucket=event["bucket"], Key="k", Body=b"from a VPC")
found = s3.get_object(Bucket=event["bucket"], Key="k")["Body"].read().decode()
return [found, boto3.client("sts").get_caller_identity()["Arn"]]
"""
    bucket = f"b{vpc.account}"
    vpc.aws.client("s3").create_bucket(Bucket=bucket)
    python(vpc, body, VpcConfig=vpc.config(), Timeout=30)
    said, arn = invoke(vpc, {"bucket": bucket}).value
    assert said == "from a VPC"
    assert arn.endswith("assumed-role/shop/f@lambda_function")


def test_what_listens_on_the_machine_is_out_of_reach(vpc: Vpc) -> None:
    body = "import socket\nreturn [name for _, name in socket.if_nameindex()]"
    python(vpc, body, VpcConfig=vpc.config())
    assert invoke(vpc).value == ["lo", "eth0"]


def test_custom_runtimes(vpc: Vpc) -> None:
    code = {"ZipFile": program({"bootstrap": BOOTSTRAP})}
    vpc.function(Runtime="provided.al2023", Code=code, Timeout=30, VpcConfig=vpc.config())
    assert invoke(vpc, {"n": 1}).error is None


def test_images(vpc: Vpc) -> None:
    cloud = ImageCloud(vpc.aws, Images(vpc.host.folder / "data"))
    cloud.images.make()
    cloud.contained(VpcConfig=vpc.config())
    assert invoke(cloud, {"n": "1"}).value["event"] == {"n": "1"}


def test_extensions(vpc: Vpc) -> None:
    content = program({"extensions/watcher": EXTENSION})
    layer = vpc.client.publish_layer_version(LayerName="watcher", Content={"ZipFile": content})["LayerVersionArn"]
    python(vpc, "return 'answered'", Layers=[layer], Timeout=30, VpcConfig=vpc.config())
    assert invoke(vpc).value == "answered"
    eventually(lambda: logged(vpc), lambda found: "registered for f" in found)


def test_telemetry_reaches_an_extension(vpc: Vpc) -> None:
    extended(vpc, subscription(), VpcConfig=vpc.config())
    assert received(vpc, "platform.report", "function")


def test_what_it_tells_x_ray_arrives(vpc: Vpc) -> None:
    python(vpc, SEND, TracingConfig={"Mode": "Active"}, VpcConfig=vpc.config(), Timeout=30)
    sent = told(vpc, {"names": ["pricing"]})
    eventually(lambda: names(vpc.aws, sent["trace_id"]), lambda seen: seen == {"f", "pricing"})


def test_functions_share_an_interface(vpc: Vpc) -> None:
    vpc.fetching("first")
    vpc.fetching("second")
    (interface,) = vpc.list_interfaces()
    assert interface["Description"].startswith("AWS Lambda VPC ENI-first-")
    assert (interface["SubnetId"], interface["Status"], interface["InterfaceType"]) == (vpc.subnet, "in-use", "lambda")
    vpc.fetching("third", vpc.group, vpc.stranger)
    assert len(vpc.list_interfaces()) == 2
    for name in ("first", "third"):
        vpc.client.delete_function(FunctionName=name)
    eventually(vpc.list_interfaces, lambda found: len(found) == 1)
    vpc.client.delete_function(FunctionName="second")
    eventually(vpc.list_interfaces, lambda found: not found)
    vpc.ec2.delete_subnet(SubnetId=vpc.subnet)


def test_an_interface_stays_while_something_runs_there(vpc: Vpc) -> None:
    address = vpc.serve()
    python(vpc, f"time.sleep(2){FETCH}", VpcConfig=vpc.config(), Timeout=30)
    vpc.client.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
    invoked = invoke(vpc, {"url": f"http://{address}/index.html"})
    assert invoked.value == HELLO
    vpc.client.delete_function(FunctionName="f")
    eventually(vpc.list_interfaces, lambda found: not found)


def test_published_versions_keep_theirs(vpc: Vpc) -> None:
    vpc.fetching()
    vpc.client.publish_version(FunctionName="f")
    left = vpc.client.update_function_configuration(
        FunctionName="f", VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}
    )
    assert left["VpcConfig"] == {
        "VpcId": "",
        "SubnetIds": [],
        "SecurityGroupIds": [],
        "Ipv6AllowedForDualStack": False,
    }
    vpc.wait()
    shown = vpc.client.get_function_configuration(FunctionName="f", Qualifier="1")["VpcConfig"]
    assert shown == {**vpc.config(), "VpcId": vpc.id, "Ipv6AllowedForDualStack": False}
    assert len(vpc.list_interfaces()) == 1
    vpc.client.delete_function(FunctionName="f", Qualifier="1")
    eventually(vpc.list_interfaces, lambda found: not found)


def test_a_function_is_pending_until_its_interface_is_there(vpc: Vpc) -> None:
    made = vpc.function(VpcConfig=vpc.config(), wait=False)
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    assert made["VpcConfig"]["VpcId"] == vpc.id
    vpc.wait()
    assert vpc.list_interfaces()[0]["Status"] == "in-use"


def test_where_there_is_no_address_left(vpc: Vpc) -> None:
    subnet = make_subnet(vpc.ec2, vpc.id, "10.0.9.0/28")
    for _ in range(11):
        make_interface(vpc.ec2, subnet)
    vpc.function(VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [vpc.group]}, wait=False)
    failed = eventually(
        lambda: vpc.client.get_function_configuration(FunctionName="f"), lambda each: each["State"] != "Pending"
    )
    assert (failed["State"], failed["StateReasonCode"]) == ("Failed", "SubnetOutOfIPAddresses")


def test_where_the_machine_has_no_networks(tmp_path: Path) -> None:
    # No keeper can have its lock.
    (tmp_path / "keeper.lock").mkdir()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, fresh_account()))
        ec2 = cloud.aws.client("ec2")
        vpc = make_vpc(ec2)
        config = {"SubnetIds": [make_subnet(ec2, vpc)], "SecurityGroupIds": [make_group(ec2, vpc, "web")]}
        cloud.function(VpcConfig=config, wait=False)

        def look() -> dict[str, Any]:
            Standing(server).advance("30s")
            return dict(cloud.client.get_function_configuration(FunctionName="f"))

        failed = eventually(look, lambda each: each["State"] != "Pending")
        assert (failed["State"], failed["StateReasonCode"]) == ("Failed", "InternalError")
        assert failed["StateReason"].endswith("was not there in time. The log of Cloudlet says why.")
        filters = [{"Name": "vpc-id", "Values": [vpc]}]
        assert ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"] == []


def test_when_the_keeper_is_killed(vpc: Vpc) -> None:
    """Environments at its interfaces are replaced."""
    address = vpc.serve()
    vpc.fetching()
    python(vpc, "return os.readlink('/proc/self/ns/net')", "where", VpcConfig=vpc.config(), Timeout=30)
    assert vpc.fetch(f"http://{address}/index.html") == HELLO
    before = invoke(vpc, name="where").value
    os.kill(vpc.host.call("describe")["pid"], signal.SIGKILL)
    eventually(lambda: invoke(vpc, name="where").value, lambda after: after != before)
    # The web server is gone, too.
    filters = [{"Name": "private-ip-address", "Values": [address]}]
    (interface,) = vpc.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]

    def serve() -> bool:
        try:
            vpc.host.serve(interface)
        except KeeperError:
            # The interface is not there again yet.
            return False
        return True

    eventually(serve)
    eventually(lambda: vpc.fetch(f"http://{address}/index.html"), lambda said: said == HELLO)


def test_snap_start(vpc: Vpc) -> None:
    address = vpc.serve()
    python(vpc, FETCH, VpcConfig=vpc.config(), Timeout=30, SnapStart={"ApplyOn": "PublishedVersions"}, Publish=True)
    vpc.client.get_waiter("published_version_active").wait(
        FunctionName="f", Qualifier="1", WaiterConfig={"Delay": 0.05, "MaxAttempts": 600}
    )
    assert invoke(vpc, {"url": f"http://{address}/index.html"}, Qualifier="1").value == HELLO


def test_nothing_of_the_network_can_be_changed(vpc: Vpc) -> None:
    body = """
import fcntl, socket, struct
found = []
with socket.socket() as asking:
    for name in ("eth0", "lo"):
        try:
            fcntl.ioctl(asking, 0x8914, struct.pack("16sh14x", name.encode(), 0))
        except OSError as error:
            found.append(error.strerror)
for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
    try:
        socket.socket(socket.AF_INET if kind == socket.SOCK_RAW else socket.AF_PACKET, kind)
    except OSError as error:
        found.append(error.strerror)
links = [os.path.join("/proc/self/fd", each) for each in os.listdir("/proc/self/fd")]
inherited = [os.readlink(each) for each in links if os.path.islink(each)]
return [found, [each for each in inherited if each.startswith(("net:", "user:"))]]
"""
    python(vpc, body, VpcConfig=vpc.config())
    found, inherited = invoke(vpc).value
    assert (len(found), inherited) == (4, [])


def test_what_runs_there_is_limited(vpc: Vpc) -> None:
    body = """
import signal
pids = []
try:
    while len(pids) < 1200:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        pids.append(pid)
except OSError as error:
    return [len(pids), error.strerror]
finally:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
"""
    python(vpc, body, VpcConfig=vpc.config(), Timeout=60, MemorySize=10_240)
    count, said = invoke(vpc).value
    assert 900 < count < 1024
    assert said == "Resource temporarily unavailable"
    python(vpc, "return len(bytearray(1 << 30))", "large", VpcConfig=vpc.config(), Timeout=60)
    assert invoke(vpc, name="large").error == "Unhandled"


def test_a_stack(vpc: Vpc) -> None:
    stacks = Stacks(vpc.aws)
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": RUNTIME,
            "Handler": "index.handler",
            "Role": vpc.role,
            "Code": {"ZipFile": "def handler(event, context):\n    return 1\n"},
            "VpcConfig": {
                "SubnetIds": [{"Ref": "Subnet"}],
                "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}],
            },
        },
    }
    resources = {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.1.1.0/24"},
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupDescription": "of functions", "VpcId": {"Ref": "Vpc"}},
        },
        "Function": function,
    }
    made = stacks.create("shop", {"Resources": resources})
    assert made["StackStatus"] == "CREATE_COMPLETE", stacks.events("shop")
    name = stacks.physical_id("shop", "Function")
    assert invoke(vpc, name=name).value == 1
    shown = vpc.client.get_function_configuration(FunctionName=name)["VpcConfig"]
    assert shown["SubnetIds"] == [stacks.physical_id("shop", "Subnet")]
    del function["Properties"]["VpcConfig"]  # type: ignore[attr-defined]
    stacks.update("shop", {"Resources": resources})
    eventually(vpc.list_interfaces, lambda found: not found)
    function["Properties"]["VpcConfig"] = {  # type: ignore[index]
        "SubnetIds": [{"Ref": "Subnet"}],
        "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}],
    }
    stacks.update("shop", {"Resources": resources})
    assert len(vpc.list_interfaces()) == 1
    # Interfaces of functions are waited for before subnets and groups go.
    assert stacks.delete("shop")["StackStatus"] == "DELETE_COMPLETE", stacks.events("shop")


def test_what_is_refused(vpc: Vpc) -> None:
    def refuse(**config: Any) -> str:
        given = {"FunctionName": "f", "Runtime": "python3.13", "Role": vpc.role, "Handler": "index.handler"}
        code, message, status = vpc.refused(
            "create_function", **given, Code={"ZipFile": b"none"}, VpcConfig={**vpc.config(), **config}
        )
        assert (code, status) == ("InvalidParameterValueException", 400)
        return message

    both = "SubnetIds and SecurityIds must coexist or be both empty list."
    assert refuse(SubnetIds=[]) == refuse(SecurityGroupIds=[]) == both
    assert refuse(SubnetIds=[f"subnet-{MISSING}"]) == (
        "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: "
        f"The subnet ID 'subnet-{MISSING}' does not exist"
    )
    assert refuse(SecurityGroupIds=[f"sg-{MISSING}"]) == (
        "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 Error Message: "
        f"The security group 'sg-{MISSING}' does not exist"
    )
    other = make_group(vpc.ec2, make_vpc(vpc.ec2), "other")
    assert "same VPC" in refuse(SecurityGroupIds=[other])
    dual = vpc.refused("update_function_configuration", FunctionName="f", VpcConfig={"Ipv6AllowedForDualStack": True})
    assert dual[0] == "NotImplemented"
