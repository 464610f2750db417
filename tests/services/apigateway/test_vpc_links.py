"""Private integrations: APIs that lead into a VPC."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.apigateway.cloud import GatewayCloud
from tests.standing import eventually

_ANSWER = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "from inside"}
_FIXED = [{"Type": "fixed-response", "FixedResponseConfig": _ANSWER}]


class Vpc:
    """A VPC of an account with a subnet in each of two zones, and an open security group."""

    def __init__(self, cloud: GatewayCloud) -> None:
        self.ec2: Any = cloud.aws.client("ec2")
        self.elb: Any = cloud.aws.client("elbv2")
        self.id: str = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.id, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)["Subnet"][
                "SubnetId"
            ]
            for number, zone in enumerate(("us-east-1a", "us-east-1b"))
        ]
        self.group: str = self.ec2.create_security_group(GroupName="open", Description="open", VpcId=self.id)["GroupId"]
        everyone = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=everyone)

    def make_balancer(self, kind: str, **more: Any) -> dict[str, Any]:
        """Return a load balancer that serves."""
        made = self.elb.create_load_balancer(
            Name="inside", Type=kind, Scheme="internal", Subnets=self.subnets, SecurityGroups=[self.group], **more
        )["LoadBalancers"][0]
        self.elb.get_waiter("load_balancer_available").wait(
            LoadBalancerArns=[made["LoadBalancerArn"]], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        found: dict[str, Any] = made
        return found

    def listen(self, balancer: str, port: int, actions: list[dict[str, Any]], protocol: str = "HTTP") -> str:
        made = self.elb.create_listener(LoadBalancerArn=balancer, Protocol=protocol, Port=port, DefaultActions=actions)[
            "Listeners"
        ][0]["ListenerArn"]
        return str(made)


@pytest.fixture
def vpc(cloud: GatewayCloud) -> Vpc:
    return Vpc(cloud)


def _make_link(cloud: GatewayCloud, vpc: Vpc) -> str:
    made = cloud.client.create_vpc_link(Name="link", SubnetIds=vpc.subnets, SecurityGroupIds=[vpc.group])["VpcLinkId"]
    found = eventually(lambda: cloud.client.get_vpc_link(VpcLinkId=made), lambda one: one["VpcLinkStatus"] != "PENDING")
    assert found["VpcLinkStatus"] == "AVAILABLE", found
    return str(made)


def test_an_http_api_leads_to_an_internal_load_balancer(cloud: GatewayCloud, vpc: Vpc) -> None:
    listener = vpc.listen(vpc.make_balancer("application")["LoadBalancerArn"], 8080, _FIXED)
    api = cloud.api()
    uri_of = {"ConnectionType": "VPC_LINK", "ConnectionId": _make_link(cloud, vpc)}
    cloud.route(api, "GET /", cloud.to_url(api, listener, **uri_of))
    answer = eventually(lambda: cloud.ask(api), lambda one: one.status == 200)
    assert answer.body == b"from inside"


def test_an_http_api_finds_instances_of_cloud_map(cloud: GatewayCloud, vpc: Vpc) -> None:
    balancer = vpc.make_balancer("application")
    vpc.listen(balancer["LoadBalancerArn"], 8080, _FIXED)
    described = vpc.elb.describe_load_balancers(LoadBalancerArns=[balancer["LoadBalancerArn"]])["LoadBalancers"][0]
    address = described["AvailabilityZones"][0]["LoadBalancerAddresses"][0]["PrivateIPv4Address"]
    names: Any = cloud.aws.client("servicediscovery")
    operation = names.create_http_namespace(Name="inside")["OperationId"]
    done = eventually(
        lambda: names.get_operation(OperationId=operation)["Operation"], lambda one: one["Status"] == "SUCCESS"
    )
    service = names.create_service(Name="web", NamespaceId=done["Targets"]["NAMESPACE"])["Service"]
    attributes = {"AWS_INSTANCE_IPV4": address, "AWS_INSTANCE_PORT": "8080"}
    names.register_instance(ServiceId=service["Id"], InstanceId="one", Attributes=attributes)
    api = cloud.api()
    uri_of = {"ConnectionType": "VPC_LINK", "ConnectionId": _make_link(cloud, vpc)}
    cloud.route(api, "GET /", cloud.to_url(api, service["Arn"], **uri_of))
    answer = eventually(lambda: cloud.ask(api), lambda one: one.status == 200)
    assert answer.body == b"from inside"


def test_a_link_that_is_deleted_leaves_no_interface(cloud: GatewayCloud, vpc: Vpc) -> None:
    link = _make_link(cloud, vpc)
    cloud.client.delete_vpc_link(VpcLinkId=link)
    filters = [{"Name": "vpc-id", "Values": [vpc.id]}]
    look = vpc.ec2.describe_network_interfaces
    assert eventually(lambda: look(Filters=filters)["NetworkInterfaces"], lambda found: not found) == []


def test_a_rest_api_leads_to_a_network_load_balancer(cloud: GatewayCloud, vpc: Vpc) -> None:
    behind = vpc.make_balancer("application")
    vpc.listen(behind["LoadBalancerArn"], 8080, _FIXED)
    group = vpc.elb.create_target_group(
        Name="behind", Protocol="TCP", Port=8080, VpcId=vpc.id, TargetType="alb", HealthCheckPath="/"
    )["TargetGroups"][0]["TargetGroupArn"]
    front = vpc.elb.create_load_balancer(Name="front", Type="network", Scheme="internal", Subnets=vpc.subnets)[
        "LoadBalancers"
    ][0]
    vpc.listen(front["LoadBalancerArn"], 8081, [{"Type": "forward", "TargetGroupArn": group}], "TCP")
    vpc.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": behind["LoadBalancerArn"], "Port": 8080}])
    rest: Any = cloud.aws.client("apigateway")
    link = rest.create_vpc_link(name="link", targetArns=[front["LoadBalancerArn"]])["id"]
    found = eventually(lambda: rest.get_vpc_link(vpcLinkId=link), lambda one: one["status"] != "PENDING")
    assert found["status"] == "AVAILABLE", found
    api = rest.create_rest_api(name="api")["id"]
    root = rest.get_resources(restApiId=api)["items"][0]["id"]
    names = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    rest.put_method(**names, authorizationType="NONE")
    rest.put_integration(
        **names,
        type="HTTP_PROXY",
        integrationHttpMethod="GET",
        uri=f"http://{front['DNSName']}:8081/",
        connectionType="VPC_LINK",
        connectionId=link,
    )
    rest.create_deployment(restApiId=api, stageName="v1")
    answer = eventually(lambda: cloud.ask(api, "/v1/"), lambda one: one.status == 200)
    assert answer.body == b"from inside"
