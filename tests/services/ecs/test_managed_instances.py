"""Capacity providers of one's own: this machine is the instance of each."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecs.managing import Managed

STRATEGY = [{"capacityProvider": "machine", "weight": 1}]


@pytest.fixture
def managed(aws: Aws) -> Managed:
    return Managed(aws)


def test_one_has_an_instance_on_which_its_tasks_run(managed: Managed) -> None:
    ecs = managed.ecs
    described = ecs.describe_capacity_providers(capacityProviders=["machine"])["capacityProviders"][0]
    assert (described["status"], described["type"], described["capacityProviderArn"]) == (
        "ACTIVE",
        "MANAGED_INSTANCES",
        managed.provider,
    )
    assert described["cluster"].endswith("cluster/default")
    (instance,) = managed.list_instances()
    assert instance["status"] == "ACTIVE"
    cluster = ecs.describe_clusters()["clusters"][0]
    assert (cluster["capacityProviders"], cluster["registeredContainerInstancesCount"]) == (["machine"], 2)
    task = managed.wait(managed.run({"stopTimeout": 1}, run={"capacityProviderStrategy": STRATEGY}), "RUNNING")
    assert (task["launchType"], task["capacityProviderName"]) == ("MANAGED_INSTANCES", "machine")
    assert task["containerInstanceArn"] == instance["containerInstanceArn"]
    assert managed.list_instances()[0]["runningTasksCount"] == 1
    own = ecs.list_tasks(containerInstance=instance["containerInstanceArn"], launchType="MANAGED_INSTANCES")
    assert own["taskArns"] == [task["taskArn"]]
    # With the capacity provider its tasks and its instance go.
    assert refused(ecs.delete_cluster, cluster="default")[0] == "ClusterContainsTasksException"
    gone = ecs.delete_capacity_provider(capacityProvider=managed.provider, cluster="default")["capacityProvider"]
    assert gone["status"] == "DEPROVISIONING"
    managed.wait(task["taskArn"], lambda each: each["lastStatus"] == "STOPPED")
    managed.until_instances(lambda each: not each)
    managed.ecs.delete_cluster(cluster="default")


def test_a_service_uses_it_by_its_strategy(managed: Managed) -> None:
    ecs = managed.ecs
    managed.create(capacityProviderStrategy=STRATEGY)
    managed.settle()
    (instance,) = managed.list_instances()
    placed = {managed.describe(each)["containerInstanceArn"] for each in managed.list_tasks()}
    assert placed == {instance["containerInstanceArn"]}
    assert code_of(ecs.delete_capacity_provider, capacityProvider="machine") == "ClientException"
    # It stays with its cluster, whatever else that has.
    fargate = [{"capacityProvider": "FARGATE", "weight": 1}]
    changed = ecs.put_cluster_capacity_providers(
        cluster="default", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=fargate
    )["cluster"]
    assert changed["capacityProviders"] == ["FARGATE", "machine"]
    code, message = refused(
        ecs.run_task, taskDefinition="web", capacityProviderStrategy=[*STRATEGY, *fargate]
    )  # fmt: skip
    assert (code, "mix" in message) == ("InvalidParameterException", True)


def test_requirements_cut_the_instance_to_size(managed: Managed) -> None:
    wanted = {"vCpuCount": {"min": 1, "max": 1}, "memoryMiB": {"min": 64, "max": 512}}
    managed.create_provider("small", managedInstancesProvider=managed.configure(instanceRequirements=wanted))
    (instance,) = managed.list_instances("small")
    sizes = {each["name"]: each["integerValue"] for each in instance["registeredResources"]}
    assert sizes == {"CPU": 1024, "MEMORY": 512}
    definition = managed.register({"memory": 600})
    strategy = [{"capacityProvider": "small", "weight": 1}]
    answer = managed.ecs.run_task(taskDefinition=definition, capacityProviderStrategy=strategy)
    assert answer["failures"] == [{"arn": instance["containerInstanceArn"], "reason": "RESOURCE:MEMORY"}]
    managed.ecs.update_capacity_provider(
        name="small", cluster="default", managedInstancesProvider={**managed.configure(), "propagateTags": "NONE"}
    )


_REQUIREMENTS: list[dict[str, Any]] = [
    {"vCpuCount": {"min": 4096}},
    {"memoryMiB": {"min": 2**30}},
    {"acceleratorTypes": ["gpu"]},
    {"acceleratorCount": {"min": 1}},
    {"allowedInstanceTypes": ["m5.*"]},
    {"bareMetal": "required"},
    {"requireHibernateSupport": True},
    {"networkInterfaceCount": {"min": 2}},
    {"instanceGenerations": ["previous"]},
    {"cpuManufacturers": ["amazon-web-services"]},
]
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"storageConfiguration": {"storageSizeGiB": 80}}, "storageConfiguration"),
    ({"localStorageConfiguration": {"useLocalStorage": True}}, "localStorageConfiguration"),
    ({"monitoring": "DETAILED"}, "monitoring"),
    ({"capacityOptionType": "RESERVED"}, "capacityOptionType"),
    ({"fipsEnabled": True}, "fipsEnabled"),
    ({"instanceMetadataTagsPropagation": True}, "instanceMetadataTagsPropagation"),
    *(
        ({"instanceRequirements": {"vCpuCount": {"min": 1}, "memoryMiB": {"min": 1}, **more}}, next(iter(more)))
        for more in _REQUIREMENTS
    ),
]


def test_what_this_machine_cannot_be_is_refused_by_name(managed: Managed) -> None:
    for template, name in REFUSED:
        given = managed.configure(**template)
        code, message = refused(
            managed.ecs.create_capacity_provider, name="other", cluster="default", managedInstancesProvider=given
        )
        assert code == "ClientException", template
        assert message.startswith("Cloudlet does not have "), message
        assert name in message
    for member, value in (("infrastructureOptimization", {"scaleInAfter": 60}),
                          ("autoRepairConfiguration", {"actionsStatus": "ENABLED"})):  # fmt: skip
        given = {**managed.configure(), member: value}
        assert code_of(
            managed.ecs.create_capacity_provider, name="other", cluster="default", managedInstancesProvider=given
        ) == "ClientException"  # fmt: skip


def test_mistakes_are_told(managed: Managed) -> None:
    create = managed.ecs.create_capacity_provider
    given = managed.configure()
    for name in ("aws-one", "ecsone", "Fargate2", "with space"):
        assert code_of(create, name=name, cluster="default", managedInstancesProvider=given) == (
            "InvalidParameterException"
        )
    assert code_of(create, name="two", managedInstancesProvider=given) == "InvalidParameterException"
    assert code_of(create, name="two", cluster="none", managedInstancesProvider=given) == "ClusterNotFoundException"
    assert code_of(create, name="machine", cluster="default", managedInstancesProvider=given) == "ClientException"
    for network in ({}, {"subnets": ["subnet-00000000"]}):
        wrong = managed.configure(networkConfiguration=network)
        assert code_of(create, name="two", cluster="default", managedInstancesProvider=wrong) == (
            "InvalidParameterException"
        )
    for member, value in (("infrastructureRoleArn", "role"), ("infrastructureOptimization", {"scaleInAfter": -2})):
        assert code_of(create, name="two", cluster="default", managedInstancesProvider={**given, member: value}) == (
            "InvalidParameterException"
        )
    ecs = managed.ecs
    assert code_of(ecs.delete_capacity_provider, capacityProvider="FARGATE") == "InvalidParameterException"
    assert code_of(ecs.delete_capacity_provider, capacityProvider="none") == "InvalidParameterException"
    assert code_of(ecs.run_task, taskDefinition="web", launchType="MANAGED_INSTANCES") == "InvalidParameterException"
    bridge = managed.register({}, mode="bridge", family="bridged")
    answer = refused(ecs.run_task, taskDefinition=bridge, capacityProviderStrategy=STRATEGY)
    assert answer == ("InvalidParameterException", "Task definition does not support launch_type MANAGED_INSTANCES.")
