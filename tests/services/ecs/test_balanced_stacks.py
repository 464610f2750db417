"""Services behind load balancers, and of namespaces, in stacks of CloudFormation."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.services.cloudformation.deploying import Stacks
from tests.services.ecs.balancing import WEB, Balanced
from tests.services.ecs.test_stacks import find_drifted


def describe(web: Balanced, body: str) -> dict[str, Any]:
    """Return the template of a service whose traffic is shifted, and whose tasks answer with a text."""
    network = web.network["awsvpcConfiguration"]
    shift = web.shift()["advancedConfiguration"]
    balancer = {
        "ContainerName": "main",
        "ContainerPort": 80,
        "TargetGroupArn": web.blue,
        "AdvancedConfiguration": {
            "AlternateTargetGroupArn": shift["alternateTargetGroupArn"],
            "ProductionListenerRule": shift["productionListenerRule"],
            "TestListenerRule": shift["testListenerRule"],
            "RoleArn": shift["roleArn"],
        },
    }
    container = {
        "Name": "main",
        "Image": web.image,
        "Memory": 64,
        "Command": ["sh", "-c", f"echo {body} > /srv/index.html; exec httpd -f -h /srv"],
        "PortMappings": [{"ContainerPort": 80, "Name": "web", "AppProtocol": "http"}],
        "StopTimeout": WEB["stopTimeout"],
    }
    connect = {
        "Enabled": True,
        "Namespace": {"Fn::GetAtt": ["Namespace", "Arn"]},
        "Services": [{"PortName": "web", "ClientAliases": [{"Port": 80, "DnsName": "shop"}]}],
    }
    definition = {"Family": "shop", "NetworkMode": "awsvpc", "ContainerDefinitions": [container]}
    common = {
        "TaskDefinition": {"Ref": "Definition"},
        "DesiredCount": 1,
        "NetworkConfiguration": {
            "AwsvpcConfiguration": {"Subnets": network["subnets"], "SecurityGroups": network["securityGroups"]}
        },
    }
    deployment = {"Strategy": "CANARY", "BakeTimeInMinutes": 0, "CanaryConfiguration": {
        "CanaryPercent": 50.0, "CanaryBakeTimeInMinutes": 0}}  # fmt: skip
    return {
        "Resources": {
            "Namespace": {"Type": "AWS::ServiceDiscovery::HttpNamespace", "Properties": {"Name": "shop"}},
            "Definition": {"Type": "AWS::ECS::TaskDefinition", "Properties": definition},
            "Service": {
                "Type": "AWS::ECS::Service",
                "Properties": {**common, "LoadBalancers": [balancer], "DeploymentConfiguration": deployment},
            },
            "Connected": {
                "Type": "AWS::ECS::Service",
                "Properties": {**common, "ServiceConnectConfiguration": connect},
            },
        }
    }


def test_services_are_made_changed_and_deleted(aws: Aws) -> None:
    web, stacks = Balanced(aws), Stacks(aws)
    assert stacks.create("shop", describe(web, "one"))["StackStatus"] == "CREATE_COMPLETE", stacks.events("shop")
    assert web.front.eventually(200) == "one\n"
    assert web.get_weights(web.rule) == (100, 0)
    assert find_drifted(stacks, "shop") == {}
    listed = web.ecs.list_services_by_namespace(namespace="shop")["serviceArns"]
    assert ["Connected" in arn for arn in listed] == [True]
    assert stacks.update("shop", describe(web, "two"))["StackStatus"] == "UPDATE_COMPLETE", stacks.events("shop")
    assert web.get_weights(web.rule) == (0, 100)
    assert web.front.ask() == (200, "two\n")
    template = describe(web, "two")
    del template["Resources"]["Connected"]["Properties"]["ServiceConnectConfiguration"]
    assert stacks.update("shop", template)["StackStatus"] == "UPDATE_COMPLETE", stacks.events("shop")
    assert web.ecs.list_services_by_namespace(namespace="shop")["serviceArns"] == []
    assert stacks.delete("shop")["StackStatus"] == "DELETE_COMPLETE", stacks.events("shop")
    assert not web.list_targets(web.green)
