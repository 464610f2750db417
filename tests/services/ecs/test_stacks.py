"""ECS's resource types in stacks of CloudFormation."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.cloudformation.deploying import Stacks
from tests.services.ecs.serving import Services
from tests.standing import eventually

BREAKER = {"Enable": True, "Rollback": True}


@pytest.fixture
def web(aws: Aws) -> Services:
    return Services(aws)


def describe(image: str, *command: str, count: int = 1, **service: Any) -> dict[str, Any]:
    """Return the template of a service in a cluster, much as CDK makes it."""
    container = {
        "Name": "main",
        "Image": image,
        "Memory": 64,
        "StopTimeout": 1,
        "Essential": True,
        "Command": list(command or ("sleep", "1000")),
        "Environment": [{"Name": "COLOUR", "Value": "blue"}],
        "PortMappings": [{"ContainerPort": 8080, "HostPort": 0, "Protocol": "tcp"}],
    }
    return {
        "Resources": {
            "Cluster": {
                "Type": "AWS::ECS::Cluster",
                "Properties": {
                    "ClusterSettings": [{"Name": "containerInsights", "Value": "enabled"}],
                    "Tags": [{"Key": "team", "Value": "shop"}],
                },
            },
            "Capacity": {
                "Type": "AWS::ECS::ClusterCapacityProviderAssociations",
                "Properties": {
                    "Cluster": {"Ref": "Cluster"},
                    "CapacityProviders": ["FARGATE", "FARGATE_SPOT"],
                    "DefaultCapacityProviderStrategy": [],
                },
            },
            "Definition": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {"Family": "shop", "NetworkMode": "bridge", "ContainerDefinitions": [container]},
            },
            "Service": {
                "Type": "AWS::ECS::Service",
                "Properties": {
                    "Cluster": {"Ref": "Cluster"},
                    "TaskDefinition": {"Ref": "Definition"},
                    "LaunchType": "EC2",
                    "DesiredCount": count,
                    "DeploymentConfiguration": {
                        "MaximumPercent": 200,
                        "MinimumHealthyPercent": 50,
                        "DeploymentCircuitBreaker": BREAKER,
                    },
                    **service,
                },
            },
        },
        "Outputs": {
            "Cluster": {"Value": {"Ref": "Cluster"}},
            "ClusterArn": {"Value": {"Fn::GetAtt": ["Cluster", "Arn"]}},
            "Service": {"Value": {"Ref": "Service"}},
            "Name": {"Value": {"Fn::GetAtt": ["Service", "Name"]}},
        },
    }


def look(web: Services, outputs: dict[str, str]) -> dict[str, Any]:
    found = web.ecs.describe_services(cluster=outputs["Cluster"], services=[outputs["Service"]], include=["TAGS"])
    return dict(found["services"][0])


def find_drifted(stacks: Stacks, name: str) -> dict[str, Any]:
    """Return what is not as a stack's template says, by resource."""
    client = stacks.client
    detection = client.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
    eventually(
        lambda: client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)["DetectionStatus"],
        lambda status: status == "DETECTION_COMPLETE",
    )
    drifts = client.describe_stack_resource_drifts(StackName=name)["StackResourceDrifts"]
    assert len(drifts) >= 3
    return {
        each["LogicalResourceId"]: each.get("PropertyDifferences") or each["StackResourceDriftStatus"]
        for each in drifts
        if each["StackResourceDriftStatus"] != "IN_SYNC"
    }


def test_a_service_is_made_changed_and_deleted(aws: Aws, web: Services) -> None:
    stacks = Stacks(aws)
    assert stacks.create("shop", describe(web.image))["StackStatus"] == "CREATE_COMPLETE", stacks.events("shop")
    outputs = stacks.outputs("shop")
    service = look(web, outputs)
    assert (service["runningCount"], service["deployments"][0]["rolloutState"]) == (1, "COMPLETED")
    assert outputs["ClusterArn"].endswith(f":cluster/{outputs['Cluster']}")
    assert outputs["Name"] == service["serviceName"]
    (cluster,) = web.ecs.describe_clusters(clusters=[outputs["Cluster"]], include=["TAGS", "SETTINGS"])["clusters"]
    assert cluster["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert cluster["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert find_drifted(stacks, "shop") == {}
    control = aws.client("cloudcontrol")
    clusters = control.list_resources(TypeName="AWS::ECS::Cluster")["ResourceDescriptions"]
    assert outputs["Cluster"] in {each["Identifier"] for each in clusters}
    changed = describe(web.image, "sleep", "2000", count=2, Tags=[{"Key": "a", "Value": "1"}])
    assert stacks.update("shop", changed)["StackStatus"] == "UPDATE_COMPLETE", stacks.events("shop")
    service = look(web, outputs)
    assert (service["taskDefinition"].rpartition("/")[2], service["runningCount"]) == ("shop:2", 2)
    assert service["tags"] == [{"key": "a", "value": "1"}]
    assert stacks.delete("shop")["StackStatus"] == "DELETE_COMPLETE"
    assert web.ecs.describe_clusters(clusters=[outputs["Cluster"]])["clusters"][0]["status"] == "INACTIVE"
    assert web.ecs.list_task_definitions(familyPrefix="shop")["taskDefinitionArns"] == []


def test_an_update_whose_tasks_fail_is_rolled_back(aws: Aws, web: Services) -> None:
    stacks = Stacks(aws)
    stacks.create("shop", describe(web.image))
    good = look(web, stacks.outputs("shop"))["taskDefinition"]
    stack = stacks.update("shop", describe(web.image, "false"))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", stacks.events("shop")
    reasons = [reason for name, _, reason in stacks.events("shop") if name == "Service"]
    assert any("ECS deployment circuit breaker: tasks failed to start." in reason for reason in reasons)
    service = look(web, stacks.outputs("shop"))
    assert (service["taskDefinition"], service["runningCount"]) == (good, 1)


def test_a_daemon_is_made_without_names(aws: Aws, web: Services) -> None:
    template = describe(web.image, SchedulingStrategy="DAEMON")
    del template["Resources"]["Service"]["Properties"]["DesiredCount"]
    template["Resources"]["Service"]["Properties"]["DeploymentConfiguration"] = {"MaximumPercent": 100}
    del template["Resources"]["Definition"]["Properties"]["Family"]
    stacks = Stacks(aws)
    assert stacks.create("shop", template)["StackStatus"] == "CREATE_COMPLETE", stacks.events("shop")
    service = look(web, stacks.outputs("shop"))
    assert (service["schedulingStrategy"], service["runningCount"]) == ("DAEMON", 1)
    assert "Definition" in service["taskDefinition"]


def test_task_sets_are_made(aws: Aws, web: Services) -> None:
    place = {"Cluster": "default", "Service": {"Fn::GetAtt": ["Service", "Name"]}}
    template = {
        "Resources": {
            "Service": {
                "Type": "AWS::ECS::Service",
                "Properties": {
                    "Cluster": "default", "DesiredCount": 1, "DeploymentController": {"Type": "EXTERNAL"},
                },
            },
            "Tasks": {
                "Type": "AWS::ECS::TaskSet",
                "Properties": {**place, "TaskDefinition": "web:1", "Scale": {"Value": 100, "Unit": "PERCENT"}},
            },
            "Primary": {
                "Type": "AWS::ECS::PrimaryTaskSet",
                "Properties": {**place, "TaskSetId": {"Fn::GetAtt": ["Tasks", "Id"]}},
            },
        },
        "Outputs": {"Service": {"Value": {"Ref": "Service"}}, "Cluster": {"Value": "default"}},
    }  # fmt: skip
    stacks = Stacks(aws)
    assert stacks.create("sets", template)["StackStatus"] == "CREATE_COMPLETE", stacks.events("sets")
    (task_set,) = look(web, stacks.outputs("sets"))["taskSets"]
    assert (task_set["status"], task_set["id"]) == ("PRIMARY", stacks.physical_id("sets", "Tasks"))
    assert find_drifted(stacks, "sets") == {}
    assert stacks.delete("sets")["StackStatus"] == "DELETE_COMPLETE", stacks.events("sets")


def test_a_capacity_provider_is_made_with_a_daemon(aws: Aws, web: Services) -> None:
    subnet = aws.client("ec2").describe_subnets()["Subnets"][0]
    groups = aws.client("ec2").describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])
    network = {
        "Subnets": [subnet["SubnetId"]],
        "SecurityGroups": [each["GroupId"] for each in groups["SecurityGroups"] if each["GroupName"] == "default"],
    }

    container = {"Name": "agent", "Image": web.image, "Memory": 32, "Command": ["sleep", "1000"], "StopTimeout": 1}
    template = {
        "Resources": {
            "Cluster": {"Type": "AWS::ECS::Cluster"},
            "Machine": {
                "Type": "AWS::ECS::CapacityProvider",
                "Properties": {
                    "ClusterName": {"Ref": "Cluster"},
                    "ManagedInstancesProvider": {
                        "InfrastructureRoleArn": f"arn:aws:iam::{aws.account}:role/infrastructure",
                        "InstanceLaunchTemplate": {
                            "Ec2InstanceProfileArn": f"arn:aws:iam::{aws.account}:instance-profile/instance",
                            "NetworkConfiguration": network,
                        },
                    },
                },
            },
            "Definition": {
                "Type": "AWS::ECS::DaemonTaskDefinition",
                "Properties": {"ContainerDefinitions": [container]},
            },
            "Daemon": {
                "Type": "AWS::ECS::Daemon",
                "Properties": {
                    "ClusterArn": {"Fn::GetAtt": ["Cluster", "Arn"]},
                    "DaemonTaskDefinitionArn": {"Ref": "Definition"},
                    "CapacityProviderArns": [
                        {"Fn::Sub": "arn:aws:ecs:${AWS::Region}:${AWS::AccountId}:capacity-provider/${Machine}"}
                    ],
                    "Tags": [{"Key": "team", "Value": "infra"}],
                },
            },
        },
        "Outputs": {"Daemon": {"Value": {"Ref": "Daemon"}}},
    }

    stacks = Stacks(aws)
    made = stacks.create("base", template)
    assert made["StackStatus"] == "CREATE_COMPLETE", stacks.events("base")
    arn = stacks.outputs("base")["Daemon"]
    (revision,) = web.ecs.describe_daemon(daemonArn=arn)["daemon"]["currentRevisions"]
    assert revision["totalRunningCount"] == 1
    assert find_drifted(stacks, "base") == {}
    assert stacks.delete("base")["StackStatus"] == "DELETE_COMPLETE", stacks.events("base")
    assert "Machine" not in str(web.ecs.describe_capacity_providers()["capacityProviders"])
