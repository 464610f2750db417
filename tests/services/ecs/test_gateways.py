"""Gateways: load balancers that services of clusters are reached by."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.ecs.balancing import configure, pause
from tests.services.ecs.express import ExpressMode
from tests.standing import eventually


@pytest.fixture
def web(aws: Aws) -> ExpressMode:
    return ExpressMode(aws)


def create(web: ExpressMode, name: str = "front", **configuration: Any) -> str:
    made = web.ecs.create_gateway(
        name=name,
        infrastructureRoleArn=web.find_role("infrastructure"),
        configuration={"hostSharedAlb": configuration},
        deletionProtection=False,
        tags=[{"key": "team", "value": "shop"}],
    )
    assert made["status"] == "ACTIVE"
    return str(made["gatewayArn"])


def publish(web: ExpressMode, body: str) -> str:
    """Register a task definition whose tasks answer with a text; return its ARN."""
    container = {
        **web.answer(body),
        "portMappings": [{"containerPort": 80, "name": "http"}],
        "stopTimeout": 1,
    }
    return web.register(container, family="web", mode="awsvpc")


def connect(web: ExpressMode, name: str = "web", count: int = 1, **more: Any) -> dict[str, Any]:
    """Make a service that is connected to the gateways of its cluster."""
    publish(web, "one")
    subnets = web.aws.client("ec2").describe_subnets()["Subnets"]
    network = {"awsvpcConfiguration": {"subnets": [each["SubnetId"] for each in subnets]}}
    connector = {"portName": "http", "deregistrationDelay": {"timeoutSeconds": 1}, **more}
    place = {"serviceName": name, "networkConfiguration": network}
    return web.create(desiredCount=count, **place, gatewayConnectors=[connector])


def list_routes(web: ExpressMode, **filters: Any) -> list[dict[str, Any]]:
    return list(web.ecs.list_gateway_routes(**filters)["gatewayRoutes"])


def test_services_of_a_cluster_are_reached_by_its_gateway(web: ExpressMode) -> None:
    gateway = create(web)
    assert web.ecs.associate_gateway_with_cluster(gateway="front", cluster="default")["status"] == "ACTIVE"
    assert web.list_left() == {}
    made = connect(web, healthCheck={"healthCheckPath": "/ping"})
    assert made["loadBalancers"] == []
    (listed,) = list_routes(web, gateway=gateway, service="web")
    route = web.ecs.describe_gateway_route(gatewayRouteArn=listed["gatewayRouteArn"])["gatewayRoute"]
    web.eventually_answer(route["serviceUrl"], "one\n")
    route = web.ecs.describe_gateway_route(gatewayRouteArn=listed["gatewayRouteArn"])["gatewayRoute"]
    assert (route["status"], route["serviceContainerPortName"]) == ("ACTIVE", "http")
    resources = web.ecs.describe_gateway_resources(gateway=gateway)["gatewayResources"]["resources"]["hostSharedAlb"]
    assert [each["gatewayRouteArns"] for each in resources] == [[route["gatewayRouteArn"]]]
    balancer = resources[0]["loadBalancerArn"]
    elb = web.aws.client("elbv2")
    tags = elb.describe_tags(ResourceArns=[balancer])["TagDescriptions"][0]["Tags"]
    assert {each["Key"]: each["Value"] for each in tags} == {"AmazonECSManaged": "true", "team": "shop"}
    web.settle()
    revision = web.list_operations()[0]["targetServiceRevision"]["arn"]
    (connection,) = web.read_revision(revision)["ecsManagedResources"]["gatewayConnections"]
    assert (connection["serviceUrl"], connection["accessType"]) == (route["serviceUrl"], "PUBLIC")

    header = {"header": {"name": "x-test", "values": ["yes"]}}
    changed = web.ecs.update_gateway(
        gateway="front",
        configuration={"hostSharedAlb": {"httpDesync": "strictest", "testTrafficRules": header, "maxAlbCount": 2}},
        deletionProtection=True,
    )
    assert changed["status"] == "UPDATE_IN_PROGRESS"
    described = eventually(
        lambda: web.ecs.describe_gateway(gateway="front")["gateway"], lambda found: found["status"] == "UPDATE_COMPLETE"
    )
    configuration = described["configuration"]["hostSharedAlb"]
    assert (configuration["currentAlbCount"], configuration["maxAlbCount"]) == (1, 2)
    attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=balancer)["Attributes"]
    found = {each["Key"]: each["Value"] for each in attributes}
    assert found["routing.http.desync_mitigation_mode"] == "strictest"
    assert found["deletion_protection.enabled"] == "true"
    eventually(
        lambda: web.ecs.describe_gateway_route(gatewayRouteArn=listed["gatewayRouteArn"])["gatewayRoute"]["resources"],
        lambda found: len(found["hostSharedAlb"][0]["testListenerRuleArns"]) == 1,
    )
    hook = pause("POST_TEST_TRAFFIC_SHIFT")
    web.update(taskDefinition=publish(web, "two"), deploymentConfiguration=configure("BLUE_GREEN", hook))
    waiting = web.until_operation(lambda each: bool(each["lifecycleHookDetails"]))
    eventually(lambda: web.ask(route["serviceUrl"], **{"x-test": "yes"}), lambda found: found == (200, "two\n"))
    assert web.ask(route["serviceUrl"]) == (200, "one\n")
    details = {"hookId": waiting["lifecycleHookDetails"][0]["hookId"]}
    web.ecs.continue_service_deployment(serviceDeploymentArn=waiting["serviceDeploymentArn"], **details)
    web.eventually_answer(route["serviceUrl"], "two\n")
    web.settle()

    assert refused(web.ecs.delete_gateway, gateway="front")[0] == "InvalidParameterException"
    web.ecs.update_gateway(gateway="front", deletionProtection=False)
    assert web.ecs.disassociate_gateway_from_cluster(gateway="front", cluster="default")["status"] == "DISASSOCIATING"
    web.update(gatewayConnectors=[], deploymentConfiguration={"strategy": "ROLLING"})
    eventually(lambda: web.ecs.list_gateway_cluster_associations()["gatewayClusterAssociations"], lambda all: not all)
    assert list_routes(web) == []
    eventually(lambda: refused_deletion(web), lambda status: status == "DELETED")
    eventually(web.list_left, lambda left: not left)
    assert refused(web.ecs.describe_gateway, gateway="front")[0] == "GatewayNotFoundException"
    assert len(web.list_tasks()) >= 1


def test_services_share_the_rules_of_their_security_group(web: ExpressMode) -> None:
    create(web)
    web.ecs.associate_gateway_with_cluster(gateway="front", cluster="default")
    ec2 = web.aws.client("ec2")

    def list_rules() -> list[str]:
        found = ec2.describe_security_group_rules(Filters=[{"Name": "tag:AmazonECSManaged", "Values": ["true"]}])
        return [each["SecurityGroupRuleId"] for each in found["SecurityGroupRules"] if each["FromPort"] == 80]

    for name in ("web", "api"):
        connect(web, name, 0)
    eventually(lambda: list_routes(web), lambda found: [each["status"] for each in found] == ["ACTIVE"] * 2)
    (rule,) = list_rules()
    web.ecs.delete_service(service="web")
    eventually(lambda: list_routes(web), lambda found: len(found) == 1)
    assert list_rules() == [rule]
    web.ecs.delete_service(service="api")
    eventually(web.list_left, lambda left: not left)
    assert list_rules() == []


def refused_deletion(web: ExpressMode) -> str:
    """Return the status of a deletion, or the code with which it is refused."""
    try:
        return str(web.ecs.delete_gateway(gateway="front")["status"])
    except web.ecs.exceptions.InvalidParameterException as error:
        return str(error)
