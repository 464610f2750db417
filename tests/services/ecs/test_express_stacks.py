"""Express services and gateways in stacks of CloudFormation."""

from __future__ import annotations

from typing import Any

from tests.services.cloudformation.deploying import Stacks, as_text
from tests.services.ecs.express import ExpressMode
from tests.services.ecs.test_stacks import find_drifted
from tests.standing import Standing, eventually


def describe(web: ExpressMode, body: str, **gateway: Any) -> dict[str, Any]:
    answer = web.answer(body)
    container = {"Image": answer["image"], "Command": answer["command"]}
    infrastructure = web.find_role("infrastructure")
    return {
        "Resources": {
            "Gateway": {
                "Type": "AWS::ECS::Gateway",
                "Properties": {
                    "GatewayName": "front",
                    "InfrastructureRoleArn": infrastructure,
                    "Configuration": {"HostSharedAlb": {"MaxAlbCount": 3}},
                    "DeletionProtection": False,
                    **gateway,
                },
            },
            "Association": {
                "Type": "AWS::ECS::GatewayClusterAssociations",
                "Properties": {"Gateway": {"Ref": "Gateway"}, "Cluster": "default"},
            },
            "Service": {
                "Type": "AWS::ECS::ExpressGatewayService",
                "Properties": {
                    "ServiceName": "web",
                    "ExecutionRoleArn": web.find_role("execution"),
                    "InfrastructureRoleArn": infrastructure,
                    "PrimaryContainer": container,
                    "Tags": [{"Key": "team", "Value": "shop"}],
                },
            },
        },
        "Outputs": {
            "Endpoint": {"Value": {"Fn::GetAtt": ["Service", "Endpoint"]}},
            "Access": {"Value": {"Fn::GetAtt": ["Gateway", "AccessType"]}},
        },
    }


def _is_baking(web: ExpressMode) -> bool:
    try:
        operation = web.list_operations()[0]
    except (IndexError, web.ecs.exceptions.ServiceNotFoundException):
        return False
    # Some of the traffic is shifted, or all.
    has_traffic = bool(operation["targetServiceRevision"].get("requestedProductionTrafficWeight"))
    return has_traffic and operation["status"] == "IN_PROGRESS"


def test_stacks_have_express_services_and_gateways(standing: Standing) -> None:
    web = ExpressMode(standing.account())
    stacks = Stacks(web.aws)

    def wait(name: str) -> str:
        """Wait until nothing is in progress any more; move the clock on where a deployment bakes."""

        def look() -> str:
            if _is_baking(web):
                standing.advance("3m")
            return str(stacks.describe(name)["StackStatus"])

        return eventually(look, lambda status: not status.endswith("_IN_PROGRESS"))

    made = stacks.client.create_stack(StackName="shop", TemplateBody=as_text(describe(web, "one")))
    assert wait("shop") == "CREATE_COMPLETE", "\n".join(map(str, stacks.events("shop")))
    outputs = stacks.outputs("shop")
    assert outputs["Access"] == "PUBLIC"
    web.eventually_answer(outputs["Endpoint"], "one\n")
    assert find_drifted(stacks, "shop") == {}
    changed = describe(web, "two", PropagateTags="NONE")
    stacks.client.update_stack(StackName="shop", TemplateBody=as_text(changed))
    assert wait("shop") == "UPDATE_COMPLETE"
    web.eventually_answer(outputs["Endpoint"], "two\n")
    stacks.client.delete_stack(StackName="shop")
    assert wait(made["StackId"]) == "DELETE_COMPLETE"
    assert web.ecs.list_gateways()["gateways"] == []
