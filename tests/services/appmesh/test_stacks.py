"""Stacks with the resources of a mesh."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.appmesh.mesh_cloud import MeshCloud
from tests.services.cloudformation.deploying import Stacks
from tests.services.cloudformation.drifting import list_drifts


@pytest.fixture
def stacks(aws: Aws) -> Stacks:
    return Stacks(aws)


def resource(kind: str, *after: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::AppMesh::{kind}", "Properties": properties, "DependsOn": list(after)}


def make_template(weight: int, stage: str) -> dict[str, Any]:
    name = {"Fn::GetAtt": ["Mesh", "MeshName"]}
    targets = [{"VirtualNode": {"Fn::GetAtt": ["Node", "VirtualNodeName"]}, "Weight": weight}]
    service = {"Fn::GetAtt": ["Service", "VirtualServiceName"]}
    listener = {"PortMapping": {"Port": 8080, "Protocol": "http"}}
    return {
        "Resources": {
            "Mesh": resource("Mesh", MeshName="shop", Tags=[{"Key": "stage", "Value": stage}]),
            "Node": resource(
                "VirtualNode",
                MeshName=name,
                Spec={
                    "Listeners": [
                        {
                            **listener,
                            "TLS": {
                                "Mode": "STRICT",
                                "Certificate": {"File": {"CertificateChain": "/c", "PrivateKey": "/k"}},
                            },
                        }
                    ],
                    "ServiceDiscovery": {"DNS": {"Hostname": "n.local"}},
                },
            ),
            "Router": resource("VirtualRouter", MeshName=name, VirtualRouterName="r", Spec={"Listeners": [listener]}),
            "Route": resource(
                "Route",
                MeshName=name,
                VirtualRouterName={"Fn::GetAtt": ["Router", "VirtualRouterName"]},
                RouteName="x",
                Spec={"HttpRoute": {"Match": {"Prefix": "/"}, "Action": {"WeightedTargets": targets}}},
            ),
            "Service": resource(
                "VirtualService",
                MeshName=name,
                VirtualServiceName="s.local",
                Spec={
                    "Provider": {
                        "VirtualRouter": {"VirtualRouterName": {"Fn::GetAtt": ["Router", "VirtualRouterName"]}}
                    }
                },
            ),
            "Gateway": resource(
                "VirtualGateway", MeshName=name, VirtualGatewayName="g", Spec={"Listeners": [listener]}
            ),
            "GatewayRoute": resource(
                "GatewayRoute",
                MeshName=name,
                VirtualGatewayName={"Fn::GetAtt": ["Gateway", "VirtualGatewayName"]},
                GatewayRouteName="y",
                Spec={
                    "HttpRoute": {
                        "Match": {"Prefix": "/"},
                        "Action": {"Target": {"VirtualService": {"VirtualServiceName": service}}},
                    }
                },
            ),
        },
        "Outputs": {
            "Mesh": {"Value": {"Ref": "Mesh"}},
            "Uid": {"Value": {"Fn::GetAtt": ["Mesh", "Uid"]}},
            "Node": {"Value": {"Fn::GetAtt": ["Node", "Arn"]}},
        },
    }


def test_a_stack_is_made_changed_and_deleted(cloud: MeshCloud, stacks: Stacks) -> None:
    assert stacks.create("mesh", make_template(1, "first"))["StackStatus"] == "CREATE_COMPLETE"
    told = stacks.outputs("mesh")
    mesh = cloud.api.describe_mesh(meshName="shop")["mesh"]["metadata"]
    assert (told["Mesh"], told["Uid"]) == (mesh["arn"], mesh["uid"])
    node = cloud.api.list_virtual_nodes(meshName="shop")["virtualNodes"][0]
    assert told["Node"] == node["arn"]
    spec = cloud.api.describe_virtual_node(meshName="shop", virtualNodeName=node["virtualNodeName"])["virtualNode"]
    assert spec["spec"]["listeners"][0]["tls"]["mode"] == "STRICT"
    assert list_drifts(stacks, "mesh") == dict.fromkeys(make_template(1, "first")["Resources"], ("IN_SYNC", set()))
    assert stacks.update("mesh", make_template(2, "second"))["StackStatus"] == "UPDATE_COMPLETE"
    route = cloud.api.describe_route(meshName="shop", virtualRouterName="r", routeName="x")["route"]
    assert route["spec"]["httpRoute"]["action"]["weightedTargets"][0]["weight"] == 2
    assert route["metadata"]["version"] == 2
    tags = {tag["key"]: tag["value"] for tag in cloud.api.list_tags_for_resource(resourceArn=mesh["arn"])["tags"]}
    assert (tags["stage"], tags["aws:cloudformation:logical-id"]) == ("second", "Mesh")
    assert stacks.delete("mesh")["StackStatus"] == "DELETE_COMPLETE"
    assert [each["meshName"] for each in cloud.api.list_meshes()["meshes"]] == ["m"]


def test_what_cannot_be_made_fails_the_stack(cloud: MeshCloud, stacks: Stacks) -> None:
    template = {"Resources": {"Node": resource("VirtualNode", MeshName="none", Spec={})}}
    assert stacks.create("none", template)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("is not present" in reason for _, _, reason in stacks.events("none"))
