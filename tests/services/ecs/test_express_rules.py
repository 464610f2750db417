"""What Express services and gateways may ask for, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.services.ecs import express_rules, gateway_changing, gateway_connecting, ingress_states
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.ingress_record import Balancer, Group, Route
from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecs.express import find_role

CONTAINER = {"image": "web:1", "environment": [{"name": "COLOUR", "value": "blue"}], "containerPort": 8080}
PARAMS = {"primaryContainer": CONTAINER, "executionRoleArn": "arn:aws:iam::111122223333:role/execution"}


def register(params: dict[str, Any], known: Definition | None = None) -> Definition:
    """Return the task definition that a request asks for."""
    request = express_rules.make_definition(params, "default-web", "us-east-1", "/aws/ecs/default/web-1", known)
    return Definition("111122223333", "us-east-1", "default-web", 1, request)


def test_a_task_definition_has_a_main_container_with_a_port() -> None:
    made = register(PARAMS)
    (main,) = made.containers
    assert (main["name"], main["image"]) == ("Main", "web:1")
    assert main["portMappings"] == [{"containerPort": 8080, "protocol": "tcp", "name": "main-8080-tcp"}]
    assert main["logConfiguration"]["options"]["awslogs-group"] == "/aws/ecs/default/web-1"
    assert (made.shape["cpu"], made.shape["memory"], made.shape["networkMode"]) == ("256", "512", "awsvpc")
    assert express_rules.read_container(main)["environment"] == CONTAINER["environment"]


def test_an_update_changes_what_it_names() -> None:
    changed = register({"primaryContainer": {"image": "web:2"}, "cpu": "512", "memory": "1024"}, register(PARAMS))
    (main,) = changed.containers
    assert (main["image"], main["environment"], changed.shape["cpu"]) == ("web:2", CONTAINER["environment"], "512")
    assert changed.shape["executionRoleArn"] == PARAMS["executionRoleArn"]
    cleared = register({"primaryContainer": {"image": "web:2", "environment": []}}, changed)
    assert "environment" not in cleared.containers[0]


@pytest.mark.parametrize(
    ("given", "scaling"),
    [
        ({}, (1, 20)),
        ({"minTaskCount": 30}, (30, 30)),
        ({"minTaskCount": 2, "maxTaskCount": 4}, (2, 4)),
    ],
)
def test_scaling_has_bounds(given: dict[str, int], scaling: tuple[int, int]) -> None:
    found = express_rules.read_scaling({"scalingTarget": given})
    assert (found["minTaskCount"], found["maxTaskCount"]) == scaling
    assert found["autoScalingTargetValue"] == 60


def test_scaling_that_makes_no_sense_is_refused() -> None:
    for given in ({"minTaskCount": 3, "maxTaskCount": 2}, {"maxTaskCount": 5001}, {"autoScalingTargetValue": 0}):
        with pytest.raises(AwsError):
            express_rules.read_scaling({"scalingTarget": given})


def test_a_host_begins_with_the_service_and_its_load_balancer() -> None:
    route = Route(
        *("111122223333", "us-east-1", "default", "Web_shop", "0123abcd" + 24 * "f", "", "role", "PUBLIC", "vpc-1"),
        *("http", "Main", 80, {}, [Group(17 * "a", 80, {}), Group(17 * "b", 80, {})], 0.0, 0.0),
    )
    assert route.endpoint == f"https://we-0123abcd{24 * 'f'}.ecs.us-east-1.on.aws"
    assert route.balancer == "0123abcd"


def test_a_load_balancer_is_changed_by_what_is_another_one() -> None:
    known = {"httpDesync": "defensive", "deletionProtection": False, "tags": {"a": "1"}}
    header = {"header": {"name": "x", "values": ["1"]}}
    wanted = {
        "deletionProtection": True,
        "tags": {"b": "2"},
        "inboundSecurityGroup": "sg-2",
        "accessLogs": {"destination": {"s3": {"bucket": "logs"}}},
        "testTrafficRules": header,
    }
    balancer = Balancer(
        *("111122223333", "us-east-1", "0123abcd", "front", "role", "PUBLIC", "vpc-1", ["a", "b"], 0.0, 0.0),
        security_group="sg-1",
        arn="balancer",
        listener="listener",
        settings=known,
        wanted=wanted,
    )
    calls = {operation: params for _, operation, params in gateway_changing.list_calls(balancer)}
    attributes = {each["Key"]: each["Value"] for each in calls["ModifyLoadBalancerAttributes"]["Attributes"]}
    assert attributes == {
        "deletion_protection.enabled": "true",
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": "logs",
        "access_logs.s3.prefix": "",
    }
    assert calls["SetSecurityGroups"]["SecurityGroups"] == ["sg-1", "sg-2"]
    assert calls["RevokeSecurityGroupIngress"]["GroupId"] == "sg-1"
    assert calls["RemoveTags"]["TagKeys"] == ["a"]
    assert calls["AddTags"]["Tags"] == [{"Key": "b", "Value": "2"}]


def test_a_connector_says_how_health_is_checked() -> None:
    given = {"healthCheckPath": "/a", "healthCheckPort": 81, "matcher": {"httpCode": "200-299"}}
    assert gateway_connecting.make_check({"healthCheck": given}) == {
        "HealthCheckPath": "/a",
        "HealthCheckPort": "81",
        "Matcher": {"HttpCode": "200-299"},
    }


def test_states_follow_states() -> None:
    tables = (
        ingress_states.OF_RESOURCES,
        ingress_states.OF_ROUTES,
        ingress_states.OF_GATEWAYS,
        ingress_states.OF_ASSOCIATIONS,
    )
    for table in tables:
        assert {each for following in table.values() for each in following} <= table.keys()
    assert ingress_states.find_resource_status("", "", is_leaving=False) == "PROVISIONING"
    assert ingress_states.find_resource_status("", "denied", is_leaving=False) == "FAILED"
    assert ingress_states.find_resource_status("arn", "", is_leaving=True) == "DEPROVISIONING"


def test_express_services_that_make_no_sense_are_refused(aws: Aws) -> None:
    ecs = aws.client("ecs")
    roles = {"infrastructureRoleArn": find_role(aws, "infrastructure")}
    complete = {**roles, "executionRoleArn": find_role(aws, "execution"), "primaryContainer": {"image": "web"}}
    create = ecs.create_express_gateway_service
    assert refused(create, **roles) == (
        "InvalidParameterException",
        "executionRoleArn must be specified when taskDefinitionArn is not.",
    )
    message = refused(create, **complete, taskDefinitionArn="web")[1]
    assert message == "You cannot specify both taskDefinitionArn and primaryContainer."
    assert code_of(create, **complete, healthCheckPath="ping") == "InvalidParameterException"
    assert code_of(create, **complete, cluster="none") == "ClusterNotFoundException"
    one = aws.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    message = refused(create, **complete, networkConfiguration={"subnets": [one]})[1]
    assert message == "At least two subnets in two different Availability Zones must be specified"
    missing = f"arn:aws:ecs:us-east-1:{aws.account}:service/default/none"
    assert code_of(ecs.describe_express_gateway_service, serviceArn=missing) == "ResourceNotFoundException"
    assert code_of(ecs.update_express_gateway_service, serviceArn=missing) == "ServiceNotFoundException"
    assert code_of(ecs.delete_express_gateway_service, serviceArn=missing) == "ServiceNotFoundException"


def test_gateways_that_make_no_sense_are_refused(aws: Aws) -> None:
    ecs = aws.client("ecs")

    def create(name: str = "front", **configuration: Any) -> Any:
        role = find_role(aws, "infrastructure")
        shape = {"hostSharedAlb": configuration}
        return ecs.create_gateway(name=name, infrastructureRoleArn=role, configuration=shape, clientToken="t")

    assert code_of(create, "a_b") == "InvalidParameterException"
    assert refused(create, port=80)[1] == "A gateway supports only the protocol HTTPS at port 443."
    for unbuilt in ({"networkConfiguration": {"ipAddressType": "dualstack"}}, {"webACLArn": "a"}):
        assert code_of(create, **unbuilt) == "ClientException"
    gateway = create()["gatewayArn"]
    assert create()["gatewayArn"] == gateway
    role = find_role(aws, "infrastructure")
    again = {"name": "front", "infrastructureRoleArn": role, "configuration": {"hostSharedAlb": {}}}
    assert code_of(ecs.create_gateway, **again) == "InvalidParameterException"
    (listed,) = ecs.list_gateways(names=["front"], status=["ACTIVE"])["gateways"]
    assert listed["gatewayArn"] == gateway
    ecs.create_cluster()
    ecs.associate_gateway_with_cluster(gateway=gateway, cluster="default")
    (association,) = ecs.list_gateway_cluster_associations(cluster="default")["gatewayClusterAssociations"]
    assert (association["gatewayArn"], association["status"]) == (gateway, "ACTIVE")
    refusal = refused(ecs.delete_gateway, gateway="front")
    assert refusal == (
        "InvalidParameterException",
        "The gateway front cannot be deleted: its deletion protection is enabled.",
    )
    assert ecs.update_gateway(gateway="front", deletionProtection=False)["status"] == "UPDATE_IN_PROGRESS"
    assert code_of(ecs.delete_gateway, gateway="front") == "InvalidParameterException"
    gone = ecs.disassociate_gateway_from_cluster(gateway="front", cluster="default")
    assert gone["status"] == "INACTIVE"
    both = {"gateway": "front", "cluster": "default"}
    assert code_of(ecs.disassociate_gateway_from_cluster, **both) == "ResourceNotFoundException"
    ecs.tag_resource(resourceArn=gateway, tags=[{"key": "team", "value": "shop"}])
    assert ecs.describe_gateway(gateway=gateway)["gateway"]["tags"] == [{"key": "team", "value": "shop"}]
    assert ecs.delete_gateway(gateway=gateway)["status"] == "DELETED"
    for operation in (ecs.describe_gateway, ecs.describe_gateway_resources, ecs.list_gateway_routes):
        assert code_of(operation, gateway="front") == "GatewayNotFoundException"
    route = f"arn:aws:ecs:us-east-1:{aws.account}:gateway-route/front/none"
    assert code_of(ecs.describe_gateway_route, gatewayRouteArn=route) == "ResourceNotFoundException"
