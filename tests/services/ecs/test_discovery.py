"""Service discovery: tasks of a service are instances in AWS Cloud Map while they run."""

from __future__ import annotations

from typing import Any

from botocore.config import Config

from cloudlet.testing.server import Aws
from tests.services.ecs.serving import Services
from tests.standing import eventually


def make_registry(aws: Aws) -> tuple[Any, dict[str, Any]]:
    """Make a service of an HTTP namespace; return Cloud Map, and the service."""
    cloud_map = aws.client("servicediscovery", config=Config(inject_host_prefix=False))
    operation = cloud_map.create_http_namespace(Name="shop")["OperationId"]
    done = eventually(
        lambda: cloud_map.get_operation(OperationId=operation)["Operation"], lambda each: each["Status"] == "SUCCESS"
    )
    made = cloud_map.create_service(Name="web", NamespaceId=done["Targets"]["NAMESPACE"])["Service"]
    return cloud_map, made


def test_tasks_are_registered_while_they_run(aws: Aws) -> None:
    cloud_map, registry = make_registry(aws)
    web = Services(aws)
    web.register({"portMappings": [{"containerPort": 8080}]}, family="web", mode="bridge")
    place = {"registryArn": registry["Arn"], "containerName": "main", "containerPort": 8080}
    web.create(desiredCount=2, serviceRegistries=[place])
    web.settle()

    def discover() -> dict[str, dict[str, str]]:
        found = cloud_map.discover_instances(NamespaceName="shop", ServiceName="web", HealthStatus="ALL")["Instances"]
        return {each["InstanceId"]: each["Attributes"] for each in found}

    def list_ids() -> set[str]:
        return {arn.rpartition("/")[2] for arn in web.list_tasks()}

    found = eventually(discover, lambda each: each.keys() == list_ids())
    for task, attributes in found.items():
        assert attributes["ECS_SERVICE_NAME"] == "web"
        assert attributes["ECS_CLUSTER_NAME"] == "default"
        assert attributes["ECS_TASK_DEFINITION_FAMILY"] == "web"
        port = web.describe(task)["containers"][0]["networkBindings"][0]["hostPort"]
        assert attributes["AWS_INSTANCE_PORT"] == str(port)
    web.update(desiredCount=1)
    eventually(discover, lambda each: len(each) == 1 and each.keys() == list_ids())
    web.ecs.delete_service(service="web", force=True)
    eventually(discover, lambda each: not each)
